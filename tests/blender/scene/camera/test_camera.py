# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera facts, what the picture shows, lights and surroundings, in scenes where they are known."""

import math

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from scene_makers import add_box, add_lamp, add_sky, aim_sun, key, link, look_at, use_nodes
from wan_previs.scene.camera.camera import read_camera
from wan_previs.scene.reader import read_brief
from wan_previs.scene.subjects.framing import shot_size
from wan_previs.scene.subjects.names import clean_name, color_word


def shot_of(scene):
    brief, _ = read_brief(scene)
    return brief.shots[0]


def test_sample(scene):
    camera = scene.camera
    data = camera.data
    data.lens, data.sensor_width, data.sensor_height, data.shift_x, data.shift_y = 35.0, 32.0, 18.0, 0.1, -0.05
    key(data, "lens", {1: 35.0, 25: 70.0})
    scene.unit_settings.scale_length = 0.5
    first, *_, last = shot_of(scene).camera_path.samples
    assert (first.frame, first.lens_mm, last.frame, last.lens_mm) == (1, 35.0, 25, 70.0)
    assert first.sensor_mm == (32.0, 18.0) and first.shift == pytest.approx((0.1, -0.05))
    assert first.focus_distance_m is None and first.fstop is None
    rows = np.array(camera.matrix_world)
    rows[:3, 3] *= 0.5
    assert np.allclose(np.array(first.matrix_world).reshape(4, 4), rows)


def test_focus(scene):
    dof = scene.camera.data.dof
    dof.use_dof, dof.focus_distance, dof.aperture_fstop = True, 4.0, 1.8
    sample = shot_of(scene).camera_path.samples[0]
    assert (sample.focus_distance_m, sample.fstop) == (4.0, pytest.approx(1.8))
    dof.focus_object = link(scene, "Focus", location=(3, -3, 2))
    assert shot_of(scene).camera_path.samples[0].focus_distance_m == pytest.approx(7.0)


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("size", [(1920, 1080), (720, 1280)])
@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_projection_is_blenders(scene, fit, size, kind):
    camera, data = scene.camera, scene.camera.data
    scene.render.resolution_x, scene.render.resolution_y = size
    data.type, data.ortho_scale, data.sensor_fit = kind, 7.0, fit
    data.shift_x, data.shift_y, data.sensor_height = 0.15, -0.1, 20.0
    camera.location = (2, -9, 3)
    look_at(camera, (0, 1, 1), 10.0)
    scene.frame_set(1)
    state = read_camera(camera, bpy.context.evaluated_depsgraph_get(), 1.0)
    points = np.array([(0, 0, 0), (1, 2, 1), (-2, 1, 3), (0.5, -1, -1)], dtype=float)
    truth = [world_to_camera_view(scene, camera, Vector(point))[:] for point in points]
    assert np.allclose(state.project(points), truth, atol=1e-4)


@pytest.mark.parametrize("lens,name", [(20.0, "wide"), (50.0, "medium"), (85.0, "long")])
def test_lens_class(scene, lens, name):
    scene.camera.data.lens = lens
    assert shot_of(scene).camera_path.lens_class == name


def test_fisheye(scene):
    scene.camera.data.type = "PANO"
    path = shot_of(scene).camera_path
    assert path.lens_class == "fisheye" and path.samples[0].lens_mm is None


@pytest.mark.parametrize(
    "location,target,roll,name",
    [((0, -10, 1), (0, 0, 1), 0, "eye_level"), ((0, -10, 1), (0, 0, 2.9), 0, "eye_level"),
     ((0, -10, 0.2), (0, 0, 4), 0, "low"), ((0, -10, 5), (0, 0, 0), 0, "high"), ((0, -1, 10), (0, 0, 0), 0, "overhead"),
     ((0, -20, 18), (0, 0, 0), 0, "aerial"), ((0, -10, 1), (0, 0, 1), 12, "dutch"),
     ((0, -10, 1), (0, 0, 1), -9, "dutch"),
     ((0, -10, 1), (0, 0, 1), 6, "eye_level")],
)  # fmt: skip
def test_angle(scene, location, target, roll, name):
    add_box(scene)
    scene.camera.location = location
    look_at(scene.camera, target, roll)
    assert shot_of(scene).camera_path.angle == name


@pytest.mark.parametrize(
    "place,size,told",
    [((0.55, -9.0, 0.9), (0.5, 0.4, 1.8), True), ((-0.55, -9.0, 0.9), (0.5, 0.4, 1.8), True),
     ((0.0, -9.0, 0.9), (0.5, 0.4, 1.8), False),  # in the middle: it is what one looks at, or it is in the way
     ((0.55, -9.0, 1.8), (0.5, 0.4, 3.6), False),  # a post
     ((0.95, -9.0, 0.9), (1.2, 1.2, 1.8), False),  # a crate
     ((1.8, -5.0, 0.9), (0.5, 0.4, 1.8), False)],  # far off
)  # fmt: skip
def test_over_the_shoulder(scene, place, size, told):
    add_box(scene, "Friend", (0.0, -3.0, 0.9), (0.5, 0.4, 1.8))
    add_box(scene, "Someone", place, size)
    scene.camera.location = (0.0, -10.0, 1.6)
    look_at(scene.camera, (0.0, -3.0, 1.3))
    path = shot_of(scene).camera_path
    assert (path.angle == "over_the_shoulder") == told
    if told:
        assert (path.shot_size, path.composition) == ("wide", "center")  # of what is looked at


@pytest.mark.parametrize(
    "height,name",
    [(0.14, "extreme_wide"), (0.15, "wide"), (0.94, "wide"), (0.95, "medium_wide"), (1.4, "medium"),
     (2.1, "medium_close_up"), (3.3, "close_up"), (8.0, "extreme_close_up")],
)  # fmt: skip
def test_shot_size_limits(height, name):
    assert shot_size(height) == name


@pytest.mark.parametrize(
    "part,name", [(0.1, "extreme_wide"), (0.5, "wide"), (1.2, "medium_wide"), (2.5, "medium_close_up")]
)
def test_shot_size_by_what_is_seen(scene, part, name):
    frame = 9.9 * 36.0 / 50.0 * 9.0 / 16.0  # picture height in metres at the crate's front
    add_box(scene, size=(0.2, 0.2, part * frame))
    add_box(scene, "Ground", (0, 0, -3), (200, 200, 0.1))
    shot = shot_of(scene)
    assert [subject.noun for subject in shot.subjects] == ["crate"]
    assert shot.camera_path.shot_size == name


def test_subject_box_distance_and_color(scene):
    crate = add_box(scene, "Crate.003", (1, 0, 1), (1, 1, 2))
    material = bpy.data.materials.new("Paint")
    use_nodes(material).nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.8, 0.02, 0.02, 1)
    crate.data.materials.append(material)
    scene.frame_set(1)
    corners = [world_to_camera_view(scene, scene.camera, crate.matrix_world @ v.co) for v in crate.data.vertices]
    (subject,) = shot_of(scene).subjects
    x, y = [c.x for c in corners], [c.y for c in corners]
    assert subject.screen_box == pytest.approx((min(x), min(y), max(x), max(y)), abs=1e-4)
    assert (subject.noun, subject.description) == ("crate", "red crate")
    assert subject.distance_m == pytest.approx(10.0)
    crate["description"] = "a fruit crate"
    assert shot_of(scene).subjects[0].description == "a fruit crate"


def test_hidden_things_are_no_subjects(scene):
    add_box(scene, "Seen")
    add_box(scene, "Occluded", (0, 6, 1), (0.5, 0.5, 1))
    add_box(scene, "Off", (3, 0, 1)).hide_render = True
    add_box(scene, "Behind", (0, -14, 1))
    add_box(scene, "Outside", (40, 0, 1))
    assert [subject.noun for subject in shot_of(scene).subjects] == ["seen"]


def test_parts_make_one_subject(scene):
    body = add_box(scene, "Car", (0, 0, 1), (4, 2, 1))
    for x in (-1.5, 1.5):
        wheel = add_box(scene, "Wheel", (x, -1, -0.7), (0.6, 0.2, 0.6))
        wheel.parent = body
    (subject,) = shot_of(scene).subjects
    assert subject.noun == "car"


def test_subject_that_enters_later(scene):
    crate = add_box(scene)
    key(crate, "location", {1: (-30, 0, 1), 25: (0, 0, 1)})
    (subject,) = shot_of(scene).subjects
    assert subject.screen_box[0] == 0.0 and subject.screen_box[2] < 0.25  # just coming in from the left
    assert subject.motion.kind == "moving" and subject.motion.screen_direction == "right"
    assert subject.motion.speed_m_s == pytest.approx(30.0, rel=0.01)


@pytest.mark.parametrize(
    "step,way",
    [((2, 0, 0), "right"), ((-2, 0, 0), "left"), ((0, 0, 2), "up"), ((0, -2, 0), "toward"), ((0, 2, 0), "away")],
)
def test_motion(scene, step, way):
    crate = add_box(scene)
    key(crate, "location", {1: (0, 0, 1), 25: Vector((0, 0, 1)) + Vector(step)})
    (subject,) = shot_of(scene).subjects
    assert (subject.motion.kind, subject.motion.screen_direction) == ("moving", way)
    assert subject.motion.speed_m_s == pytest.approx(2.0, rel=0.01)


def test_turning_and_deforming(scene):
    crate = add_box(scene)
    key(crate, "rotation_euler", {1: (0, 0, 0), 25: (0, 0, 1.0)})
    assert shot_of(scene).subjects[0].motion.kind == "turning"
    crate.animation_data_clear()
    crate.shape_key_add(name="Basis")
    bulge = crate.shape_key_add(name="Bulge")
    for index in (1, 3):  # two corners of the top, so that the middle stays
        bulge.data[index].co.x -= 0.004
    for point in bulge.data:
        point.co.y *= 1.5
    for frame, value in ((1, 0.0), (25, 1.0)):
        bulge.value = value
        bulge.keyframe_insert("value", frame=frame)
    assert shot_of(scene).subjects[0].motion.kind == "deforming"


@pytest.mark.parametrize("x,name", [(0, "center"), (2.4, "right_heavy"), (-2.4, "left_heavy")])
def test_composition(scene, x, name):
    add_box(scene, location=(x, 0, 1))
    assert shot_of(scene).camera_path.composition == name


def test_symmetry(scene):
    for x in (-2, 2):
        add_box(scene, location=(x, 0, 1))
    assert shot_of(scene).camera_path.composition == "symmetrical"


def test_empty_picture(scene):
    path = shot_of(scene).camera_path
    assert path.shot_size is None and path.composition is None and shot_of(scene).subjects == ()


def test_lights(scene):
    add_box(scene)
    aim_sun(add_lamp(scene), 200, 40)
    scene.objects["Sun"].data.energy = 0.01
    add_lamp(scene, "AREA", "Key", 500.0, (-3, -4, 4))
    add_lamp(scene, "POINT", "Fill", 90.0, (4, -5, 2))
    add_lamp(scene, "SPOT", "Rim", 40.0, (1, 3, 6))
    add_lamp(scene, "POINT", "Off", 0.0, (1, 0, 3))
    hidden = add_lamp(scene, "POINT", "Hidden", 90.0, (1, 0, 3))
    hidden.hide_render = True
    lights = {light.name: light for light in shot_of(scene).lights}
    assert list(lights) == ["Key", "Fill", "Rim"]
    assert [light.role for light in lights.values()] == ["key", "fill", "rim"]
    assert [light.type for light in lights.values()] == ["area", "point", "spot"]
    assert lights["Key"].energy == 500.0
    assert lights["Key"].relative_to_camera == "front_left"
    assert lights["Fill"].relative_to_camera == "front_right"


def test_second_sun_is_a_light(scene):
    add_box(scene)
    aim_sun(add_lamp(scene, name="Day", energy=5), 200, 40)
    aim_sun(add_lamp(scene, name="Bounce", energy=1), 90, 10)
    (light,) = shot_of(scene).lights
    assert (light.name, light.type, light.role, light.relative_to_camera) == ("Bounce", "sun", "fill", "right")


def test_environment(scene):
    environment = shot_of(scene).environment
    assert (environment.setting, environment.sky, environment.weather) == ("unknown", None, None)
    assert environment.world_color is None
    sky = add_sky(scene)
    sky.sun_elevation = math.radians(20)
    environment = shot_of(scene).environment
    assert (environment.setting, environment.sky, environment.world_color) == ("exterior", "clear", None)
    sky.sun_elevation = math.radians(-10)
    assert shot_of(scene).environment.sky == "night"
    tree = scene.world.node_tree
    tree.links.remove(tree.nodes["Background"].inputs["Color"].links[0])
    tree.nodes["Background"].inputs["Color"].default_value = (0.1, 0.2, 0.3, 1.0)
    fog = tree.nodes.new("ShaderNodeVolumePrincipled")
    tree.links.new(fog.outputs[0], tree.get_output_node("ALL").inputs["Volume"])
    environment = shot_of(scene).environment
    assert environment.world_color == pytest.approx((0.1, 0.2, 0.3)) and environment.weather == "fog"


def test_interior(scene):
    aim_sun(add_lamp(scene), 180, 40)
    for name, place, size in [
        ("Ceiling", (0, 0, 6), (40, 40, 0.2)), ("Floor", (0, 0, -0.1), (40, 40, 0.2)),
        ("North", (0, 20, 3), (40, 0.2, 6)),
        ("South", (0, -20, 3), (40, 0.2, 6)), ("West", (-20, 0, 3), (0.2, 40, 6)), ("East", (20, 0, 3), (0.2, 40, 6)),
    ]:  # fmt: skip
        add_box(scene, name, place, size)
    add_box(scene)
    shot = shot_of(scene)
    assert shot.environment.setting == "interior"
    assert shot.subjects[0].noun == "crate"


@pytest.mark.parametrize(
    "name,clean",
    [("Chair.003", "chair"), ("SM_OldTree_02", "old tree"), ("coffee_table", "coffee table"), ("Cube", "cube"),
     ("GEO-lamp.low", "lamp"), ("001", "001")],
)  # fmt: skip
def test_clean_names(name, clean):
    assert clean_name(name) == clean


def test_color_words():
    assert color_word((0.8, 0.0, 0.0)) == "red"
    assert color_word((0.0, 0.1, 0.8)) == "blue"
    assert color_word((0.9, 0.9, 0.9)) == "white"
    assert color_word((0.3, 0.3, 0.3)) is None
