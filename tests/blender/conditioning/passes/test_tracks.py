# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks keep to their points by Blender's own projection, through motion and change of shape."""

import json
import math

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from passes_scene import SIZE, make_scene, set_between, shot_of, traces
from test_frames import everything
from wan_previs.conditioning import passes


@pytest.fixture
def stage(blank_scene):
    make_scene(blank_scene)
    return blank_scene


def written(scene, folder, count=5):
    shot, path = shot_of(scene), folder / "tracks.json"
    list(passes.write_passes(scene, shot, SIZE, folder, count, lambda scratch: [passes.TracksPass(path, SIZE, count)]))
    return json.loads(path.read_text())


def ray(scene, depsgraph, x, y):
    """(origin, unit direction) through a place of the picture in pixels, by Blender's own frame of view."""
    camera = scene.camera.evaluated_get(depsgraph)
    top_right, _, bottom_left, top_left = camera.data.view_frame(scene=scene)
    across, down = x / SIZE[0], y / SIZE[1]
    point = top_left + (top_right - top_left) * across + (bottom_left - top_left) * down
    return camera.matrix_world.translation, (camera.matrix_world.to_3x3() @ point).normalized()


def project(scene, world):
    x, y, depth = world_to_camera_view(scene, scene.camera, world)
    return x * SIZE[0], (1 - y) * SIZE[1], depth * scene.unit_settings.scale_length


def test_points_of_moving_things_are_where_blender_sees_them(stage, tmp_path):
    told = written(stage, tmp_path)
    assert told["frames"] == pytest.approx([1.0, 2.75, 4.5, 6.25, 8.0]) and told["size"] == list(SIZE)
    assert {track["object"] for track in told["tracks"]} == {"Ground", "Still", "Moving"}
    hidden = 0
    for track in told["tracks"]:
        start = track["start"]
        depsgraph = set_between(stage, told["frames"][start])
        x, y, _, seen = track["points"][0]
        assert seen
        found, place, _, _, item, matrix = stage.ray_cast(depsgraph, *ray(stage, depsgraph, x, y))
        assert found and item.name == track["object"]
        local = matrix.inverted() @ place
        for frame, point in zip(told["frames"][start:], track["points"], strict=True):
            depsgraph = set_between(stage, frame)
            world = stage.objects[track["object"]].evaluated_get(depsgraph).matrix_world @ local
            true = project(stage, world)
            assert point[:3] == pytest.approx(true, abs=2e-3)
            inside = 0 <= true[0] < SIZE[0] and 0 <= true[1] < SIZE[1]
            origin, way = ray(stage, depsgraph, *true[:2])
            free = (stage.ray_cast(depsgraph, origin, way)[1] - world).length < 0.02
            assert point[3] == (inside and free), (track["object"], frame)
            hidden += inside and not free
    assert hidden > 0


def test_points_go_with_a_shape_that_changes(stage, tmp_path):
    item = stage.objects["Still"]
    item.shape_key_add(name="Basis")
    bent = item.shape_key_add(name="Bent")
    for point in bent.data:
        point.co = Vector((point.co.x * 1.5, point.co.y, point.co.z + 0.4 * point.co.x))
    for frame, value in ((1, 0.0), (8, 1.0)):
        bent.value = value
        bent.keyframe_insert("value", frame=frame)
    told = written(stage, tmp_path)
    tracks = [track for track in told["tracks"] if track["object"] == "Still" and track["start"] == 0]
    assert tracks
    for track in tracks:
        depsgraph = set_between(stage, 1.0)
        _, place, _, _, _, matrix = stage.ray_cast(depsgraph, *ray(stage, depsgraph, *track["points"][0][:2]))
        local = matrix.inverted() @ place
        for frame, point in zip(told["frames"], track["points"], strict=True):
            set_between(stage, frame)
            share = stage.objects["Still"].data.shape_keys.key_blocks["Bent"].value
            changed = Vector((local.x * (1 + 0.5 * share), local.y, local.z + 0.4 * local.x * share))
            assert point[:3] == pytest.approx(project(stage, item.matrix_world @ changed), abs=3e-3)


def test_what_comes_into_view_gets_tracks_of_its_own(stage, tmp_path):
    stage.camera.rotation_euler.z += math.radians(40)
    stage.camera.keyframe_insert("rotation_euler", frame=8)
    stage.camera.rotation_euler.z -= math.radians(40)
    stage.camera.keyframe_insert("rotation_euler", frame=1)
    told = written(stage, tmp_path, count=17)
    assert {track["start"] for track in told["tracks"]} == {0, 8, 16}
    assert all(len(track["points"]) == 17 - track["start"] for track in told["tracks"])


def test_a_mesh_with_other_faces_ends_its_tracks(stage, tmp_path):
    item = stage.objects["Still"]
    modifier = item.modifiers.new("Split", "SUBSURF")
    modifier.subdivision_type = "SIMPLE"
    modifier.show_viewport = True
    for frame, levels in ((1, 0), (5, 1)):
        modifier.levels = levels
        modifier.keyframe_insert("levels", frame=frame)
    told = written(stage, tmp_path)
    ended = [track["points"] for track in told["tracks"] if track["object"] == "Still" and track["start"] == 0]
    assert ended and all(points[0] is not None and points[-1] is None for points in ended)


def test_things_that_do_not_render_neither_have_tracks_nor_hide(stage, tmp_path):
    bpy.ops.mesh.primitive_cube_add(size=30, location=(0, 0, 0))
    bpy.context.object.name, bpy.context.object.hide_render = "Helper", True
    before = everything(stage)
    told = written(stage, tmp_path)
    assert traces(before, everything(stage)) == {}
    assert "Helper" not in {track["object"] for track in told["tracks"]}
    seen = np.mean([point[3] for track in told["tracks"] for point in track["points"] if point])
    assert seen > 0.5
