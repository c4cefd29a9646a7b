# SPDX-License-Identifier: GPL-3.0-or-later
"""Luminance and colour temperature of pictures.

Pictures are display-referred (sRGB/Rec.709), float [..., 3] in 0..1 where nothing else is said.
"""

from __future__ import annotations

import numpy as np

from ..color_temperature import kelvin_of
from ..media.srgb import decode

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601, as the light-consistency loss
_DARKEST = 0.003  # linear light; below it colour is noise
_CLIPPED = 0.985


def luminance(pictures: np.ndarray) -> np.ndarray:
    """Y = 0.299 R + 0.587 G + 0.114 B of display values, [...]."""
    return pictures @ LUMA


def color_temperature(picture: np.ndarray) -> float | None:
    """Correlated colour temperature in kelvin of the light in a picture [H, W, 3], None where none can be told.

    The light's colour is taken as the 6-norm mean of linear light (shades of grey, Finlayson and Trezzi 2004: between
    the grey world and the brightest patch), clipped pixels left out. None for black frames and for light too far from
    the Planckian locus to have a temperature.
    """
    linear = decode(picture.reshape(-1, 3).astype(np.float64))
    kept = linear[picture.reshape(-1, 3).max(1) < _CLIPPED]
    if len(kept) < len(linear) / 10:
        kept = linear
    light = np.mean(kept**6, axis=0) ** (1 / 6)
    return None if light.max() < _DARKEST else kelvin_of(light)
