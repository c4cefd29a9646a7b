# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera at one frame: where it stands, what it sees, and how points land in its picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..brief import CameraSample, LensClass, Matrix16, SceneError, settled
from ..geometry import Pose, angle_between_deg, cross, unit

ANGLE_TOLERANCE = 0.25
LENGTH_TOLERANCE = 0.01


@dataclass(frozen=True)
class CameraState:
    """A camera evaluated at a frame. `width` and `height` are the picture's extent at distance 1 (perspective) or
    anywhere (orthographic), in metres; `offset` is how far lens shift moves the picture, in picture sizes."""

    matrix: Matrix16
    pose: Pose
    kind: str
    lens_mm: float | None
    sensor_mm: tuple[float, float]
    shift: tuple[float, float]
    offset: tuple[float, float]
    width: float
    height: float
    clip_start: float
    focus_distance_m: float | None
    fstop: float | None

    def sample(self, frame: int) -> CameraSample:
        """The state as a brief tells it at a frame."""
        return CameraSample(
            frame, self.matrix, self.lens_mm, self.sensor_mm, self.shift, self.focus_distance_m, self.fstop
        )

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points [N, 3] in metres -> [N, 3]: picture x and y (0..1, y up) and depth along the view axis."""
        local = points - self.pose.position
        depth = local @ self.pose.forward
        scale = np.ones_like(depth) if self.kind == "ORTHO" else np.maximum(depth, 1e-9)
        x = local @ self.pose.right / (scale * self.width) + 0.5 - self.offset[0]
        y = local @ self.pose.up / (scale * self.height) + 0.5 - self.offset[1]
        return np.stack([x, y, depth], axis=1)

    def ray(self, x: float, y: float) -> tuple[np.ndarray, np.ndarray]:
        """(origin in metres, unit direction) of the line of sight through a point of the picture (0..1, y up)."""
        across = (x - 0.5 + self.offset[0]) * self.width * self.pose.right
        up = (y - 0.5 + self.offset[1]) * self.height * self.pose.up
        if self.kind == "ORTHO":
            return self.pose.position + across + up, self.pose.forward
        return self.pose.position, unit(self.pose.forward + across + up)

    @property
    def lens_class(self) -> LensClass | None:
        """By the horizontal angle of view; None for a camera without perspective."""
        if self.kind == "ORTHO":
            return None
        if self.kind == "PANO":
            return "fisheye"
        angle = settled(math.degrees(2.0 * math.atan(self.width / 2.0)))
        return "wide" if angle > 63.0 else "long" if angle < 30.0 else "medium"


def read_camera(camera: bpy.types.Object, depsgraph: bpy.types.Depsgraph, unit: float) -> CameraState:
    """The camera as evaluated; `unit` is metres per Blender unit. Raises SceneError for a matrix that is no place."""
    evaluated = camera.evaluated_get(depsgraph)
    focus = evaluated.data.dof.focus_object
    place = focus_place(focus.evaluated_get(depsgraph), evaluated.data.dof) if focus is not None else None
    return camera_state(camera.name, evaluated.matrix_world, evaluated.data, place, depsgraph.scene, unit)


def focus_place(target: bpy.types.Object, dof: bpy.types.CameraDOFSettings) -> Vector:
    """World point of an evaluated focus object, or of the bone of it that is in focus."""
    bone = target.pose.bones.get(dof.focus_subtarget) if target.pose and dof.focus_subtarget else None
    place = target.matrix_world if bone is None else target.matrix_world @ bone.matrix
    return place.translation


def camera_state(
    name: str, matrix: Matrix, data: Any, focus: Vector | None, scene: bpy.types.Scene, unit: float
) -> CameraState:
    """A camera by its world matrix, its data (or what stands for them at a frame) and the point in focus, in Blender
    units; None without a focus object. Raises SceneError for a matrix that is no place."""
    rows = [value for row in matrix for value in row]
    axes = np.asarray(rows).reshape(4, 4)[:3, 1:3]
    if not np.isfinite(rows).all() or math.hypot(*cross(axes[:, 0], axes[:, 1])) < 1e-12:
        raise SceneError(
            f"Camera {name!r} has no valid place at frame {scene.frame_current} (its matrix is not a number or "
            "flat). Clear its transforms and check its parents, constraints and drivers."
        )
    for index in (3, 7, 11):
        rows[index] *= unit
    pose = Pose.from_matrix(rows)
    width, height, offset = _extent(scene.render, data, unit)
    focused = data.dof.use_dof
    distance = data.dof.focus_distance * unit
    if focus is not None:
        distance = abs(float((np.array(focus) * unit - pose.position) @ pose.forward))
    return CameraState(
        matrix=tuple(rows),
        pose=pose,
        kind=data.type,
        lens_mm=data.lens if data.type == "PERSP" else None,
        sensor_mm=(data.sensor_width, data.sensor_height),
        shift=(data.shift_x, data.shift_y),
        offset=offset,
        width=width,
        height=height,
        clip_start=data.clip_start * unit,
        focus_distance_m=distance if focused and math.isfinite(distance) else None,
        fstop=data.dof.aperture_fstop if focused else None,
    )


def _extent(render: bpy.types.RenderSettings, data: Any, unit: float) -> tuple[float, float, tuple[float, float]]:
    """Width, height and shift of the picture. The sensor fit says which side the sensor's size and shift refer to;
    with AUTO that is the longer side, by the sensor's width."""
    across = render.resolution_x * render.pixel_aspect_x
    down = render.resolution_y * render.pixel_aspect_y
    by_width = data.sensor_fit == "HORIZONTAL" or (data.sensor_fit == "AUTO" and across >= down)
    sensor = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    side = data.ortho_scale * unit if data.type == "ORTHO" else sensor / data.lens
    width = side if by_width else side * across / down
    height = side * down / across if by_width else side
    return width, height, (data.shift_x * side / width, data.shift_y * side / height)


def camera_error(a: CameraState, b: CameraState, middle: CameraState, t: float) -> float:
    """How far `middle` lies from the linear mix of `a` and `b`, in tolerances: 0.25 degrees, 1 cm (also of focus, from
    1 m on in per cent), 0.25 % of lens and f-stop, 0.001 of shift."""

    def mix(x, y):
        return x + (y - x) * t

    worst = math.hypot(*(mix(a.pose.position, b.pose.position) - middle.pose.position)) / LENGTH_TOLERANCE
    for axis in ("forward", "up"):
        line = mix(getattr(a.pose, axis), getattr(b.pose, axis))
        length = math.hypot(*line)
        if length < 0.7:  # far apart: a straight mix means nothing yet
            return math.inf
        worst = max(worst, angle_between_deg(line / length, getattr(middle.pose, axis)) / ANGLE_TOLERANCE)
    for name in ("lens_mm", "fstop", "focus_distance_m"):
        x, y, z = (getattr(state, name) for state in (a, b, middle))
        if None in (x, y, z):
            worst = worst if x == y == z else math.inf
        else:
            step = LENGTH_TOLERANCE * max(z, 1.0) if name == "focus_distance_m" else 0.0025 * z
            worst = max(worst, abs(mix(x, y) - z) / max(step, 1e-6))
    shifts = (abs(mix(x, y) - z) for x, y, z in zip(a.shift, b.shift, middle.shift, strict=True))
    return max(worst, max(shifts) / 0.001)
