# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all tests of the engine: they may run in any order."""

from __future__ import annotations

import os

import pytest
import torch

from wan_engine import torch_private


def _shared() -> dict[str, object]:
    """What decides other tests' results, to the last bit."""
    return {
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "products": torch_private.onednn_dtypes(),
        "folder": os.getcwd(),
    }


@pytest.fixture(autouse=True)
def nothing_shared_is_left_changed():
    before = _shared()
    yield
    assert _shared() == before
