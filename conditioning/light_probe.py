# SPDX-License-Identifier: GPL-3.0-or-later
"""What the camera sees of a scene, by a few hundred rays: surfaces, how they lie, what sun and sky reach them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from .. import compat
from ..scene.camera.camera import CameraState
from ..scene.lighting.light_color import luminance
from ..scene.nodes import contributions
from ..scene.surroundings.materials import MaterialLook, material_look
from .lamps import LampLight
from .mean_color import mean_color

GRID = 32, 18  # rays across and down
AROUND = 3  # rays from each surface that look for what lights it
BOUNCES = 2  # of those rays
ALBEDO = 0.3  # of surfaces whose colour nothing tells
BARE = 0.8  # of what has no material, as Blender renders it
SEEN_THROUGH = 16  # things without a surface that a ray passes
_SAME_WAY = 0.9  # cosine between normals
_OFF = 1e-3  # metres that a ray starts before the surface
_Hit = tuple[np.ndarray, np.ndarray, float, float]  # place, normal toward the start, albedo, glow
_Ray = tuple[np.ndarray, _Hit | None]  # where it starts, and the first surface on it
_COLORED = {"ShaderNodeBsdfPrincipled": "Base Color", "ShaderNodeBsdfDiffuse": "Color"}


@dataclass(frozen=True)
class View:
    """What N rays through the picture meet, evenly over it. `sky` [N]: nothing at all; of surfaces, toward the camera,
    `normals` [N, 3], `albedo` [N] (luminance), `glow` [N] (radiance of their own), `lit` [N] 0 or 1: nothing stands
    between them and the sun, `open` [N]: the share of the sky above them, by the cosine, that is free. `places` [N, 3]
    in metres; `reached` [N] 0 or 1, by a lamp's name: nothing stands between them and it. `around`: what the M rays
    about them meet that do not go free, each from the surface `owners` [M] and for such a `part` of all around it; None
    where none looked. `near` [N, N]: each row takes the mean over surfaces side by side that face the same way."""

    sky: np.ndarray
    normals: np.ndarray
    albedo: np.ndarray
    glow: np.ndarray
    lit: np.ndarray
    open: np.ndarray
    places: np.ndarray
    reached: Mapping[str, np.ndarray]
    around: View | None = None
    owners: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    part: float = 1.0
    near: np.ndarray | None = None


class Probe:
    """Looks into a scene at the frames that it is evaluated at; lengths in metres, `unit` metres per Blender unit."""

    def __init__(self, scene: bpy.types.Scene, unit: float) -> None:
        self.scene, self.unit = scene, unit
        self.looks: dict[str, tuple[float, MaterialLook]] = {}
        rng = np.random.default_rng(0)  # the same for every frame, or the shadows would flicker
        count = GRID[0] * GRID[1]
        self.jitter = [rng.random(shape) for shape in ((count, AROUND, 2), *[(count * AROUND, 1, 2)] * BOUNCES)]

    def look(
        self,
        depsgraph: bpy.types.Depsgraph,
        camera: CameraState,
        sun: np.ndarray | None,
        lamps: Sequence[LampLight] = (),
    ) -> View:
        """The view through the camera; `sun` is the unit vector toward the sun, None without one."""
        hits = [(start, self._hit(depsgraph, start, way)) for start, way in _rays(camera)]
        view = self._view(depsgraph, hits, sun, lamps)
        near = _near(view)
        return replace(view, near=near, open=near @ view.open)

    def _view(
        self,
        depsgraph: bpy.types.Depsgraph,
        hits: Sequence[_Ray],
        sun: np.ndarray | None,
        lamps: Sequence[LampLight],
        bounces: int = 0,
    ) -> View:
        """The view of what rays hit, after so many bounces, and of what lights that."""
        count, jitter = len(hits), self.jitter[bounces]
        sky, normals = np.ones(count, bool), np.tile((0.0, 0.0, 1.0), (count, 1))
        albedo, glow, lit, free = np.full(count, ALBEDO), np.zeros(count), np.zeros(count), np.ones(count)
        places, owners, around = np.zeros((count, 3)), [], []
        for i, (start, found) in enumerate(hits):
            if found is None:
                continue
            place, normal, albedo[i], glow[i] = found
            sky[i], normals[i] = False, normal
            place = place + _OFF * max(1.0, float(np.linalg.norm(place - start)) / 10) * normal
            places[i] = place
            if sun is not None and float(normal @ sun) > 0:
                lit[i] = self._hit(depsgraph, place, sun) is None
            hits_around = [self._hit(depsgraph, place, way) for way in _around(normal, jitter[i])]
            met = [(place, other) for other in hits_around if other is not None]
            free[i] = 1 - len(met) / len(hits_around)
            around += met
            owners += [i] * len(met)
        reached = {lamp.name: self._reached(depsgraph, lamp, places, normals, ~sky) for lamp in lamps}
        view = View(sky, normals, albedo, glow, lit, free, places, reached)
        if not around or bounces + 1 == len(self.jitter):
            return view
        beside = self._view(depsgraph, around, sun, lamps, bounces + 1)
        return replace(view, around=beside, owners=np.array(owners), part=1 / jitter.shape[1])

    def _reached(
        self,
        depsgraph: bpy.types.Depsgraph,
        lamp: LampLight,
        places: np.ndarray,
        normals: np.ndarray,
        surfaces: np.ndarray,
    ) -> np.ndarray:
        """[N] 1 for surfaces that face a lamp with nothing between, else 0."""
        ways, distance = lamp.ways(places)
        result = np.zeros(len(places))
        for i in np.flatnonzero(surfaces & ((ways * normals).sum(1) > 0)):
            found = self._hit(depsgraph, places[i], ways[i])
            result[i] = found is None or float(np.linalg.norm(found[0] - places[i])) > distance[i] - _OFF
        return result

    def _hit(self, depsgraph: bpy.types.Depsgraph, start: np.ndarray, way: np.ndarray) -> _Hit | None:
        """The first rendered surface on a ray."""
        at = np.asarray(start, float)
        for _ in range(SEEN_THROUGH):
            found, place, normal, index, item, _ = self.scene.ray_cast(depsgraph, Vector(at / self.unit), Vector(way))
            if not found:
                return None
            here = np.array(place) * self.unit
            albedo, look = self._surface(item, index)
            if not item.hide_render and look.surface:
                facing = np.array(normal) * (-1.0 if float(np.array(normal) @ way) > 0 else 1.0)
                return here, facing, albedo, look.glow
            at = here + _OFF * np.asarray(way)
        return None

    def _surface(self, item: bpy.types.Object, face: int) -> tuple[float, MaterialLook]:
        slots = item.material_slots
        if not slots:
            return BARE, MaterialLook()
        polygons = item.data.polygons if item.type == "MESH" else ()
        slot = polygons[face].material_index if 0 <= face < len(polygons) else 0
        material = slots[min(slot, len(slots) - 1)].material
        if material is None:
            return BARE, MaterialLook()
        if material.name_full not in self.looks:
            self.looks[material.name_full] = _albedo(material), material_look(material)
        return self.looks[material.name_full]


def _rays(camera: CameraState) -> list[tuple[np.ndarray, np.ndarray]]:
    """(start, unit direction) of rays through the middles of a grid over the picture."""
    pose, across, down = camera.pose, *GRID
    result = []
    for row in range(down):
        for column in range(across):
            x = ((column + 0.5) / across - 0.5 + camera.offset[0]) * camera.width
            y = ((row + 0.5) / down - 0.5 + camera.offset[1]) * camera.height
            aside = x * pose.right + y * pose.up
            if camera.kind == "ORTHO":
                result.append((pose.position + aside, pose.forward))
                continue
            way = pose.forward + aside
            way = way / np.linalg.norm(way)
            result.append((pose.position + way * camera.clip_start / float(way @ pose.forward), way))
    return result


def _near(view: View) -> np.ndarray:
    """Few rays tell the light from all around a surface roughly, and shown light bends: noise in it reads as darker."""
    rows, columns = np.divmod(np.arange(len(view.sky)), GRID[0])
    beside = (np.abs(rows[:, None] - rows) <= 1) & (np.abs(columns[:, None] - columns) <= 1)
    alike = (view.normals @ view.normals.T > _SAME_WAY) & (view.sky[:, None] == view.sky)
    near = (beside & alike).astype(float)
    return np.asarray(near / near.sum(1, keepdims=True))


def _around(normal: np.ndarray, jitter: np.ndarray) -> np.ndarray:
    """Directions [AROUND, 3] about a normal, as densely as the cosine with it (Malley's method), one in each sector."""
    aside = np.cross(normal, (0.0, 0.0, 1.0) if abs(normal[2]) < 0.9 else (1.0, 0.0, 0.0))
    aside /= np.linalg.norm(aside)
    radius = np.sqrt(jitter[:, 0] * 0.98)
    angle = 2 * math.pi * (np.arange(len(jitter)) + jitter[:, 1]) / len(jitter)
    flat = radius[:, None] * (np.cos(angle)[:, None] * aside + np.sin(angle)[:, None] * np.cross(normal, aside))
    return flat + np.sqrt(1 - radius**2)[:, None] * normal


def _albedo(material: bpy.types.Material) -> float:
    """Luminance of the mean colour that a material scatters; ALBEDO where that cannot be told."""
    tree = compat.material_tree(material)
    output: Any = tree.get_output_node("ALL") if tree is not None else None
    if output is None:
        return luminance(np.array(material.diffuse_color[:3]))
    shown = weight = 0.0
    for found in contributions(output.inputs["Surface"], set(_COLORED), camera_ray=1.0):
        tint = mean_color(found.place.beside(_COLORED[found.place.node.bl_idname]))
        shown += found.weight * (ALBEDO if tint is None else luminance(tint))
        weight += found.weight
    return min(1.0, shown / weight) if weight > 0 else ALBEDO
