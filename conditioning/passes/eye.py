# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera of our own that stands where the shot's camera stands and sees what it sees, all of it sharp."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import bpy

from ...scene.brief import SceneError, Shot
from ...scene.camera.camera import CameraState, read_camera
from ...scene.reader import metres_per_unit
from ..staging import view_layer

KINDS = "PERSP", "ORTHO"  # types of camera whose picture is a plane
_COPIED = (
    "type", "lens", "sensor_fit", "sensor_width", "sensor_height", "shift_x", "shift_y", "clip_start", "clip_end",
    "ortho_scale",
)  # fmt: skip


@contextmanager
def eye_of(
    scene: bpy.types.Scene, camera: bpy.types.Object
) -> Iterator[tuple[bpy.types.Object, Callable[[], CameraState]]]:
    """The stand-in, and a function that brings it to where `camera` is at the frame that the scene stands at. Animation
    does not reach it, so nothing that it is told is undone when the render begins. Gone afterwards."""
    data = bpy.data.cameras.new("Previs Eye")
    item = bpy.data.objects.new("Previs Eye", data)
    item.rotation_mode = "QUATERNION"
    unit = metres_per_unit(scene)

    def follow() -> CameraState:
        depsgraph = view_layer(scene).depsgraph
        state = read_camera(camera, depsgraph, unit)
        seen = camera.evaluated_get(depsgraph)
        for name in _COPIED:
            setattr(data, name, getattr(seen.data, name))
        item.matrix_world = seen.matrix_world
        return state

    try:
        scene.collection.objects.link(item)
        yield item, follow
    finally:
        bpy.data.objects.remove(item)
        bpy.data.cameras.remove(data)


def check_camera(camera: bpy.types.Object, shot: Shot, kinds: Sequence[str] = KINDS) -> None:
    """Raises SceneError for a camera of another type, such as one whose picture is no plane: depth along an axis and
    straight lines need one."""
    if camera.data.type not in kinds:
        name = {"PANO": "panoramic", "ORTHO": "orthographic"}.get(camera.data.type, "of a kind of its own")
        raise SceneError(
            f'The camera "{camera.name}" of shot "{shot.name}" is {name}, which the model cannot follow. Make it a '
            "perspective camera, or choose another mode, such as first."
        )
