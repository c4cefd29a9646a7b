# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of the sun in any scene: turning or mirroring the world, odd lamps, cost."""

import json
import math
import sys
from contextlib import contextmanager

import bpy
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mathutils import Matrix
from scene_makers import add_box, add_camera, add_lamp, add_sky, aim_sun, key, link, sky_models, sun_euler
from wan_previs import compat
from wan_previs.scene.brief import Brief
from wan_previs.scene.geometry import angle_between_deg, direction_from
from wan_previs.scene.reader import read_brief

angles = st.floats(0.0, 359.9)
heights = st.floats(-20.0, 85.0)
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MIRROR = {"left": "right", "front_left": "front_right", "back_left": "back_right", "toward_left": "toward_right",
          "away_left": "away_right"}  # fmt: skip
MIRROR |= {right: left for left, right in MIRROR.items()}


@contextmanager
def counted_calls():
    """The calls made meanwhile, Python's and those into C, one item each."""
    calls = []
    sys.setprofile(lambda frame, event, what: calls.append(event) if event in ("call", "c_call") else None)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def shot_of(scene):
    brief, warnings = read_brief(scene)
    assert Brief.from_json(json.loads(json.dumps(brief.to_json(), allow_nan=False))) == brief
    return brief.shots[0], warnings


@pytest.fixture
def stage(blank_scene):
    add_camera(blank_scene, (0.0, 0.0, 1.0))
    add_lamp(blank_scene)
    blank_scene.frame_end = 2
    return blank_scene


@few
@given(azimuth=angles, elevation=heights, turn=angles)
def test_turning_the_world_turns_the_azimuth_by_as_much(stage, azimuth, elevation, turn):
    lamp, camera = stage.objects["Sun"], stage.camera
    aim_sun(lamp, azimuth, elevation)
    camera.rotation_euler = (math.radians(90.0), 0.0, 0.3)
    before = shot_of(stage)[0].sun
    aim_sun(lamp, azimuth + turn, elevation)
    camera.rotation_euler = (math.radians(90.0), 0.0, 0.3 - math.radians(turn))
    after = shot_of(stage)[0].sun
    turned = after.samples[0].azimuth_deg - before.samples[0].azimuth_deg - turn
    assert (turned + 180.0) % 360.0 == pytest.approx(180.0, abs=0.01)
    assert after.samples[0].elevation_deg == pytest.approx(before.samples[0].elevation_deg, abs=0.01)
    margin = (azimuth + math.degrees(0.3) + 22.5) % 45.0
    if 0.1 < margin < 44.9:  # beside a border between sectors
        assert after.relative_to_camera == before.relative_to_camera
        assert after.shadows == before.shadows or after.shadows.fall == before.shadows.fall


@few
@given(azimuth=angles, elevation=st.floats(2.0, 65.0), way=st.floats(-60.0, 60.0))
def test_mirroring_swaps_left_and_right(stage, azimuth, elevation, way):
    lamp = stage.objects["Sun"]

    def sun(sign):
        lamp.animation_data_clear()
        for frame, turn in ((1, 0.0), (2, way)):
            aim_sun(lamp, sign * (azimuth + turn), elevation, frame)
        return shot_of(stage)[0].sun

    plain, mirrored = sun(1.0), sun(-1.0)
    borders = [(azimuth + turn + 22.5) % 45.0 for turn in (0.0, way)]
    if all(0.1 < border < 44.9 for border in borders):
        for end in ("start", "end"):
            side, fall = getattr(plain.relative_to_camera, end), getattr(plain.shadows.fall, end)
            assert getattr(mirrored.relative_to_camera, end) == MIRROR.get(side, side)
            assert getattr(mirrored.shadows.fall, end) == MIRROR.get(fall, fall)
    assert mirrored.shadows.slide == MIRROR.get(plain.shadows.slide, plain.shadows.slide)
    assert mirrored.shadows.turn_deg == pytest.approx(-plain.shadows.turn_deg, abs=0.02)


@few
@given(
    azimuth=angles, elevation=st.floats(1.0, 80.0), turn=st.floats(-180.0, 180.0), kind=st.sampled_from(sky_models())
)
def test_turning_a_sky_by_its_mapping(blank_scene, azimuth, elevation, turn, kind):
    add_camera(blank_scene, name="Camera")
    sky = add_sky(blank_scene, kind)
    if kind in ("PREETHAM", "HOSEK_WILKIE"):
        sky.sun_direction = direction_from(azimuth, elevation)
    else:
        sky.sun_rotation, sky.sun_elevation = math.radians(azimuth), math.radians(elevation)
    sky.texture_mapping.rotation = (0.0, 0.0, math.radians(turn))
    sample = shot_of(blank_scene)[0].sun.samples[0]
    assert angle_between_deg(np.array(sample.direction), direction_from(azimuth + turn, elevation)) < 0.05


@pytest.mark.parametrize("change", ["nan", "zero scale", "negative scale", "zero energy", "nan energy", "nan colour"])
def test_odd_lamps(stage, change):
    lamp = stage.objects["Sun"]
    lamp.name = "太阳 شمس ☀"
    aim_sun(lamp, 100, 30)
    if change == "nan":
        lamp.rotation_euler = (math.nan, 0.0, 0.0)
    elif change == "zero scale":
        lamp.scale = (0.0, 0.0, 0.0)
    elif change == "negative scale":
        lamp.scale = (-1.0, 2.0, 0.5)
    elif change == "zero energy":
        lamp.data.energy = 0.0
    elif change == "nan energy":
        lamp.data.energy = math.nan
    else:
        lamp.data.color = (math.nan, 1.0, 1.0)
    shot, warnings = shot_of(stage)
    if change == "negative scale":
        assert angle_between_deg(np.array(shot.sun.samples[0].direction), direction_from(100, 30)) < 0.01
    elif change != "nan colour":  # Blender itself makes 0 of it
        assert shot.sun is None
    assert any("太阳" in text for text in warnings) == (change in ("nan", "zero scale"))


def test_a_mirrored_parent_mirrors_the_sun(stage):
    lamp, parent = stage.objects["Sun"], link(stage, "Mirror")
    aim_sun(lamp, 100, 30)
    lamp.parent = parent
    parent.scale = (-1.0, 1.0, 1.0)
    sample = shot_of(stage)[0].sun.samples[0]
    assert angle_between_deg(np.array(sample.direction), direction_from(260, 30)) < 0.01


def test_a_sun_that_is_switched_on_within_the_shot(stage):
    stage.frame_end = 40
    lamp = stage.objects["Sun"]
    aim_sun(lamp, 100, 30)
    for frame, hidden in ((1, True), (20, False), (30, True)):
        lamp.hide_render = hidden
        lamp.keyframe_insert("hide_render", frame=frame)
    sun = shot_of(stage)[0].sun
    shining = [sample.frame for sample in sun.samples if sample.strength > 0.0]
    assert shining[0] == 20 and shining[-1] == 29
    assert sun.samples[0].strength == 0.0 and sun.samples[-1].strength == 0.0


def test_nothing_but_a_camera(blank_scene):
    add_camera(blank_scene)
    blank_scene.world = None
    shot, warnings = shot_of(blank_scene)
    assert shot.sun is None and shot.lights == () and warnings == []
    assert (shot.environment.setting, shot.environment.sky, shot.environment.hdri) == ("unknown", None, None)


def test_strength_and_temperature_over_the_shot(stage):
    stage.frame_end = 100
    lamp = stage.objects["Sun"]
    aim_sun(lamp, 250, 8)
    key(lamp.data, "energy", {1: 4.0, 100: 1.0})
    key(lamp.data, "color", {1: (1.0, 1.0, 1.0), 100: (1.0, 0.5, 0.2)})
    samples = shot_of(stage)[0].sun.samples
    assert (samples[0].strength, samples[-1].strength) == (pytest.approx(4.0), pytest.approx(1.0))
    assert samples[0].color_temperature_k == pytest.approx(6500, rel=0.02)
    assert samples[-1].color_temperature_k < 4000


def test_a_constrained_sun_over_a_path(stage):
    """A lamp that tracks a moving empty: read as evaluated, frame by frame."""
    stage.frame_end = 50
    lamp, target = stage.objects["Sun"], link(stage, "Target")
    lamp.matrix_world = Matrix.Translation((0.0, 0.0, 10.0))
    key(target, "location", {1: (-10.0, 0.0, 0.0), 50: (10.0, 0.0, 0.0)})
    constraint = lamp.constraints.new("TRACK_TO")
    constraint.target, constraint.track_axis, constraint.up_axis = target, "TRACK_NEGATIVE_Z", "UP_Y"
    sun = shot_of(stage)[0].sun
    assert sun.samples[0].azimuth_deg == pytest.approx(90.0, abs=0.01)
    assert sun.samples[-1].azimuth_deg == pytest.approx(270.0, abs=0.01)
    assert sun.samples[0].elevation_deg == pytest.approx(45.0, abs=0.01)


def test_ten_thousand_objects_cost_little_for_light(blank_scene):
    """What every evaluated frame and what every shot pays, in calls."""
    add_camera(blank_scene)
    aim_sun(add_lamp(blank_scene), 100, 30)
    box = add_box(blank_scene)
    for index in range(10_000):
        link(blank_scene, f"Box {index}", box.data, (index % 100 * 3.0, index // 100 * 3.0 + 5.0, 0.0))
    from wan_previs.scene.camera.camera import read_camera
    from wan_previs.scene.surroundings.environment import read_environment
    from wan_previs.scene.visibility import lamps, rendered_objects

    layer = blank_scene.view_layers[0]
    layer.update()
    depsgraph = layer.depsgraph
    objects = rendered_objects(layer)
    camera = read_camera(blank_scene.camera, depsgraph, 1.0)
    with counted_calls() as of_a_frame:
        assert len(list(lamps(objects, depsgraph, False))) == 1
    with counted_calls() as of_a_shot:
        read_environment(blank_scene, layer, depsgraph, camera, None, 1.0)
    assert len(of_a_frame) < len(objects) / 100 and len(of_a_shot) < 15 * len(objects)


def test_the_scene_is_left_alone(stage):
    add_sky(stage)
    aim_sun(stage.objects["Sun"], 100, 30)
    stage.frame_set(2)
    kinds = ("objects", "lights", "worlds", "images", "materials", "node_groups", "actions")
    before = {kind: len(getattr(bpy.data, kind)) for kind in kinds}
    shot_of(stage)
    assert before == {kind: len(getattr(bpy.data, kind)) for kind in kinds}
    assert stage.frame_current == 2 and not compat.fcurves(stage)
    assert tuple(stage.objects["Sun"].rotation_euler) == pytest.approx(tuple(sun_euler(100, 30)))
