# SPDX-License-Identifier: GPL-3.0-or-later
"""Every icon that the product draws is one of this Blender version's: an unknown name breaks the whole panel."""

import ast
from pathlib import Path

import bpy
import pytest
from wan_previs.panels.takes import VERDICT_ICONS

ROOT = Path(__file__).resolve().parents[3]
KNOWN = set(bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys())
CONFIRM = set(bpy.types.WindowManager.bl_rna.functions["invoke_confirm"].parameters["icon"].enum_items.keys())
FILES = [*sorted((ROOT / "panels").glob("*.py")), *sorted((ROOT / "operators").glob("*.py")), ROOT / "preferences.py"]


def icons_of(source):
    """(whether it is for a question to confirm, constant) of every `icon=` argument."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            asks = isinstance(call.func, ast.Attribute) and call.func.attr == "invoke_confirm"
            yield from ((asks, name) for word in call.keywords if word.arg == "icon" for name in drawn(word.value))


def drawn(value):
    if isinstance(value, ast.IfExp):
        yield from drawn(value.body)
        yield from drawn(value.orelse)
    elif isinstance(value, ast.Constant):
        yield value.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_icons_are_known(path):
    for asks, name in icons_of(path.read_text(encoding="utf-8")):
        assert name in (CONFIRM if asks else KNOWN)


def test_the_verdicts_icons_are_known():
    assert set(VERDICT_ICONS.values()) <= KNOWN
