# SPDX-License-Identifier: GPL-3.0-or-later
"""How unsteadily light changes, as a differentiable loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LUMA = (0.299, 0.587, 0.114)


class LightConsistencyLoss(nn.Module):
    """Penalises luminance that changes unevenly or abruptly along time.

    With Y = 0.299 R + 0.587 G + 0.114 B and d_t = Y_t - Y_(t-1), per pixel:

        smoothness_weight * mean |d_t - d_(t-1)|  +  jump_weight * mean relu(|d_t| - allowed)

    Both means run over batch, pixels and the times at which the term exists (T-2 and T-1 of them). A steady change of
    at most `allowed` (in display luminance, 0..1) per frame costs nothing. With T = 2 only the second term exists; with
    T = 1 the loss is 0, still attached to the graph.
    """

    def __init__(self, allowed: float = 0.1, smoothness_weight: float = 1.0, jump_weight: float = 1.0) -> None:
        super().__init__()
        self.allowed, self.smoothness_weight, self.jump_weight = allowed, smoothness_weight, jump_weight

    def forward(self, video: Tensor) -> Tensor:
        """video [B, T, 3, H, W] in 0..1, floating point -> scalar. Raises ValueError for another shape or type."""
        if video.ndim != 5 or video.shape[2] != 3 or 0 in video.shape or not video.is_floating_point():
            raise ValueError(f"The loss takes floats [B, T, 3, H, W], but got {video.dtype} {list(video.shape)}.")
        weights = torch.tensor(_LUMA, dtype=video.dtype, device=video.device)
        luminance = torch.einsum("btchw,c->bthw", video, weights)
        change = luminance.diff(dim=1)
        loss = luminance.sum() * 0
        if change.shape[1] >= 1:
            loss = loss + self.jump_weight * torch.relu(change.abs() - self.allowed).mean()
        if change.shape[1] >= 2:
            loss = loss + self.smoothness_weight * change.diff(dim=1).abs().mean()
        return loss
