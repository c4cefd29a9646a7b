# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and colour of latents, and how to change them, as linear maps fitted to the autoencoder at hand.

A latent frame after the first stands for four frames, and a causal autoencoder may spread their light over this latent
frame and the one before: read alone, a frame of a sunset seems darker than it is. So a frame is read together with the
one before it, by maps fitted to charts whose light changes while they play. The first latent frame stands for a single
frame, and the second follows that one; they have maps of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .vae import WanVAE

CELLS = 16  # latent pixels along a side of a chart
_FRAMES = 13  # four latent frames: the first, the second, and two later ones
_CHARTS = 2
_RIDGE = 0.03  # keeps a map from growing along channels that the charts do not stir


@dataclass(frozen=True)
class FrameMap:
    """For latent frames of one kind: `weight` [3, z] of the frame itself, `before` [3, z] of the one before it, and
    `bias` [3] read red, green and blue in about 0..1 from normalised latents. `direction` [z, 3] are the changes that,
    made in both frames, raise one of the three by 1 and leave the others."""

    weight: Tensor
    before: Tensor
    bias: Tensor
    direction: Tensor


@dataclass(frozen=True)
class ClipMap:
    """The maps of all latent frames of a clip in one: `weight` [3t, zt] and `bias` [3t, 1] read, `direction` [zt, 3t]
    changes. Matrices of mostly zeros, but small, and a single product is the fastest."""

    weight: Tensor
    bias: Tensor
    direction: Tensor

    def rgb(self, latents: Tensor) -> Tensor:
        """Normalised latents [z, t, h, w] -> [3, t, h, w] as the decoder would show it; differentiable."""
        return self.read(latents.reshape(len(self.direction), -1)).view(3, -1, *latents.shape[2:])

    def read(self, latents: Tensor) -> Tensor:
        """As `rgb`, of latents [zt, n] -> [3t, n]."""
        return torch.addmm(self.bias, self.weight, latents)

    def change(self, rgb: Tensor) -> Tensor:
        """Changes of colour [3, t] -> changes of the latents [z, t] that bring them about where they change slowly; a
        sudden one comes about in part, the rest in the frame after."""
        return (self.direction @ rgb.reshape(-1)).view(-1, rgb.shape[1])


@dataclass(frozen=True)
class LightMap:
    """The maps of the first latent frame, the second, and all later ones."""

    first: FrameMap
    second: FrameMap
    later: FrameMap

    def along(self, count: int, device: torch.device) -> ClipMap:
        """For a clip of `count` latent frames."""
        kinds = [self.first, self.second, *[self.later] * (count - 2)][:count]
        z = self.first.weight.shape[1]
        weight, direction = torch.zeros(3, count, z, count), torch.zeros(z, count, 3, count)
        for t, kind in enumerate(kinds):
            weight[:, t, :, t], direction[:, t, :, t] = kind.weight, kind.direction
            if t:
                weight[:, t, :, t - 1] = kind.before
        bias = torch.stack([kind.bias for kind in kinds], 1)
        shaped = weight.view(3 * count, -1), bias.view(-1, 1), direction.view(-1, 3 * count)
        return ClipMap(*(part.to(device) for part in shaped))

    def rgb(self, latents: Tensor) -> Tensor:
        """As `ClipMap.rgb`."""
        return self.along(latents.shape[1], latents.device).rgb(latents)


def fit_light_map(vae: WanVAE) -> LightMap:
    """The map of this autoencoder, from encoding two charts of 13 frames of 16x16 latents."""
    device = next(vae.parameters()).device
    latents, seen = [], []
    with torch.inference_mode():
        for seed in range(_CHARTS):
            chart = light_chart(CELLS * vae.stride[1], seed)
            latents.append(vae.encode((chart * 2 - 1)[None].to(device))[0].float().cpu())
            small = F.adaptive_avg_pool2d(chart.transpose(0, 1), CELLS).transpose(0, 1)
            seen.append(torch.cat([small[:, :1], small[:, 1:].unflatten(1, (-1, 4)).mean(2)], 1))
    z, rgb = torch.stack(latents, 1), torch.stack(seen, 1)  # [z or 3, charts, t, h, w]
    none = torch.zeros_like(z[:, :, :1])
    return LightMap(
        fit_frame_map(z[:, :, :1], none, rgb[:, :, :1]),
        fit_frame_map(z[:, :, 1:2], z[:, :, :1], rgb[:, :, 1:2]),
        fit_frame_map(z[:, :, 2:], z[:, :, 1:-1], rgb[:, :, 2:]),
    )


def fit_frame_map(latents: Tensor, earlier: Tensor, rgb: Tensor) -> FrameMap:
    """From latents [z, ...], those a frame before, and the colours [3, ...] in their places: ridge regression, and the
    inverse of its sum W over both frames weighted by the latents' covariance C, direction = C W' (W C W')^-1.

    Of all changes with the wanted effect this is the smallest in the Mahalanobis sense: it moves latents the way they
    move among real pictures. The plain pseudo-inverse spreads the change over directions that no picture takes, and
    the decoder answers to a fraction of it.
    """
    rows = torch.cat([latents.flatten(1), earlier.flatten(1)]).T.double()
    wanted, z = rgb.flatten(1).T.double(), len(latents)
    centre, grey = rows.mean(0), wanted.mean(0)
    covariance = (rows - centre).T @ (rows - centre) / len(rows) + _RIDGE * torch.eye(2 * z, dtype=rows.dtype)
    weight = torch.linalg.solve(covariance, (rows - centre).T @ (wanted - grey) / len(rows)).T
    own, both = covariance[:z, :z], weight[:, :z] + weight[:, z:]
    direction = own @ both.T @ torch.linalg.pinv(both @ own @ both.T)
    bias = grey - weight @ centre
    return FrameMap(weight[:, :z].float(), weight[:, z:].float(), bias.float(), direction.float())


def light_chart(side: int, seed: int) -> Tensor:
    """[3, 13, side, side] in 0..1: soft fields of all sizes, coarse ones the strongest as in pictures, under a light
    that grows or fades from part to part."""
    random = torch.Generator().manual_seed(seed)
    fields = torch.zeros(1, 3, side, side)
    for cells in (1, 2, 4, 8, 16):
        grey, colour = (torch.rand(1, n, cells + 1, cells + 1, generator=random) for n in (1, 3))
        fields += _spread(grey + 0.7 * colour, side) / cells**0.5
    fields = (fields - fields.min()) / (fields.max() - fields.min())
    begin, end = (_spread(0.2 + 0.8 * torch.rand(1, 1, 3, 3, generator=random), side) for _ in range(2))
    time = torch.linspace(0, 1, _FRAMES)[:, None, None, None]
    return (fields * (begin + (end - begin) * time)).transpose(0, 1)


def _spread(corners: Tensor, side: int) -> Tensor:
    return F.interpolate(corners, size=(side, side), mode="bilinear", align_corners=True)
