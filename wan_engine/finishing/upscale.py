# SPDX-License-Identifier: GPL-3.0-or-later
"""Larger pictures: by calculation, or by a learned model (`learned_upscale`).

Frames are uint8 [H, W, 3], RGB. Every frame is treated alike and by itself, so still parts stay still.

By calculation: a cascade of steps of x2, each Lanczos, then twice the residual that is missed when the result is made
small again (back-projection, Irani and Peleg 1991), then the edges steepened. Each is kept within the range of the nine
pixels around in the picture before the step, so that no edge rings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from ..errors import UsageError
from . import learned_upscale
from .learned_upscale import Upscaler

FACTORS = (2, 4)
_SHARPENING = 0.6  # of the difference to the picture without its finest detail
_PROJECTIONS = 2


def upscale(frames: np.ndarray, factor: int, upscaler: str = "learned", model: Path | None = None) -> np.ndarray:
    """uint8 [T, H, W, 3] to [T, factor H, factor W, 3], with a row of `options.UPSCALER` or the model in a file.

    Raises UsageError for another factor than 2 or 4 or when a package is missing, CheckpointError when the model cannot
    be used.
    """
    return np.stack(list(upscaled(frames, factor, upscaler, model)))


def upscaled(
    frames: Iterable[np.ndarray], factor: int, upscaler: str = "learned", model: Path | None = None
) -> Iterator[np.ndarray]:
    """`upscale` for frames that come one by one; the arguments are checked at once, not with the first frame."""
    if factor not in FACTORS:
        raise UsageError(f"The clip can be made 2 or 4 times as large, not {factor} times.")
    if model is not None:
        return map(learned_upscale.from_file(factor, model), frames)
    return map(learned_upscale.shipped(factor) if upscaler == "learned" else _calculated(factor), frames)


def _calculated(factor: int) -> Upscaler:
    def enlarge(frame: np.ndarray) -> np.ndarray:
        picture = frame.astype(np.float32)
        for _ in range(factor.bit_length() - 1):
            picture = _doubled(picture)
        return np.rint(picture).astype(np.uint8)

    return enlarge


def _doubled(small: np.ndarray) -> np.ndarray:
    """float32 [H, W, 3] to [2H, 2W, 3] within the range that `small` has around each pixel."""
    height, width = small.shape[:2]
    size = 2 * width, 2 * height
    around = np.ones((3, 3), np.uint8)
    lowest, highest = (
        cv2.resize(extreme(small, around), size, interpolation=cv2.INTER_NEAREST) for extreme in (cv2.erode, cv2.dilate)
    )
    large = np.clip(cv2.resize(small, size, interpolation=cv2.INTER_LANCZOS4), lowest, highest)
    large = large + _SHARPENING * (large - cv2.GaussianBlur(large, (0, 0), 1.0))
    for _ in range(_PROJECTIONS):
        missed = small - cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
        large = np.clip(large + cv2.resize(missed, size, interpolation=cv2.INTER_LANCZOS4), lowest, highest)
    return large
