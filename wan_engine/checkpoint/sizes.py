# SPDX-License-Identifier: GPL-3.0-or-later
"""Which size a clip gets from the size of its conditioning picture; sizes are (width, height) in pixels.

Standard library only: the side that renders the picture needs the rules too.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from ..errors import UsageError

Size = tuple[int, int]
BAND = 2.0  # a size chosen for its shape has from half to twice the area that was asked for
_SHAPE, _AREA = 0.02, 0.3  # a shape that is 2 % off weighs as much as an area that is 30 % off
_WORST = 0.5  # a frame that can only be squeezed more than this is refused
SAME_AREA = 0.2  # logarithmic: areas up to about 20 % apart stand for each other


def check_size(size: Size, multiple: int) -> None:
    """Raise UsageError naming the nearest size when width or height is no multiple of `multiple`."""
    nearest = tuple(max(multiple, round(length / multiple) * multiple) for length in size)
    if size != nearest:
        raise UsageError(
            f"This model cannot make {size[0]}x{size[1]}: width and height must be multiples of {multiple}. "
            f"The nearest size is {nearest[0]}x{nearest[1]}."
        )


def squeeze(shape: float, size: Size) -> float:
    """By how much `size` squeezes or stretches a frame whose sides are in the ratio `shape` (width / height); 0.05 is
    five percent.
    """
    ratio = shape * size[1] / size[0]
    return max(ratio, 1 / ratio) - 1


def nearest_size(
    shape: float, area: int, multiple: int, trained: Collection[Size] = (), tolerance: float = 0.0
) -> Size:
    """The size on the grid of `multiple` pixels for a frame of the aspect ratio `shape` and about `area` pixels.

    One of the `trained` sizes of that area (within 20 %) goes first where it squeezes by no more than `tolerance`. Else
    the least of squeeze and change of area, both as logarithms and squared: shape first, but not at any area. The area
    stays within `BAND`. Raises UsageError when no such size comes near the shape.
    """
    fitting = [
        size
        for size in trained
        if squeeze(shape, size) <= tolerance
        and abs(math.log(size[0] * size[1] / area)) <= SAME_AREA
        and not any(side % multiple for side in size)
    ]
    if fitting:
        return min(fitting, key=lambda size: squeeze(shape, size))
    cells = area / multiple**2
    middle = math.sqrt(cells * shape)

    def cost(size: Size) -> float:
        of_shape = math.log(size[0] / size[1] / shape) / _SHAPE
        of_area = math.log(size[0] * size[1] / cells) / _AREA
        return of_shape**2 + of_area**2

    found = [
        (columns, rows)
        for columns in range(max(1, int(middle / BAND)), math.ceil(middle * BAND) + 1)
        for rows in _rows(columns, shape, cells)
        if 1 / BAND <= columns * rows / cells <= BAND
    ]
    best = min(found, key=cost, default=None)
    if best is None or squeeze(shape, best) > _WORST:
        raise UsageError(
            f"No size of about {area} pixels has the scene's shape of {shape:.3g}:1, for sides are multiples of "
            f"{multiple}; give a larger size or a less elongated frame."
        )
    return best[0] * multiple, best[1] * multiple


def _rows(columns: int, shape: float, cells: float) -> tuple[int, int]:
    """The two counts of rows around the least cost beside `columns`; it is a parabola in their logarithm."""
    by_shape, by_area = math.log(columns / shape), math.log(cells / columns)
    weights = _SHAPE**-2, _AREA**-2
    best = math.exp((by_shape * weights[0] + by_area * weights[1]) / sum(weights))
    return max(1, math.floor(best)), max(1, math.ceil(best))


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
