# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the engine uses of PyTorch's private names, which may change with any release.

`KNOWN` lists the releases that these were tried with; another one is added when `tests/engine/test_torch_private.py`
passes with it. Where the names for speed are missing, the engine works without them, slower.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["KNOWN", "TorchDispatchMode", "onednn_dtypes", "onednn_linear"]

KNOWN = ("2.13",)


@lru_cache(maxsize=1)
def onednn_dtypes() -> frozenset[torch.dtype]:
    """What this processor's oneDNN multiplies at full speed; nothing in a build without it."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return frozenset()
    fast = {torch.float32}
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        fast.add(torch.bfloat16)
    return frozenset(fast)


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None, gelu: bool) -> Tensor:
    """x [..., n] times weight [m, n] transposed, plus bias [m], then GELU (tanh form) if wanted: [..., m].

    All of one dtype of `onednn_dtypes`, on the CPU, without gradients.
    """
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu" if gelu else "none", [], "tanh")
