# SPDX-License-Identifier: GPL-3.0-or-later
"""Private names of PyTorch stand in one file, where another release is looked at."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [path for room in ("wan_engine", "training", "benchmarks", "bridge") for path in (ROOT / room).rglob("*.py")]
FILES = [path for path in sorted(FILES) if path != ROOT / "wan_engine" / "torch_private.py"]


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names(code: str) -> list[str]:
    """Dotted names of torch with a private part, as imported or as used below an imported module of torch."""
    tree = ast.parse(code)
    modules, found = {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            taken = [(alias.asname or alias.name.split(".")[0], alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            taken = [(alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names]
        else:
            continue
        for local, name in taken:
            if name.split(".")[0] == "torch":
                modules[local] = name
                found += [name] if any(map(private, name.split("."))) else []
    for node in ast.walk(tree):
        parts, inner = [], node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id in modules and any(map(private, parts)):
            found.append(".".join([modules[inner.id], *reversed(parts)]))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_other_file_uses_one(path):
    assert private_names(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "code",
    [
        "from torch.utils._python_dispatch import TorchDispatchMode",
        "from torch import _dynamo",
        "import torch\ntorch.ops.mkldnn._linear_pointwise(1)",
        "import torch.distributed as dist\ndist._get_default_group()",
        "import torch.nn.functional as F\nF._canonical_mask",
        "import torch._dynamo",
    ],
)
def test_it_finds_them(code):
    assert private_names(code)
