# SPDX-License-Identifier: GPL-3.0-or-later
"""Luminance and colour temperature of pictures.

Pictures are display-referred (sRGB/Rec.709), float [..., 3] in 0..1 where nothing else is said.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ..media.srgb import decode

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601, as the light-consistency loss
# Linear Rec.709 / sRGB primaries, D65, to CIE XYZ (IEC 61966-2-1).
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_COOLEST, _WARMEST = 25000.0, 1700.0
_FARTHEST_FROM_LOCUS = 0.05  # in CIE 1960 uv; CIE 15 calls a correlated temperature meaningful up to here
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


def kelvin_of(light: np.ndarray) -> float | None:
    """Correlated colour temperature of linear Rec.709 light [3]: the black body nearest in CIE 1960 (u, v), 1000 to
    15000 K, None beyond and farther than 0.05 from the locus. The add-on has the same in `scene/color_temperature.py`.
    """
    x, y, z = _TO_XYZ @ np.maximum(light, 0)
    total = x + 15 * y + 3 * z
    if total <= 1e-9:
        return None
    kelvin, u, v = _planckian_locus()
    distance = np.hypot(u - 4 * x / total, v - 6 * y / total)
    best = int(distance.argmin())
    return float(kelvin[best]) if distance[best] <= _FARTHEST_FROM_LOCUS and 0 < best < len(kelvin) - 1 else None


def blackbody_rgb(kelvin: float) -> np.ndarray:
    """Linear Rec.709 colour [3] of a black body, its luminance 1; the temperature is held within 1700..25000 K."""
    x, y = _locus(min(max(kelvin, _WARMEST), _COOLEST))
    return _FROM_XYZ @ np.array([x / y, 1.0, (1 - x - y) / y])


def mired(kelvin: float) -> float:
    """A million over kelvin: equal steps look about equally far apart."""
    return 1e6 / kelvin


def _locus(kelvin: float) -> tuple[float, float]:
    """CIE 1931 x and y of a black body: the cubic splines of Kim et al. (US patent 7024034), 1667..25000 K."""
    t = kelvin
    if t < 4000:
        x = -0.2661239e9 / t**3 - 0.2343589e6 / t**2 + 0.8776956e3 / t + 0.179910
    else:
        x = -3.0258469e9 / t**3 + 2.1070379e6 / t**2 + 0.2226347e3 / t + 0.240390
    if t < 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif t < 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    return x, y


@cache
def _planckian_locus() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(kelvin, u, v) of black bodies in CIE 1960, by the rational fit of Krystek (1985)."""
    t = np.geomspace(1000.0, 15000.0, 2001)
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t**2) / (1.0 + 8.42420235e-4 * t + 7.08145163e-7 * t**2)
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t**2) / (1.0 - 2.89741816e-5 * t + 1.61456053e-7 * t**2)
    return t, u, v
