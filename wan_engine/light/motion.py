# SPDX-License-Identifier: GPL-3.0-or-later
"""What light does from one frame to the next where the picture shows the same thing.

Each frame is compared with the one before along the optical flow, on a coarse grid of cells; what the flow cannot
follow (occlusion, picture edges) does not count. So neither a moving object nor a moving camera is taken for light.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np

from ..media.optical_flow import agrees, warp
from ..media.srgb import decode
from .color import luminance

GRID = (5, 8)  # rows, columns of the cells
_LONG_SIDE = 256  # light is of low spatial frequency: this is enough, and quick
_SMALLEST_FOR_FLOW = 32  # below this the flow's coarsest patches do not fit
_CLIPPED, _BLACK = 0.98, 0.04
_TOO_DARK = 0.08  # luminance of the brightest parts under which a picture shows nothing that could be another's
_OUTLIER = 0.02  # display luminance
# Correlation of structure along the flow: pairs within one shot stay above 0.56, pairs across a cut below 0.40.
ANOTHER_PICTURE = 0.48
_Compared = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]


@dataclass(frozen=True)
class Changes:
    """Frame t against frame t-1, for t = 1..T-1 (first index 0), cell by cell (5 rows from the top, 8 columns).

    change: display luminance now minus before [T-1, 5, 8]; level: their mean [T-1, 5, 8]; gain: natural logarithm of
    the linear light's gain per channel [T-1, 5, 8, 3]; weight, gain_weight: share of each cell that could be compared,
    for the gain without clipped and black pixels [T-1, 5, 8]; alike: how much of the picture's structure is the same,
    about 0 for another picture, up to 1, and 1 where one is black or plain [T-1].
    """

    change: np.ndarray
    level: np.ndarray
    gain: np.ndarray
    weight: np.ndarray
    gain_weight: np.ndarray
    alike: np.ndarray


def reduced(frames: Iterable[np.ndarray]) -> np.ndarray:
    """The frames as float32 [T, h, w, 3] in 0..1, averaged down to at most _LONG_SIDE pixels."""
    small = []
    for frame in frames:
        height, width = frame.shape[:2]
        scale = min(1.0, _LONG_SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small.append(cv2.resize(np.float32(frame), size, interpolation=cv2.INTER_AREA))
    return np.stack(small) / np.float32(255)


def compare_frames(pictures: np.ndarray) -> Changes:
    """The changes along a clip of reduced pictures, float32 [T, h, w, 3] in 0..1."""
    patterns = [_pattern(picture) for picture in pictures]
    steps = [_compare(pictures[t - 1], pictures[t], patterns[t - 1], patterns[t]) for t in range(1, len(pictures))]
    return _stacked(steps)


def compare_two(before: np.ndarray, now: np.ndarray) -> Changes:
    """The same for two pictures of one size."""
    return _stacked([_compare(before, now, _pattern(before), _pattern(now))])


def _stacked(steps: Sequence[_Compared]) -> Changes:
    if not steps:
        empty = np.zeros((0, *GRID), np.float32)
        return Changes(empty, empty, np.zeros((0, *GRID, 3), np.float32), empty, empty, np.zeros(0, np.float32))
    return Changes(*(np.stack(parts) for parts in zip(*steps, strict=True)))


def _compare(before: np.ndarray, now: np.ndarray, pattern_before: np.ndarray, pattern_now: np.ndarray) -> _Compared:
    followed, valid = before, np.ones(now.shape[:2], bool)
    if min(now.shape[:2]) >= _SMALLEST_FOR_FLOW:
        back, forth = _flow(pattern_now, pattern_before), _flow(pattern_before, pattern_now)
        followed, valid = warp(before, back), _followed(back, forth)
        pattern_before = warp(pattern_before, back)
    y_before, y_now = luminance(followed), luminance(now)
    change = _cell_means(y_now - y_before, valid)
    level = _cell_means((y_now + y_before) / 2, valid)
    tops = np.maximum(followed, now).max(-1)
    usable = valid & (tops < _CLIPPED) & (np.minimum(y_before, y_now) > _BLACK)
    light_before, light_now = decode(followed), decode(now)
    ratio = np.log((light_now + 1e-4) / (light_before + 1e-4))
    gain = np.stack([_cell_means(ratio[..., c], usable) for c in range(3)], -1)
    black = min(np.percentile(y_before, 95), np.percentile(y_now, 95)) < _TOO_DARK
    alike = 1.0 if black else _alike(pattern_before, pattern_now)
    return change, level, gain, _cell_shares(valid), _cell_shares(usable), alike


def _pattern(picture: np.ndarray) -> np.ndarray:
    """The picture's structure without its light: log luminance, less its local mean, over its local spread; uint8."""
    log = np.log(luminance(picture) + np.float32(0.02))
    sigma = max(2.0, max(picture.shape[:2]) / 24)
    detail = log - cv2.GaussianBlur(log, (0, 0), sigma)
    spread = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), sigma) + np.float32(0.03**2))
    return np.clip(128 + 48 * detail / spread, 0, 255).astype(np.uint8)


def _flow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return solver.calc(a, b, np.zeros((*a.shape, 2), np.float32))


def _followed(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """True where the two motions agree and lead to a place in the picture."""
    rows, columns = np.indices(there.shape[:2], np.float32)
    x, y = columns + there[..., 0], rows + there[..., 1]
    inside = (x >= 0) & (y >= 0) & (x <= there.shape[1] - 1) & (y <= there.shape[0] - 1)
    return inside & agrees(there, back)


def _alike(before: np.ndarray, now: np.ndarray) -> float:
    """Correlation of two patterns; 1 when one of them is plain."""
    a, b = (np.float64(pattern) - 128 for pattern in (before, now))
    energy_a, energy_b = (a * a).mean(), (b * b).mean()
    if min(energy_a, energy_b) < 60:
        return 1.0
    return float((a * b).mean() / np.sqrt(energy_a * energy_b))


@lru_cache(maxsize=4)
def _cell_of(height: int, width: int) -> np.ndarray:
    rows = np.arange(height) * GRID[0] // height
    columns = np.arange(width) * GRID[1] // width
    return (rows[:, None] * GRID[1] + columns[None, :]).ravel()


def _cell_means(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Mean of each cell's valid values, those far from their median left out; 0 where there are none."""
    kept, cells = values[valid], _cell_of(*values.shape)[valid.ravel()]
    order = np.lexsort((kept, cells))
    kept = kept[order]
    edges = np.searchsorted(cells[order], np.arange(GRID[0] * GRID[1] + 1))
    result = np.zeros(GRID[0] * GRID[1], np.float32)
    for cell, (first, last) in enumerate(pairwise(edges)):
        count = last - first
        if count:
            part = kept[first:last]  # in rising order
            low, middle, high = part[count // 4], part[count // 2], part[(3 * count - 1) // 4]
            reach = 1.5 * (high - low) + _OUTLIER
            bounds = np.searchsorted(part, (middle - reach, middle + reach))
            result[cell] = part[bounds[0] : bounds[1]].mean()
    return result.reshape(GRID)


def _cell_shares(valid: np.ndarray) -> np.ndarray:
    cells = _cell_of(*valid.shape)
    count = GRID[0] * GRID[1]
    all_pixels = np.bincount(cells, minlength=count)
    good = np.bincount(cells, weights=valid.ravel(), minlength=count)
    return (good / np.maximum(all_pixels, 1)).reshape(GRID).astype(np.float32)
