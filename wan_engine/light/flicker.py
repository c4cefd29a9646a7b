# SPDX-License-Identifier: GPL-3.0-or-later
"""Light that goes to and fro: flicker, which is fast, and pulsing, which is slow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .bounds import flicker_bound
from .curves import find_steps, slow_part
from .jumps import SMALLEST_JUMP

_FLICKER_OF_QUICK = 0.4  # of a quick change that the clip shares with its curve, for that is drawn with corners
_FLICKER_SMOOTHING = 4.0  # frames; what repeats within some 8 frames counts as flicker
_SWING = 0.03  # of slow light to one side and then to the other: clean clips make one or two of that size


@dataclass(frozen=True)
class Flicker:
    """`flicker`: root mean square, relative, of the course of light around its slow part, or, where that is less, of
    its distance from the expected course around its own; `allowed`: what a slow change of this size may look like.
    `slow_change`: how much darker the darkest of the slow part is than its brightest, 0..1. `swings`: how often the
    slow part, beside what is expected, turned after a swing of at least 3 %; `swing`: their mean size."""

    flicker: float
    allowed: float
    slow_change: float
    swings: int
    swing: float


def flicker_of(
    relative: np.ndarray, plain: np.ndarray, expected_steps: np.ndarray | None, cuts: Sequence[int], jumps: bool
) -> Flicker:
    """From the relative changes [T-1] of a clip along the motion, those of its frames' means (`plain`) and those of its
    curve; with `jumps` steps are taken out.

    A quick change that the curve draws is no flicker where the clip has it too, and excuses none beside it, nor does a
    slow one; light that does not follow a curve which swings leaves the curve, but does not pulse. Nor does light whose
    frames' means keep to a curve that knows what crosses the picture. What the flow alone makes is not in the means.
    """
    own = _read(relative, cuts, jumps)
    unfollowed = _size(_fast(plain, cuts, jumps))
    if expected_steps is None:
        return replace(own, flicker=min(own.flicker, unfollowed))
    beside, told = _read(relative - expected_steps, cuts, jumps), _read(expected_steps, cuts, False)
    fast = _fast(relative, cuts, jumps)
    shared = _shared(fast, _fast(expected_steps, cuts, False))
    allowed = flicker_bound(min(own.slow_change, beside.slow_change)) + _FLICKER_OF_QUICK * _size(shared)
    seen = [beside, _read(plain - expected_steps, cuts, jumps), *([own] if told.swings else [])]
    swinging = min(seen, key=lambda reading: reading.swings)
    flicker = min(_size(fast - shared), beside.flicker, unfollowed, seen[1].flicker)
    return Flicker(flicker, allowed, own.slow_change, swinging.swings, swinging.swing)


def _read(relative: np.ndarray, cuts: Sequence[int], jumps: bool) -> Flicker:
    course = _course(relative, jumps)
    slow = 1 - float(np.exp(-np.ptp(slow_part(course, cuts))))
    swings = _swings(slow_part(course, cuts, _FLICKER_SMOOTHING))
    flicker = _size(_fast(relative, cuts, jumps))
    return Flicker(flicker, flicker_bound(slow), slow, len(swings), float(np.mean(swings)) if swings else 0.0)


def _course(relative: np.ndarray, jumps: bool) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(_without_steps(relative) if jumps else relative)])


def _fast(relative: np.ndarray, cuts: Sequence[int], jumps: bool) -> np.ndarray:
    """What a course does beside its slow part; without the ends, where the regression leans."""
    course = _course(relative, jumps)
    fast = course - slow_part(course, cuts, _FLICKER_SMOOTHING)
    return fast[2:-2] if len(fast) > 8 else fast


def _shared(fast: np.ndarray, told: np.ndarray) -> np.ndarray:
    """As much of `told` as `fast` has, up to a frame early or late [T]; at most all of it."""
    best = np.zeros_like(fast)
    for shifted in (told, np.append(told[1:], 0.0), np.append(0.0, told[:-1])):
        power = float(shifted @ shifted)
        part = shifted * min(max(float(fast @ shifted) / power, 0.0), 1.0) if power > 0 else best
        best = min(best, part, key=lambda candidate: _size(fast - candidate))
    return best


def _size(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _without_steps(relative: np.ndarray) -> np.ndarray:
    """The changes [T-1] with their abrupt steps taken out; what changes slowly beneath them stays."""
    calm = np.array(relative, np.float64)
    for step in find_steps(calm, SMALLEST_JUMP):
        calm[step.frame - 1 : step.frame - 1 + step.width] -= step.size / step.width
    return calm


def _swings(course: np.ndarray) -> list[float]:
    """Sizes of the course's way between turns, each of at least 3 % and followed by one of 3 % back."""
    swings: list[float] = []
    turn = farthest = float(course[0])
    way = 0
    for value in map(float, course):
        if way * (value - farthest) >= 0:
            farthest, way = value, way or int(np.sign(value - turn)) * (abs(value - turn) > _SWING)
        elif abs(value - farthest) > _SWING:
            swings.append(abs(farthest - turn))
            turn, farthest, way = farthest, value, -way
    return swings
