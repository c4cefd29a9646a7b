# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a clip shows a subject of the scene a second time: what has its colours and its shape, where the scene has
another thing that is not of these colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .bounds import COPY, REACH
from .edges import Edges, normals
from .tracks import Outline

_SCALES = 0.7, 0.85, 1.0, 1.18, 1.4  # of a copy
_PLACES = 4  # the likeliest of each scale, of which the outline is looked for
_NUDGES = -2, 0, 2  # working pixels to each side
_EXPLAINED = 5.0  # working pixels from an outline of the scene's, within which an edge is the scene's own
_FREE = 0.6  # of a copy's outline, away from the scene's own, at least
_INSIDE = 0.5  # of a copy, in the picture
_LEAST_LIKE = 0.05  # what is less like it is not looked at
_BIN, _BINS = 4.0, (26, 32, 32)  # of CIELAB: lightness from 0 up, both other axes from -64 up
_SOFT = 1.2  # bins by which colours are smoothed: grain, and shading
_AROUND = 0.5  # of a thing's size, that far its surroundings go
_LEAST_CORE = 20  # pixels of a thing away from its rim, that tell its colours


@dataclass(frozen=True)
class Copy:
    """How far `right` and `down` of the subject a copy lies, in working pixels; how much more it is `like` it, inside
    than around (1: of its colours alone, which the scene has nowhere there; 0: no more than what is around); and how
    well the outline fits, as a share of how it fits the subject (`edges`)."""

    right: float
    down: float
    like: float
    edges: float

    @property
    def score(self) -> float:
        """Of 1 for what has its colours and its outline."""
        return self.like * min(self.edges, 1.0)

    @property
    def counts(self) -> bool:
        """Whether it looks like the thing and has its outline."""
        return self.score >= COPY


class Colors:
    """A picture by its colours, float32 [h, w, 3] of half the working size, over the scene's map of it."""

    def __init__(self, picture: np.ndarray, outline: Outline) -> None:
        lab = cv2.cvtColor(np.clip(picture / 255, 0, 1).astype(np.float32), cv2.COLOR_RGB2Lab)
        places = np.floor((lab + np.array([0, 64, 64])) / _BIN).astype(int)
        rows, a, b = (np.clip(places[..., k], 0, _BINS[k] - 1) for k in range(3))
        self.bins = np.ravel_multi_index((rows, a, b), _BINS)
        height, width = self.bins.shape
        numbers = outline.map.astype(np.float32)
        self.owner = cv2.resize(numbers, (width, height), interpolation=cv2.INTER_NEAREST).astype(int)
        cells = height / numbers.shape[0], width / numbers.shape[1]
        self.near = tuple(2 * max(2, round(side)) + 1 for side in cells)  # a cell to each side: so coarse is the map
        self.own = np.zeros((height, width), np.float32)  # how common each pixel's colour is on the thing it is on
        for number in np.unique(self.owner):
            there = self.owner == number
            self.own[there] = self.common(there)[there]

    def common(self, there: np.ndarray) -> np.ndarray:
        """[h, w]: how common each pixel's colour is in a part of the picture, bool [h, w]."""
        return np.asarray(self._shares(there)[self.bins], np.float32)

    def _shares(self, there: np.ndarray) -> np.ndarray:
        """Of each colour, its share in a part of the picture, bool [h, w]."""
        counts = np.bincount(self.bins[there], minlength=int(np.prod(_BINS))).astype(np.float32)
        table = cv2.GaussianBlur(counts.reshape(-1, _BINS[2]), (0, 0), _SOFT, borderType=cv2.BORDER_CONSTANT)
        table = cv2.GaussianBlur(
            table.reshape(_BINS[0], -1), (1, 7), sigmaX=1.0, sigmaY=_SOFT, borderType=cv2.BORDER_CONSTANT
        )
        return np.asarray((table / max(float(table.sum()), 1e-9)).ravel())

    def blends(self, mask: np.ndarray) -> float:
        """How much of what is seen in a thing's place, uint8 [h, w], has the colours of what is around it, 0..1; 0
        where too little is seen of either."""
        reach = max(4, round(_AROUND * float(np.sqrt(mask.sum()))))
        wide = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        around = (cv2.dilate(mask, wide) > 0) & (cv2.dilate(mask, np.ones(self.near, np.uint8)) == 0)
        core = self._core(mask)
        if min(around.sum(), core.sum()) < _LEAST_CORE:
            return 0.0
        return float(np.minimum(self._shares(core), self._shares(around)).sum())

    def _core(self, mask: np.ndarray) -> np.ndarray:
        """A thing without its rim, where enough of it is left."""
        core = cv2.erode(mask, np.ones((3, 3), np.uint8)) > 0
        return core if core.sum() >= _LEAST_CORE else mask > 0

    def like(self, mask: np.ndarray) -> np.ndarray:
        """float32 [h, w]: whether the colours are rather those of a thing, uint8 [h, w], than of what the scene has
        there, 0..1; nothing on the thing itself and close to it. What is thin, as joints of bricks, does not count."""
        its = self.common(self._core(mask))
        share = cv2.morphologyEx(its / (its + self.own + 1e-6), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        share[cv2.dilate(mask, np.ones(self.near, np.uint8)) > 0] = 0
        return np.asarray(share, np.float32)


def find_copy(colors: Colors, edges: Edges, outline: Outline, thing: int, scale: float, fit: float) -> Copy | None:
    """What looks most like a thing that fits its own outline by `fit`; None where nothing does."""
    mask = (colors.owner == thing).astype(np.uint8)
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    shape = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    middle = np.array([columns.min() + shape.shape[1] / 2, rows.min() + shape.shape[0] / 2])
    points = outline.points[outline.owner == thing] * scale
    bins, own, like = normals(points), _scene_edges(outline, scale, edges.size), colors.like(mask)
    best: Copy | None = None
    for size in _SCALES:
        for likeness, where in _likeliest(like, shape, size):
            right, down = (where - middle) * 2
            moved = (points - middle * 2) * size + where * 2
            nudged = (moved + np.array([x, y]) for x in _NUDGES for y in _NUDGES)
            fits = max(_unexplained(edges, one, bins, own) for one in nudged)
            found = Copy(float(right), float(down), likeness, fits / max(fit, 0.1))
            if best is None or found.score > best.score:
                best = found
    return best


def _likeliest(like: np.ndarray, shape: np.ndarray, size: float) -> list[tuple[float, np.ndarray]]:
    """(likeness, middle x and y) of the places where a shape of that size stands out most from what is around it."""
    sized = cv2.resize(shape, None, fx=size, fy=size, interpolation=cv2.INTER_NEAREST)
    if min(sized.shape) < 3:
        return []
    inside = np.pad(sized.astype(np.float32), 4)
    wide = cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    around = wide - cv2.dilate(inside, np.ones((3, 3), np.uint8))
    (within, count), (beside, _) = (_means(like, part) for part in (inside, around))
    stands_out = np.where(count >= _INSIDE * inside.sum(), within - beside, -1)
    apart = max(2, int(0.35 * min(sized.shape)))
    found = []
    for _ in range(_PLACES):
        row, column = np.unravel_index(int(stands_out.argmax()), stands_out.shape)
        if stands_out[row, column] <= _LEAST_LIKE:
            break
        found.append((float(stands_out[row, column]), np.array([column + 0.5, row + 0.5])))
        rows, columns = (slice(max(0, at - apart), at + apart + 1) for at in (int(row), int(column)))
        stands_out[rows, columns] = -1
    return found


def _means(values: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of what a part, with its middle at each pixel, covers of the picture, and how many pixels that is."""
    total, count = (
        cv2.filter2D(one, -1, part, borderType=cv2.BORDER_CONSTANT) for one in (values, np.ones_like(values))
    )
    return total / np.maximum(count, 1), count


def _scene_edges(outline: Outline, scale: float, size: tuple[int, int]) -> np.ndarray:
    """bool [h, w]: where the scene itself has outlines, or nearly so."""
    drawn = np.zeros(size, np.uint8)
    for x, y in np.rint(outline.points * scale - 0.5).astype(int):
        cv2.circle(drawn, (int(x), int(y)), round(_EXPLAINED), 1, -1)
    return drawn > 0


def _unexplained(edges: Edges, points: np.ndarray, bins: np.ndarray, own: np.ndarray) -> float:
    """How well a moved outline fits where the scene has no outlines of its own, which is to be most of it; what is
    outside the picture does not count."""
    places = np.rint(points - 0.5).astype(int)
    inside = ((places >= 1) & (places < np.array(own.shape[::-1]) - 1)).all(1)
    if inside.sum() < len(points) / 2:
        return 0.0
    columns, rows = places[inside].T
    around = [
        edges.strength[bins[inside], rows + REACH + down, columns + REACH + right]
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    ]
    free = ~own[rows, columns]
    return float(np.nanmax(around, axis=0)[free].sum() / max(free.sum(), _FREE * len(free), 1))
