# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading costs: frames that are evaluated, which is what takes long in large scenes."""

from itertools import pairwise

import bpy
import busy_scene
import pytest
from scene_makers import add_box, add_camera, add_lamp, aim_sun, key, link
from wan_previs import compat
from wan_previs.scene.animation import frame_sampling
from wan_previs.scene.camera.camera import read_camera
from wan_previs.scene.reader import read_brief


@pytest.fixture
def evaluated(monkeypatch):
    """The frames that the scene was set to, in order."""
    frames = []
    plain = frame_sampling.set_frame
    monkeypatch.setattr(frame_sampling, "set_frame", lambda scene, frame: (frames.append(frame), plain(scene, frame)))
    return frames


def take(scene, length):
    """A shot of a plainly keyed camera and sun."""
    scene.frame_end = length
    camera = add_camera(scene)
    key(camera, "location", {1: (0, -10, 1), length: (0, -5, 1)}, "BEZIER")
    sun = add_lamp(scene)
    aim_sun(sun, 100, 30, frame=1)
    aim_sun(sun, 140, 50, frame=length)
    add_box(scene)
    return camera


@pytest.mark.parametrize("length", [50, 3000])
def test_plainly_keyed_shots_cost_a_few_frames_however_long(blank_scene, evaluated, length):
    take(blank_scene, length)
    brief, _ = read_brief(blank_scene)
    assert len(brief.shots[0].camera_path.samples) > 5
    assert len(evaluated) <= 10


@pytest.mark.parametrize(
    "expression,even",
    [("lead * 0.05", True), ("radians(frame) / 40", True), ("lerp(0, lead, 0.05)", True), ("sin(frame)", False),
     ("frame > 100", False), ("round(lead)", False), ("frame % 7 / 90", False), ("frame // 9 / 90", False)],
)  # fmt: skip
def test_drivers_cost_by_what_they_read(blank_scene, evaluated, expression, even):
    """One that changes as its variables do needs few frames; what it gives is right either way."""
    camera = take(blank_scene, 600)
    lead = link(blank_scene, "Lead")
    key(lead, "location", {1: (0, 0, 0), 150: (4, 0, 0), 600: (1, 0, 0)}, "BEZIER")
    driver = camera.driver_add("rotation_euler", 2).driver
    variable = driver.variables.new()
    variable.name = "lead"
    variable.targets[0].id, variable.targets[0].data_path = lead, "location.x"
    driver.expression = expression
    samples = read_brief(blank_scene)[0].shots[0].camera_path.samples
    assert len(evaluated) <= 120 if even else len(evaluated) >= 600
    for sample in samples:
        blank_scene.frame_set(sample.frame)
        truth = [value for row in camera.matrix_world for value in row]
        assert sample.matrix_world == pytest.approx(truth, abs=1e-4)


def test_a_driver_with_a_bent_curve_of_its_own_is_evaluated(blank_scene, evaluated):
    camera = take(blank_scene, 300)
    curve = camera.driver_add("rotation_euler", 2)
    curve.driver.expression = "frame"
    for place, value in ((0.0, 0.0), (150.0, 1.0), (300.0, 0.0)):
        curve.keyframe_points.insert(place, value).interpolation = "BEZIER"
    read_brief(blank_scene)
    assert len(evaluated) >= 300


def test_noise_costs_no_evaluated_frames(blank_scene, evaluated):
    camera = take(blank_scene, 500)
    for curve in compat.fcurves(camera):
        curve.modifiers.new("NOISE").strength = 0.1
    brief, _ = read_brief(blank_scene)
    assert len(brief.shots[0].camera_path.samples) > 200 and len(evaluated) <= 10


@pytest.mark.parametrize("length", [100, 4000])
def test_constrained_shots_cost_by_what_happens_not_by_their_length(blank_scene, evaluated, length):
    camera = take(blank_scene, length)
    track = camera.constraints.new("TRACK_TO")
    track.target, track.track_axis, track.up_axis = blank_scene.objects["Crate"], "TRACK_NEGATIVE_Z", "UP_Y"
    read_brief(blank_scene)
    assert len(evaluated) <= 110


def test_a_frame_is_set_once_in_a_row(blank_scene, evaluated):
    take(blank_scene, 100)
    read_brief(blank_scene)
    assert all(a != b for a, b in pairwise(evaluated))


def animated(scene, how):
    camera = take(scene, 60)
    data = camera.data
    if how == "lens and focus":
        key(data, "lens", {1: 24.0, 60: 90.0}, "BEZIER")
        data.dof.use_dof = True
        for frame, value in ((1, 3.0), (60, 9.0)):
            data.dof.focus_distance = value
            data.dof.keyframe_insert("focus_distance", frame=frame)
    elif how == "shift":
        key(data, "shift_x", {1: -0.2, 60: 0.3})
    elif how == "quaternion":
        camera.rotation_mode = "QUATERNION"
        key(camera, "rotation_quaternion", {1: (1, 0, 0, 0), 60: (0.3, 0.5, -0.4, 2.0)})
    elif how == "axis angle":
        camera.rotation_mode = "AXIS_ANGLE"
        key(camera, "rotation_axis_angle", {1: (0.1, 0, 0, 1), 60: (1.2, 0, 1, 1)})
    elif how == "other order":
        camera.rotation_mode = "ZXY"
        key(camera, "rotation_euler", {1: (1, 0.2, 0.1), 60: (1.5, -0.3, 2)}, "BEZIER")
    elif how == "deltas":
        camera.delta_location, camera.delta_rotation_euler, camera.delta_scale = (1, 2, 3), (0.1, 0.2, 0.3), (2, 1, 1)
    elif how == "parents":
        pivot, crane = link(scene, "Pivot"), link(scene, "Crane", location=(1, 2, 3))
        key(pivot, "rotation_euler", {1: (0, 0, 0), 60: (0.2, 0.1, 2)}, "BEZIER")
        crane.parent, crane.scale = pivot, (2, 2, 2)
        camera.parent, camera.matrix_parent_inverse = crane, crane.matrix_world.inverted()
    elif how == "muted":
        for curve in compat.fcurves(camera)[:1]:
            curve.mute = True
    elif how == "focus object":
        data.dof.use_dof, data.dof.focus_object = True, scene.objects["Crate"]
        key(scene.objects["Crate"], "location", {1: (0, 0, 1), 60: (3, 4, 5)})
    elif how == "cyclic":
        for curve in compat.fcurves(camera):
            curve.keyframe_points[1].co.x = 20
            curve.modifiers.new("CYCLES")
    elif how == "lamp":
        key(scene.objects["Sun"].data, "energy", {1: 1.0, 60: 9.0}, "BEZIER")
        key(scene.objects["Sun"].data, "color", {1: (1, 1, 1), 60: (1, 0.5, 0.2)})
    return camera


@pytest.mark.parametrize(
    "how",
    ["lens and focus", "shift", "quaternion", "axis angle", "other order", "deltas", "parents", "muted", "focus object",
     "cyclic", "lamp"],
)  # fmt: skip
def test_curves_tell_what_blender_evaluates(blank_scene, evaluated, how):
    camera = animated(blank_scene, how)
    (shot,) = read_brief(blank_scene)[0].shots
    assert len(evaluated) <= 20  # told by the curves
    layer = blank_scene.view_layers[0]
    samples = {sample.frame: sample for sample in shot.camera_path.samples}
    for frame, sample in samples.items():
        blank_scene.frame_set(frame)
        truth = read_camera(camera, layer.depsgraph, 1.0).sample(frame)
        assert sample.matrix_world == pytest.approx(truth.matrix_world, abs=2e-5)
        assert (sample.lens_mm, *sample.shift) == pytest.approx((truth.lens_mm, *truth.shift), rel=1e-5)
        assert (sample.focus_distance_m or 0.0) == pytest.approx(truth.focus_distance_m or 0.0, rel=1e-4)
    for sample in shot.sun.samples:
        blank_scene.frame_set(sample.frame)
        lamp = blank_scene.objects["Sun"].evaluated_get(layer.depsgraph)
        assert sample.direction == pytest.approx(tuple(lamp.matrix_world.col[2][:3]), abs=1e-5)
        assert sample.strength == pytest.approx(lamp.data.energy, rel=1e-4)


@pytest.mark.parametrize("how", ["driver", "constraint", "nla", "bone", "handler"])
def test_what_curves_do_not_tell_is_evaluated(blank_scene, how):
    camera = take(blank_scene, 40)
    if how == "driver":
        camera.driver_add("rotation_euler", 0).driver.expression = "sin(frame / 10)"  # a channel that is not keyed
    elif how == "constraint":
        limit = camera.constraints.new("LIMIT_LOCATION")
        limit.use_max_y, limit.max_y = True, -7.0
    elif how == "nla":
        track = camera.animation_data.nla_tracks.new()
        track.strips.new("slow", 1, camera.animation_data.action).scale = 2.0
        camera.animation_data.action = None
    elif how == "bone":
        rig = link(blank_scene, "Rig", bpy.data.armatures.new("Rig"))
        key(rig, "location", {1: (0, 0, 0), 40: (0, 0, 3)})
        camera.parent = rig
    elif how == "handler":
        bpy.app.handlers.frame_change_pre.append(_lift)
    try:
        (shot,) = read_brief(blank_scene)[0].shots
        for sample in shot.camera_path.samples:
            blank_scene.frame_set(sample.frame)
            truth = [value for row in camera.matrix_world for value in row]
            assert sample.matrix_world == pytest.approx(truth, abs=1e-4)
    finally:
        bpy.app.handlers.frame_change_pre.clear()


def test_keys_beside_a_driver_are_read_as_animated(blank_scene, monkeypatch):
    """Blender now and then leaves the former frame's value in the evaluated camera; here it is put there each time."""
    camera = take(blank_scene, 40)
    camera.driver_add("location", 2).driver.expression = "frame / 10"
    plain, met = frame_sampling.set_frame, []

    def stale(scene, frame):
        plain(scene, frame)
        if frame not in met:
            met.append(frame)
            evaluated = camera.evaluated_get(scene.view_layers[0].depsgraph)
            evaluated.location.y -= 1.0
            evaluated.matrix_world.translation.y -= 1.0

    monkeypatch.setattr(frame_sampling, "set_frame", stale)
    samples = read_brief(blank_scene)[0].shots[0].camera_path.samples
    (across,) = [curve for curve in compat.fcurves(camera) if curve.array_index == 1]
    assert len(met) >= len(samples) > 5
    for sample in samples:
        place = sample.matrix_world[3], sample.matrix_world[7], sample.matrix_world[11]
        assert place == pytest.approx((0, across.evaluate(sample.frame), sample.frame / 10), abs=1e-4)


def _lift(scene, *_):
    scene.camera.delta_location.z = scene.frame_current / 20.0


def test_a_busy_scene_reads_right(blank_scene, evaluated):
    busy_scene.build(blank_scene, objects=60, shots=5, frames=300, moving=10)
    shots = read_brief(blank_scene)[0].shots
    assert [shot.camera_path.moves[0].kind for shot in shots[:4]] == ["static", "push_in", "pan_left", "handheld"]
    assert all(shot.subjects for shot in shots) and len(evaluated) < 250
