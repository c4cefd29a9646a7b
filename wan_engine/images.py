# SPDX-License-Identifier: GPL-3.0-or-later
"""Size rules and preparation of conditioning pictures (`wan/image2video.py`, `textimage2video.py`, `utils/utils.py`).

Pictures become float32 tensors [3, H, W] in -1..1; sizes are (width, height) in pixels.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from .request import UsageError

Size = tuple[int, int]


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


def check_size(size: Size, multiple: int) -> None:
    """Raise UsageError naming the nearest size when width or height is no multiple of `multiple`."""
    nearest = tuple(max(multiple, round(length / multiple) * multiple) for length in size)
    if size != nearest:
        raise UsageError(
            f"This model cannot make {size[0]}x{size[1]}: width and height must be multiples of {multiple}. "
            f"The nearest size is {nearest[0]}x{nearest[1]}."
        )


def size_for_picture(picture: Size, area: int, stride: int) -> Size:
    """Output size of a channel-conditioned image model: the picture's aspect ratio at no more than about `area`.

    Latent sides are rounded down to whole patches of 2 in floating point, exactly as the original does it, so
    832x480 in an area of 832*480 gives 832x464. Raises UsageError when nothing is left.
    """
    aspect = picture[1] / picture[0]
    height = round(math.sqrt(area * aspect) // stride // 2 * 2) * stride
    width = round(math.sqrt(area / aspect) // stride // 2 * 2) * stride
    if min(width, height) == 0:
        raise _too_small(picture, area, stride * 2)
    return width, height


def size_for_cover(picture: Size, area: int, multiple: int) -> Size:
    """Output size of TI2V: the multiple-of-`multiple` size within `area` that distorts the aspect ratio least.

    Two candidates: width rounded down first and height filling the area, or the other way round.
    """
    ratio = picture[0] / picture[1]
    width = (area * ratio) ** 0.5
    height = area / width
    wide = int(width // multiple * multiple)
    tall = int(height // multiple * multiple)
    if min(wide, tall) == 0:
        raise _too_small(picture, area, multiple)
    width_first = (wide, int(area / wide // multiple * multiple))
    height_first = (int(area / tall // multiple * multiple), tall)

    def distortion(size: Size) -> float:
        got = size[0] / size[1]
        return max(ratio / got, got / ratio)

    return width_first if distortion(width_first) < distortion(height_first) else height_first


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


def _too_small(picture: Size, area: int, multiple: int) -> UsageError:
    return UsageError(
        f"A picture of {picture[0]}x{picture[1]} in an area of {area} pixels leaves a side below {multiple} pixels; "
        "give a larger size or a less elongated picture."
    )
