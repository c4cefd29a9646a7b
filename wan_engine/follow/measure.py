# SPDX-License-Identifier: GPL-3.0-or-later
"""How a clip's motion goes, against its scene's: the numbers that a verdict is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..media.frame_store import Frames
from . import motion
from .bounds import LEAST_KNOWN, MOVES, OFF, OFF_OF_WAY, POOLED
from .pictures import pattern, scale_of, small, working
from .subjects import Subject, look_at
from .tracks import Tracks

_SHOWN = 400  # ways of each shown frame that are kept for drawing
_DRAWN = 4  # frames


@dataclass(frozen=True)
class FollowMeasures:
    """What a clip of T frames shows of its scene's motion; lengths in pixels of the clip.

    Of each frame [T], null where it is not known: `error_px`, by how much the middle one of the points is off at the
    end of its way, as seen across `span` frames; `told_px`, how far the points go there that move; `elsewhere`, the
    share of the ways known of late that go elsewhere than the scene's; `gain`, how far those go, of the scene's way:
    0 for a frozen clip, 1 for one that follows; `still_px`, the error of the points that stand still in the scene, by
    which the camera is off. `known`: ways known of each frame. `ways`: of a few frames, what is drawn of them.
    """

    size: tuple[int, int]
    frames: int
    error_px: list[float | None]
    told_px: list[float | None]
    elsewhere: list[float | None]
    gain: list[float | None]
    still_px: list[float | None]
    span: list[int]
    known: list[int]
    subjects: tuple[Subject, ...]
    ways: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Plain data for a report."""
        return {**asdict(self), "diagonal_px": float(np.hypot(*self.size))}


def measure(frames: Frames, tracks: Tracks) -> FollowMeasures:
    """Frames uint8 [H, W, 3]; as many as there are, from the start of the shot to its end."""
    told = tracks.over(len(frames))
    looked = {outline.frame for outline in told.outlines} if len(frames) > 1 else set()
    patterns, pictures, size = [], {}, tracks.size
    for number, frame in enumerate(frames):
        size, picture = (frame.shape[1], frame.shape[0]), working(frame)
        patterns.append(pattern(picture))
        if number in looked:
            pictures[number] = picture, small(frame)
    places = told.places * np.array(patterns[0].shape[::-1]) / tracks.size
    taken = _Taken(len(patterns), scale_of(size))
    shown = set(np.linspace(0, len(patterns) - 1, _DRAWN + 2).round().astype(int)[1:-1].tolist())
    for start, end in motion.spans(places, told.seen):
        here = np.flatnonzero(told.seen[:, start] & told.seen[:, end])
        found = motion.ways(patterns, places, here, start, end)
        taken.add(found, told.still[found.points], end - start)
        if end in shown:
            taken.draw(end, found, places[found.points, start])
    outlines = [outline for outline in told.outlines if outline.frame in pictures]
    subjects = look_at(pictures, outlines, scale_of(tracks.size))
    return FollowMeasures(size=size, frames=len(patterns), subjects=subjects, **taken.told())


class _Taken:
    """Ways, frame by frame, until they are told."""

    def __init__(self, count: int, scale: float) -> None:
        self.scale = scale
        self.rows: list[tuple[float, float, int, int, float, float, float]] = []
        self.spans, self.known = [0], [0]
        self.ways: list[dict[str, Any]] = []

    def add(self, found: motion.Ways, still: np.ndarray, span: int) -> None:
        off = np.abs(found.seen - found.told)
        moves = np.abs(found.told) >= MOVES
        elsewhere = moves & (off > np.maximum(OFF, OFF_OF_WAY * np.abs(found.told)))
        way = float(np.sum(found.told[moves] ** 2))
        self.rows.append(
            (
                _middle(off), _middle(np.abs(found.told[moves])), int(elsewhere.sum()), int(moves.sum()),
                float(np.sum(found.seen[moves] * found.told[moves])), way, _middle(off[still]),
            )
        )  # fmt: skip
        self.spans.append(span)
        self.known.append(len(off))

    def draw(self, frame: int, found: motion.Ways, begin: np.ndarray) -> None:
        self.ways.append({"frame": frame})

    def told(self) -> dict[str, Any]:
        error, told, elsewhere, gain, still = ([None] for _ in range(5))
        for k, row in enumerate(self.rows):
            others, known, seen, way = self._pooled(k)
            error.append(self._px(row[0]))
            told.append(self._px(row[1]))
            still.append(self._px(row[6]))
            elsewhere.append(others / known if known >= LEAST_KNOWN else None)
            gain.append(seen / way if known >= LEAST_KNOWN and way > 0 else None)
        return {
            "error_px": error, "told_px": told, "elsewhere": elsewhere, "gain": gain, "still_px": still,
            "span": self.spans, "known": self.known, "ways": self.ways,
        }  # fmt: skip

    def _pooled(self, k: int) -> tuple[int, int, float, float]:
        """Of the latest ways that are enough: those that go elsewhere, all, what is seen of them, and how far they go."""
        others, known, seen, way = 0, 0, 0.0, 0.0
        for row in reversed(self.rows[max(0, k - POOLED + 1) : k + 1]):
            others, known, seen, way = others + row[2], known + row[3], seen + row[4], way + row[5]
            if known >= LEAST_KNOWN:
                break
        return others, known, seen, way

    def _px(self, value: float) -> float | None:
        return None if np.isnan(value) else round(value / self.scale, 3)


def _middle(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else np.nan
