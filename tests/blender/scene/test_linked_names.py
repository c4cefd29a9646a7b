# SPDX-License-Identifier: GPL-3.0-or-later
"""A data-block linked from a library is told apart from others of its name."""

import json

import bpy
import pytest
from scene_makers import add_box, add_camera, add_lamp, aim_sun
from walls import BLUE, GREEN, RED, add_wall, shows
from wan_previs.conditioning import render_first_last, scene_light
from wan_previs.scene.brief import Brief
from wan_previs.scene.reader import read_brief

SIZE = (16, 16)


def save_library(path, make):
    """A .blend with what `make` puts into its scene."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    make(bpy.context.scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def linked(path, kind="objects", name="Cam"):
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        setattr(wanted, kind, [name])
    return getattr(wanted, kind)[0]


def camera_over(x, name="Cam"):
    """Puts a camera into a scene that looks down on what stands at `x`."""

    def make(scene):
        camera = add_camera(scene, (x, 0, 4), name)
        camera.rotation_euler = (0, 0, 0)
        return camera

    return make


def new_stage():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    for name, color, x in (("red", RED, 0), ("green", GREEN, 20), ("blue", BLUE, 40)):
        add_wall(scene, name, color, x)
    scene.render.engine, scene.view_settings.view_transform = "CYCLES", "Standard"
    scene.frame_end = 20
    return scene


def mark(scene, name, frame, camera):
    scene.timeline_markers.new(name, frame=frame).camera = camera


def rendered(scene, brief, name, folder):
    """First frame of a shot, of the brief as it comes back from JSON."""
    brief = Brief.from_json(json.loads(json.dumps(brief.to_json())))
    return render_first_last(scene, brief.shot(name), SIZE, folder / name, last=False)["first"]


@pytest.fixture
def two_cams(tmp_path):
    """A local camera over red, one of its name from a library over green, each with a shot."""
    path = save_library(tmp_path / "rig.blend", camera_over(20))
    scene = new_stage()
    other = linked(path)
    scene.collection.objects.link(other)
    own = camera_over(0)(scene)
    assert own.name == other.name == "Cam"
    mark(scene, "Own", 1, own)
    mark(scene, "Other", 10, other)
    return scene


def test_each_shot_is_rendered_through_its_own_camera(two_cams, tmp_path):
    brief, _ = read_brief(two_cams)
    assert shows(rendered(two_cams, brief, "Own", tmp_path), RED)
    assert shows(rendered(two_cams, brief, "Other", tmp_path), GREEN)


def test_a_file_saved_elsewhere_in_between_changes_nothing(two_cams, tmp_path):
    brief, _ = read_brief(two_cams)
    (tmp_path / "deep").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "deep" / "use.blend"))
    assert shows(rendered(two_cams, brief, "Other", tmp_path), GREEN)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "deep" / "use.blend"))
    assert shows(rendered(bpy.context.scene, brief, "Other", tmp_path), GREEN)
    assert shows(rendered(bpy.context.scene, brief, "Own", tmp_path), RED)


def test_libraries_of_one_file_name(tmp_path):
    paths = [save_library(tmp_path / folder / "rig.blend", camera_over(x)) for folder, x in (("a", 20), ("b", 40))]
    scene = new_stage()
    for name, frame, path in (("A", 1, paths[0]), ("B", 10, paths[1])):
        camera = linked(path)
        scene.collection.objects.link(camera)
        mark(scene, name, frame, camera)
    brief, _ = read_brief(scene)
    assert shows(rendered(scene, brief, "A", tmp_path), GREEN)
    assert shows(rendered(scene, brief, "B", tmp_path), BLUE)


def test_an_override_beside_what_it_overrides(tmp_path):
    path = save_library(tmp_path / "rig.blend", camera_over(20))
    scene = new_stage()
    source = linked(path)
    scene.collection.objects.link(source)
    override = source.override_create()
    override.location.x = 40
    scene.collection.objects.link(override)
    mark(scene, "Source", 1, source)
    mark(scene, "Override", 10, override)
    brief, _ = read_brief(scene)
    assert shows(rendered(scene, brief, "Source", tmp_path), GREEN)
    assert shows(rendered(scene, brief, "Override", tmp_path), BLUE)


def test_a_linked_scene_of_the_name_of_the_open_one(tmp_path):
    def make(scene):
        scene.name = "Set"
        camera_over(0)(scene)
        add_wall(scene, "blue", BLUE, 0)
        scene.render.engine, scene.view_settings.view_transform = "CYCLES", "Standard"

    path = save_library(tmp_path / "set.blend", make)
    scene = new_stage()
    scene.name = "Set"
    camera_over(0)(scene)
    other = linked(path, "scenes", "Set")
    assert scene.name == other.name
    for which, color in ((scene, RED), (other, BLUE)):
        brief, _ = read_brief(which)
        folder = tmp_path / ("linked" if which.library else "own")
        assert shows(rendered(which, brief, brief.shots[0].name, folder), color)


def test_lamps_of_one_name_are_not_counted_for_each_other(tmp_path):
    """The sun of the brief is no lamp of the curve's, whatever the lamps are called."""
    path = save_library(tmp_path / "lamps.blend", lambda scene: add_lamp(scene, "POINT", "Lamp", energy=100.0))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    add_camera(scene)
    add_box(scene)
    sun = add_lamp(scene, "SUN", "Lamp", energy=50.0)
    aim_sun(sun, 180.0, 45.0)
    bulb = linked(path, name="Lamp")
    scene.collection.objects.link(bulb)
    assert sun.name == bulb.name
    (shot,) = read_brief(scene)[0].shots
    assert [(light.name, light.type) for light in shot.lights] == [("Lamp", "point")]
    (glow,) = scene_light.glows(scene, shot, [1])
    scene.collection.objects.unlink(sun)
    assert scene_light.glows(scene, shot, [1]) == [glow]


def test_a_picture_called_as_the_render_result(two_cams, tmp_path):
    picture = bpy.data.images.new("Render Result", 8, 8)
    brief, _ = read_brief(two_cams)
    assert shows(rendered(two_cams, brief, "Own", tmp_path), RED)
    assert picture.name in bpy.data.images and picture.size[:] == (8, 8)
