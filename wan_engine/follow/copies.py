# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a clip shows a subject of the scene a second time: what has its colours and its outline, where the scene has no
such outline."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .bounds import COPY, COPY_LIKE, REACH
from .edges import Edges, normals
from .tracks import Outline

_SCALES = 0.85, 1.0, 1.18  # of a copy
_PLACES = 4  # the likeliest, of which the outline is looked for
_AWAY = 0.6  # of the subject's size, by which a copy lies off
_EXPLAINED = 5.0  # working pixels from an outline of the scene's, within which an edge is the scene's own
_FREE = 0.6  # of a copy's outline, away from the scene's own, at least
_MARGIN = 1.3  # of a cell of the map, by which the subject's surroundings count
_PLAIN = 8.0  # levels of colour: what differs less from its surroundings looks like anything


@dataclass(frozen=True)
class Copy:
    """How far `right` and `down` of the subject a copy lies, in working pixels; how much it is `like` it: 1 the same,
    0 no more than its mean colour; and how well the outline fits, as a share of how it fits the subject (`edges`)."""

    right: float
    down: float
    like: float
    edges: float

    @property
    def counts(self) -> bool:
        """Whether it looks like the thing and has its outline."""
        return self.like >= COPY_LIKE and self.like * self.edges >= COPY


def find_copy(small: np.ndarray, edges: Edges, outline: Outline, thing: int, scale: float, fit: float) -> Copy | None:
    """The place that looks most like a thing that fits its own outline by `fit`, in a picture float32 [h, w, 3] of half
    the working size; None where nothing can be compared."""
    height, width = small.shape[:2]
    mask = _mask(outline, thing, (width, height))
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    window = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    shape, look = mask[window], small[window]
    middle = np.array([columns.min() + shape.shape[1] / 2, rows.min() + shape.shape[0] / 2])
    points = outline.points[outline.owner == thing] * scale
    bins, own = normals(points), _scene_edges(outline, scale, edges.size)
    best: Copy | None = None
    for size in _SCALES:
        for like, where in _likeliest(small, look, shape, size, middle):
            right, down = (where - middle) * 2
            moved = (points - middle * 2) * size + where * 2
            found = Copy(float(right), float(down), like, _unexplained(edges, moved, bins, own) / max(fit, 0.1))
            if best is None or found.like * found.edges > best.like * best.edges:
                best = found
    return best


def _mask(outline: Outline, thing: int, size: tuple[int, int]) -> np.ndarray:
    """float32 [h, w]: 1 on a thing and close around it."""
    share = cv2.resize((outline.map == thing).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    cell = max(size[0] / outline.map.shape[1], size[1] / outline.map.shape[0]) * _MARGIN
    side = 2 * round(cell) + 1
    return cv2.dilate((share > 0.5).astype(np.float32), np.ones((side, side), np.uint8))


def _likeliest(
    small: np.ndarray, look: np.ndarray, shape: np.ndarray, size: float, middle: np.ndarray
) -> list[tuple[float, np.ndarray]]:
    """(likeness, middle x and y) of the places away from the subject's own that look most like it at that size."""
    apart = _AWAY * np.array(look.shape[1::-1])
    look = cv2.resize(look, None, fx=size, fy=size, interpolation=cv2.INTER_LINEAR)
    height, width = look.shape[:2]
    mask = (cv2.resize(shape, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.float32)
    varies = float((np.square(look - look[mask > 0].mean(0)) * mask[..., None]).sum())
    if height >= small.shape[0] or width >= small.shape[1] or varies < _PLAIN**2 * mask.sum():
        return []
    unlike = cv2.matchTemplate(small, look, cv2.TM_SQDIFF, mask=np.repeat(mask[..., None], 3, -1))
    like = np.nan_to_num(1 - unlike / varies, nan=-1, posinf=-1, neginf=-1)
    rows, columns = np.indices(like.shape)
    places = np.stack([columns + width / 2, rows + height / 2], -1)
    like[(np.abs(places - middle) <= apart).all(-1)] = -1
    found = []
    for _ in range(_PLACES):
        row, column = np.unravel_index(int(like.argmax()), like.shape)
        if like[row, column] <= 0:
            break
        found.append((float(like[row, column]), places[row, column]))
        like[(np.abs(places - places[row, column]) <= apart / 3).all(-1)] = -1
    return found


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
