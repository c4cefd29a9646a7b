# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour temperature of a light's colour, and back. The engine has the same two functions in `light/color.py`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

Rgb = tuple[float, float, float]
FARTHEST_FROM_LOCUS = 0.05  # in CIE 1960 uv; CIE 15 calls a correlated temperature meaningful up to here


def color_temperature_k(rgb: Sequence[float] | np.ndarray) -> float | None:
    """Correlated colour temperature of a linear Rec. 709 colour: the black body nearest in CIE 1960 (u, v), 1000 to
    15000 K. None for black and for colours further than 0.05 from the locus, where a temperature means nothing."""
    nearest = nearest_black_body(rgb)
    if nearest is None or nearest[1] > FARTHEST_FROM_LOCUS or not 1000.0 < nearest[0] < 15000.0:
        return None
    return nearest[0]


def nearest_black_body(rgb: Sequence[float] | np.ndarray) -> tuple[float, float] | None:
    """(kelvin, distance in CIE 1960 uv) of the nearest black body, 1000 to 15000 K; None for black."""
    r, g, b = (max(0.0, float(c)) for c in rgb)
    x = 0.4124 * r + 0.3576 * g + 0.1805 * b
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = 0.0193 * r + 0.1192 * g + 0.9505 * b
    total = x + 15.0 * y + 3.0 * z
    if total <= 1e-9:
        return None
    kelvin, u, v = _planckian_locus()
    distance = np.hypot(u - 4.0 * x / total, v - 6.0 * y / total)
    best = int(distance.argmin())
    return float(kelvin[best]), float(distance[best])


def rgb_of(kelvin: float) -> Rgb:
    """Linear Rec.709 of a black body, luminance 1, from 1667 to 25000 K: the Planckian locus by the cubic spline of Kim
    et al. (US patent 7024034)."""
    t = min(25000.0, max(1667.0, kelvin))
    u = 1000 / t
    if t < 4000:
        x = -0.2661239 * u**3 - 0.2343589 * u**2 + 0.8776956 * u + 0.179910
    else:
        x = -3.0258469 * u**3 + 2.1070379 * u**2 + 0.2226347 * u + 0.240390
    if t < 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif t < 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    big_x, big_z = x / y, (1 - x - y) / y
    return (
        max(0.0, 3.2406 * big_x - 1.5372 - 0.4986 * big_z),
        max(0.0, -0.9689 * big_x + 1.8758 + 0.0415 * big_z),
        max(0.0, 0.0557 * big_x - 0.2040 + 1.0570 * big_z),
    )


@cache
def _planckian_locus() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(kelvin, u, v) of black bodies in CIE 1960, by the rational fit of Krystek (1985)."""
    t = np.geomspace(1000.0, 15000.0, 2001)
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t**2) / (1.0 + 8.42420235e-4 * t + 7.08145163e-7 * t**2)
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t**2) / (1.0 - 2.89741816e-5 * t + 1.61456053e-7 * t**2)
    return t, u, v
