# SPDX-License-Identifier: GPL-3.0-or-later
"""Every public method says what it is for, unless a base class or a protocol does. (Modules, classes and functions are
ruff's to look at.)"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = ("tests", "benchmarks", "tools", "training", "examples", "dist", "demo", "build")
# What Blender, torch and argparse say themselves of the methods that they call.
TOLD = {"draw", "draw_item", "poll", "execute", "invoke", "modal", "forward", "error", "format_help", "add_usage"}


def classes():
    """(file, class) of the product, below other classes and functions too."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        if parts[0] not in ELSEWHERE and not any(part.startswith(".") for part in parts[:-1]):
            yield from (
                (path, node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
            )


ALL = list(classes())
BY_NAME: dict[str, list[ast.ClassDef]] = {}
for _, node in ALL:
    BY_NAME.setdefault(node.name, []).append(node)


def methods(cls):
    return {item.name: item for item in cls.body if isinstance(item, ast.FunctionDef)}


PROTOCOLS = [cls for _, cls in ALL if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in cls.bases)]
TOLD |= {name for cls in PROTOCOLS for name, method in methods(cls).items() if ast.get_docstring(method)}


def told_by_a_base(cls, name):
    bases = [base.id for base in cls.bases if isinstance(base, ast.Name)]
    found = [other for base in bases for other in BY_NAME.get(base, ())]
    return any((name in methods(o) and ast.get_docstring(methods(o)[name])) or told_by_a_base(o, name) for o in found)


@pytest.mark.parametrize(("path", "cls"), ALL, ids=lambda item: getattr(item, "name", ""))
def test_public_methods_say_what_they_are_for(path, cls):
    if cls.name.startswith("_"):
        return
    silent = [
        name
        for name, method in methods(cls).items()
        if not name.startswith("_") and name not in TOLD
        and not ast.get_docstring(method) and not told_by_a_base(cls, name)
    ]  # fmt: skip
    assert not silent, f"{path.relative_to(ROOT)}: {cls.name} has methods without a docstring: {', '.join(silent)}"
