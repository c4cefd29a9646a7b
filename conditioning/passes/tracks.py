# SPDX-License-Identifier: GPL-3.0-or-later
"""Where points on surfaces are in each frame's picture, and whether they are seen: what motion can be held against."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...scene.camera.camera import CameraState
from ...scene.reader import metres_per_unit
from ..staging import view_layer
from .sweep import Seen

SCHEMA = "wan_previs.tracks/1"
_GRID = 16, 9  # points across and down, picked from the middles of so many cells
_EVERY = 8  # frames: as often, cells in which no track is seen get a new one
_PASSED = 16  # things that no render shows, which a ray passes
_NEAR = 1e-3  # of the distance, within which what a ray meets is the point itself
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
    places: list[tuple[float, float, float, bool] | None] = field(default_factory=list)


class TracksPass:
    """Writes `path` (JSON): `size` [width, height], `frames` of the scene, and `tracks`, each with the name of its
    `object`, `start` (the number of the frame at which it was picked) and for each frame from there on `points` [x, y,
    depth, seen]: pixels from the top left (the first one's middle is 0.5, 0.5), metres along the view axis, and whether
    nothing hides it inside the picture; null behind the camera and where the object's mesh has other faces.

    Points lie on meshes that are objects of the scene themselves; what is instanced has none. Needs no render.
    """

    layers = ()

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self.path, self.size = path, size
        self.frames: list[float] = []
        self.tracks: list[_Track] = []

    def watch(self, scene: bpy.types.Scene, camera: CameraState) -> None:
        """Looks at the frame that the scene stands at."""
        look = _Look(scene, camera)
        for track in self.tracks:
            track.places.append(look.place(track))
        number = len(self.frames)
        if number % _EVERY == 0:
            self._pick(look, number)

    def add(self, seen: Seen) -> None:
        self.frames.append(seen.frame)

    def finish(self) -> None:
        told = {
            "schema": SCHEMA, "size": list(self.size), "frames": self.frames,
            "tracks": [
                {"object": track.item, "start": track.start, "points": [self._pixels(place) for place in track.places]}
                for track in self.tracks
            ],
        }  # fmt: skip
        self.path.write_text(json.dumps(told), encoding="utf-8")

    def _pixels(self, place: tuple[float, float, float, bool] | None) -> list[Any] | None:
        if place is None:
            return None
        x, y, depth, seen = place
        return [round(x * self.size[0], 4), round((1 - y) * self.size[1], 4), round(depth, 6), seen]

    def _pick(self, look: _Look, number: int) -> None:
        across, down = _GRID
        taken = {(int(x * across), int(y * down)) for x, y, _, seen in self._latest() if seen}
        for column in range(across):
            for row in range(down):
                if (column, row) not in taken:
                    track = look.pick((column + 0.5) / across, (row + 0.5) / down, number)
                    place = look.place(track) if track is not None else None
                    if track is not None and place is not None:
                        track.places.append(place)
                        self.tracks.append(track)

    def _latest(self) -> list[tuple[float, float, float, bool]]:
        return [place for track in self.tracks if (place := track.places[-1]) is not None]


class _Look:
    """A scene at a frame; meshes are read once."""

    def __init__(self, scene: bpy.types.Scene, camera: CameraState) -> None:
        self.scene, self.camera = scene, camera
        self.depsgraph = view_layer(scene).depsgraph
        self.unit = metres_per_unit(scene)
        self.items: dict[str, bpy.types.Object | None] = {}

    def item(self, name: str) -> bpy.types.Object | None:
        """The evaluated object of that full name; None where it is gone or no mesh."""
        if name not in self.items:
            found = next((item for item in self.scene.objects if item.name_full == name), None)
            evaluated = found.evaluated_get(self.depsgraph) if found is not None and found.type == "MESH" else None
            self.items[name] = evaluated
        return self.items[name]

    def pick(self, x: float, y: float, number: int) -> _Track | None:
        """A new track through a point of the picture (0..1, y up), where a mesh is seen there."""
        origin, way = self.camera.ray(x, y)
        hit = self._hit(Vector(origin / self.unit), Vector(way))
        if hit is None:
            return None
        place, face, item, matrix = hit
        own = self.item(item.name_full)
        if own is None or not _same(matrix, own.matrix_world) or not 0 <= face < len(own.data.polygons):
            return None
        corners = tuple(own.data.polygons[face].vertices)
        points = np.array([own.data.vertices[corner].co for corner in corners])
        weights = _weights(points, np.array(matrix.inverted() @ place))
        if weights is None:
            return None
        return _Track(item.name_full, corners, weights, (len(own.data.polygons), len(own.data.vertices)), number)

    def place(self, track: _Track) -> tuple[float, float, float, bool] | None:
        """(x, y, depth, seen) of its point: 0..1 with y up, metres."""
        own = self.item(track.item)
        if own is None or (len(own.data.polygons), len(own.data.vertices)) != track.counts:
            return None
        local = Vector()
        for corner, weight in zip(track.corners, track.weights, strict=True):
            local += own.data.vertices[corner].co * weight
        world = own.matrix_world @ local
        x, y, depth = map(float, self.camera.project(np.array(world)[None] * self.unit)[0])
        if not np.isfinite((x, y, depth)).all() or (self.camera.kind != "ORTHO" and depth <= 1e-6):
            return None
        inside = 0 <= x < 1 and 0 <= y < 1 and depth >= self.camera.clip_start
        return x, y, depth, bool(inside and not own.hide_render and self._is_free(world, x, y))

    def _is_free(self, world: Vector, x: float, y: float) -> bool:
        """Whether what the line of sight to a point meets first is that point."""
        origin, way = self.camera.ray(x, y)
        start = Vector(origin / self.unit)
        hit = self._hit(start, Vector(way))
        distance = (world - start).length
        return hit is None or (hit[0] - start).length >= distance * (1 - _NEAR)

    def _hit(self, start: Vector, way: Vector) -> tuple[Vector, int, bpy.types.Object, Matrix] | None:
        """The first thing on a ray that a render shows: (place, face, object, its matrix)."""
        for _ in range(_PASSED):
            found, place, _, face, item, matrix = self.scene.ray_cast(self.depsgraph, start, way)
            if not found:
                return None
            if not item.hide_render and item.visible_camera:
                return place, face, item, matrix
            start = place + way * 1e-4
        return None


def _same(one: Matrix, other: Matrix) -> bool:
    return bool(np.allclose(np.array(one), np.array(other), atol=1e-5))


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
