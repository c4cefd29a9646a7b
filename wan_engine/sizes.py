# SPDX-License-Identifier: GPL-3.0-or-later
"""Which size a clip gets from the size of its conditioning picture; sizes are (width, height) in pixels.

Standard library only: the side that renders the picture needs the rules too.
"""

from __future__ import annotations

import math

from .request import UsageError

Size = tuple[int, int]


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


def _too_small(picture: Size, area: int, multiple: int) -> UsageError:
    return UsageError(
        f"A picture of {picture[0]}x{picture[1]} in an area of {area} pixels leaves a side below {multiple} pixels; "
        "give a larger size or a less elongated picture."
    )
