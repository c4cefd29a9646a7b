# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves over the frames of a clip: their slow part, their abrupt steps, and the expected light as a curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ..light_curve import LightCurve

DARK = 0.1  # level under which a relative change is taken of this level: near black everything is relative
_BESIDE = 3  # frames on either side that tell how fast the light changes anyway
_WIDTHS = (1, 2, 3, 4)  # frames that a step may take: a video autoencoder spreads it over its four
_GROWTH = 2.5  # how much faster than a frame later (earlier) light may change at the clip's first (last) frame
_SLACK = 0.6  # share by which light that changes anyway may change unevenly
_SIGMAS = 4.0  # a step must stand out from the clip's own flicker by this many standard deviations
_SMOOTH = 6.0  # frames, standard deviation of the smoothing window: a quarter of a second at 24 frames per second


@dataclass(frozen=True)
class Step:
    """An abrupt change: first frame that shows it, frames it takes, and its size beyond the slow change around it."""

    frame: int
    width: int
    size: float


def expected_luminance(expected: LightCurve, count: int) -> np.ndarray:
    """The expected curve at each of `count` frames [count]; between its times it is linear."""
    return np.interp(np.linspace(0, 1, count), expected.times, expected.luminance)


def expected_uncertainty(expected: LightCurve, count: int) -> np.ndarray:
    """By how much the curve may be off at each frame [count], relative; 0 where it does not say."""
    if expected.uncertainty is None:
        return np.zeros(count)
    return np.interp(np.linspace(0, 1, count), expected.times, expected.uncertainty)


def expected_temperature(expected: LightCurve, count: int) -> np.ndarray | None:
    """The expected colour temperature in kelvin at each frame [count], linear in mired, or None."""
    if expected.temperature_k is None:
        return None
    return 1e6 / np.interp(np.linspace(0, 1, count), expected.times, 1e6 / np.asarray(expected.temperature_k))


def expected_rgb(expected: LightCurve, count: int) -> np.ndarray | None:
    """The mean display RGB of the render at each frame [count, 3], linear between its times, or None."""
    if expected.rgb is None:
        return None
    at = np.linspace(0, 1, count)
    return np.stack([np.interp(at, expected.times, track) for track in zip(*expected.rgb, strict=True)], -1)


def plain_changes(light: np.ndarray, cuts: Sequence[int]) -> np.ndarray:
    """The relative changes [T-1] of a course of luminance [T]; 0 at a cut."""
    changes = np.diff(light) / np.maximum((light[1:] + light[:-1]) / 2, DARK)
    changes[[cut - 1 for cut in cuts]] = 0
    return changes


def slow_part(curve: np.ndarray, breaks: Sequence[int] = (), sigma: float = _SMOOTH) -> np.ndarray:
    """The slow part of a curve [T, ...]: local quadratic regression with a Gaussian window (Cleveland 1979).

    Nothing is smoothed across `breaks` (a break at N parts frames N-1 and N). A constant, a line and a parabola come
    back as they are; so does a part too short to smooth (under five frames).
    """
    result = np.array(curve, np.float64)
    edges = [0, *sorted({b for b in breaks if 0 < b < len(curve)}), len(curve)]
    for first, last in pairwise(edges):
        if last - first >= 5:
            part = result[first:last]
            smooth = _smoother(last - first, sigma) @ part.reshape(last - first, -1)
            result[first:last] = smooth.reshape(part.shape)
    return result


@lru_cache(maxsize=16)  # a clip's course, its distance from the curve and its repair are all smoothed alike
def _smoother(count: int, sigma: float) -> np.ndarray:
    """The matrix [count, count] that takes a curve to its local quadratic regression."""
    rows = []
    for middle in range(count):
        offset = (np.arange(count) - middle) / sigma
        weight = np.exp(-0.5 * offset**2)
        design = np.stack([np.ones(count), offset, offset**2], 1)
        weighted = design * weight[:, None]
        rows.append(np.linalg.solve(design.T @ weighted, weighted.T)[0])
    return np.stack(rows)


def excess(changes: np.ndarray, width: int) -> np.ndarray:
    """How far the change over `width` frames lies outside what the frames around it predict [T-width, ...].

    `changes` [T-1, ...]: frame t against t-1. The prediction is the range between the typical change before and after
    (medians of three), with some slack, so that light that changes ever faster is no step. At either end of the clip,
    where one side is missing, the change may be up to 2.5 times its neighbour; a step over several frames is not looked
    for there.
    """
    count = len(changes) - width + 1
    result = np.zeros((max(0, count), *changes.shape[1:]))
    for t in range(count):
        before = changes[max(0, t - _BESIDE) : t][::-1]
        after = changes[t + width : t + width + _BESIDE]
        if width > 1 and min(len(before), len(after)) < 2:
            continue
        sides = [_typical(side) for side in (before, after) if len(side)]
        if min(len(before), len(after)) == 0:
            nearest = [side[0] for side in (before, after) if len(side)]
            sides += [_GROWTH * side for side in nearest] or [np.zeros(changes.shape[1:])]
        low, high = np.min(sides, axis=0), np.max(sides, axis=0)
        slack = _SLACK * np.maximum(np.abs(low), np.abs(high))
        low, high = width * (low - slack), width * (high + slack)
        total = changes[t : t + width].sum(axis=0)
        result[t] = np.maximum(total - high, 0) + np.minimum(total - low, 0)
    return result


def _typical(side: np.ndarray) -> np.ndarray:
    """The median of three changes; of fewer the smallest, so that a flash near an end does not hide itself."""
    if len(side) >= _BESIDE:
        return np.median(side, axis=0)
    return np.take_along_axis(side, np.abs(side).argmin(axis=0)[None], axis=0)[0]


def flicker_level(changes: np.ndarray) -> np.ndarray:
    """Standard deviation of the changes around their own slow course [...], robust against a few steps.

    The largest quarter of the departures is left out; 1.65 makes up for it under a normal distribution.
    """
    if len(changes) < 3:
        return np.zeros(changes.shape[1:])
    padded = np.concatenate([changes[:3][::-1], changes, changes[-3:][::-1]])
    around = np.stack([np.median(padded[t : t + 7], axis=0) for t in range(len(changes))])
    departures = np.sort((changes - around) ** 2, axis=0)[: max(1, len(changes) * 3 // 4)]
    return 1.65 * np.sqrt(departures.mean(axis=0))


def find_steps(changes: np.ndarray, smallest: float) -> list[Step]:
    """The abrupt steps in `changes` [T-1] of at least `smallest`, strongest first chosen, in order of time.

    `frame` is the first frame that differs. A step over several frames counts as one.
    """
    restless = _SIGMAS * float(flicker_level(changes))
    found: list[tuple[float, Step]] = []
    for width in _WIDTHS:
        bound = max(smallest, restless * width)  # a wave, too, adds up over several frames
        for t, size in enumerate(excess(changes, width)):
            if abs(size) > bound:
                found.append((abs(size) / width**0.5, Step(t + 1, width, float(size))))
    chosen: list[Step] = []
    for _, step in sorted(found, key=lambda pair: -pair[0]):
        if all(step.frame + step.width <= s.frame or s.frame + s.width <= step.frame for s in chosen):
            chosen.append(step)
    return sorted(chosen, key=lambda step: step.frame)
