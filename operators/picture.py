# SPDX-License-Identifier: GPL-3.0-or-later
"""The clip as it looks by now, as an icon that panels can draw."""

from __future__ import annotations

import math
from array import array
from pathlib import Path

import bpy
import bpy.utils.previews

_KEY = "picture"
_CHANNELS = 4


class LivePicture:
    """Holds one icon, replaced by every `show`; `close` gives it back to Blender."""

    def __init__(self) -> None:
        self._previews = bpy.utils.previews.new()

    def show(self, path: Path, aspect: float) -> int:
        """The icon of the engine's preview, a row of frames of that width to height; 0 for a file that is no picture
        (any more).
        """
        pixels, size = _read(path)
        if not pixels:
            return 0
        width, height, stacked = stack(pixels, size, aspect)
        self._previews.clear()  # an icon that has been drawn keeps its looks: every picture gets a new one
        picture = self._previews.new(_KEY)
        picture.image_size = (width, height)
        picture.image_pixels_float.foreach_set(stacked)
        return int(picture.icon_id)

    def close(self) -> None:
        """The icon is drawn no longer."""
        bpy.utils.previews.remove(self._previews)


def stack(pixels: array[float], size: tuple[int, int], aspect: float) -> tuple[int, int, array[float]]:
    """A row of frames, RGBA from the bottom row up, as (width, height, pixels) of a pile of some of them, the first one
    on top. An icon is drawn in a square: as many frames are taken, evenly, as make the pile most like one.
    """
    row, height = size
    count = max(1, round(row / (height * aspect)))
    width = row // count
    piled = min(range(1, count + 1), key=lambda n: abs(math.log(width / (height * n))))
    frames = [round(k * (count - 1) / max(1, piled - 1)) for k in range(piled)]
    stacked: array[float] = array("f")
    for frame in reversed(frames):
        for y in range(height):
            begin = (y * row + frame * width) * _CHANNELS
            stacked.extend(pixels[begin : begin + width * _CHANNELS])
    return width, height * piled, stacked


def _read(path: Path) -> tuple[array[float], tuple[int, int]]:
    """(RGBA from the bottom row up, (width, height)); empty for what cannot be read."""
    pixels: array[float] = array("f")
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
    except RuntimeError:
        return pixels, (0, 0)
    try:
        size = (image.size[0], image.size[1])
        if image.has_data or size[0] * size[1] > 0:
            pixels = array("f", bytes(4 * _CHANNELS * size[0] * size[1]))
            image.pixels.foreach_get(pixels)
        return pixels, size
    finally:
        bpy.data.images.remove(image)
