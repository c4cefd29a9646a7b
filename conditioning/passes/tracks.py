# SPDX-License-Identifier: GPL-3.0-or-later
"""Where points on surfaces are in each frame's picture, and whether they are seen: what motion can be held against."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ...scene.camera.camera import CameraState
from .outlines import GRID, Outlines
from .rays import Look
from .seen import Seen

SCHEMA = "wan_previs.tracks/1"
Place = tuple[float, float, float, bool]  # x, y (0..1, y up), depth in metres, seen
_CELLS = 16, 9  # points across and down, picked from the middles of so many cells
_OF_EACH = 12  # points that are picked of each thing at least, where it is large enough
_EVERY = 8  # frames: as often, cells in which no track is seen get a new one
_STILL = 1e-3  # of its distance, by which a point may move that stands still
_OUTLINES = 8  # times between which outlines are taken, over the whole clip
_OFF = 1e-3  # of a face's size, within which its corners make up the point


@dataclass
class _Track:
    """A point on a face of an object: `corners` of the face's mesh count `weights`. `faces` and `vertices` of the mesh
    when it was picked, `start` the number of the clip's frame at which it was."""

    item: str
    corners: tuple[int, ...]
    weights: tuple[float, ...]
    counts: tuple[int, int]
    start: int
    origin: Vector
    still: bool = True
    places: list[Place | None] = field(default_factory=list)


class TracksPass:
    """Writes `path` (JSON) about a clip of `count` frames: `size` [width, height], `frames` of the scene, `tracks` and
    `outlines`.

    Each of the tracks has the name of its `object`, `start` (the number of the frame at which it was picked), whether
    it is `still` in the scene, and for each frame from there on `points` [x, y, depth, seen]: pixels from the top left
    (the first one's middle is 0.5, 0.5), metres along the view axis, and whether nothing hides it inside the picture;
    null behind the camera and where the object's mesh has other faces. Each of the outlines has the number of its
    `frame`, and what `Outlines` tells.

    Points lie on meshes that are objects of the scene themselves; what is instanced has none. Needs no render.
    """

    layers = ()

    def __init__(self, path: Path, size: tuple[int, int], count: int) -> None:
        self.path, self.size = path, size
        self.every = max(2, math.ceil((count - 1) / _OUTLINES))
        self.frames: list[float] = []
        self.tracks: list[_Track] = []
        self.outlines: list[dict[str, Any]] = []

    def watch(self, scene: bpy.types.Scene, camera: CameraState) -> None:
        """Looks at the frame that the scene stands at."""
        look = Look(scene, camera)
        for track in self.tracks:
            track.places.append(_place(look, track))
        number = len(self.frames)
        if number % _EVERY == 0:
            self._pick(look, number)
        if number % self.every == 0:
            outlines = Outlines(look)
            self._pick_of_each(outlines, number)
            self.outlines.append({"frame": number, **outlines.told(self.size)})

    def add(self, seen: Seen) -> None:
        self.frames.append(seen.frame)

    def finish(self) -> None:
        told = {
            "schema": SCHEMA, "size": list(self.size), "frames": self.frames,
            "tracks": [
                {
                    "object": track.item, "start": track.start, "still": track.still,
                    "points": [self._pixels(place) for place in track.places],
                }
                for track in self.tracks
            ],
            "outlines": self.outlines,
        }  # fmt: skip
        self.path.write_text(json.dumps(told), encoding="utf-8")

    def _pixels(self, place: Place | None) -> list[Any] | None:
        if place is None:
            return None
        x, y, depth, seen = place
        return [round(x * self.size[0], 4), round((1 - y) * self.size[1], 4), round(depth, 6), seen]

    def _pick(self, look: Look, number: int) -> None:
        across, down = _CELLS
        taken = {(int(x * across), int(y * down)) for _, (x, y, _, _) in self._seen()}
        for column in range(across):
            for row in range(down):
                if (column, row) not in taken:
                    self._add(_picked(look, (column + 0.5) / across, (row + 0.5) / down, number))

    def _pick_of_each(self, outlines: Outlines, number: int) -> None:
        """More points of the things that have few, evenly over where each is seen."""
        cells: dict[str, list[tuple[int, int]]] = {}
        names = [name for name, *_ in outlines.things]
        for row, numbers in enumerate(outlines.map):
            for column, thing in enumerate(numbers):
                if thing >= 0:
                    cells.setdefault(names[thing], []).append((column, row))
        have = Counter(track.item for track, _ in self._seen())
        for name, places in cells.items():
            lacking = min(_OF_EACH, len(places)) - have[name]
            for k in range(max(0, lacking)):
                column, row = places[int((k + 0.5) * len(places) / lacking)]
                self._add(_picked(outlines.look, (column + 0.5) / GRID[0], 1 - (row + 0.5) / GRID[1], number))

    def _add(self, track: _Track | None) -> None:
        if track is not None:
            self.tracks.append(track)

    def _seen(self) -> list[tuple[_Track, Place]]:
        """The tracks that are seen in the latest frame, with where they are."""
        latest = ((track, track.places[-1]) for track in self.tracks)
        return [(track, place) for track, place in latest if place is not None and place[3]]


def _picked(look: Look, x: float, y: float, number: int) -> _Track | None:
    """A new track through a place of the picture (0..1, y up), where a mesh is seen there."""
    hit = look.hit(x, y)
    if hit is None or not look.is_own(*hit[2:]):
        return None
    place, face, item, matrix = hit
    mesh = getattr(look.item(item.name_full), "data", None)
    if mesh is None or not 0 <= face < len(mesh.polygons):
        return None
    corners = tuple(mesh.polygons[face].vertices)
    points = np.array([mesh.vertices[corner].co for corner in corners])
    weights = _weights(points, np.array(matrix.inverted() @ place))
    if weights is None:
        return None
    track = _Track(item.name_full, corners, weights, (len(mesh.polygons), len(mesh.vertices)), number, place.copy())
    track.places.append(_place(look, track))
    return track if track.places[0] is not None else None


def _place(look: Look, track: _Track) -> Place | None:
    """Where its point is now, and whether it is still where it was."""
    own = look.item(track.item)
    if own is None or (len(own.data.polygons), len(own.data.vertices)) != track.counts:
        return None
    local = Vector()
    for corner, weight in zip(track.corners, track.weights, strict=True):
        local += own.data.vertices[corner].co * weight
    world = own.matrix_world @ local
    x, y, depth = map(float, look.camera.project(np.array(world)[None] * look.unit)[0])
    track.still &= (world - track.origin).length * look.unit <= _STILL * max(abs(depth), 1e-6)
    if not np.isfinite((x, y, depth)).all() or (look.camera.kind != "ORTHO" and depth <= 1e-6):
        return None
    inside = 0 <= x < 1 and 0 <= y < 1 and depth >= look.camera.clip_start
    return x, y, depth, bool(inside and not own.hide_render and look.is_free(world, x, y))


def _weights(points: np.ndarray, place: np.ndarray) -> tuple[float, ...] | None:
    """By how much each corner [N, 3] of a face counts for a place on it, in the triangle of the fan that holds it; None
    where none does."""
    best, worst = None, -1e-4
    for i in range(1, len(points) - 1):
        a, b, c = points[0], points[i], points[i + 1]
        solved, *_ = np.linalg.lstsq(np.stack([b - a, c - a], 1), place - a, rcond=None)
        u, v = float(solved[0]), float(solved[1])
        least = min(u, v, 1 - u - v)
        if least > worst:
            best, worst = (i, u, v), least
    if best is None:
        return None
    i, u, v = best
    weights = np.zeros(len(points))
    weights[[0, i, i + 1]] = 1 - u - v, u, v
    size = float(np.ptp(points, axis=0).max())
    off = float(np.linalg.norm(weights @ points - place))
    return tuple(map(float, weights)) if off <= _OFF * max(size, 1e-9) else None
