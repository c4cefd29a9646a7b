# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip's frames as motion and outlines are looked for in them: gray, of one working size, without their light."""

from __future__ import annotations

import cv2
import numpy as np

from .bounds import WORKING_SIDE

_FINE, _COARSE = 1.0, 6.0  # pixels: structure between these is kept
_SPREAD = 4.0  # gray levels of structure below which it is not made any stronger


def scale_of(size: tuple[int, int]) -> float:
    """Working pixels per pixel of a picture of that size (width, height)."""
    return WORKING_SIDE / max(size)


def working(frame: np.ndarray) -> np.ndarray:
    """A frame as uint8 [h, w], its longer side WORKING_SIDE."""
    height, width = frame.shape[:2]
    scale = scale_of((width, height))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    gray = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def small(frame: np.ndarray) -> np.ndarray:
    """A frame as float32 [h, w, 3] of half the working size, a little soft: what copies are looked for in."""
    height, width = frame.shape[:2]
    scale = scale_of((width, height)) / 2
    size = max(8, round(width * scale)), max(8, round(height * scale))
    soft = cv2.resize(frame.astype(np.float32), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return cv2.GaussianBlur(soft, (0, 0), 0.8)


def structure(gray: np.ndarray) -> np.ndarray:
    """float32 [h, w]: what is between fine and coarse in a picture, in gray levels of a picture of middle brightness;
    light and slow shading are gone from it."""
    light = gray.astype(np.float32)
    around = cv2.GaussianBlur(light, (0, 0), _COARSE)
    return (cv2.GaussianBlur(light, (0, 0), _FINE) - around) * (100 / (around + 25))


def pattern(gray: np.ndarray) -> np.ndarray:
    """uint8 [h, w]: the structure as a picture that motion is looked for in."""
    return np.clip(128 + 3 * structure(gray), 0, 255).astype(np.uint8)
