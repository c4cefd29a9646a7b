# SPDX-License-Identifier: GPL-3.0-or-later
"""One version: the manifest's, which names the zip, is the package's and the one that the texts speak of."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def version() -> str:
    return tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]


def test_manifest_package_and_zip_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == version()
    zips = re.findall(r"wan_previs-([\d.]+\d)\.zip", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(zips) == {version()}


def test_the_changelog_has_the_version_or_what_comes_after_it():
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    released = [head.split()[0].strip("[]") for head in heads if head != "Unreleased"]
    assert heads and "Unreleased" not in heads[1:]
    assert not released or released[0] == version()
