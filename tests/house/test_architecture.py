# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/architecture.md shows the rooms that there are, and how they import."""

import re
from collections import defaultdict
from graphlib import TopologicalSorter

from test_imports import ROOT, engine_imports, product_files

TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TOP = ("cli", "selftest", "pipeline")  # one box
ROOMS = {path.parent.name for path in (ROOT / "wan_engine").glob("*/__init__.py")}


def arrows() -> dict[str, set[str]]:
    """The arrows of the picture of the engine's rooms."""
    picture = TEXT.split("## The engine's rooms")[1].split("```")[1]
    drawn = defaultdict(set)
    for one, other in re.findall(r"^  (\w+)(?:\[.*?\])? --> (\w+)", picture, re.MULTILINE):
        drawn[one].add(other)
    return drawn


def imports() -> dict[str, set[str]]:
    found = defaultdict(set)
    for module, name in engine_imports():
        one, other = module.split(".")[1], name.split(".")[1]
        one = "top" if one in TOP else one
        if one in ROOMS | {"top"} and other in ROOMS - {one}:
            found[one].add(other)
    return found


def test_each_arrow_is_an_import_and_each_import_goes_along_arrows():
    drawn, found = arrows(), imports()
    assert set().union(*drawn.values()) == ROOMS
    below: dict[str, set[str]] = {}
    for room in TopologicalSorter(drawn).static_order():
        below[room] = drawn[room].union(*(below[other] for other in drawn[room]))
    assert not {(one, other) for one in drawn for other in drawn[one] - found[one]}, "no such import"
    assert not {(one, other) for one in found for other in found[one] - below[one]}, "not in the picture"


def test_each_room_and_each_file_beside_the_engines_is_named():
    rooms = {path.parent.as_posix() for path in product_files() if path.name == "__init__.py"} - {".", "wan_engine"}
    beside = {path.name for path in (ROOT / "wan_engine").glob("*.py")} - {f"{name}.py" for name in ("__main__", *TOP)}
    names = {f"{room.removeprefix('wan_engine/')}/" for room in rooms} | beside
    assert not [name for name in names if name not in TEXT]
