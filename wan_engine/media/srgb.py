# SPDX-License-Identifier: GPL-3.0-or-later
"""Between display-referred bytes and linear light: the sRGB curve of IEC 61966-2-1, primaries of Rec.709."""

from __future__ import annotations

import numpy as np

_STEPS = 65535  # of linear light in the way back: a twentieth of a byte where the curve is steepest


def decode(display: np.ndarray) -> np.ndarray:
    """Linear light of display values in 0..1."""
    return np.where(display <= 0.04045, display / 12.92, ((np.maximum(display, 0) + 0.055) / 1.055) ** 2.4)


def encode(linear: np.ndarray) -> np.ndarray:
    """Display values of linear light, the inverse of `decode`; negative light counts as black."""
    light = np.maximum(linear, 0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


_LINEAR = decode(np.arange(256) / 255).astype(np.float32)
_BYTES = np.rint(encode(np.arange(_STEPS + 1) / _STEPS) * 255).astype(np.uint8)


def to_linear(pixels: np.ndarray) -> np.ndarray:
    """uint8 of any shape to float32 linear light in 0..1."""
    return _LINEAR[pixels]


def from_linear(light: np.ndarray) -> np.ndarray:
    """float32 linear light to uint8, clipped to 0..1; bytes that went through `to_linear` come back as they were."""
    return _BYTES[(np.clip(light, 0, 1) * _STEPS + 0.5).astype(np.uint16)]
