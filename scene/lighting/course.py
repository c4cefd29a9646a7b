# SPDX-License-Identifier: GPL-3.0-or-later
"""Where, between a shot's first and last frame, its sunlight turns: it peaks or dips in height, side, strength or
colour. No bpy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..geometry import azimuth_deg, elevation_deg

# What each must go, there and back, to make a turn.
LEAST_RISE = 4.0  # degrees of elevation
LEAST_TURN = 20.0  # degrees of azimuth
LEAST_BRIGHTER = 1.5  # ratio of strengths
LEAST_WARMER = 1.25  # ratio of kelvins
FAINT = 0.02  # of the greatest strength: nothing weaker is told apart
NEAR = 0.06  # of the shot: turns that lie closer are one
MOST = 3


def turning_points(
    frames: Sequence[int],
    directions: Sequence[np.ndarray],
    strengths: Sequence[float | None],
    kelvins: Sequence[float | None],
) -> list[int]:
    """Indices, rising, of the MOST clearest turns of a sun that is known at these frames; first and last are none."""
    elevations = [elevation_deg(direction) for direction in directions]
    azimuths = np.unwrap([azimuth_deg(direction) for direction in directions], period=360.0)
    up = [elevation >= 0.0 for elevation in elevations]
    found = zigzag([e / LEAST_RISE for e in elevations])
    found += zigzag([float(a) / LEAST_TURN for a in azimuths])
    for ratio, values in ((LEAST_BRIGHTER, _above_faint(strengths)), (LEAST_WARMER, kelvins)):
        seen = [value for value in _while_up(values, up) if value is not None]
        if len(seen) == len(values):
            found += zigzag([math.log(max(value, 1e-6)) / math.log(ratio) for value in seen])
    gap = max(1.0, NEAR * (frames[-1] - frames[0]))
    chosen: list[int] = []
    for _, index in sorted(found, key=lambda turn: (-turn[0], turn[1])):
        near = [frames[0], frames[-1], *(frames[other] for other in chosen)]
        if len(chosen) < MOST and all(abs(frames[index] - frame) >= gap for frame in near):
            chosen.append(index)
    return sorted(chosen)


def zigzag(values: Sequence[float]) -> list[tuple[float, int]]:
    """(size, index) of the inner peaks and dips of a track, those from which it goes 1 and more both ways; size is the
    smaller of both ways. A peak that is held counts at its middle."""
    pivots, way, low, high = [0], 0, 0, 0
    for index, value in enumerate(values):
        low = index if value < values[low] else low
        high = index if value > values[high] else high
        if way >= 0 and values[high] - value >= 1.0 and (way or high < index):
            pivots.append(high)
            way, low = -1, index
        elif way <= 0 and value - values[low] >= 1.0 and (way or low < index):
            pivots.append(low)
            way, high = 1, index
    pivots.append(high if way > 0 else low if way < 0 else len(values) - 1)
    turns = []
    for before, pivot, after in zip(pivots, pivots[1:], pivots[2:], strict=False):
        size = min(abs(values[pivot] - values[before]), abs(values[pivot] - values[after]))
        if size >= 1.0:
            turns.append((size, _middle(values, pivot)))
    return turns


def _middle(values: Sequence[float], pivot: int) -> int:
    """The middle of the stretch around a pivot that stays as it is there."""
    last = pivot
    while last + 1 < len(values) and abs(values[last + 1] - values[pivot]) < 0.05:
        last += 1
    return (pivot + last) // 2


def _while_up(values: Sequence[float | None], up: Sequence[bool]) -> list[float | None]:
    """The values of a sun, held while it is below the horizon, where nothing is seen of them."""
    held: list[float | None] = []
    last = next((value for value, above in zip(values, up, strict=True) if above), None)
    for value, above in zip(values, up, strict=True):
        last = value if above else last
        held.append(last)
    return held


def _above_faint(strengths: Sequence[float | None]) -> list[float | None]:
    faint = FAINT * max((strength for strength in strengths if strength is not None), default=0.0)
    return [None if strength is None else max(strength, faint) for strength in strengths]
