# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the clip shows the scene's subjects where they are, and once: their outlines against the clip's edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .bounds import (
    AT_BORDER,
    BLENDS_IN_CLUTTER,
    CLUTTER,
    CUT_OFF,
    DISPLACED,
    DISPLACED_FAR,
    FITS_ELSEWHERE,
    MISSING,
    NEAR,
    OUTLINE_POINTS,
    PLAIN_FIT,
    REACH,
    SUBJECT_AREA,
    SUBJECTS,
    TIMES,
)
from .copies import Colors, Copy, find_copy
from .edges import edges_of, fits, normals
from .tracks import Outline

_DOWN, _RIGHT = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
_AWAY = np.hypot(_DOWN, _RIGHT)
_NO_SPREAD = 0.01
_FAR = 6.0  # pixels off, from which on an outline is no longer at its place


@dataclass(frozen=True)
class Sight:
    """A subject at `frame`: how well its outline fits at its place (`fit`), in the mean elsewhere (`elsewhere`, with
    its `spread`), and at best, `off` working pixels away; how much what is seen in its place `blends` with what is
    around it; `copy`, what looks most like it elsewhere."""

    frame: int
    fit: float
    elsewhere: float
    spread: float
    best: float
    off: float
    blends: float
    copy: Copy | None

    @property
    def missing(self) -> bool:
        """Whether the outline fits no better here than anywhere, nor do the colours tell anything from the rest."""
        better = self.fit - self.elsewhere
        better += 0.1 * better / (self.spread + _NO_SPREAD)
        least = BLENDS_IN_CLUTTER if self.elsewhere > CLUTTER else 0.0
        return any(self.blends > max(blends, least) and better < clear for blends, clear in MISSING)

    @property
    def displaced(self) -> bool:
        """Whether the outline fits clearly better somewhere else."""
        plain = self.best - self.elsewhere > PLAIN_FIT
        away = self.off > DISPLACED and (self.off < DISPLACED_FAR or self.blends > MISSING[0][0])
        return plain and away and self.fit < FITS_ELSEWHERE * self.best

    @property
    def doubled(self) -> bool:
        """Whether it is seen a second time."""
        return self.copy is not None and self.copy.counts


@dataclass(frozen=True)
class Subject:
    """What a clip shows of a thing of the scene, at each time at which that was looked for."""

    name: str
    sights: tuple[Sight, ...]

    def first(self, fault: str) -> int | None:
        """The first frame with a fault ("missing", "displaced", "doubled") that is seen time and again; else None."""
        frames = [sight.frame for sight in self.sights if getattr(sight, fault)]
        times, share = TIMES[fault]
        often = len(frames) >= times and len(frames) > share * len(self.sights)
        return frames[0] if often else None


def look_at(
    pictures: Mapping[int, tuple[np.ndarray, np.ndarray]], outlines: Sequence[Outline], scale: float
) -> tuple[Subject, ...]:
    """The subjects of `outlines` in the clip's `pictures` by frame, the working one and the one for copies; `scale`
    working pixels lie in a pixel of the outlines'."""
    sights: dict[str, list[Sight]] = {}
    for outline in outlines:
        picture, small = pictures[outline.frame]
        edges, colors = edges_of(picture), Colors(small, outline)
        for thing in _subjects(outline):
            points = outline.points[outline.owner == thing] * scale
            bins = normals(points)
            found = fits(edges, points, bins)
            far = found[(_AWAY > _FAR) & np.isfinite(found)]
            near = found[(_AWAY <= NEAR) & np.isfinite(found)]
            if len(far) and len(near):
                best = int(np.nanargmax(found))
                mask = (colors.owner == thing).astype(np.uint8)
                copy = find_copy(colors, edges, outline, thing, scale, float(near.max()))
                sights.setdefault(outline.names[thing], []).append(
                    Sight(
                        outline.frame, float(near.max()), float(far.mean()), float(far.std()),
                        float(found.flat[best]), float(_AWAY.flat[best]), colors.blends(mask), copy,
                    )
                )  # fmt: skip
    return tuple(Subject(name, tuple(seen)) for name, seen in sights.items())


def _subjects(outline: Outline) -> list[int]:
    """The numbers of the things that count as subjects, the largest first."""
    least, most = SUBJECT_AREA
    rim = np.concatenate([outline.map[0], outline.map[-1], outline.map[1:-1, 0], outline.map[1:-1, -1]])
    found = []
    for thing, instance in enumerate(outline.instance):
        area = float((outline.map == thing).mean())
        around = 4 * np.sqrt((outline.map == thing).sum())
        whole = (rim == thing).mean() <= AT_BORDER and (rim == thing).sum() <= CUT_OFF * around
        if not instance and least <= area <= most and whole and (outline.owner == thing).sum() >= OUTLINE_POINTS:
            found.append((area, thing))
    return [thing for _, thing in sorted(found, reverse=True)[:SUBJECTS]]
