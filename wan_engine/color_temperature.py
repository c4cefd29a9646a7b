# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour temperature of a linear Rec. 709 colour, and the colour of a black body. Needs numpy alone, so that Blender's
side tells the same as the engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

# Linear Rec.709 / sRGB primaries, D65, to CIE XYZ (IEC 61966-2-1).
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_SPLINE_FROM, _SPLINE_TO = 1667.0, 25000.0
_FARTHEST_FROM_LOCUS = 0.05  # in CIE 1960 uv; CIE 15 calls a correlated temperature meaningful up to here


def kelvin_of(rgb: Sequence[float] | np.ndarray) -> float | None:
    """Correlated colour temperature of a colour [3]: its `nearest_black_body`. None for black, for what lies beyond
    1000 to 15000 K, and for colours farther than 0.05 from the locus, where a temperature means nothing."""
    nearest = nearest_black_body(rgb)
    if nearest is None:
        return None
    kelvin, distance = nearest
    first, *_, last = _planckian_locus()[0]
    return kelvin if distance <= _FARTHEST_FROM_LOCUS and first < kelvin < last else None


def nearest_black_body(rgb: Sequence[float] | np.ndarray) -> tuple[float, float] | None:
    """(kelvin, distance in CIE 1960 uv) of the black body nearest to a colour [3], 1000 to 15000 K; None for black and
    for what is not finite. A negative channel, or one that is NaN, counts as 0."""
    x, y, z = _TO_XYZ @ np.fmax(np.asarray(rgb, dtype=float), 0)
    total = x + 15 * y + 3 * z
    if not 1e-9 < total < math.inf:
        return None
    kelvin, u, v = _planckian_locus()
    distance = np.hypot(u - 4 * x / total, v - 6 * y / total)
    best = int(distance.argmin())
    return float(kelvin[best]), float(distance[best])


def blackbody_rgb(kelvin: float) -> np.ndarray:
    """Colour [3] of a black body of luminance 1, no channel below 0; the temperature is held within 1667..25000 K."""
    x, y = _locus(min(max(kelvin, _SPLINE_FROM), _SPLINE_TO))
    return np.maximum(_FROM_XYZ @ np.array([x / y, 1.0, (1 - x - y) / y]), 0.0)


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
