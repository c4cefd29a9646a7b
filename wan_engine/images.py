# SPDX-License-Identifier: GPL-3.0-or-later
"""Preparation of conditioning pictures (`wan/image2video.py`, `wan/textimage2video.py`).

Pictures become float32 tensors [3, H, W] in -1..1; sizes are (width, height) in pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from .request import UsageError
from .sizes import Size


def read_picture(path: Path) -> Image.Image:
    """The picture as RGB; raises UsageError when it is missing or unreadable."""
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except FileNotFoundError:
        raise UsageError(f"The picture {path} does not exist; check the path.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"The picture {path} cannot be read ({error}); save it again as PNG.") from error


def as_tensor(picture: Image.Image) -> Tensor:
    """RGB picture to [3, H, W] in -1..1."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    return pixels.float().div(255).sub_(0.5).div_(0.5)


def stretched(picture: Image.Image, size: Size) -> Tensor:
    """The picture at `size`, aspect ratio not kept: torch's bicubic without antialiasing."""
    return F.interpolate(as_tensor(picture)[None], size=(size[1], size[0]), mode="bicubic")[0]


def covered(picture: Image.Image, size: Size) -> Tensor:
    """The picture scaled (Lanczos, 8 bit) to cover `size`, the middle cut out."""
    scale = max(size[0] / picture.width, size[1] / picture.height)
    scaled = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    left, top = (scaled.width - size[0]) // 2, (scaled.height - size[1]) // 2
    return as_tensor(scaled.crop((left, top, left + size[0], top + size[1])))


def cropped_to_aspect(picture: Image.Image, like: Size) -> Image.Image:
    """The largest middle part of the picture with the aspect ratio of `like`."""
    width = min(picture.width, round(picture.height * like[0] / like[1]))
    height = min(picture.height, round(picture.width * like[1] / like[0]))
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + max(1, width), top + max(1, height)))
