# SPDX-License-Identifier: GPL-3.0-or-later
"""Matrix products by the quicker of the two libraries that PyTorch carries for the CPU.

`F.linear` in float32 goes to MKL, which runs at half speed on processors that are not Intel's; oneDNN's `linear`
reaches the processor's peak on both and applies the tanh form of GELU on the way out. It has no gradients, so training
takes PyTorch's own path, as do other devices, `torch.compile` and builds without oneDNN.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..torch_private import onednn_dtypes, onednn_linear

_ROWS = 1024  # of weights that are converted to float32 at a time


def onednn(x: Tensor) -> bool:
    """Whether products with x may go to oneDNN directly: on the CPU, without gradients, autocast or compilation."""
    return (
        x.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and x.dtype in onednn_dtypes()
    )


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, gelu: bool = False) -> Tensor:
    """x [...,n] times weight [m,n] transposed, plus bias [m], then GELU (tanh form) if wanted: [...,m]."""
    if onednn(x) and x.dtype == weight.dtype:
        return onednn_linear(x, weight, bias, gelu)
    y = F.linear(x, weight, bias)
    return F.gelu(y, approximate="tanh") if gelu else y


def linear(layer: nn.Linear, x: Tensor, gelu: bool = False) -> Tensor:
    """The layer applied to x [...,in] -> [...,out], in the layer's dtype; `gelu` follows with its tanh form."""
    return product(x, layer.weight, layer.bias, gelu)


def float_linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """The layer computed in float32 whatever its dtype; at most _ROWS rows of its weights are converted at a time."""
    x = x.float()
    if layer.weight.dtype == torch.float32:
        return linear(layer, x)
    parts = zip(layer.weight.split(_ROWS), layer.bias.split(_ROWS), strict=True)
    return torch.cat([product(x, weight.float(), bias.float()) for weight, bias in parts], dim=-1)
