# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene for the passes, and what a ray through each pixel meets in it: an independent way to the same numbers."""

from __future__ import annotations

import math
import zlib

import bpy
import numpy as np
from mathutils import Vector
from scene_makers import add_box, add_camera, link, look_at
from test_frames import changes
from wan_previs.scene.brief import CameraPath, Shot

SIZE = (48, 32)
FRAMES = (1.0, 2.5, 8.0)


def make_scene(scene):
    """Two crates over a ground, one of which moves; the camera moves too, blurs and is shifted."""
    link(scene, "Ground", _plane(12.0), (0.0, 0.0, 0.0))
    still, moving = add_box(scene, "Still", (-1.5, 1.0, 1.0)), add_box(scene, "Moving", (1.5, 3.0, 1.0))
    moving.keyframe_insert("location", frame=1)
    moving.location = (-1.0, -2.0, 1.3)
    moving.keyframe_insert("location", frame=8)
    camera = add_camera(scene, (3.0, -9.0, 4.0))
    look_at(camera, (0.0, 0.0, 1.0))
    camera.keyframe_insert("location", frame=1)
    camera.location.x = -2.0
    camera.keyframe_insert("location", frame=8)
    camera.data.shift_x, camera.data.lens = 0.05, 35.0
    camera.data.dof.use_dof = True
    camera.data.dof.aperture_fstop, camera.data.dof.focus_distance = 0.05, 2.0
    camera.data.dof.keyframe_insert("aperture_fstop", frame=1)
    scene.frame_start, scene.frame_end = 1, 8
    scene.render.resolution_x, scene.render.resolution_y = 480, 320
    scene.render.use_motion_blur = True
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", 0.5
    scene.frame_set(3)
    return still, moving


def shot_of(scene):
    return Shot("Shot", scene.frame_start, scene.frame_end, scene.camera.name, None, CameraPath(samples=()))


def _plane(side):
    mesh = bpy.data.meshes.new("Ground")
    corners = [(-side, -side, 0), (side, -side, 0), (side, side, 0), (-side, side, 0)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    return mesh


def set_between(scene, frame):
    scene.frame_set(math.floor(frame), subframe=frame - math.floor(frame))
    return scene.view_layers[0].depsgraph


def rays(scene, depsgraph, size):
    """(row, column, origin, unit direction) in Blender units of the ray through the middle of each pixel, from the
    camera's own frame of view: Blender's answer, not ours."""
    camera = scene.camera.evaluated_get(depsgraph)
    top_right, _, bottom_left, top_left = camera.data.view_frame(scene=scene)
    matrix = camera.matrix_world
    for row in range(size[1]):
        for column in range(size[0]):
            across, down = (column + 0.5) / size[0], (row + 0.5) / size[1]
            point = top_left + (top_right - top_left) * across + (bottom_left - top_left) * down
            if camera.data.type == "ORTHO":
                start = matrix @ Vector((point.x, point.y, 0.0))
                yield row, column, start, (matrix.to_3x3() @ Vector((0, 0, -1))).normalized()
            else:
                yield row, column, matrix.translation, (matrix.to_3x3() @ point).normalized()


def met(scene, frame, size=SIZE):
    """(depth [H, W] in metres along the view axis, infinite for nothing; names [H, W] of the objects met)."""
    depsgraph = set_between(scene, frame)
    matrix = scene.camera.evaluated_get(depsgraph).matrix_world
    axis = (matrix.to_3x3() @ Vector((0, 0, -1))).normalized()
    unit = scene.unit_settings.scale_length
    depth, names = np.full(size[::-1], np.inf), np.full(size[::-1], "", object)
    for row, column, start, way in rays(scene, depsgraph, size):
        found, place, _, _, item, _ = scene.ray_cast(depsgraph, start, way)
        if found:
            depth[row, column] = (place - matrix.translation).dot(axis) * unit
            names[row, column] = item.name
    return depth, names


def traces(before, after):
    """What is left behind in a scene, of states that `everything` tells; a colour space of the output that was never
    chosen becomes the default of the format, which is what it meant."""
    never_chosen = "scene.render.image_settings.linear_colorspace_settings.name"
    left = changes(before, after)
    return {path: pair for path, pair in left.items() if path != never_chosen or pair[0] != repr("")}


def inside(names, name):
    """Pixels of an object all of whose neighbours are of it too: no edge is mixed into them."""
    own = np.pad(names == name, 1)
    shifted = [own[1 + y : own.shape[0] - 1 + y, 1 + x : own.shape[1] - 1 + x] for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return np.logical_and.reduce(shifted)


def read_png(path):
    """Numbers of a PNG as our own writer makes it: [H, W] or [H, W, 3]."""
    data, place, body, header = path.read_bytes(), 8, b"", b""
    while place < len(data):
        size, name = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        part = data[place + 8 : place + 8 + size]
        assert zlib.crc32(name + part) == int.from_bytes(data[place + 8 + size : place + 12 + size], "big")
        body += part if name == b"IDAT" else b""
        header = part if name == b"IHDR" else header
        place += 12 + size
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    values = np.ascontiguousarray(rows[:, 1:]).view(">u2" if header[8] == 16 else np.uint8)
    return values.reshape((height, width, 3) if header[9] == 2 else (height, width)).astype(int)
