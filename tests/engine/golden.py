# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the reference cases lie, and how closely they must be met."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

REPOSITORY = Path(__file__).parents[2]
INSIDE = REPOSITORY / "tests" / "golden"
BESIDE = REPOSITORY.parent / "shared" / "golden"


def path(name: str) -> Path:
    """A reference file or folder: the copy in the repository, else the one beside the checkout, else skip."""
    for root in (INSIDE, BESIDE):
        if (root / name).exists():
            return root / name
    pytest.skip(f"{name} is neither in tests/golden nor in a folder shared/golden beside the checkout")


def tensors(name: str) -> dict[str, Tensor]:
    return load_file(path(f"{name}.safetensors"))


def facts(name: str) -> dict:
    return json.loads(path(f"{name}.json").read_text(encoding="utf-8"))


def assert_close(got: Tensor, want: Tensor, atol: float, rtol: float, what: str = "") -> None:
    assert got.shape == want.shape, f"{what}: {tuple(got.shape)} instead of {tuple(want.shape)}"
    excess = (got.double() - want.double()).abs() - (atol + rtol * want.double().abs())
    assert excess.max() <= 0, f"{what}: off by {(got.double() - want.double()).abs().max():.3g}"
    assert torch.isfinite(got).all()
