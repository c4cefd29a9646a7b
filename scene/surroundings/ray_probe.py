# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands around the camera and what it looks at: walls and roofs by ray tests, fog, and things that shine."""

from __future__ import annotations

import math
from collections.abc import Iterable

import bpy
import numpy as np
from mathutils import Vector

from ..brief import Emitter
from ..camera.camera import CameraState
from .materials import Materials

SURFACES = {"MESH", "CURVE", "SURFACE", "FONT", "META"}
FAR = 100.0  # metres beyond which what is hit is a sky dome or hills, no wall
FOG_SIZE = 5.0  # metres: a smaller volume that the camera looks into is smoke, no weather
UPRIGHT = 0.7  # the vertical part of a wall's normal, at most: a roof just above, or a slope, is no wall
LEAST_GLOW = 0.5
LARGEST_GLOW = 0.6  # share of the picture beyond which what shines is a backdrop
MOST_EMITTERS, MOST_PROBED = 8, 24

Hit = tuple[np.ndarray, bpy.types.Object, float]
"""The place (metres) that a ray meets, the object, and how level its surface is there: 0 a wall, 1 a floor."""


class Surroundings:
    """The scene at the frame that `depsgraph` is evaluated at; lengths in metres, `unit` metres per Blender unit."""

    def __init__(
        self,
        scene: bpy.types.Scene,
        depsgraph: bpy.types.Depsgraph,
        objects: list[bpy.types.Object],
        camera: CameraState,
        unit: float,
    ) -> None:
        self.scene, self.depsgraph, self.objects, self.camera, self.unit = scene, depsgraph, objects, camera, unit
        self.materials = Materials()

    def hit(self, start: np.ndarray, way: np.ndarray, reach: float) -> Hit | None:
        """The first thing with a surface that a ray meets; what does not render is passed."""
        at, left = np.asarray(start, dtype=float), reach
        for _ in range(16):
            found, place, normal, _, item, _ = self.scene.ray_cast(
                self.depsgraph, Vector(at / self.unit), Vector(way), distance=left / self.unit
            )
            if not found:
                return None
            here = np.array(place) * self.unit
            if self._stops(item):
                return here, item, abs(float(normal[2]))
            left -= float(np.linalg.norm(here - at)) + 1e-3
            at = here + 1e-3 * np.asarray(way)
            if left <= 0.0:
                return None
        return None

    def _stops(self, item: bpy.types.Object) -> bool:
        if item.hide_render:
            return False
        looks = self.materials.of(item)
        return not looks or any(look.surface for look in looks)

    def looked_at(self) -> np.ndarray | None:
        """The point that the middle of the picture shows, a little before it, or None."""
        pose = self.camera.pose
        found = self.hit(pose.position, pose.forward, FAR)
        return found[0] - 0.1 * pose.forward if found is not None else None

    def enclosure(self, place: np.ndarray) -> tuple[bool, int]:
        """(whether something is overhead, how many of eight ways around meet something upright) at a place."""
        turns = [math.radians(45.0 * index) for index in range(8)]
        ways = [np.array([math.sin(turn), math.cos(turn), 0.02]) for turn in turns]
        return (
            self.hit(place, np.array([0.0, 0.0, 1.0]), FAR) is not None,
            sum(self._meets_wall(place, way / np.linalg.norm(way)) for way in ways),
        )

    def _meets_wall(self, place: np.ndarray, way: np.ndarray) -> bool:
        found = self.hit(place, way, FAR)
        return found is not None and found[2] < UPRIGHT

    def foggy(self, target: np.ndarray | None) -> bool:
        """Whether the camera stands in a volume, or looks into a large one."""
        for item in self.objects:
            if item.hide_render or item.type not in {"VOLUME", "MESH"}:
                continue
            if item.type == "MESH" and not any(look.density > 0.0 for look in self.materials.of(item)):
                continue
            evaluated = item.evaluated_get(self.depsgraph)
            matrix = np.array(evaluated.matrix_world, dtype=float)
            if not np.isfinite(matrix).all():
                continue
            low, high = self._box(evaluated)
            if np.all((self.camera.pose.position > low) & (self.camera.pose.position < high)):
                return True
            wide = float((high - low)[:2].min()) >= FOG_SIZE
            if wide and target is not None and np.all((target > low) & (target < high)):
                return True
        return False

    def _box(self, evaluated: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
        corners = self._corners(evaluated)
        return corners.min(axis=0), corners.max(axis=0)

    def _corners(self, evaluated: bpy.types.Object) -> np.ndarray:
        matrix = np.array(evaluated.matrix_world, dtype=float)
        return (np.array([c[:] for c in evaluated.bound_box]) @ matrix[:3, :3].T + matrix[:3, 3]) * self.unit

    def emitters(self) -> tuple[Emitter, ...]:
        """Things in the picture whose material shines, largest first."""
        found = []
        for item in self.objects:
            if item.type not in SURFACES or item.hide_render:
                continue
            look = max(self.materials.of(item), key=lambda look: look.glow, default=None)
            box = self._picture_box(item) if look is not None and look.glow >= LEAST_GLOW else None
            if look is not None and box is not None:
                found.append((item, Emitter(item.name, box, look.color_temperature_k, look.glow, look.color)))
        found.sort(key=lambda pair: (-_area(pair[1].screen_box), pair[1].name))
        seen = (emitter for item, emitter in found[:MOST_PROBED] if self._unhidden(item))
        return tuple(emitter for _, emitter in zip(range(MOST_EMITTERS), seen, strict=False))

    def _picture_box(self, item: bpy.types.Object) -> tuple[float, float, float, float] | None:
        corners = self._corners(item.evaluated_get(self.depsgraph))
        if not np.isfinite(corners).all():
            return None
        points = self.camera.project(corners)
        if points[:, 2].min() <= 0.0:
            return None
        (x0, y0), (x1, y1) = points[:, :2].min(axis=0).clip(0.0, 1.0), points[:, :2].max(axis=0).clip(0.0, 1.0)
        box = (float(x0), float(y0), float(x1), float(y1))
        return box if 0.0 < _area(box) <= LARGEST_GLOW else None

    def _unhidden(self, item: bpy.types.Object) -> bool:
        """Whether the way from the camera to the thing's middle, or to a point toward a corner, is free."""
        corners = self._corners(item.evaluated_get(self.depsgraph))
        middle = corners.mean(axis=0)
        for point in [middle, *(middle + 0.6 * (corner - middle) for corner in corners[::2])]:
            way = point - self.camera.pose.position
            distance = float(np.linalg.norm(way))
            if distance < 1e-6:
                return True
            found = self.hit(self.camera.pose.position, way / distance, distance)
            if found is None or found[1].original == item:
                return True
        return False


def _area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def walls_of(spots: Iterable[tuple[bool, int]]) -> tuple[bool, bool]:
    """(whether any spot is a room, whether all of them are open): a room has a roof and walls on most sides, an open
    spot no roof or few walls."""
    spots = list(spots)
    return any(roof and walls >= 5 for roof, walls in spots), all(not roof or walls <= 3 for roof, walls in spots)
