# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file of code says under which license it stands."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINE = "# SPDX-License-Identifier: GPL-3.0-or-later"


def test_every_file_of_code_begins_with_its_license():
    files = [path for ending in ("py", "sh") for path in ROOT.rglob(f"*.{ending}")]
    ours = [path for path in files if not {"build", "dist", "demo"} & set(path.relative_to(ROOT).parts)]
    ours = [path for path in ours if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    assert len(ours) > 400
    assert [path for path in ours if LINE not in path.read_text(encoding="utf-8").splitlines()[:2]] == []
