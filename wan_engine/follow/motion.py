# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the scene's points go in a clip, against how far they go in the scene: Lucas-Kanade at the points themselves.

A point's way is looked for from two beginnings, where the scene says that it goes (there in the picture itself, too:
halved, a fine pattern is gone) and where it is. Where these lead to
different places and none of them looks clearly better, nothing is known of the point. Where a surface shows an edge
alone, only the way across it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .bounds import LONGEST_SPAN, SPAN_MOTION

_WINDOW = 21  # pixels
_LEVELS = 3  # halvings of the picture
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.02)
_TEXTURE = 12.0  # mean squared slope, gray levels, from which on a direction is known
_LIKE = 0.5  # of what a place shows of structure, by which it may look different at the end of its way
_BETTER = 0.75  # as unlike as the other way's end: clearly better
_AROUND = 24.0  # pixels within which all must go alike
_ALIKE, _ALIKE_OF_WAY = 1.5, 0.4
_SAME = 1.0  # pixels within which two ways lead to one place


@dataclass(frozen=True)
class Ways:
    """Ways across a span of frames, K of them: the number of the point that goes (`points`), how far it goes in the
    clip (`seen`) and in the scene (`told`) along one `direction` [K, 2], a unit vector; working pixels."""

    points: np.ndarray
    seen: np.ndarray
    told: np.ndarray
    direction: np.ndarray


def spans(places: np.ndarray, seen: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) for each frame but the first: so many frames back that the points that move do so by SPAN_MOTION;
    `places` [N, T, 2] working pixels, `seen` [N, T]."""
    found = []
    for end in range(1, places.shape[1]):
        start = end - 1
        while start > max(0, end - LONGEST_SPAN) and scene_motion(places, seen, start, end) < SPAN_MOTION:
            start -= 1
        found.append((start, end))
    return found


def scene_motion(places: np.ndarray, seen: np.ndarray, start: int, end: int) -> float:
    """How far the points go that move most, all but the first few of them."""
    both = seen[:, start] & seen[:, end]
    far = np.sort(np.linalg.norm(places[both, end] - places[both, start], axis=1))
    return float(far[-6]) if len(far) > 6 else 0.0


def ways(patterns: Sequence[np.ndarray], places: np.ndarray, here: np.ndarray, start: int, end: int) -> Ways:
    """The ways from frame `start` to `end` of the points `here` (their numbers); `places` [N, T, 2], working pixels."""
    first, last = patterns[start], patterns[end]
    begin = (places[here, start] - 0.5).astype(np.float32)
    told = (places[here, end] - places[here, start]).astype(np.float32)
    alike = _go_alike(begin, told)
    here, begin, told = here[alike], begin[alike], told[alike]
    if not len(here):
        return Ways(here, np.zeros(0), np.zeros(0), np.zeros((0, 2)))
    across, strength = _directions(first, begin)
    amplitude = _at(cv2.blur(np.abs(first.astype(np.float32) - 128), (_WINDOW, _WINDOW)), begin)
    seen, fits = _tracked(first, last, begin, told, amplitude)
    found = [
        (here[use], (seen[use] * across[use, k]).sum(1), (told[use] * across[use, k]).sum(1), across[use, k])
        for k in (0, 1)
        for use in [fits & (strength[:, k] > _TEXTURE)]
    ]
    return Ways(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _go_alike(begin: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Whether all that is near goes the same way [n]: else a window sees two motions."""
    near = np.linalg.norm(begin[:, None] - begin[None], axis=-1) < _AROUND
    unlike = np.linalg.norm(told[:, None] - told[None], axis=-1)
    bound = np.maximum(_ALIKE, _ALIKE_OF_WAY * np.linalg.norm(told, axis=1))
    return ~(near & (unlike > bound[:, None])).any(1)


def _tracked(
    first: np.ndarray, last: np.ndarray, begin: np.ndarray, told: np.ndarray, amplitude: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(ways [n, 2], whether each is known [n])."""
    by_scene, off_scene = _better(_follow(first, last, begin, told, 0), _follow(first, last, begin, told, _LEVELS))
    by_none, off_none = _follow(first, last, begin, 0 * told, _LEVELS)
    same = np.linalg.norm(by_scene - by_none, axis=1) < _SAME
    scene, none = off_scene < _BETTER * off_none, off_none < _BETTER * off_scene
    known = (same | scene | none) & (np.minimum(off_scene, off_none) < _LIKE * amplitude)
    return np.where(none[:, None], by_none, by_scene), known


def _better(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Of two (ways [n, 2], how unlike their ends look [n]) the one that looks more alike, point by point."""
    return np.where((one[1] <= other[1])[:, None], one[0], other[0]), np.minimum(one[1], other[1])


def _follow(
    first: np.ndarray, last: np.ndarray, begin: np.ndarray, way: np.ndarray, levels: int
) -> tuple[np.ndarray, np.ndarray]:
    to, ok, off = cv2.calcOpticalFlowPyrLK(
        first, last, begin[:, None], (begin + way)[:, None].copy(), winSize=(_WINDOW, _WINDOW), maxLevel=levels,
        criteria=_STOP, flags=cv2.OPTFLOW_USE_INITIAL_FLOW, minEigThreshold=1e-5,
    )  # fmt: skip
    return to[:, 0] - begin, np.where(ok[:, 0] > 0, off[:, 0], 1e9)


def _directions(picture: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two directions [n, 2, 2] in which each place has structure, and how much [n, 2]: mean squared slopes."""
    right, down = (cv2.Sobel(picture, cv2.CV_32F, *way, ksize=3, scale=1 / 8) for way in ((1, 0), (0, 1)))
    a, b, c = (
        _at(cv2.blur(product, (_WINDOW, _WINDOW)), points) for product in (right * right, right * down, down * down)
    )
    strength, across = np.linalg.eigh(np.stack([np.stack([a, b], -1), np.stack([b, c], -1)], -2))
    return across.transpose(0, 2, 1), strength


def _at(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    column = np.clip(np.rint(points[:, 0]).astype(int), 0, values.shape[1] - 1)
    row = np.clip(np.rint(points[:, 1]).astype(int), 0, values.shape[0] - 1)
    return values[row, column]
