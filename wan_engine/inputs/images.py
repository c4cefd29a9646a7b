# SPDX-License-Identifier: GPL-3.0-or-later
"""Preparation of conditioning pictures (`wan/image2video.py`, `first_last_frame2video.py`, `textimage2video.py`).

Pictures become float32 tensors [3, H, W] in -1..1; sizes are (width, height) in pixels.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..checkpoint.sizes import Size


def as_tensor(picture: Image.Image) -> Tensor:
    """RGB picture to [3, H, W] in -1..1."""
    return as_picture(np.array(picture))


def as_picture(frame: np.ndarray) -> Tensor:
    """uint8 [H, W, 3] to [3, H, W] in -1..1."""
    return torch.from_numpy(frame).permute(2, 0, 1).float().div(255).sub_(0.5).div_(0.5)


def as_pixels(picture: Tensor) -> np.ndarray:
    """[3, H, W] in -1..1 to uint8 [H, W, 3], rounded."""
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def mean_rgb(picture: Tensor) -> Tensor:
    """[3, H, W] in -1..1 to the mean RGB [3] in 0..1."""
    return (picture.float().mean((1, 2)) + 1) / 2


def stretched(picture: Tensor, size: Size) -> Tensor:
    """The picture [3, H, W] at `size`, aspect ratio not kept: torch's bicubic without antialiasing."""
    return F.interpolate(picture[None], size=(size[1], size[0]), mode="bicubic")[0]


def resized(picture: Image.Image, size: Size) -> Tensor:
    """The picture at `size`, aspect ratio not kept: Pillow's bicubic on 8 bits, as VideoX-Fun does it."""
    return as_tensor(picture.resize(size, Image.Resampling.BICUBIC))


def fitted(picture: Image.Image, fit: str, size: Size, like: Size) -> Tensor:
    """A further picture at `size`, by the way that the model's first picture, of the size `like`, went there (`fit` of
    its row)."""
    if fit == "cover":
        return covered(picture, size)
    if fit == "resize":
        return resized(picture, size)
    return stretched(as_tensor(picture if picture.size == like else cropped_to_aspect(picture, like)), size)


def covering(picture: Size, size: Size) -> Size:
    """The size of the picture when it is scaled to cover `size`."""
    scale = max(size[0] / picture[0], size[1] / picture[1])
    return round(picture[0] * scale), round(picture[1] * scale)


def covered(picture: Image.Image, size: Size) -> Tensor:
    """The picture scaled (Lanczos, 8 bit) to cover `size`, the middle cut out."""
    scaled = picture.resize(covering(picture.size, size), Image.Resampling.LANCZOS)
    left, top = (scaled.width - size[0]) // 2, (scaled.height - size[1]) // 2
    return as_tensor(scaled.crop((left, top, left + size[0], top + size[1])))


def cropped_to_aspect(picture: Image.Image, like: Size) -> Image.Image:
    """The largest middle part of the picture with the aspect ratio of `like`."""
    width = min(picture.width, round(picture.height * like[0] / like[1]))
    height = min(picture.height, round(picture.width * like[1] / like[0]))
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + max(1, width), top + max(1, height)))


def cut_like_original(last: Tensor, first: Size) -> Tensor:
    """The last picture [3, H, W] as the original FLF2V brings it to the first one's size, when the two differ.

    It works out the size at which the last picture would cover the first, then cuts without having scaled, and with
    height and width swapped; where the picture does not reach, mid grey (0) is left. Exactly so, since that is what
    the published model gives.
    """
    scaled = covering((last.shape[2], last.shape[1]), first)
    return _middle(last, rows=scaled[0], columns=scaled[1])


def _middle(picture: Tensor, rows: int, columns: int) -> Tensor:
    """The middle of [3, H, W], zeros around it where it is too small; rounding as torchvision's `center_crop`."""
    wider, taller = max(0, columns - picture.shape[2]), max(0, rows - picture.shape[1])
    picture = F.pad(picture, (wider // 2, wider - wider // 2, taller // 2, taller - taller // 2))
    top, left = round((picture.shape[1] - rows) / 2), round((picture.shape[2] - columns) / 2)
    return picture[:, top : top + rows, left : left + columns]
