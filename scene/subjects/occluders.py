# SPDX-License-Identifier: GPL-3.0-or-later
"""What hides what at an evaluated frame: where all that has a shape stands, and which of it a line of sight meets.

Blender's own scene ray cast looks at every object for every ray. Here boxes, all at once, rule out nearly all of them,
and only the rest are asked (their search trees are Blender's and stay with the meshes).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ... import compat
from ..animation.fcurves import PlainObject, frames_are_plain, still_shape
from ..nodes import contributions, scalar

GEOMETRY = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD", "VOLUME"}
OCCLUDING = {"MESH", "CURVE", "SURFACE", "META", "FONT"}
MOST_INSTANCES = 100000
MOST_POINTS = 20000
UNSEEN = {"ShaderNodeBsdfTransparent", "ShaderNodeHoldout"}
CLEAR = UNSEEN | {"ShaderNodeBsdfGlass", "ShaderNodeBsdfRefraction"}
UNUSED = 2**31 - 1
UNSEEN_SHARE = 0.99  # of what a surface shows comes from behind it as it is: nothing of it is seen


@dataclass(frozen=True)
class Body:
    """An object with a shape at a frame; `owner` is the object that it belongs to (for an instance: the one that places
    it). `item` is None for an instance whose shape no object has (geometry nodes made it). `place`: which of the places
    (points, faces, particles) over which its owner scatters things, None for whatever is not scattered."""

    item: bpy.types.Object | None
    matrix: np.ndarray
    owner: bpy.types.Object
    place: tuple[int, ...] | None = None

    @property
    def thing(self) -> bpy.types.Object:
        """The object that is seen."""
        return self.owner if self.place is None or self.item is None else self.item


class Occluders:
    """What of a scene has a shape. Still things are measured once, so one of these serves all shots of a reading.
    Objects without a valid place are left out, their names in `invalid`."""

    def __init__(self, scene: bpy.types.Scene, objects: list[bpy.types.Object]) -> None:
        self.allowed = set(objects)
        self.plain = frames_are_plain(scene)
        shaped = [item for item in objects if item.type in GEOMETRY]
        self.still = {item for item in shaped if self.plain and _is_still(item)}
        self.restless = [item for item in shaped if item not in self.still]
        self.resting: tuple[list[Body], list[np.ndarray]] | None = None
        self.boxes: dict[bpy.types.Object, np.ndarray] = {}
        self.points: dict[bpy.types.Object, np.ndarray] = {}
        self.clear: dict[str, bool] = {}
        self.unseen: dict[str, bool] = {}
        self.cycles = scene.render.engine == "CYCLES"
        self.opaque: dict[bpy.types.Object, bool] = {}
        self.invalid: set[str] = set()

    def frame(self, depsgraph: bpy.types.Depsgraph, unit: float) -> OccluderFrame:
        """What has a shape at the frame that `depsgraph` is evaluated at."""
        if self.resting is None:
            self.resting = self._placed(self.still, depsgraph)
        bodies, corners = self._placed(self.restless, depsgraph)
        for body, box in list(self._instances(depsgraph)):
            if body.item is None or self.renders(body.item, body.item.evaluated_get(depsgraph)):
                bodies.append(body)
                corners.append(box)
        every = np.array([*self.resting[1], *corners]).reshape(-1, 8, 3)
        return OccluderFrame(self, depsgraph, self.resting[0] + bodies, every * unit, unit)

    def _placed(
        self, items: Iterable[bpy.types.Object], depsgraph: bpy.types.Depsgraph
    ) -> tuple[list[Body], list[np.ndarray]]:
        bodies, corners = [], []
        for item in items:
            evaluated = item.evaluated_get(depsgraph)
            if evaluated.hide_render or not evaluated.visible_camera or not self.renders(item, evaluated):
                continue
            if not shown_itself(item):
                continue
            matrix = np.array([row[:] for row in evaluated.matrix_world])
            local = np.array([corner[:] for corner in evaluated.bound_box])
            box = placed(local, matrix)
            if not np.isfinite(box).all():
                self.invalid.add(item.name)
                continue
            self.boxes[item] = local
            bodies.append(Body(item, matrix, item))
            corners.append(box)
        return bodies, corners

    def rigid(self, items: Iterable[bpy.types.Object]) -> bool:
        """Whether the items keep their shapes (though not their places)."""
        return self.plain and all(still_shape(item) for item in items)

    def local_box(self, item: bpy.types.Object) -> np.ndarray:
        """Corners [8, 3] of an item's own box as last evaluated, in its own space; of an empty, its origin [1, 3]."""
        return self.boxes.get(item, np.zeros((1, 3)))

    def _instances(self, depsgraph: bpy.types.Depsgraph) -> Iterator[tuple[Body, np.ndarray]]:
        """Shapes that instancing objects put into the scene, with the corners of their boxes. A hidden one is placed by
        geometry nodes, not by the rest. What an instance gives is valid only within its turn."""
        for instance in islice(depsgraph.object_instances, MOST_INSTANCES):
            if not instance.is_instance or instance.object.type not in GEOMETRY:
                continue
            owner, item = instance.parent.original, instance.object
            if owner not in self.allowed or instance.parent.hide_render:
                continue
            if not item.visible_camera or (item.hide_render and owner.instance_type != "NONE"):
                continue
            matrix = np.array([row[:] for row in instance.matrix_world])
            corners = placed(np.array([corner[:] for corner in item.bound_box]), matrix)
            if np.isfinite(corners).all():
                if item.original == owner:
                    yield Body(None, matrix, owner), corners
                else:
                    place = None if owner.instance_type == "COLLECTION" else _place(instance)
                    yield Body(item.original, matrix, owner, place), corners

    def world_points(self, body: Body, corners: np.ndarray, depsgraph: bpy.types.Depsgraph, unit: float) -> np.ndarray:
        """Points [N, 3] of a body in metres; those of its box where it has no others."""
        if body.item is None:
            return corners
        keep = body.item in self.still and body.owner == body.item
        if keep and body.item in self.points:
            return self.points[body.item]
        points = placed(local_points(body.item.evaluated_get(depsgraph)), body.matrix) * unit
        if keep:
            self.points[body.item] = points
        return points

    def renders(self, item: bpy.types.Object, evaluated: bpy.types.Object) -> bool:
        """Whether a render shows anything of an item: it has faces (hair, points and volumes need none), and they are
        neither all transparent nor there for shadows alone."""
        if evaluated.is_shadow_catcher and self.cycles:
            return False
        if item.type in OCCLUDING and not has_faces(evaluated):
            return False
        materials = [slot.material for slot in item.material_slots]
        return not materials or any(material is None or not self._is_unseen(material) for material in materials)

    def hides(self, body: Body) -> bool:
        """Whether a body hides what stands behind it."""
        if body.item is None:
            return False
        if body.item not in self.opaque:
            self.opaque[body.item] = not self.is_clear(body.item)
        return self.opaque[body.item]

    def is_clear(self, item: bpy.types.Object) -> bool:
        """Whether one looks through it: glass, transparent or holdout materials only, wires, a volume."""
        if item.type not in OCCLUDING or item.is_holdout or item.display_type in {"WIRE", "BOUNDS"}:
            return True
        materials = [slot.material for slot in item.material_slots if slot.material is not None]
        return bool(materials) and all(self._clear_material(material) for material in materials)

    def _clear_material(self, material: bpy.types.Material) -> bool:
        if material.name_full not in self.clear:
            self.clear[material.name_full] = _share_behind(material, CLEAR, "Transmission Weight") >= 0.5
        return self.clear[material.name_full]

    def _is_unseen(self, material: bpy.types.Material) -> bool:
        if material.name_full not in self.unseen:
            self.unseen[material.name_full] = _share_behind(material, UNSEEN) > UNSEEN_SHARE
        return self.unseen[material.name_full]


@dataclass
class OccluderFrame:
    """Bodies with their boxes' corners [N, 8, 3] in metres."""

    occluders: Occluders
    depsgraph: bpy.types.Depsgraph
    bodies: list[Body]
    corners: np.ndarray
    unit: float

    def __post_init__(self) -> None:
        self.low, self.high = self.corners.min(axis=1), self.corners.max(axis=1)
        self.inverse: dict[int, Any] = {}
        self.faces: dict[bpy.types.Object, bool] = {}

    def points(self, indices: list[int]) -> np.ndarray:
        """Points [N, 3] in metres of some bodies."""
        parts = [
            self.occluders.world_points(self.bodies[index], self.corners[index], self.depsgraph, self.unit)
            for index in indices
        ]
        return np.concatenate(parts) if parts else np.empty((0, 3))

    def owners(self, indices: list[int]) -> tuple[bpy.types.Object, ...]:
        """The objects that some bodies show, the largest (by the diagonal of its box) first."""
        low: dict[bpy.types.Object, np.ndarray] = {}
        high: dict[bpy.types.Object, np.ndarray] = {}
        for index in indices:
            owner = self.bodies[index].thing
            low[owner] = np.minimum(low.get(owner, np.inf), self.low[index])
            high[owner] = np.maximum(high.get(owner, -np.inf), self.high[index])
        return tuple(sorted(low, key=lambda item: (-math.hypot(*(high[item] - low[item])), item.name_full)))

    def opaque(self, candidates: np.ndarray) -> np.ndarray:
        """Those indices whose bodies hide what stands behind them."""
        return np.array([i for i in candidates if self.occluders.hides(self.bodies[i])], dtype=int)

    def reached(self, origins: np.ndarray, points: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Whether nothing among the candidate bodies stands between each origin [N, 3] and point [N, 3] (metres)."""
        ways = points - origins
        free = np.ones(len(points), dtype=bool)
        if not len(candidates):
            return free
        met = _segments_meet(origins, ways, self.low[candidates], self.high[candidates])
        for ray, column in zip(*np.nonzero(met), strict=True):
            if free[ray] and self._hits(int(candidates[column]), origins[ray], ways[ray]):
                free[ray] = False
        return free

    def first_hit(
        self, origin: np.ndarray, way: np.ndarray, reach: float
    ) -> tuple[np.ndarray, bpy.types.Object] | None:
        """Where (metres) a ray first meets a body that hides what is behind it, and the object that it meets."""
        met = _segments_meet(origin[None], (way * reach)[None], self.low, self.high)[0]
        nearest: tuple[float, np.ndarray, int] | None = None
        for index in self.opaque(np.flatnonzero(met)):
            place = self.cast(int(index), origin, way * reach)
            if place is not None:
                far = float(np.linalg.norm(place - origin))
                nearest = (far, place, index) if nearest is None or far < nearest[0] else nearest
        return (nearest[1], self.bodies[nearest[2]].item or self.bodies[nearest[2]].owner) if nearest else None

    def _hits(self, index: int, origin: np.ndarray, way: np.ndarray) -> bool:
        return self.cast(index, origin, way * 0.999) is not None

    def near(self, indices: np.ndarray, origin: np.ndarray, way: np.ndarray) -> np.ndarray:
        """Those bodies whose boxes a line from a point by `way` meets."""
        return indices[_segments_meet(origin[None], way[None], self.low[indices], self.high[indices])[0]]

    def cast(self, index: int, origin: np.ndarray, way: np.ndarray) -> np.ndarray | None:
        """Where (metres) a line from a point by `way` first meets a body; None for one whose shape no object has."""
        body = self.bodies[index]
        if body.item is None:
            return None
        if index not in self.inverse:
            singular = abs(np.linalg.det(body.matrix[:3, :3])) < 1e-18
            self.inverse[index] = None if singular else np.linalg.inv(body.matrix)
        inverse = self.inverse[index]
        if inverse is None:
            return None
        start = inverse[:3, :3] @ (origin / self.unit) + inverse[:3, 3]
        along = inverse[:3, :3] @ (way / self.unit)
        length = math.hypot(*along)
        if length < 1e-12:
            return None
        evaluated = body.item.evaluated_get(self.depsgraph)
        try:
            if body.item not in self.faces:
                self.faces[body.item] = has_faces(evaluated)
            if not self.faces[body.item]:
                return None
            hit, place, _, _ = evaluated.ray_cast(Vector(start), Vector(along / length), distance=length)
        except RuntimeError:  # not evaluated at this frame (disabled in viewports by a key)
            return None
        return placed(np.array(place[:])[None], body.matrix)[0] * self.unit if hit else None


def _segments_meet(origins: np.ndarray, ways: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether segments [N] meet boxes [M], [N, M] (slab test; Kay and Kajiya 1986)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / np.where(np.abs(ways) < 1e-12, 1e-12, ways)
        one = (low[None] - origins[:, None]) * inverse[:, None]
        two = (high[None] - origins[:, None]) * inverse[:, None]
    enter = np.minimum(one, two).max(axis=2)
    leave = np.maximum(one, two).min(axis=2)
    return (enter <= leave) & (leave >= 0.0) & (enter <= 1.0)


def scatters(item: bpy.types.Object) -> bool:
    """Whether an object puts its children on its vertices or faces."""
    return item.instance_type in {"VERTS", "FACES"}


def shown_itself(item: bpy.types.Object) -> bool:
    """Whether a render shows an object where it stands: not what another scatters, and what scatters only if it says
    so."""
    if item.parent is not None and scatters(item.parent):
        return False
    return item.show_instancer_for_render or not (scatters(item) or len(item.particle_systems))


def _place(instance: bpy.types.DepsgraphObjectInstance) -> tuple[int, ...]:
    """What sets an instance apart from others by the same owner: the last number of an identity that goes outward (it
    is filled up with the largest number), for a particle that of its system with its own."""
    numbers = [part for part in instance.persistent_id if part != UNUSED]
    return tuple(numbers[-1 if instance.particle_system is None else -2 :])


def _is_still(item: bpy.types.Object) -> bool:
    plain = PlainObject.of(item)
    if plain is None or not plain.still or not still_shape(item):
        return False
    return not any(path in {"hide_render", "visible_camera"} for path, _ in plain.curves)


def has_faces(evaluated: bpy.types.Object) -> bool:
    """Whether an evaluated object has faces. Only then may it be asked for a ray cast: Blender (4.2 to 5.2) reads the
    mesh of a curve, a surface or a text without looking whether there is one, and crashes."""
    if evaluated.type == "MESH":
        return len(evaluated.data.polygons) > 0
    mesh = evaluated.to_mesh()
    found = mesh is not None and len(mesh.polygons) > 0
    evaluated.to_mesh_clear()
    return found


def local_points(evaluated: bpy.types.Object) -> np.ndarray:
    """Points [N, 3] of an evaluated object in its own space: vertices, or the corners of its box."""
    mesh = evaluated.data if evaluated.type == "MESH" else None
    if mesh is None:
        return np.array([corner[:] for corner in evaluated.bound_box])
    if not len(mesh.vertices):
        return np.empty((0, 3))
    flat = np.empty(3 * len(mesh.vertices), dtype=np.float32)
    mesh.vertices.foreach_get("co", flat)
    points = flat.reshape(-1, 3).astype(float)
    if len(points) <= MOST_POINTS:
        return points
    ends = np.concatenate([points.argmin(axis=0), points.argmax(axis=0)])
    return np.concatenate([points[:: len(points) // MOST_POINTS + 1], points[ends]])


def placed(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points [N, 3] by a 4x4 matrix."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def _share_behind(material: bpy.types.Material, kinds: set[str], glass: str | None = None) -> float:
    """Part (0..1) of what a surface shows that comes from behind it: through shaders of these kinds, through what the
    alpha of a principled shader leaves free and, where its socket is named, through its glass."""
    tree = compat.material_tree(material)
    output = tree.get_output_node("ALL") if tree is not None else None
    if output is None:
        return 0.0
    shown = 0.0
    for found in contributions(output.inputs["Surface"], kinds | {"ShaderNodeBsdfPrincipled"}, camera_ray=1.0):
        share = 1.0
        if found.place.node.bl_idname == "ShaderNodeBsdfPrincipled":
            free = 1.0 - scalar(found.place.beside("Alpha"), unknown=1.0)
            share = max(free, scalar(found.place.beside(glass), unknown=0.0)) if glass else free
        shown += share * found.weight
    return shown
