# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention by name. Every backend takes queries [B,L,heads,d], keys and values [B,S,heads,d] and gives [B,L,heads,d].

`sdpa` is PyTorch's own; `math` the formula written out, for comparison; `blocked` the quickest on a CPU; `flash`,
`sage` and `xformers` come with packages of their own and need CUDA. `sage` rounds to 8 bits and is not exact.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UsageError
from . import cpu_kernels

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]

# Scores that `blocked` holds at a time, per thread: half of a usual second-level cache in float32.
_SCORES_PER_THREAD = 320 * 1024
_FEWEST_ROWS = 256
_SHORT = 192  # fewer queries or keys than this: the fused kernel starts quicker


def sdpa(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """PyTorch's fused attention; as for all here, q [B,L,heads,d], k and v [B,M,heads,d] -> [B,L,heads,d]."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)


def math(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v, scores in float32 and all of them in memory."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    weights = (q.float() * q.shape[-1] ** -0.5 @ k.float().transpose(-1, -2)).softmax(dim=-1)
    return (weights.to(v.dtype) @ v).transpose(1, 2)


def blocked(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Head by head and a few hundred queries at a time, so that the scores stay in the cache between two products.

    Scores and their softmax are float32, the second product in the dtype of `v`. Copies are made of one head at a
    time: of all heads they would outweigh everything else in the pass. Without gradients.
    """
    dtype, rows = v.dtype, _rows(k.shape[1])
    out = torch.empty(q.shape, dtype=dtype, device=v.device)
    for item in range(q.shape[0]):
        for head in range(q.shape[2]):
            queries = q[item, :, head].float() * q.shape[-1] ** -0.5
            keys, values = k[item, :, head].float().contiguous(), v[item, :, head].T.contiguous()
            for start in range(0, q.shape[1], rows):
                scores = cpu_kernels.product(queries[start : start + rows], keys)
                torch.softmax(scores, dim=-1, out=scores)
                out[item, start : start + rows, head] = cpu_kernels.product(scores.to(dtype), values)
    return out


def auto(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """`blocked` where it is quicker, else `sdpa`."""
    if cpu_kernels.onednn(v) and min(q.shape[1], k.shape[1]) >= _SHORT:
        return blocked(q, k, v)
    return sdpa(q, k, v)


def flash(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """FlashAttention 2; half precision on CUDA only."""
    return importlib.import_module("flash_attn").flash_attn_func(q, k, v)


def sage(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """SageAttention, which quantises queries and keys: quicker, and not exact."""
    return importlib.import_module("sageattention").sageattn(q, k, v, tensor_layout="NHD", is_causal=False)


def xformers(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The memory-efficient attention of xFormers."""
    return importlib.import_module("xformers.ops").memory_efficient_attention(q, k, v)


BACKENDS: Mapping[str, Attend] = MappingProxyType(
    {"auto": auto, "sdpa": sdpa, "math": math, "blocked": blocked, "flash": flash, "sage": sage, "xformers": xformers}
)
_PACKAGES = {"flash": "flash_attn", "sage": "sageattention", "xformers": "xformers"}
_SIXTEEN_BITS = ("flash", "sage")


def available(device: str | torch.device) -> list[str]:
    """The names that can be chosen on this device."""
    cuda = torch.device(device).type == "cuda"
    return [n for n in BACKENDS if (cuda and find_spec(_PACKAGES[n]) if n in _PACKAGES else n != "blocked" or not cuda)]


def choose(name: str, device: str | torch.device, dtype: torch.dtype) -> Attend:
    """The backend of that name. Raises UsageError when there is none, here or on this device or for this dtype."""
    names = available(device)
    if name not in BACKENDS:
        raise UsageError(f"The attention {name!r} is unknown; choose one of {', '.join(names)}.")
    if name not in names:
        needs = f"CUDA and the package {_PACKAGES[name]}" if name in _PACKAGES else "the CPU"
        raise UsageError(f"The attention {name!r} needs {needs}; choose one of {', '.join(names)}.")
    if name in _SIXTEEN_BITS and dtype == torch.float32:
        raise UsageError(f"The attention {name!r} needs 16-bit numbers; use --dtype bfloat16, or --attention sdpa.")
    return BACKENDS[name]


def _rows(keys: int) -> int:
    """How many queries `blocked` takes at a time."""
    return max(_FEWEST_ROWS, _SCORES_PER_THREAD * torch.get_num_threads() // keys)
