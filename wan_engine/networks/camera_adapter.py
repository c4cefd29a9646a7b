# SPDX-License-Identifier: GPL-3.0-or-later
"""What lets a transformer follow a camera: the rays of every pixel, brought to the grid of its tokens."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

RAY_CHANNELS = 24  # six numbers of a ray in each of the four frames that a latent frame stands for


class _Residual(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(dim, dim, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class CameraAdapter(nn.Module):
    """Rays at the picture's full resolution to one vector for each token; `factor` is pixels per latent."""

    def __init__(self, dim: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.conv = nn.Conv2d(RAY_CHANNELS * factor**2, dim, 2, 2)
        self.residual_blocks = nn.ModuleList([_Residual(dim)])

    @staticmethod
    def factor_of(channels: int) -> int:
        """Pixels per latent, off the input channels of `conv`. Raises ValueError for a number that no factor gives."""
        factor = math.isqrt(channels // RAY_CHANNELS)
        if factor < 1 or RAY_CHANNELS * factor**2 != channels:
            raise ValueError(f"control_adapter.conv reads {channels} channels, which is no {RAY_CHANNELS} rays' worth")
        return factor

    def forward(self, rays: Tensor) -> Tensor:
        """Rays [n,24,H,W] of n latent frames -> [n,dim,H/2f,W/2f] with f = `factor`."""
        x = self.conv(F.pixel_unshuffle(rays.to(self.conv.weight.dtype), self.factor))
        for block in self.residual_blocks:
            x = block(x)
        return x
