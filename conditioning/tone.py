# SPDX-License-Identifier: GPL-3.0-or-later
"""How a scene's colour management shows light: view transform, look, exposure, gamma and curves, all at once.

Measured, not modelled: Blender itself saves a row of grey patches as it would save a render of the scene.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import bpy
import numpy as np

from ..scratch import scratch_folder
from .preserve import preserved
from .staging import set_png

_PATCHES = 64
_DARKEST, _BRIGHTEST = -12.0, 8.0  # stops from 1.0


class Tone:
    """Linear light -> display value 0..1 of a grey; never falls, linear in stops between the measured patches."""

    def __init__(self, shown: Sequence[float]) -> None:
        """`shown` are the display values of patches that go evenly in stops from 2^-12 to 2^8."""
        self._shown = [max(shown[: i + 1]) for i in range(len(shown))]

    def __call__(self, linear: float) -> float:
        stops = math.log2(max(linear, 2**_DARKEST))
        place = (stops - _DARKEST) / (_BRIGHTEST - _DARKEST) * (len(self._shown) - 1)
        i = min(int(place), len(self._shown) - 2)
        return self._shown[i] + (self._shown[i + 1] - self._shown[i]) * min(1.0, place - i)

    def of(self, linear: np.ndarray) -> np.ndarray:
        """The same of many at once."""
        stops = np.log2(np.maximum(linear, 2**_DARKEST))
        places = (stops - _DARKEST) / (_BRIGHTEST - _DARKEST) * (len(self._shown) - 1)
        return np.interp(places, np.arange(len(self._shown)), self._shown)


def tone_of(scene: bpy.types.Scene) -> Tone:
    """The scene's tone curve. A temporary image comes and goes; the scene is left as it was."""
    stops = (_DARKEST + (_BRIGHTEST - _DARKEST) * i / (_PATCHES - 1) for i in range(_PATCHES))
    image = bpy.data.images.new("tone", _PATCHES, 1, float_buffer=True)
    try:
        image.pixels.foreach_set(array("f", [c for s in stops for c in (2**s, 2**s, 2**s, 1.0)]))
        with scratch_folder() as folder, preserved(scene):
            path = folder / "tone.png"
            set_png(scene.render.image_settings)
            image.save_render(str(path), scene=scene)
            return Tone(_pixels(path)[1::4])
    finally:
        bpy.data.images.remove(image)


def mean_rgb(path: Path) -> tuple[float, float, float]:
    """Mean display value 0..1 of each channel of a picture file."""
    pixels = _pixels(path)
    red, green, blue = (sum(pixels[channel::4]) / (len(pixels) // 4) for channel in range(3))
    return red, green, blue


def block_means(path: Path, columns: int, rows: int) -> list[float]:
    """Mean display value 0..1 of each channel of each of `columns` x `rows` blocks of a picture file; as many as it
    has pixels where those are fewer.
    """
    pixels, (width, height) = stored_pixels(path)
    columns, rows = min(columns, width), min(rows, height)
    means = []
    for bottom, top in pairwise(height * row // rows for row in range(rows + 1)):
        for left, right in pairwise(width * column // columns for column in range(columns + 1)):
            lines = [(4 * (y * width + left), 4 * (y * width + right)) for y in range(bottom, top)]
            count = (right - left) * (top - bottom)
            means += [sum(sum(pixels[a + channel : b : 4]) for a, b in lines) / count for channel in range(3)]
    return means


def _pixels(path: Path) -> array:
    """RGBA values as stored in an 8-bit file, 0..1, rows from the bottom."""
    return stored_pixels(path)[0]


def stored_pixels(path: Path) -> tuple[array, tuple[int, int]]:
    """RGBA values as stored in an 8-bit file, 0..1, rows from the bottom, and the picture's (width, height)."""
    image = bpy.data.images.load(str(path))
    try:
        pixels = array("f", bytes(4 * len(image.pixels)))
        image.pixels.foreach_get(pixels)
        return pixels, (image.size[0], image.size[1])
    finally:
        bpy.data.images.remove(image)
