# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of every frame as the drawing that control models read: 18 joints and 17 limbs in fixed colours on black.

The order of joints, limbs and colours is that of OpenPose (COCO, 18 points), which DWPose draws as well.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from ...scene.brief import SceneError
from ...scene.camera.camera import CameraState
from ...scene.reader import metres_per_unit
from ...scene.visibility import rendered_objects
from ..staging import view_layer
from .bones import OWN, SIDES, body_of
from .png import write_png
from .seen import Seen

POINTS = (
    "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist",
    "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle", "right eye", "left eye",
    "right ear", "left ear",
)  # fmt: skip
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
# Round the colour wheel in steps of 20 degrees, from red.
COLORS = tuple(
    tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(number / 18, 1, 1)) for number in range(len(POINTS))
)
_LIMB_SHARE = 0.6  # of a colour's brightness, for limbs
_WIDTH = 4.0, 512.0  # half a limb's width and a joint's radius in pixels, in a picture whose smaller side is so long
# Where the parts of a face lie, in lengths of the skull's bone from its beginning: along it, forward, to the left.
_FACE = {
    "nose": (0.4, 0.55, 0.0), "left eye": (0.5, 0.45, 0.17), "right eye": (0.5, 0.45, -0.17),
    "left ear": (0.45, 0.05, 0.4), "right ear": (0.45, 0.05, -0.4),
}  # fmt: skip
_PASSED = 32  # surfaces of the body's own that a line of sight to a joint passes
_NEAR = 1e-3


@dataclass(frozen=True)
class Body:
    """The joints of one body in a frame: `places` [18, 2] in the picture, 0..1 with y up, not a number where there is
    none to be seen; `distance` of its neck or hips in metres."""

    places: np.ndarray
    distance: float


class PosePass:
    """Writes `folder`/NNNNN.png (8 bit, RGB). Joints of the limbs are exactly where the bones begin, the neck is
    between the shoulders, the face is guessed from the skull's bone. A joint outside the picture, or behind something
    that is no part of the body, is left out with its limbs, as detectors leave it out. Needs no render."""

    layers = ()

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self.folder, self.size = folder, size
        self.count = 0
        self.bodies: list[Body] = []

    def watch(self, scene: bpy.types.Scene, camera: CameraState) -> None:
        """Looks at the frame that the scene stands at."""
        found = (_body(scene, armature, camera) for armature in armatures(scene))
        self.bodies = [body for body in found if body is not None]

    def add(self, seen: Seen) -> None:
        self.count += 1
        write_png(self.folder / f"{self.count:05}.png", draw(self.bodies, self.size))

    def finish(self) -> None: ...


def armatures(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Those that are bodies, of the objects that take part in a render."""
    shown = rendered_objects(view_layer(scene))
    return [item for item in shown if item.type == "ARMATURE" and not item.hide_render and body_of(item)]


def check_bodies(scene: bpy.types.Scene) -> None:
    """Raises SceneError where there is no body to draw."""
    if not armatures(scene):
        raise SceneError(
            f'No armature in the scene "{scene.name}" has bones whose names tell a body (as Rigify, Mixamo or MPFB '
            f'name them). Name them so, or give bones a custom property "{OWN}" such as "left knee".'
        )


def _body(scene: bpy.types.Scene, armature: bpy.types.Object, camera: CameraState) -> Body | None:
    unit, evaluated = metres_per_unit(scene), armature.evaluated_get(view_layer(scene).depsgraph)
    bones = {joint: evaluated.pose.bones[name] for joint, name in body_of(armature).items()}
    world = {joint: evaluated.matrix_world @ bone.head for joint, bone in bones.items() if joint != "head"}
    left, right = (world.get(f"{side} shoulder") for side in SIDES)
    if left is not None and right is not None:
        world["neck"] = (left + right) / 2
    if "head" in bones:
        head, tail = (evaluated.matrix_world @ end for end in (bones["head"].head, bones["head"].tail))
        world |= _face(head, tail, world)
    own = {armature, *(item for item in scene.objects if _belongs(item, armature))}
    places = np.full((len(POINTS), 2), np.nan)
    for number, name in enumerate(POINTS):
        if name in world and (place := _seen(scene, world[name], camera, unit, own)) is not None:
            places[number] = place
    middle = np.mean([world[name] for name in world], axis=0) * unit
    distance = float((middle - camera.pose.position) @ camera.pose.forward)
    return Body(places, distance) if np.isfinite(places).any() else None


def _face(head: Vector, tail: Vector, world: dict[str, Vector]) -> dict[str, Vector]:
    """The parts of the face; forward is square to the skull's bone and to the line from shoulder to shoulder, or from
    hip to hip."""
    along = tail - head
    for joint in ("shoulder", "hip"):
        left, right = world.get(f"left {joint}"), world.get(f"right {joint}")
        if left is not None and right is not None and along.length > 1e-9:
            aside = (left - right).normalized()
            forward = aside.cross(along.normalized())
            if forward.length > 1e-3:
                forward.normalize()
                aside, length = along.normalized().cross(forward), along.length
                return {
                    name: head + along * up + (forward * ahead + aside * out) * length
                    for name, (up, ahead, out) in _FACE.items()
                }
    return {}


def _belongs(item: bpy.types.Object, armature: bpy.types.Object) -> bool:
    """Whether an object is a part of the body: moved by its armature, or carried by it."""
    if any(modifier.type == "ARMATURE" and modifier.object == armature for modifier in item.modifiers):
        return True
    parent = item.parent
    while parent is not None:
        if parent == armature:
            return True
        parent = parent.parent
    return False


def _seen(
    scene: bpy.types.Scene, world: Vector, camera: CameraState, unit: float, own: set[bpy.types.Object]
) -> tuple[float, float] | None:
    """Where a joint is in the picture; None where it is not to be seen."""
    x, y, depth = map(float, camera.project(np.array(world)[None] * unit)[0])
    if not np.isfinite((x, y, depth)).all() or not (0 <= x < 1 and 0 <= y < 1 and depth > 1e-6):
        return None
    origin, way = camera.ray(x, y)
    start, ahead = Vector(origin / unit), Vector(way)
    distance, depsgraph = (world - start).length, view_layer(scene).depsgraph
    at = start
    for _ in range(_PASSED):
        found, place, _, _, item, _ = scene.ray_cast(depsgraph, at, ahead)
        if not found or (place - start).length >= distance * (1 - _NEAR):
            return x, y
        if item.original not in own and not item.hide_render and item.visible_camera:
            return None
        at = place + ahead * max(1e-4, distance * 1e-5)
    return x, y


def draw(bodies: Sequence[Body], size: tuple[int, int]) -> np.ndarray:
    """uint8 [H, W, 3]: first all limbs, the farthest body's first, darkened, then all joints."""
    width, height = size
    canvas, radius = np.zeros((height, width, 3)), max(1.5, _WIDTH[0] * min(size) / _WIDTH[1])
    ordered = sorted(bodies, key=lambda body: -body.distance)
    pixels = [np.stack([body.places[:, 0] * width, (1 - body.places[:, 1]) * height], 1) for body in ordered]
    for points in pixels:
        for (a, b), color in zip(LIMBS, COLORS, strict=False):
            if np.isfinite(points[[a, b]]).all():
                _ellipse(canvas, points[a], points[b], radius, np.array(color) * _LIMB_SHARE)
    for points in pixels:
        for point, color in zip(points, COLORS, strict=True):
            if np.isfinite(point).all():
                _ellipse(canvas, point, point, radius, np.array(color))
    return np.asarray(canvas, np.uint8)


def _ellipse(canvas: np.ndarray, a: np.ndarray, b: np.ndarray, radius: float, color: np.ndarray) -> None:
    """Fills the ellipse that reaches from `a` to `b` and is twice `radius` wide; a disc where they are one."""
    height, width = canvas.shape[:2]
    middle, half = (a + b) / 2, float(np.hypot(*(b - a))) / 2
    reach = max(half, radius) + 1
    left, top = (max(0, int(value)) for value in middle - reach)
    right, bottom = (min(limit, int(value) + 1) for value, limit in zip(middle + reach, (width, height), strict=True))
    if right <= left or bottom <= top:
        return
    x, y = np.meshgrid(np.arange(left, right) + 0.5 - middle[0], np.arange(top, bottom) + 0.5 - middle[1])
    along = (b - a) / (2 * half) if half > 1e-9 else np.array((1.0, 0.0))
    u, v = x * along[0] + y * along[1], y * along[0] - x * along[1]
    long = half if half > 1e-9 else radius
    canvas[top:bottom, left:right][(u / long) ** 2 + (v / radius) ** 2 <= 1] = color
