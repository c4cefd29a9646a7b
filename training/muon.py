# SPDX-License-Identifier: GPL-3.0-or-later
"""Muon: momentum whose update is made orthogonal, for matrices and convolution kernels.

After Jordan et al. 2024 ("Muon: an optimizer for hidden layers"): the polar factor of the momentum is approximated by
five steps of a quintic Newton-Schulz iteration. PyTorch's own `torch.optim.Muon` takes matrices only; kernels are
flattened here.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
_STEPS = 5
_MOMENTUM = 0.95


def orthogonalised(matrix: Tensor) -> Tensor:
    """About the nearest semi-orthogonal matrix, [m,n] -> [m,n]."""
    a, b, c = QUINTIC
    x = (matrix / (matrix.norm() + 1e-7)).bfloat16()  # precise enough, and several times faster
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Parameters of two or more dimensions; the first is the output, all others together the input."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].mul_(_MOMENTUM).add_(p.grad)
                update = (p.grad + _MOMENTUM * state["momentum"]).flatten(1)
                gain = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                p.add_(orthogonalised(update).view_as(p), alpha=-group["lr"] * gain)


def optimizers(
    net: nn.Module, inner: Iterable[nn.Parameter], muon_rate: float, adam_rate: float
) -> list[torch.optim.Optimizer]:
    """Muon for the `inner` weights, AdamW for everything else that is trained."""
    inner = [p for p in inner if p.requires_grad]
    taken = {id(p) for p in inner}
    rest = [p for p in net.parameters() if p.requires_grad and id(p) not in taken]
    return [Muon(inner, muon_rate), torch.optim.AdamW(rest, adam_rate, betas=(0.9, 0.98), weight_decay=0.0)]


def set_rates(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Scales every learning rate from the one it was made with."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = group["initial_lr"] * factor
