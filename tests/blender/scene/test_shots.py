# SPDX-License-Identifier: GPL-3.0-or-later
"""Shots from camera markers, what bad scenes get, and that reading leaves no trace."""

import math
from types import SimpleNamespace

import bpy
import pytest
from scene_makers import add_box, add_camera, add_lamp, aim_sun, key, link
from test_linked_names import linked, save_library
from wan_previs.scene.brief import SceneError
from wan_previs.scene.reader import read_brief
from wan_previs.scene.shots import read_cuts, unique_names, why_no_camera


def mark(scene, name, frame, camera=None):
    scene.timeline_markers.new(name, frame=frame).camera = camera


def cuts(scene):
    brief, _ = read_brief(scene)
    return [(shot.name, shot.frame_start, shot.frame_end, shot.camera) for shot in brief.shots]


@pytest.fixture
def scene(blank_scene):
    blank_scene.frame_start, blank_scene.frame_end = 1, 100
    for name in ("A", "B", "C"):
        add_camera(blank_scene, name=name, active=name == "A")
    return blank_scene


def camera(name):
    return bpy.data.objects[name]


def test_no_markers(scene):
    mark(scene, "beat", 30)
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 20, 40
    assert cuts(scene) == [("A", 1, 100, "A")]


def test_markers_cut(scene):
    mark(scene, "three", 71, camera("C"))
    mark(scene, "one", 1, camera("A"))
    mark(scene, "two", 40, camera("B"))
    mark(scene, "beat", 50)
    assert cuts(scene) == [("one", 1, 39, "A"), ("two", 40, 70, "B"), ("three", 71, 100, "C")]


def test_markers_around_the_range(scene):
    for name, frame, who in [("old", -20, "C"), ("before", -5, "B"), ("in", 60, "A"), ("after", 101, "C")]:
        mark(scene, name, frame, camera(who))
    assert cuts(scene) == [("before", 1, 59, "B"), ("in", 60, 100, "A")]


def test_frames_before_the_first_marker(scene):
    mark(scene, "late", 30, camera("B"))
    assert cuts(scene) == [("late", 1, 100, "B")]
    scene.frame_set(5)
    assert scene.camera == camera("B")  # as Blender renders them


def test_several_on_one_frame(scene):
    for name in ("B", "C"):
        mark(scene, "to " + name, 50, camera(name))
    mark(scene, "first", 1, camera("A"))
    scene.frame_set(60)
    assert [cut[3] for cut in cuts(scene)] == ["A", scene.camera.name]
    camera("B").hide_render = True
    scene.frame_set(61)
    assert [cut[3] for cut in cuts(scene)] == ["A", scene.camera.name] == ["A", "C"]


def test_names(scene):
    for name, frame, who in [("wide", 1, "A"), ("wide", 20, "B"), ("", 40, "C"), ("wide", 60, "A")]:
        mark(scene, name, frame, camera(who))
    assert [cut[0] for cut in cuts(scene)] == ["wide", "wide (2)", "C", "wide (3)"]
    assert unique_names(["a", "a", "a (2)"]) == ["a", "a (3)", "a (2)"]


def test_choosing_shots(scene):
    mark(scene, "one", 1, camera("A"))
    mark(scene, "two", 40, camera("B"))
    brief, _ = read_brief(scene, ["two"])
    assert [shot.name for shot in brief.shots] == ["two"]
    with pytest.raises(SceneError, match=r"'three'.*'one', 'two'"):
        read_brief(scene, ["three"])


def test_no_camera(blank_scene):
    with pytest.raises(SceneError, match="no camera"):
        read_brief(blank_scene)


def test_scene_camera_that_is_none(blank_scene):
    blank_scene.camera = link(blank_scene, "Empty")
    with pytest.raises(SceneError, match="no camera object"):
        read_brief(blank_scene)


def test_a_camera_after_the_last_frame_is_no_camera(blank_scene):
    """Markers there do not count; words tell so, and no other scene is sent to this one."""
    add_camera(blank_scene, name="A", active=False)
    mark(blank_scene, "late", blank_scene.frame_end + 1, camera("A"))
    blank_scene.camera = None  # the marker had set it
    with pytest.raises(SceneError, match=f"no camera for its frames.*last frame, {blank_scene.frame_end}, or before"):
        read_brief(blank_scene)
    edit = bpy.data.scenes.new("Edit")
    assert "there is one in" not in why_no_camera(edit)
    blank_scene.timeline_markers["late"].frame = blank_scene.frame_end
    assert repr(blank_scene.name) in why_no_camera(edit)
    blank_scene.timeline_markers.clear()
    blank_scene.camera = link(blank_scene, "Empty")
    assert "there is one in" not in why_no_camera(edit)


def test_a_camera_of_a_missing_library_is_told_as_that(tmp_path):
    library = save_library(tmp_path / "rigs.blend", add_camera)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    rig = linked(library, name="Camera")
    scene.collection.objects.link(rig)
    scene.camera = rig
    mark(scene, "one", 1, rig)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    library.unlink()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene = bpy.context.scene
    with pytest.raises(SceneError, match=r"'Camera' of rigs.blend, which is missing"):
        read_brief(scene)
    add_camera(scene, name="Own")
    assert any("'one'" in text and "missing from 'rigs.blend'" in text for text in read_brief(scene)[1])


def test_marker_bound_to_something_else_is_left_out(scene):
    mark(scene, "one", 1, camera("A"))
    mark(scene, "odd", 30, link(scene, "Empty"))
    brief, warnings = read_brief(scene)
    assert len(brief.shots) == 1 and any("odd" in text for text in warnings)


def test_camera_without_a_place(scene):
    camera("A").location.x = float("nan")
    scene.frame_set(7, subframe=0.25)
    with pytest.raises(SceneError, match="'A' has no valid place"):
        read_brief(scene)
    assert (scene.frame_current, scene.frame_subframe) == (7, 0.25)


def test_lamp_without_a_direction_is_left_out(scene):
    lamp = add_lamp(scene)
    lamp.rotation_euler.x = float("nan")
    brief, warnings = read_brief(scene)
    assert brief.shots[0].sun is None and any("'Sun'" in text for text in warnings)


def test_reading_leaves_no_trace(scene):
    crate = add_box(scene)
    aim_sun(add_lamp(scene), 90, 20, frame=1)
    key(camera("B"), "location", {40: (0, -10, 1), 100: (0, -5, 1)})
    mark(scene, "two", 40, camera("B"))
    scene.frame_set(13, subframe=0.5)
    scene.camera = camera("C")
    bpy.context.view_layer.objects.active = crate
    crate.select_set(True)
    before = [item.matrix_world.copy() for item in scene.objects]
    counts = [len(getattr(bpy.data, name)) for name in ("objects", "meshes", "lights", "scenes", "actions", "images")]
    read_brief(scene)
    assert (scene.frame_current, scene.frame_subframe, scene.camera) == (13, 0.5, camera("C"))
    assert [item for item in scene.objects if item.select_get()] == [crate]
    assert bpy.context.view_layer.objects.active == crate
    assert [item.matrix_world for item in scene.objects] == before
    after = [len(getattr(bpy.data, name)) for name in ("objects", "meshes", "lights", "scenes", "actions", "images")]
    assert after == counts


@pytest.mark.parametrize("hide", ["exclude", "viewport"])
def test_marker_camera_that_the_viewport_does_not_show(scene, hide):
    key(camera("B"), "location", {1: (0, -10, 1), 100: (0, -5, 1)})
    collection = bpy.data.collections.new("Cameras")
    scene.collection.children.link(collection)
    scene.collection.objects.unlink(camera("B"))
    collection.objects.link(camera("B"))
    if hide == "exclude":
        bpy.context.view_layer.layer_collection.children["Cameras"].exclude = True
    else:
        camera("B").hide_viewport = True
    mark(scene, "one", 1, camera("B"))
    brief, _ = read_brief(scene)
    (move,) = brief.shots[0].camera_path.moves
    assert (move.kind, move.amount) == ("push_in", pytest.approx(5.0))


def test_header_facts(scene):
    render = scene.render
    render.fps, render.fps_base = 30, 1.001
    render.resolution_x, render.resolution_y, render.resolution_percentage = 1921, 1080, 50
    brief, _ = read_brief(scene)
    assert brief.fps == pytest.approx(29.97, abs=0.001)
    assert brief.resolution == (960, 540)
    assert (brief.scene, brief.blend_file, brief.north_offset_deg) == (scene.name, "", 0.0)


def test_a_scene_that_is_not_shown(scene):
    other = bpy.data.scenes.new("Other")
    add_camera(other, (1, -4, 2), name="D")
    lamp = add_lamp(other, name="Other sun")
    aim_sun(lamp, 45, 10, frame=1)
    aim_sun(lamp, 60, 20, frame=250)
    brief, _ = read_brief(other)
    assert brief.shots[0].camera == "D"
    assert brief.shots[0].sun.samples[-1].elevation_deg == pytest.approx(20, abs=0.01)
    assert bpy.context.scene == scene


def test_one_frame(scene):
    scene.frame_start = scene.frame_end = 5
    aim_sun(add_lamp(scene), 90, 20)
    brief, _ = read_brief(scene)
    shot = brief.shots[0]
    assert shot.frame_count == 1
    assert [s.frame for s in shot.camera_path.samples] == [s.frame for s in shot.sun.samples] == [5]
    assert [move.kind for move in shot.camera_path.moves] == ["static"]
    assert not math.isnan(shot.sun.samples[0].azimuth_deg)


def test_an_empty_range_is_told_with_what_to_do(scene):
    """Blender's own setters keep the end from falling below the start; files written by other programs need not."""
    empty = SimpleNamespace(name=scene.name, frame_start=20, frame_end=10)
    with pytest.raises(SceneError, match=r"is empty \(20 to 10\): set its end frame to 20 or later") as caught:
        read_cuts(empty)
    assert caught.value.exit_status == 3
