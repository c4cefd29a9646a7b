# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file and folder that the documents name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
# In code, behind a link, or in a room of a drawing.
NAMES = re.compile(r"`([^`\s]+)`|\]\(([^)\s#]+)|\[\"((?:[\w.]+/)+)")
# Not in the tree: what is built, folders of users and checkpoints, names on the hub, modules of PyTorch, schemas.
ELSEWHERE = re.compile(r"~|dist/|\w+://|(high|low)_noise_model/|Wan-AI/|lightx2v/|torch/|\"?wan_previs\.\w+/\d")


def names_in(text: str) -> list[str]:
    """What looks like a path into this tree."""
    found = {next(filter(None, groups)) for groups in NAMES.findall(text)}
    return sorted(
        name for name in found if ("/" in name or name.endswith((".py", ".md"))) and not ELSEWHERE.match(name)
    )


def exists(name: str, document: Path) -> bool:
    """Whether the name, which may hold wildcards, is there: from the root, the engine's rooms, or the document."""
    places = (ROOT, ROOT / "wan_engine", document.parent)
    return not name.startswith("/") and any(any(place.glob(name.rstrip("/"))) for place in places)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(document):
    names = names_in(document.read_text(encoding="utf-8"))
    assert names and [name for name in names if not exists(name, document)] == []


def test_a_name_that_is_gone_is_found():
    text = 'See `scene/gone.py`, [this](docs/gone.md) and A["gone/<br>words"] beside `scene/brief.py` and `Wan-AI/`.'
    assert [name for name in names_in(text) if not exists(name, ROOT / "README.md")] == [
        "docs/gone.md", "gone/", "scene/gone.py",
    ]  # fmt: skip
