# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side asks whether a file is there in a way that never raises: pathlib's questions do for a name that is too
long, a folder that may not be entered and a drive that does not answer, and those are in any .blend."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bridge", "conditioning", "operators", "panels", "previs", "properties", "scene", "sequencer")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
RAISING = {"exists", "is_file", "is_dir"}


@pytest.mark.parametrize("path", [*FILES, ROOT / "cli.py"], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_question_to_the_disk_raises(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    asked = [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in RAISING and not call.args
    ]
    assert asked == [], f"{path.name}: lines {asked} ask a Path; os.path.exists, isfile and isdir do not raise"
