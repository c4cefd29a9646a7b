# SPDX-License-Identifier: GPL-3.0-or-later
"""The transformer's tokens in pieces that are worked on together, and the element-wise steps done on such a piece."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

MOST_CHANGES = 16  # of the timestep along the tokens, before modulation is indexed per token


@dataclass(frozen=True)
class Span:
    """Tokens worked on together, and the rows of the time modulation they take: [B,1], or [B,n] where the timestep
    changes from token to token.
    """

    tokens: slice
    rows: Tensor


def token_spans(index: Tensor, length: int, longest: int) -> list[Span]:
    """Cuts `length` tokens where the timestep of any item changes and into pieces of at most `longest`.

    index [B,1] or [B,length] into the different timesteps. With gradients all tokens stay together.
    """
    if torch.is_grad_enabled():
        return [Span(slice(0, length), index)]
    borders = [0]
    alike = True
    if index.shape[1] > 1:
        changes = (index[:, 1:] != index[:, :-1]).any(dim=0).nonzero().flatten().tolist()
        alike = len(changes) <= MOST_CHANGES
        borders += [c + 1 for c in changes] if alike else []
    spans = []
    for first, last in pairwise([*borders, length]):
        for start in range(first, last, longest):
            end = min(start + longest, last)
            rows = index if index.shape[1] == 1 else index[:, start : start + 1] if alike else index[:, start:end]
            spans.append(Span(slice(start, end), rows))
    return spans


def modulated(x: Tensor, shift: Tensor, scale: Tensor, eps: float) -> Tensor:
    """Layer norm of x [B,L,dim] float32, times 1 + scale, plus shift, each [B,1,dim] or [B,L,dim]."""
    width = x.shape[-1:]
    if shift.numel() == width[0]:
        return F.layer_norm(x, width, 1 + scale.flatten(), shift.flatten(), eps)
    return torch.addcmul(shift, F.layer_norm(x, width, eps=eps), 1 + scale)


def added(x: Tensor, y: Tensor, gate: Tensor | None = None) -> Tensor:
    """x + y * gate, x and y [B,n,dim], gate [B,1,dim] or [B,n,dim], in place unless gradients are wanted."""
    if torch.is_grad_enabled():
        return x + y if gate is None else torch.addcmul(x, y.float(), gate)
    return x.add_(y) if gate is None else x.addcmul_(y, gate)
