# SPDX-License-Identifier: GPL-3.0-or-later
"""What the camera sees: groups of objects, where they stand in the picture, and what they do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import bpy
import numpy as np
from mathutils import Vector

from .camera import CameraState
from .names import clean_name, color_word, is_ground_name

SOLID = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD", "VOLUME"}
LEAST_AREA = 0.0005  # of the picture
LEAST_SIDE = 0.01  # of its width and height
LEAST_UNHIDDEN = 0.1  # of a thing's points
MOST_POINTS = 20000
MOST_PROBED = 40  # groups, the largest, whose hiding is looked into
PROBE_POINTS = 24


@dataclass(frozen=True)
class Group:
    """Objects that make one thing: `head` gives the name, `members` the shape (or it instances a collection)."""

    head: bpy.types.Object
    members: tuple[bpy.types.Object, ...]

    @property
    def key(self) -> str:
        return self.head.name


@dataclass(frozen=True)
class Seen:
    """A group in the picture. `whole` is its box (x0, y0, x1, y1) as if the picture had no edges, `box`: inside it;
    `seen`: the part that nothing hides, `blur` its unsharpness in picture widths, `corners` its extent in metres."""

    group: Group
    name: str
    whole: tuple[float, float, float, float]
    box: tuple[float, float, float, float]
    distance: float
    seen: float
    blur: float
    corners: np.ndarray

    @property
    def area(self) -> float:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])

    @property
    def centre(self) -> np.ndarray:
        return self.corners.mean(axis=0)

    @property
    def extent(self) -> float:
        """Length of the longest side in metres."""
        return float((self.corners[1] - self.corners[0]).max())

    @property
    def flat(self) -> bool:
        """Whether it lies flat like ground, a road or a sheet."""
        size = self.corners[1] - self.corners[0]
        return bool(size[2] < 0.03 * size[:2].max())

    @property
    def weight(self) -> float:
        """How much it is the main subject: large, near the middle, sharp, unhidden."""
        x, y = (self.box[0] + self.box[2]) / 2.0, (self.box[1] + self.box[3]) / 2.0
        off = min(1.0, float(np.hypot(x - 0.5, y - 0.5)) / 0.6)
        return self.area * (1.0 - 0.75 * off) * (1.0 if self.blur < 0.02 else 0.1) * (1.0 if self.seen >= 0.5 else 0.1)


def groups_of(objects: Iterable[bpy.types.Object]) -> list[Group]:
    """Objects with a shape, parts put together with the solid thing or armature they hang on."""
    members: dict[bpy.types.Object, list[bpy.types.Object]] = {}
    for item in objects:
        if item.type in SOLID or (item.type == "EMPTY" and item.instance_collection is not None):
            members.setdefault(_head(item), []).append(item)
    return [Group(head, tuple(parts)) for head, parts in members.items()]


def _head(item: bpy.types.Object) -> bpy.types.Object:
    """The topmost parent that is a thing itself. Ground and empties gather what does not belong together."""
    head = item
    while head.parent is not None and (head.parent.type in SOLID or head.parent.type == "ARMATURE"):
        if is_ground_name(clean_name(head.parent.name)):
            break
        head = head.parent
    return head


class Scanner:
    """Looks through a camera at the evaluated frame of a scene."""

    def __init__(self, scene: bpy.types.Scene, groups: list[Group], unit: float) -> None:
        self.scene, self.groups, self.unit = scene, groups, unit
        self.owner = {member: group for group in groups for member in group.members}

    def look(self, depsgraph: bpy.types.Depsgraph, camera: CameraState) -> list[Seen]:
        """Everything in the picture that is no ground or backdrop, the main subject first, then by size."""
        instances = self._instances(depsgraph)
        boxes = [self._measure(group, instances.get(group.key, []), depsgraph, camera) for group in self.groups]
        largest = sorted((item for item in boxes if item is not None), key=lambda item: -item[0].area)[:MOST_PROBED]
        found = []
        for item, points in largest:
            hidden_by_itself = {shape for shape, _ in instances.get(item.group.key, [])}
            seen = self._unhidden(item.group, hidden_by_itself, points, depsgraph, camera)
            if seen >= LEAST_UNHIDDEN:
                found.append(replace(item, seen=seen))
        things = [item for item in found if not _is_backdrop(item, found, camera)]
        return sorted(things, key=lambda item: (-item.weight, item.group.key))

    def _instances(self, depsgraph: bpy.types.Depsgraph) -> dict[str, list[tuple[bpy.types.Object, np.ndarray]]]:
        """Shapes that collection instances put into the scene, by the instancing object's name."""
        found: dict[str, list[tuple[bpy.types.Object, np.ndarray]]] = {}
        if not any(member.type == "EMPTY" for group in self.groups for member in group.members):
            return found
        for instance in depsgraph.object_instances:
            if instance.is_instance and instance.object.type in SOLID and not instance.object.hide_render:
                matrix = np.array(instance.matrix_world)
                owner = self.owner.get(instance.parent.original)
                if owner is not None:
                    found.setdefault(owner.key, []).append((instance.object.original, matrix))
        return found

    def points(self, group: Group, depsgraph: bpy.types.Depsgraph, instances: list) -> np.ndarray | None:
        """World points [N, 3] in metres of a group; None when it has none or they are not numbers."""
        parts = []
        for member in group.members:
            evaluated = member.evaluated_get(depsgraph)
            if member.type in SOLID and not evaluated.hide_render and evaluated.visible_camera:
                parts.append(_placed(local_points(evaluated), np.array(evaluated.matrix_world)))
        for item, matrix in instances:
            parts.append(_placed(local_points(item.evaluated_get(depsgraph)), matrix))
        points = np.concatenate(parts) * self.unit if parts else np.empty((0, 3))
        return points if len(points) and np.isfinite(points).all() else None

    def _measure(
        self, group: Group, instances: list, depsgraph: bpy.types.Depsgraph, camera: CameraState
    ) -> tuple[Seen, np.ndarray] | None:
        """A group as if nothing hid it, and its points; None when it is not in the picture."""
        points = self.points(group, depsgraph, instances)
        if points is None:
            return None
        whole = _picture_box(points, camera)
        if whole is None:
            return None
        x0, y0, x1, y1 = (min(max(value, 0.0), 1.0) for value in whole)
        if min(x1 - x0, y1 - y0) < LEAST_SIDE or (x1 - x0) * (y1 - y0) < LEAST_AREA:
            return None
        low, high = points.min(axis=0), points.max(axis=0)
        distance = float(((low + high) / 2.0 - camera.pose.position) @ camera.pose.forward)
        seen = Seen(
            group=group,
            name=clean_name(group.head.name),
            whole=whole,
            box=(x0, y0, x1, y1),
            distance=distance,
            seen=1.0,
            blur=_blur(camera, distance),
            corners=np.stack([low, high]),
        )
        return seen, points

    def _unhidden(
        self,
        group: Group,
        instanced: set,
        points: np.ndarray,
        depsgraph: bpy.types.Depsgraph,
        camera: CameraState,
    ) -> float:
        """Part of the points inside the picture that rays from the camera reach, or that the group itself hides."""
        x, y, depth = camera.project(points).T
        inside = (depth > camera.clip_start) & (x > 0.0) & (x < 1.0) & (y > 0.0) & (y < 1.0)
        chosen = points[inside]
        if not len(chosen):  # larger than the picture: its middle fills it
            return 1.0
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(PROBE_POINTS, len(chosen))).astype(int)]
        chosen = chosen + (points.mean(axis=0) - chosen) * 0.1
        own = {*group.members, *instanced}
        reached = sum(self._reaches(point, own, depsgraph, camera) for point in chosen)
        return reached / len(chosen)

    def _reaches(self, point: np.ndarray, own: set, depsgraph: bpy.types.Depsgraph, camera: CameraState) -> bool:
        origin, ray = camera.pose.position, point - camera.pose.position
        if camera.kind == "ORTHO":
            ray = camera.pose.forward * float(ray @ camera.pose.forward)
            origin = point - ray
        length = float(np.linalg.norm(ray))
        way = Vector(ray / length)
        start, left = Vector(origin / self.unit), length / self.unit * 0.999
        for _ in range(4):
            hit, place, _, _, item, _ = self.scene.ray_cast(depsgraph, start, way, distance=left)
            if not hit or item.original in own:
                return True
            if not item.hide_render and item.visible_camera:
                return False
            left -= (place - start).length + 1e-4
            start = place + way * 1e-4
            if left <= 0.0:
                return True
        return False


def local_points(evaluated: bpy.types.Object) -> np.ndarray:
    """Points [N, 3] of an evaluated object in its own space: vertices, or the corners of its box."""
    mesh = evaluated.data if evaluated.type == "MESH" else None
    if mesh is None or not len(mesh.vertices):
        if evaluated.type == "MESH":
            return np.empty((0, 3))
        return np.array([corner[:] for corner in evaluated.bound_box])
    flat = np.empty(3 * len(mesh.vertices), dtype=np.float32)
    mesh.vertices.foreach_get("co", flat)
    points = flat.reshape(-1, 3).astype(float)
    if len(points) <= MOST_POINTS:
        return points
    ends = np.concatenate([points.argmin(axis=0), points.argmax(axis=0)])
    return np.concatenate([points[:: len(points) // MOST_POINTS + 1], points[ends]])


def _placed(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def _picture_box(points: np.ndarray, camera: CameraState) -> tuple[float, float, float, float] | None:
    """Box (x0, y0, x1, y1) of the points in front of the camera, None without any. Where the rest reaches behind the
    camera, lines to it are followed up to the near plane, beyond the edges of the picture."""
    near = max(camera.clip_start, 1e-4)
    projected = camera.project(points)
    ahead = projected[:, 2] > near
    if not ahead.any():
        return None
    picture = projected[ahead, :2]
    if not ahead.all():
        front, back = (points[np.flatnonzero(mask)[:: max(1, int(mask.sum()) // 64)]] for mask in (ahead, ~ahead))
        depth_front, depth_back = (camera.project(part)[:, 2] for part in (front, back))
        t = (depth_front[:, None] - near) / (depth_front[:, None] - depth_back[None, :])
        crossing = front[:, None] + (back[None] - front[:, None]) * t[..., None]
        picture = np.concatenate([picture, camera.project(crossing.reshape(-1, 3))[:, :2]])
    (x0, y0), (x1, y1) = picture.min(axis=0), picture.max(axis=0)
    return (float(x0), float(y0), float(x1), float(y1))


def _blur(camera: CameraState, distance: float) -> float:
    """Circle of confusion in picture widths by the thin-lens formula; 0 without depth of field."""
    if camera.fstop is None or camera.focus_distance_m is None or camera.lens_mm is None or camera.fstop <= 0.0:
        return 0.0
    lens = camera.lens_mm / 1000.0
    focus, at = max(camera.focus_distance_m, lens * 1.01), max(distance, 1e-3)
    circle = lens * lens / camera.fstop * abs(at - focus) / (at * (focus - lens))
    return circle / (camera.width * lens)


def _is_backdrop(item: Seen, found: list[Seen], camera: CameraState) -> bool:
    """Ground, walls behind the rest, and what surrounds the camera."""
    if is_ground_name(item.name):
        return True
    low, high = item.corners
    size = high - low
    wide, tall = float(max(size[0], size[1])), float(size[2])
    others = [o.extent for o in found if o is not item and not o.flat and not is_ground_name(o.name)]
    if item.flat and (wide > 1.5 * float(np.median(others)) if others else wide >= 4.0):
        return True
    position = camera.pose.position
    over = bool((position[:2] > low[:2]).all() and (position[:2] < high[:2]).all())
    across = item.whole[0] <= 0.02 and item.whole[2] >= 0.98
    if over and across and (tall < 0.3 * wide or bool(low[2] < position[2] < high[2])):
        return True
    large = item.box[3] - item.box[1] > 0.85 or (bool(others) and wide > 4.0 * float(np.median(others)))
    return across and large and any(o.distance < item.distance and o.area < 0.8 * item.area for o in found)


def describe(group: Group) -> str | None:
    """What is known of a thing beyond its name: its custom property "description", else its colour with its name."""
    stated = group.head.get("description")
    if isinstance(stated, str) and stated.strip():
        return stated.strip()
    words = {word for member in group.members for word in _material_words(member)}
    if len(words) != 1:
        return None
    word = words.pop()
    return f"{word} {clean_name(group.head.name)}" if word else None


def _material_words(item: bpy.types.Object) -> list[str | None]:
    """Colour words of an object's materials, None for one that has no plain colour."""
    words: list[str | None] = []
    for slot in item.material_slots:
        material = slot.material
        if material is None:
            continue
        nodes = material.node_tree.nodes if material.node_tree else ()
        bases = [n.inputs[0] for n in nodes if n.bl_idname in ("ShaderNodeBsdfPrincipled", "ShaderNodeBsdfDiffuse")]
        plain = len(bases) == 1 and not bases[0].is_linked
        words.append(color_word(bases[0].default_value[:]) if plain else None)
    return words
