# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and colour of latents, and how to change them, as two linear maps fitted to the autoencoder at hand.

A latent frame after the first stands for four frames, and its channels also hold how the light changes among them: a
map fitted to still pictures reads a sunset darker than it is. So this one is fitted to charts whose fields brighten and
darken while they play, apart for the first latent frame, which stands for a single frame, and for the later ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .vae import WanVAE

CELLS = 16  # latent pixels along a side of a chart
_FRAMES = 9  # three latent frames: the first, and two that stand for four frames each
_CHARTS = 2
_RIDGE = 1e-3  # keeps a map from growing along channels that the charts do not stir
_FLAT = 4  # latent pixels along a flat field


@dataclass(frozen=True)
class FrameMap:
    """For latent frames of one kind: `weight` [3, z] and `bias` [3] read red, green and blue in about 0..1 from
    normalised latents; `direction` [z, 3] are the latents' changes that raise one of them by 1 and leave the others."""

    weight: Tensor
    bias: Tensor
    direction: Tensor


@dataclass(frozen=True)
class LightMap:
    """The map of the first latent frame and that of all later ones."""

    first: FrameMap
    later: FrameMap

    def rgb(self, latents: Tensor) -> Tensor:
        """Normalised latents [z, t, h, w] -> [3, t, h, w] as the decoder would show it; differentiable."""
        parts = ((self.first, latents[:, :1]), (self.later, latents[:, 1:]))
        seen = [torch.einsum("cz,zthw->cthw", m.weight.to(x), x) + m.bias.to(x)[:, None, None, None] for m, x in parts]
        return torch.cat(seen, 1)

    def change(self, rgb: Tensor) -> Tensor:
        """Changes of colour [t, 3] -> changes of the latents [t, z] that bring them about."""
        first, later = self.first.direction.to(rgb), self.later.direction.to(rgb)
        return torch.cat([rgb[:1] @ first.T, rgb[1:] @ later.T])


def fit_light_map(vae: WanVAE) -> LightMap:
    """The map of this autoencoder, from encoding two charts of nine frames of 16x16 latents."""
    device = next(vae.parameters()).device
    latents, seen = [], []
    with torch.inference_mode():
        for seed in range(_CHARTS):
            chart = light_chart(CELLS * vae.stride[1], vae.stride[1], seed)
            latents.append(vae.encode((chart * 2 - 1)[None].to(device))[0].float().cpu())
            small = F.adaptive_avg_pool2d(chart.transpose(0, 1), CELLS).transpose(0, 1)
            seen.append(torch.cat([small[:, :1], small[:, 1:].unflatten(1, (-1, 4)).mean(2)], 1))
    z, rgb = torch.stack(latents, 1), torch.stack(seen, 1)  # [z or 3, charts, t, h, w]
    return LightMap(fit_frame_map(z[:, :, :1], rgb[:, :, :1]), fit_frame_map(z[:, :, 1:], rgb[:, :, 1:]))


def fit_frame_map(latents: Tensor, rgb: Tensor) -> FrameMap:
    """From latents [z, ...] and the colours [3, ...] in their places: ridge regression, and its inverse weighted by the
    latents' covariance C, direction = C W' (W C W')^-1.

    Of all changes with the wanted effect this is the smallest in the Mahalanobis sense: it moves latents the way they
    move among real pictures. The plain pseudo-inverse spreads the change over directions that no picture takes, and
    the decoder answers to a fraction of it.
    """
    rows, wanted = latents.flatten(1).T.double(), rgb.flatten(1).T.double()
    centre, grey = rows.mean(0), wanted.mean(0)
    covariance = (rows - centre).T @ (rows - centre) / len(rows)
    covariance = covariance + _RIDGE * torch.eye(len(covariance), dtype=rows.dtype)
    weight = torch.linalg.solve(covariance, (rows - centre).T @ (wanted - grey) / len(rows)).T
    direction = covariance @ weight.T @ torch.linalg.pinv(weight @ covariance @ weight.T)
    return FrameMap(weight.float(), (grey - weight @ centre).float(), direction.float())


def light_chart(side: int, stride: int, seed: int) -> Tensor:
    """[3, 9, side, side] in 0..1: flat fields above and soft ones below, each going from a brightness to another."""
    random = torch.Generator().manual_seed(seed)
    half, time = (side // 2, side), torch.linspace(0, 1, _FRAMES)[:, None, None, None]
    played = []
    for cell, mode in ((stride * _FLAT, "nearest"), (stride, "bilinear")):
        count = (half[0] // cell, half[1] // cell)
        colour = torch.rand(1, 3, *count, generator=random)
        levels = 0.1 + 0.9 * torch.rand(2, 1, *count, generator=random)
        played.append(F.interpolate((levels[:1] + (levels[1:] - levels[:1]) * time) * colour, size=half, mode=mode))
    return torch.cat(played, 2).transpose(0, 1)
