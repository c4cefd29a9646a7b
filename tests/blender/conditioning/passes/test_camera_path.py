# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera of a clip puts points where Blender puts them, whatever its sensor fit, shift, zoom and pixels."""

import json

import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from passes_scene import FRAMES, SIZE, make_scene, set_between, shot_of
from wan_previs.conditioning import passes
from wan_previs.scene.brief import SceneError

POINTS = np.array([(0.0, 0.0, 0.0), (2.0, 1.0, 3.0), (-3.0, 4.0, 0.5), (1.0, -3.0, 1.0)])


@pytest.fixture
def stage(blank_scene):
    make_scene(blank_scene)
    return blank_scene


def written(scene, folder, count):
    shot, path = shot_of(scene), folder / "camera.json"
    list(passes.write_passes(scene, shot, SIZE, folder, count, lambda scratch: [passes.CameraPass(shot, path)]))
    return json.loads(path.read_text())["frames"]


def project(frame, points):
    """Pixels of the picture, 0..1 with y up, by the model's way of reading the numbers: an independent one."""
    matrix = np.array(frame["matrix_world"]).reshape(4, 4)
    rotation = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    local = (points - matrix[:3, 3]) @ rotation
    (width, height), side = frame["sensor_mm"], max(frame["sensor_mm"])
    x = frame["lens_mm"] / width * local[:, 0] / -local[:, 2] + 0.5 - frame["shift"][0] * side / width
    y = frame["lens_mm"] / height * local[:, 1] / -local[:, 2] + 0.5 - frame["shift"][1] * side / height
    return np.stack([x, y], 1)


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("shape", [(480, 320, 1, 1), (200, 500, 1, 1), (480, 320, 2, 1), (480, 320, 1, 1.7)], ids=str)
def test_points_land_where_blender_sees_them(stage, tmp_path, fit, shape):
    render, data = stage.render, stage.camera.data
    render.resolution_x, render.resolution_y, render.pixel_aspect_x, render.pixel_aspect_y = shape
    data.sensor_fit, data.sensor_width, data.sensor_height = fit, 30.0, 17.0
    data.shift_x, data.shift_y = 0.13, -0.21
    data.keyframe_insert("lens", frame=1)
    data.lens = 80.0
    data.keyframe_insert("lens", frame=8)
    frames = written(stage, tmp_path, 5)
    assert [frame["frame"] for frame in frames] == pytest.approx([1.0, 2.75, 4.5, 6.25, 8.0])
    for frame in frames:
        set_between(stage, frame["frame"])
        true = [world_to_camera_view(stage, stage.camera, Vector(point))[:2] for point in POINTS]
        unit = stage.unit_settings.scale_length
        assert np.abs(project(frame, POINTS * unit) - true).max() < 2e-5


def test_nothing_is_rendered_and_nothing_changes(stage, tmp_path):
    from test_frames import changes, everything, seen_while_rendering

    before = everything(stage)
    assert seen_while_rendering(stage, lambda scene: scene.frame_current, lambda: written(stage, tmp_path, 3)) == []
    assert changes(before, everything(stage)) == {}


def test_a_camera_without_focal_length_is_told(stage, tmp_path):
    stage.camera.data.type = "ORTHO"
    with pytest.raises(SceneError, match="orthographic"):
        written(stage, tmp_path, 3)
    assert len(FRAMES) == 3
