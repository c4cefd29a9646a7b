# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and colour of latents, and how to change them, as linear maps fitted to the autoencoder at hand.

A latent frame after the first stands for four frames, and a causal autoencoder may spread their light over this latent
frame and the one before: read alone, a frame of a sunset seems darker than it is. So a frame is read together with the
one before it. The first latent frame stands for a single frame, and the second follows that one; they have maps of
their own.

The maps are fitted to what a checkpoint makes, where it was trained, and kept beside it; else to charts whose light
changes while they play.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ..errors import CheckpointError, reason_of
from .vae import WanVAE

CELLS = 16  # latent pixels along a side of a chart
_FRAMES = 13  # four latent frames: the first, the second, and two later ones
_CHARTS, _KINDS = 2, 3
_RIDGE = 0.03  # keeps a map from growing along channels that nothing stirs
_MEANS = 10.0  # how much more the means of whole pictures count than pixels: it is those that are to be held


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
    """The maps of a clip's latent frames in their order; the last is that of all later ones too."""

    frames: Sequence[FrameMap]

    def along(self, count: int, device: torch.device) -> ClipMap:
        """For a clip of `count` latent frames."""
        kinds = [*self.frames, *[self.frames[-1]] * count][:count]
        z = kinds[0].weight.shape[1]
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
            seen.append(seen_by_latents(chart, (CELLS, CELLS)))
    return fit_clips(torch.stack(latents), torch.stack(seen), _KINDS)


def seen_by_latents(video: Tensor, sides: tuple[int, int]) -> Tensor:
    """[3, 4n + 1, H, W] -> its mean colours [3, n + 1, h, w] in the place and time that each latent stands for."""
    small = F.adaptive_avg_pool2d(video.transpose(0, 1), sides).transpose(0, 1)
    return torch.cat([small[:, :1], small[:, 1:].unflatten(1, (-1, 4)).mean(2)], 1)


def fit_clips(latents: Tensor, rgb: Tensor, kinds: int) -> LightMap:
    """Maps of the first `kinds` latent frames, from clips' normalised latents [n, z, t, h, w] and the colours
    [n, 3, t, h, w] in their places, where t is `kinds` or more."""
    z, seen = latents.transpose(0, 1), rgb.transpose(0, 1)
    before = torch.cat([torch.zeros_like(z[:, :, :1]), z[:, :, :-1]], 2)
    parts = [slice(k, k + 1) for k in range(kinds - 1)] + [slice(kinds - 1, None)]
    return LightMap([fit_frame_map(z[:, :, part], before[:, :, part], seen[:, :, part]) for part in parts])


def read_light_map(path: Path, z: int) -> LightMap:
    """What `save_light_map` wrote, for an autoencoder of `z` latent channels. Raises CheckpointError for a damaged file
    and for one that belongs to another autoencoder."""
    try:
        tensors = load(path.read_bytes())  # the library opens no path that is not UTF-8
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read ({reason_of(error)}); take it from its source again.") from error
    count = len(tensors["bias"]) if "bias" in tensors and tensors["bias"].ndim else 0
    wanted = {"weight": (count, 3, z), "before": (count, 3, z), "bias": (count, 3), "direction": (count, z, 3)}
    if count == 0 or {name: tuple(data.shape) for name, data in tensors.items()} != wanted:
        raise CheckpointError(f"{path} does not fit this autoencoder of {z} channels; delete it, or take both anew.")
    if not all(torch.isfinite(data).all() for data in tensors.values()):
        raise CheckpointError(f"{path} holds NaN or infinite values; take it from its source again.")
    return LightMap([FrameMap(**{name: data[k].float() for name, data in tensors.items()}) for k in range(count)])


def fit_frame_map(latents: Tensor, earlier: Tensor, rgb: Tensor) -> FrameMap:
    """From latents [z, n, ...] of n pictures, those a frame before, and the colours [3, n, ...] in their places: ridge
    regression on pixels and on whole pictures' means, and the inverse of its sum W over both frames weighted by the
    latents' covariance C, direction = C W' (W C W')^-1.

    Of all changes with the wanted effect this is the smallest in the Mahalanobis sense: it moves latents the way they
    move among real pictures. The plain pseudo-inverse spreads the change over directions that no picture takes, and
    the decoder answers to a fraction of it.
    """
    z, both_frames = len(latents), torch.cat([latents, earlier]).double()
    centre, grey = both_frames.flatten(1).mean(1), rgb.double().flatten(1).mean(1)
    covariance, products = _RIDGE * torch.eye(2 * z, dtype=torch.float64), torch.zeros(2 * z, 3, dtype=torch.float64)
    pictures = both_frames.flatten(2), rgb.double().flatten(2)
    for share, (read, seen) in ((1.0, pictures), (_MEANS, (part.mean(2) for part in pictures))):
        rows, wanted = read.flatten(1).T - centre, seen.flatten(1).T - grey
        covariance += share * rows.T @ rows / len(rows)
        products += share * rows.T @ wanted / len(rows)
    weight = torch.linalg.solve(covariance, products).T
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
