# SPDX-License-Identifier: GPL-3.0-or-later
"""The sun of scenes whose sun is known."""

import math

import bpy
import numpy as np
import pytest
from scene_makers import add_camera, add_lamp, add_sky, aim_sun, key, link, sky_models, sun_euler
from wan_previs import compat
from wan_previs.scene.geometry import angle_between_deg, direction_from
from wan_previs.scene.reader import read_brief


def sun_of(scene):
    brief, _ = read_brief(scene)
    return brief.shots[0].sun


def near(sample, azimuth, elevation, within=0.01):
    return angle_between_deg(np.array(sample.direction), direction_from(azimuth, elevation)) < within


@pytest.mark.parametrize("azimuth,elevation", [(0, 10), (77, 3), (90, 45), (180, 30), (222, -10), (359, 80)])
def test_sun_light(blank_scene, azimuth, elevation):
    add_camera(blank_scene)
    lamp = add_lamp(blank_scene, energy=2.5)
    aim_sun(lamp, azimuth, elevation)
    sun = sun_of(blank_scene)
    assert sun.source == "sun_light"
    assert [sample.frame for sample in sun.samples] == [blank_scene.frame_start, blank_scene.frame_end]
    assert near(sun.samples[0], azimuth, elevation)
    assert (sun.samples[0].azimuth_deg - azimuth + 180) % 360 == pytest.approx(180, abs=0.01)
    assert sun.samples[0].elevation_deg == pytest.approx(elevation, abs=0.01)
    assert sun.samples[0].strength == 2.5


def test_no_sun(blank_scene):
    add_camera(blank_scene)
    add_lamp(blank_scene, "POINT", "Bulb", 100.0)
    assert sun_of(blank_scene) is None


def test_strongest_that_renders(blank_scene):
    add_camera(blank_scene)
    for name, energy, azimuth in [("weak", 1, 10), ("right", 5, 120), ("hidden", 50, 200), ("disabled", 60, 210)]:
        aim_sun(add_lamp(blank_scene, name=name, energy=energy), azimuth, 40)
    aim_sun(add_lamp(blank_scene, name="eye", energy=4), 300, 40)
    blue = add_lamp(blank_scene, name="blue", energy=20)
    aim_sun(blue, 240, 40)
    blue.data.color = (0.0, 0.0, 1.0)
    bpy.data.objects["hidden"].hide_render = True
    bpy.data.objects["disabled"].hide_viewport = True
    for name, change in [("excluded", "exclude"), ("collection", "hide_render")]:
        collection = bpy.data.collections.new(name)
        blank_scene.collection.children.link(collection)
        lamp = add_lamp(blank_scene, name=name + " sun", energy=70)
        blank_scene.collection.objects.unlink(lamp)
        collection.objects.link(lamp)
        if change == "exclude":
            bpy.context.view_layer.layer_collection.children[name].exclude = True
        else:
            collection.hide_render = True
    assert near(sun_of(blank_scene).samples[0], 120, 40)
    bpy.data.objects["right"].hide_set(True)  # the eye hides in viewports only
    assert near(sun_of(blank_scene).samples[0], 120, 40)


def test_parented_constrained_driven_instanced(blank_scene):
    add_camera(blank_scene)
    parent = link(blank_scene, "Arm")
    parent.rotation_euler = (0.0, 0.0, math.radians(-90.0))
    lamp = add_lamp(blank_scene)
    aim_sun(lamp, 100, 30)
    lamp.parent = parent
    assert near(sun_of(blank_scene).samples[0], 190, 30)

    lamp.parent = None
    guide = link(blank_scene, "Guide")
    guide.rotation_euler = sun_euler(60, 25)
    constraint = lamp.constraints.new("COPY_ROTATION")
    constraint.target = guide
    assert near(sun_of(blank_scene).samples[0], 60, 25)

    constraint.mute = True
    lamp.driver_add("rotation_euler", 2).driver.expression = "radians(180 - frame)"
    blank_scene.frame_start, blank_scene.frame_end = 10, 50
    sun = sun_of(blank_scene)
    assert near(sun.samples[0], 10, 30) and near(sun.samples[-1], 50, 30)


def test_sun_in_an_instanced_collection(blank_scene):
    add_camera(blank_scene)
    rig = bpy.data.collections.new("rig")
    lamp = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    lamp.data.energy = 4.0
    rig.objects.link(lamp)
    lamp.rotation_euler = sun_euler(100, 20)
    holder = link(blank_scene, "Holder")
    holder.instance_type, holder.instance_collection = "COLLECTION", rig
    key(holder, "rotation_euler", {1: (0, 0, 0), 250: (0, 0, math.radians(-30))})
    sun = sun_of(blank_scene)
    assert near(sun.samples[0], 100, 20) and near(sun.samples[-1], 130, 20)
    holder.hide_render = True
    assert sun_of(blank_scene) is None


@pytest.mark.parametrize("kind", sky_models())
def test_sky(blank_scene, kind):
    add_camera(blank_scene)
    sky = add_sky(blank_scene, kind)
    physical = kind not in ("PREETHAM", "HOSEK_WILKIE")
    if physical:
        sky.sun_elevation, sky.sun_rotation, sky.sun_intensity = math.radians(12), math.radians(250), 0.5
        blank_scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.4
    else:
        sky.sun_direction = direction_from(250, 12) * 2.0
    sun = sun_of(blank_scene)
    assert sun.source == "sky_texture"
    assert near(sun.samples[0], 250, 12, 0.02)
    assert sun.time_of_day.start == "afternoon"
    assert sun.samples[0].strength == (pytest.approx(0.2) if physical else None)


def test_sky_that_lights_nothing(blank_scene):
    add_camera(blank_scene)
    sky = add_sky(blank_scene)
    tree = blank_scene.world.node_tree
    link_ = sky.outputs["Color"].links[0]
    link_.is_muted = True
    assert sun_of(blank_scene) is None
    link_.is_muted = False
    other = tree.nodes.new("ShaderNodeOutputWorld")
    other.is_active_output = True
    assert sun_of(blank_scene) is None
    aim_sun(add_lamp(blank_scene), 33, 44)
    assert sun_of(blank_scene).source == "sun_light"


def test_animated_sky_inside_a_group(blank_scene):
    add_camera(blank_scene)
    sky = add_sky(blank_scene)
    tree = blank_scene.world.node_tree
    group = bpy.data.node_groups.new("Day", "ShaderNodeTree")
    group.interface.new_socket("Color", in_out="OUTPUT", socket_type="NodeSocketColor")
    inner = group.nodes.new("ShaderNodeTexSky")
    inner.sky_type = sky_models()[0]
    out = group.nodes.new("NodeGroupOutput")
    group.links.new(inner.outputs[0], out.inputs[0])
    tree.nodes.remove(sky)
    node = tree.nodes.new("ShaderNodeGroup")
    node.node_tree = group
    tree.links.new(node.outputs[0], tree.nodes["Background"].inputs["Color"])
    inner.sun_rotation = math.radians(80)
    for frame, elevation in [(1, -8.0), (100, 20.0)]:
        inner.sun_elevation = math.radians(elevation)
        inner.keyframe_insert("sun_elevation", frame=frame)
    blank_scene.frame_end = 100
    sun = sun_of(blank_scene)
    assert near(sun.samples[0], 80, -8) and near(sun.samples[-1], 80, 20)
    assert (sun.time_of_day.start, sun.time_of_day.end) == ("night", "morning")
    assert sun.relative_to_camera.start is None


def test_interpolation_stays_within_a_quarter_degree(blank_scene):
    camera = add_camera(blank_scene)
    lamp = add_lamp(blank_scene)
    key(lamp, "rotation_euler", {1: sun_euler(80, 5), 60: sun_euler(170, 60), 120: sun_euler(280, -4)}, "BEZIER")
    key(camera, "location", {1: (0, -10, 1), 50: (4, -7, 2), 120: (-5, -7, 1)}, "BEZIER")
    key(camera, "rotation_euler", {1: (1.5, 0, 0), 120: (1.4, 0.1, 1.0)}, "BEZIER")
    blank_scene.frame_end = 120
    brief, _ = read_brief(blank_scene)
    shot = brief.shots[0]
    samples, places = shot.sun.samples, shot.camera_path.samples
    assert 4 < len(samples) < 80 and 4 < len(places) < 80
    for frame in range(1, 121):
        blank_scene.frame_set(frame)
        truth = np.array(lamp.matrix_world)[:3, 2]
        truth /= np.linalg.norm(truth)
        knots = [s.frame for s in samples]
        mixed = np.array([np.interp(frame, knots, [s.direction[i] for s in samples]) for i in range(3)])
        assert angle_between_deg(mixed / np.linalg.norm(mixed), truth) <= 0.25
        knots = [s.frame for s in places]
        matrix = np.array([np.interp(frame, knots, [s.matrix_world[i] for s in places]) for i in range(16)])
        matrix, real = matrix.reshape(4, 4), np.array(camera.matrix_world)
        assert np.linalg.norm(matrix[:3, 3] - real[:3, 3]) <= 0.01
        for axis in range(3):
            column = matrix[:3, axis] / np.linalg.norm(matrix[:3, axis])
            assert angle_between_deg(column, real[:3, axis] / np.linalg.norm(real[:3, axis])) <= 0.25


def test_swing_with_whole_turns_and_noise_is_not_missed(blank_scene):
    add_camera(blank_scene)
    lamp = add_lamp(blank_scene)
    blank_scene.frame_end = 101
    key(lamp, "rotation_euler", {1: (0.5, 0, 0), 101: (0.5, 0, 16 * math.pi)})
    assert len(sun_of(blank_scene).samples) > 50
    lamp.animation_data_clear()
    key(lamp, "rotation_euler", {1: (0.5, 0, 0)})
    noise = compat.fcurves(lamp)[0].modifiers.new("NOISE")
    noise.strength, noise.scale = 0.2, 3.0
    assert len(sun_of(blank_scene).samples) > 30


def test_color_temperature_of_the_lamp(blank_scene):
    add_camera(blank_scene)
    lamp = add_lamp(blank_scene)
    aim_sun(lamp, 90, 4)
    lamp.data.color = (1.0, 0.55, 0.25)
    assert 2500 < sun_of(blank_scene).samples[0].color_temperature_k < 4500
    if hasattr(lamp.data, "use_temperature"):
        lamp.data.color = (1.0, 1.0, 1.0)
        lamp.data.use_temperature, lamp.data.temperature = True, 3200.0
        assert sun_of(blank_scene).samples[0].color_temperature_k == 3200.0
        lamp.data.use_temperature = False
    lamp.data.color = (0.0, 1.0, 0.0)
    assert sun_of(blank_scene).samples[0].color_temperature_k is None


def test_sun_words(blank_scene):
    add_camera(blank_scene)  # looks north
    lamp = add_lamp(blank_scene)
    aim_sun(lamp, 280, 20, frame=1)
    aim_sun(lamp, 350, 2, frame=250)
    sun = sun_of(blank_scene)
    assert (sun.time_of_day.start, sun.time_of_day.end) == ("afternoon", "sunset")
    assert (sun.relative_to_camera.start, sun.relative_to_camera.end) == ("left", "back")


@pytest.mark.parametrize("tip", [0.0, 0.4, 3.0, 12.0, -0.4, -3.0, -12.0])
@pytest.mark.parametrize(
    ("turn", "side"), [(0, "front"), (90, "left"), (180, "back"), (-90, "right"), (45, "front_left")]
)
def test_from_straight_above_the_top_of_the_picture_is_ahead(blank_scene, tip, turn, side):
    """The sun stands in the south; the camera looks down, a little before or past the vertical, its picture's top
    `turn` degrees to the left of north."""
    camera = add_camera(blank_scene, (0, 0, 14))
    camera.rotation_euler = (math.radians(tip), 0, math.radians(turn))
    aim_sun(add_lamp(blank_scene), 180, 40)
    sun = sun_of(blank_scene)
    assert (sun.relative_to_camera.start, sun.relative_to_camera.end) == (side, side)
    opposite = {"front": "away", "left": "right", "back": "toward", "right": "left", "front_left": "away_right"}
    assert sun.shadows.fall.start == opposite[side]
