# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that keyframes alone move, read at any frame without evaluating the scene there.

Evaluating a frame of a large scene costs milliseconds, reading a curve microseconds. What follows is what Blender's
animation system computes for plain curves (also with F-curve modifiers such as noise); whatever needs more (drivers,
constraints, the NLA, physics, bones) is no plain thing, and the caller evaluates the scene for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy
from mathutils import Euler, Matrix, Quaternion

from ... import compat
from ..nodes import node_trees, reached

Curves = dict[tuple[str, int], Any]

# Modifiers that keep the shape still when their settings are not animated and they look at no other object.
STILL_MODIFIERS = {
    "SUBSURF", "BEVEL", "SOLIDIFY", "ARRAY", "MIRROR", "EDGE_SPLIT", "TRIANGULATE", "DECIMATE", "REMESH", "MULTIRES",
    "WEIGHTED_NORMAL", "SCREW", "WIREFRAME", "SKIN", "WELD", "SMOOTH", "UV_PROJECT", "NORMAL_EDIT", "CORRECTIVE_SMOOTH",
}  # fmt: skip


def plain_curves(owner: bpy.types.ID | None) -> Curves | None:
    """The active curves of an ID by (data path, index); None when more than they decides its values."""
    data = getattr(owner, "animation_data", None)
    if data is None:
        return {}
    if len(data.drivers) or data.use_tweak_mode or (data.use_nla and len(data.nla_tracks)):
        return None
    if data.action is None:
        return {}
    if data.action_influence != 1.0 or data.action_blend_type != "REPLACE":
        return None
    curves: Curves = {}
    for curve in compat.fcurves(owner):
        if curve.mute or (curve.group is not None and curve.group.mute) or curve.is_empty:
            continue
        if curves.setdefault((curve.data_path, curve.array_index), curve) is not curve:
            return None
    return curves


class Values:
    """An ID's properties at a frame: curves say the animated ones, the ID itself the others."""

    def __init__(self, owner: Any, curves: Curves, frame: int) -> None:
        self._owner, self._curves, self._frame = owner, curves, frame

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._owner, name)
        single = self._curves.get((name, 0))
        if isinstance(value, bool):
            return value if single is None else single.evaluate(self._frame) >= 0.5
        if isinstance(value, int | float):
            return value if single is None else single.evaluate(self._frame)
        if isinstance(value, str) or not hasattr(value, "__len__"):
            return value
        keyed = {index for path, index in self._curves if path == name}
        if not keyed:
            return value
        return [self._curves[name, i].evaluate(self._frame) if i in keyed else v for i, v in enumerate(value)]


class PlainObject:
    """An object whose place follows from curves of its own and of its parents."""

    def __init__(self, item: bpy.types.Object, curves: Curves, parent: PlainObject | None) -> None:
        self.item, self.curves, self.parent = item, curves, parent

    @classmethod
    def of(cls, item: bpy.types.Object) -> PlainObject | None:
        """None when the object's place depends on more than curves."""
        curves = plain_curves(item)
        if curves is None or len(item.constraints) or item.rigid_body is not None:
            return None
        if any(path.startswith(("parent", "rotation_mode", "matrix")) for path, _ in curves):
            return None
        if item.parent is None:
            return cls(item, curves, None)
        follows_curve = item.parent.type == "CURVE" and item.parent.data.use_path
        instanced = item.parent.instance_type in {"VERTS", "FACES"}
        if item.parent_type != "OBJECT" or follows_curve or instanced:
            return None
        parent = cls.of(item.parent)
        return cls(item, curves, parent) if parent is not None else None

    @property
    def still(self) -> bool:
        """Whether no curve moves it."""
        moved = any(path in PLACE for path, _ in self.curves)
        return not moved and (self.parent is None or self.parent.still)

    def values(self, frame: int) -> Values:
        """What its F-curves make of its properties at a frame."""
        return Values(self.item, self.curves, frame)

    def matrix(self, frame: int) -> Matrix:
        """World matrix at a frame, in Blender units."""
        value = self.values(frame)
        place = [a + b for a, b in zip(value.location, value.delta_location, strict=True)]
        scale = [a * b for a, b in zip(value.scale, value.delta_scale, strict=True)]
        basis = Matrix.Translation(place) @ _rotation(self.item.rotation_mode, value) @ Matrix.Diagonal([*scale, 1.0])
        if self.parent is None:
            return basis
        return self.parent.matrix(frame) @ self.item.matrix_parent_inverse @ basis


PLACE = {
    "location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "scale", "delta_location",
    "delta_rotation_euler", "delta_rotation_quaternion", "delta_scale",
}  # fmt: skip


def _rotation(mode: str, value: Values) -> Matrix:
    """Delta rotation before the object's own, in its rotation mode; axis-angle has no delta of its own kind."""
    if mode == "QUATERNION":
        own, delta = (Quaternion(value.__getattr__(n)) for n in ("rotation_quaternion", "delta_rotation_quaternion"))
        return (delta.normalized() @ own.normalized()).to_matrix().to_4x4()
    if mode == "AXIS_ANGLE":
        angle, *axis = value.rotation_axis_angle
        return Matrix.Rotation(angle, 4, axis) if any(axis) else Matrix.Identity(4)
    own, delta = (Euler(value.__getattr__(n), mode) for n in ("rotation_euler", "delta_rotation_euler"))
    return delta.to_matrix().to_4x4() @ own.to_matrix().to_4x4()


def still_shape(item: bpy.types.Object) -> bool:
    """Whether an object's own geometry is the same at all frames."""
    data = item.data
    if data is None:
        return True
    keys = getattr(data, "shape_keys", None)
    if getattr(data, "animation_data", None) is not None or (keys is not None and keys.animation_data is not None):
        return False
    curves = plain_curves(item)
    if curves is None or any("modifiers" in path for path, _ in curves):
        return False
    return item.type not in {"META", "VOLUME"} and all(_still_modifier(modifier) for modifier in item.modifiers)


def _still_modifier(modifier: bpy.types.Modifier) -> bool:
    if modifier.type not in STILL_MODIFIERS:
        return False
    pointers = ("object", "mirror_object", "offset_object", "start_cap", "end_cap", "curve", "armature")
    return all(getattr(modifier, name, None) is None for name in pointers)


def frames_are_plain(scene: bpy.types.Scene) -> bool:
    """Whether nothing but the animation system acts on a frame, and scene frames are animation frames."""
    handlers = bpy.app.handlers
    remapped = scene.render.frame_map_old != scene.render.frame_map_new
    return not (handlers.frame_change_pre or handlers.frame_change_post or remapped)


def never_moves(owners: Iterable[bpy.types.ID | None]) -> bool:
    """Whether IDs, with the node trees in them, have no animation at all."""
    return all(plain_curves(owner) == {} for owner in reached(owners, node_trees))
