# SPDX-License-Identifier: GPL-3.0-or-later
"""A small picture of latents while they are still being denoised, without decoding them.

Latents of a video autoencoder are nearly a picture already: one linear map from their channels to red, green and blue
shows what the clip will be. The map is fitted to the autoencoder at hand, by least squares between the latents of a
fixed chart and the chart itself, so that it suits whatever autoencoder a checkpoint brings.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from .files import write_whole
from .vae import WanVAE

CELLS = 16  # latent pixels along a side of the chart
WIDTH = 480  # of the preview, at most
SHOWN = 4  # frames in it, at most
_FRAMES = 5  # two latent frames: the first stands for one frame, the later ones for four
_RIDGE = 1e-3  # keeps the map from growing along channels that the chart does not stir
_maps: dict[str, LatentRgb] = {}


@dataclass(frozen=True)
class LatentRgb:
    """The linear map: `weight` [3, z] and `bias` [3], float32."""

    weight: Tensor
    bias: Tensor

    def __call__(self, latents: Tensor) -> Tensor:
        """Normalised latents [z, t, h, w] -> RGB [t, h, w, 3] as the decoder would show it, about 0..1, not clamped.

        Differentiable, so that it can also serve as a guide.
        """
        weight, bias = self.weight.to(latents.device), self.bias.to(latents.device)
        return torch.einsum("cz,zthw->thwc", weight, latents.float()) + bias


def fit_latent_rgb(vae: WanVAE) -> LatentRgb:
    """The map of this autoencoder; fitted once per set of weights, by encoding five frames of 16x16 latents."""
    key = _fingerprint(vae)
    if key not in _maps:
        with torch.inference_mode(False), torch.no_grad():  # the map is to serve with gradients too
            _maps[key] = _fit(vae)
    return _maps[key]


def _fit(vae: WanVAE) -> LatentRgb:
    device = next(vae.parameters()).device
    side = CELLS * vae.stride[1]
    chart = _chart(side)
    clip = (chart * 2 - 1)[None, :, None].expand(1, 3, _FRAMES, side, side)
    latents = vae.encode(clip.to(device))[0].float().cpu()
    seen = F.adaptive_avg_pool2d(chart, CELLS)
    rows = latents.flatten(1).T.double()
    wanted = seen[:, None].expand(3, latents.shape[1], CELLS, CELLS).flatten(1).T.double()
    rows_mean, wanted_mean = rows.mean(0), wanted.mean(0)
    centred = rows - rows_mean
    normal = centred.T @ centred + _RIDGE * len(rows) * torch.eye(rows.shape[1], dtype=rows.dtype)
    weight = torch.linalg.solve(normal, centred.T @ (wanted - wanted_mean)).T
    return LatentRgb(weight.float(), (wanted_mean - weight @ rows_mean).float())


def _chart(side: int) -> Tensor:
    """[3, side, side] in 0..1, the same every time: soft gradients between colours above, flat fields of them below."""
    colours = torch.rand(2, 3, 4, 8, generator=torch.Generator().manual_seed(0))
    half = (side // 2, side)
    soft = F.interpolate(colours[:1], size=half, mode="bilinear", align_corners=True)[0]
    flat = F.interpolate(colours[1:], size=half, mode="nearest")[0]
    brightness = torch.linspace(0.1, 1.0, side)
    return torch.cat([soft * brightness, flat], dim=1)


def _fingerprint(vae: WanVAE) -> str:
    """Cheap, and another one for every training run: the outermost layers' values."""
    digest = hashlib.sha256(str(vae.stride).encode())
    for module in (vae.encoder.conv1, vae.conv1, vae.conv2, vae.decoder.conv1):
        digest.update(module.weight.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def write_preview(latents: Tensor, to_rgb: LatentRgb, path: Path) -> None:
    """A strip of up to four frames, evenly over the clip; the file is replaced in one go. Raises GenerationError."""
    picture = Image.fromarray(contact_strip(to_rgb(latents)))
    write_whole(path, lambda partial: picture.save(partial, format="PNG"))


def contact_strip(rgb: Tensor) -> np.ndarray:
    """[t, h, w, 3] -> uint8 [H, W, 3], frames side by side and scaled to at most 480 pixels together."""
    count = min(SHOWN, len(rgb))
    chosen = rgb[torch.linspace(0, len(rgb) - 1, count).round().long()].permute(0, 3, 1, 2)
    scale = WIDTH / count / chosen.shape[3]
    size = (max(1, int(chosen.shape[2] * scale)), max(1, int(chosen.shape[3] * scale)))
    scaled = F.interpolate(chosen.clamp(0, 1).float().cpu(), size=size, mode="bicubic").clamp(0, 1)
    strip = torch.cat(list(scaled), dim=2).permute(1, 2, 0)
    return (strip * 255).round().to(torch.uint8).numpy()
