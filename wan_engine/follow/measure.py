# SPDX-License-Identifier: GPL-3.0-or-later
"""How a clip's motion goes, against its scene's: the numbers that a verdict is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..media.frame_store import Frames
from . import motion
from .bounds import LEAST_KNOWN, LEAST_POINTS, MOVES, OFF, OFF_OF_WAY, OFF_STILL, POOLED
from .pictures import pattern, scale_of, small, working
from .subjects import Subject, look_at
from .tracks import Outline, Tracks

_DRAWN = 4  # frames whose ways are drawn
_ALONG = 0.7  # share of a point's way that is to lie in the directions known of it, before it tells an error


@dataclass(frozen=True)
class FollowMeasures:
    """What a clip of T frames shows of its scene's motion; lengths in pixels of the clip.

    Of each frame [T], null where it is not known: `error_px`, by how much the middle one of the points is off at the
    end of its way, as seen across `span` frames, of those whose way is known where it leads; `told_px`, how far the
    points go there that move; `elsewhere`, the share of the ways known of late that go elsewhere than the scene's;
    `gain`, how far those go along the scene's way, and `pace`, how far at all, of the scene's way where it moves: 0 for
    a frozen clip, 1 for one that follows; `still_px`, the error of the points that stand still in the scene, by which
    the camera is off. `known`: ways known of each frame. `motion_px`: how far points go in a span of the scene, at
    most; `moving`: frames to which they go at all. `ways`: of a few frames, what is drawn of them.
    """

    size: tuple[int, int]
    frames: int
    error_px: list[float | None]
    told_px: list[float | None]
    elsewhere: list[float | None]
    gain: list[float | None]
    pace: list[float | None]
    still_px: list[float | None]
    span: list[int]
    known: list[int]
    motion_px: float
    moving: int
    subjects: tuple[Subject, ...]
    ways: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Plain data for a report; also `error_percent`, the error of each frame in per cent of the clip's width."""
        percent = [None if error is None else round(100 * error / self.size[0], 3) for error in self.error_px]
        return {**asdict(self), "error_percent": percent}


def measure(frames: Frames, tracks: Tracks) -> FollowMeasures:
    """Frames uint8 [H, W, 3]; as many as there are, from the start of the shot to its end."""
    told = tracks.over(len(frames))
    outlines = [outline for outline in told.outlines if outline.frame < len(frames) > 1]
    looked = {outline.frame for outline in outlines}
    patterns, pictures, size = [], {}, tracks.size
    for number, frame in enumerate(frames):
        size, picture = (frame.shape[1], frame.shape[0]), working(frame)
        patterns.append(pattern(picture))
        if number in looked:
            pictures[number] = picture, small(frame)
    places = told.places * np.array(patterns[0].shape[::-1]) / tracks.size
    taken = _Taken(_shown(len(patterns), outlines, scale_of(tracks.size)), scale_of(size))
    far = []
    for start, end in motion.spans(places, told.seen):
        far.append(motion.scene_motion(places, told.seen, start, end))
        stands = far[-1] < MOVES
        here = np.flatnonzero(told.seen[:, start] & told.seen[:, end])
        found = motion.ways(patterns, places, here, start, end)
        begin, to = places[found.points, start], places[found.points, end]
        taken.add(found, told.still[found.points], begin, to, end - start, stands)
    return FollowMeasures(
        size=size, frames=len(patterns), motion_px=round(max(far, default=0.0) / scale_of(size), 3),
        moving=sum(way >= MOVES for way in far), subjects=look_at(pictures, outlines, scale_of(tracks.size)),
        **taken.told(),
    )  # fmt: skip


def _shown(count: int, outlines: list[Outline], scale: float) -> dict[int, np.ndarray]:
    """The frames that are drawn, evenly over the clip, with the outlines [P, 2] of each in working pixels, of which
    `scale` lie in a pixel of the tracks."""
    wanted = np.linspace(0, count - 1, _DRAWN + 2)[1:-1]
    known = {one.frame: one.points * scale for one in outlines if one.frame}
    if not known:
        return {round(frame): np.zeros((0, 2)) for frame in wanted}
    return {frame: known[frame] for at in wanted for frame in [min(known, key=lambda frame: abs(frame - at))]}


@dataclass(frozen=True)
class _Span:
    """What was found of a frame by the span that ends there: how far off the middle way ends, all and of points that
    stand still, how far the moving ones go, how many ways that count are `known` and go `elsewhere`, by which `points`,
    and sums that tell how far they go of their way, and at all."""

    error: float
    still: float
    told: float
    known: int
    elsewhere: int
    points: frozenset[int]
    seen_by_told: float
    told_squared: float
    seen_squared: float

    @property
    def is_known(self) -> bool:
        """Whether these ways are enough."""
        return self.known >= LEAST_KNOWN and len(self.points) >= LEAST_POINTS


class _Taken:
    """Ways, frame by frame, until they are told; `scale` working pixels lie in one of the clip. `shown` are the frames
    that are drawn, with their outlines [P, 2], working pixels."""

    def __init__(self, shown: dict[int, np.ndarray], scale: float) -> None:
        self.shown, self.scale = shown, scale
        self.rows: list[_Span] = []
        self.spans, self.known = [0], [0]
        self.ways: list[dict[str, Any]] = []

    def add(
        self, found: motion.Ways, still: np.ndarray, begin: np.ndarray, end: np.ndarray, span: int, stands: bool
    ) -> None:
        """Ways from `begin` to `end` [K, 2]; `still` [K] tells the points that stand still in the scene; where all of
        it `stands`, they are looked at too."""
        off, way = np.abs(found.seen - found.told), np.linalg.norm(end - begin, axis=1)
        moves = np.abs(found.told) >= MOVES
        counts, bound = (np.ones_like(moves), OFF_STILL) if stands else (moves, OFF)
        elsewhere = counts & (off > np.maximum(bound, OFF_OF_WAY * np.abs(found.told)))
        seen, told = found.seen[moves], found.told[moves]
        first, misses, along = _of_points(found)
        leads = along >= _ALONG * way[first]
        errors = np.linalg.norm(misses, axis=1)
        self.rows.append(
            _Span(
                _middle(errors[leads]), _middle(errors[leads & still[first]]), _middle(way[way >= MOVES]),
                int(counts.sum()), int(elsewhere.sum()), frozenset(found.points[counts].tolist()),
                float(np.sum(seen * told)), float(np.sum(told**2)), float(np.sum(seen**2)),
            )
        )  # fmt: skip
        self.spans.append(span)
        self.known.append(len(off))
        if len(self.rows) in self.shown:
            # [x, y of the beginning, of the end in the scene, of the end in the clip] of each point
            points = np.concatenate([begin[first], end[first], end[first] + misses], axis=1)
            rows = {"points": points, "outline": self.shown[len(self.rows)]}
            drawn = {name: (values / self.scale).round(2).tolist() for name, values in rows.items()}
            self.ways.append({"frame": len(self.rows), **drawn})

    def told(self) -> dict[str, Any]:
        """The fields of the measures that are about frames."""
        pooled = [self._pooled(k) for k in range(len(self.rows))]

        def of_known(value: Callable[[_Span], float], moving: bool = True) -> list[float | None]:
            known = (span.is_known and (span.told_squared > 0 or not moving) for span in pooled)
            return [None, *(value(span) if ok else None for ok, span in zip(known, pooled, strict=True))]

        return {
            "error_px": [None, *(self._px(row.error) for row in self.rows)],
            "told_px": [None, *(self._px(row.told) for row in self.rows)],
            "still_px": [None, *(self._px(row.still) for row in self.rows)],
            "elsewhere": of_known(lambda span: span.elsewhere / span.known, moving=False),
            "gain": of_known(lambda span: span.seen_by_told / span.told_squared),
            "pace": of_known(lambda span: float(np.sqrt(span.seen_squared / span.told_squared))),
            "span": self.spans, "known": self.known, "ways": self.ways,
        }  # fmt: skip

    def _pooled(self, k: int) -> _Span:
        """The latest ways, as many as are enough."""
        pooled = self.rows[k]
        for row in reversed(self.rows[max(0, k + 1 - POOLED) : k]):
            if pooled.is_known:
                break
            pooled = _Span(
                np.nan, np.nan, np.nan, pooled.known + row.known, pooled.elsewhere + row.elsewhere,
                pooled.points | row.points, pooled.seen_by_told + row.seen_by_told,
                pooled.told_squared + row.told_squared, pooled.seen_squared + row.seen_squared,
            )  # fmt: skip
        return pooled

    def _px(self, value: float) -> float | None:
        return None if np.isnan(value) else round(value / self.scale, 3)


def _of_points(found: motion.Ways) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each point: where in the ways its first one is [P], by how much it is off [P, 2], and how much of the scene's
    way lies in the directions known of it [P]."""
    _, first, which = np.unique(found.points, return_index=True, return_inverse=True)
    misses, squared = np.zeros((len(first), 2)), np.zeros(len(first))
    np.add.at(misses, which, (found.seen - found.told)[:, None] * found.direction)
    np.add.at(squared, which, found.told**2)
    return first, misses, np.sqrt(squared)


def _middle(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")
