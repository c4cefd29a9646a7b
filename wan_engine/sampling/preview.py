# SPDX-License-Identifier: GPL-3.0-or-later
"""A small picture of latents while they are still being denoised, without decoding them.

Latents of a video autoencoder are nearly a picture already: a linear map from their channels to red, green and blue
(see `light_map`) shows what the clip will be.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..media.atomic_write import write_whole
from ..networks.latent_rgb import LightMap

WIDTH = 480  # of the preview, at most
SHOWN = 4  # frames in it, at most


def write_preview(latents: Tensor, light_map: LightMap, path: Path) -> None:
    """A strip of up to four frames, evenly over the clip; the file is replaced in one go. Raises GenerationError."""
    picture = Image.fromarray(contact_strip(light_map.rgb(latents.float()).permute(1, 2, 3, 0)))
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
