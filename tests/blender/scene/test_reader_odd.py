# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes that are odd or broken are read all the same, or refused in words."""

import json
import math

import bpy
import pytest
from mathutils import Matrix
from scene_makers import add_box, add_lamp, aim_sun, key, link
from wan_previs.scene.brief import Brief, SceneError
from wan_previs.scene.reader import read_brief

NAN = float("nan")


def read(scene):
    """(brief, warnings), after a round through JSON without NaN."""
    brief, warnings = read_brief(scene)
    assert Brief.from_json(json.loads(json.dumps(brief.to_json(), allow_nan=False))) == brief
    return brief, warnings


def test_nothing_but_a_camera(scene):
    (shot,) = read(scene)[0].shots
    assert shot.subjects == () and shot.sun is None and shot.lights == ()
    assert shot.camera_path.shot_size is None and shot.camera_path.composition is None


def test_camera_that_is_crushed_midway(scene):
    key(scene.camera, "scale", {1: (1, 1, 1), 20: (0, 0, 0)})
    scene.frame_set(4)
    with pytest.raises(SceneError, match="no valid place"):
        read(scene)
    assert scene.frame_current == 4


@pytest.mark.parametrize("field", ["location", "scale", "rotation_euler"])
def test_objects_that_stand_nowhere_are_left_out_with_a_warning(scene, field):
    add_box(scene)
    setattr(add_box(scene, "Lost"), field, (NAN, 0.0, 0.0))
    brief, warnings = read(scene)
    assert [subject.noun for subject in brief.shots[0].subjects] == ["crate"]
    assert any("'Lost'" in text for text in warnings)


def test_lamps_that_stand_nowhere(scene):
    add_lamp(scene).location.x = NAN
    add_lamp(scene, "POINT", "Bulb").location.x = NAN
    read(scene)


def test_points_that_are_nan(scene):
    add_box(scene)
    lost = add_box(scene, "Broken", (2, 0, 1))
    lost.data.vertices[0].co.x = NAN
    assert "crate" in [subject.noun for subject in read(scene)[0].shots[0].subjects]


def test_shapes_without_size(scene):
    add_box(scene)
    link(scene, "Nothing", bpy.data.meshes.new("Nothing"))
    dot = bpy.data.meshes.new("Dot")
    dot.from_pydata([(0, 0, 0)], [], [])
    link(scene, "Dot", dot, (0, 0, 1))
    add_box(scene, "Collapsed", (1, 0, 1)).scale = (0, 0, 0)
    flat = add_box(scene, "Flat", (0, -3, 1))
    flat.scale = (1, 0, 1)
    for kind in ("CURVE", "FONT", "SURFACE"):
        link(scene, f"Bare {kind}", bpy.data.curves.new(kind, kind))
    link(scene, "Bare", bpy.data.metaballs.new("Bare"))
    link(scene, "Cloud", bpy.data.volumes.new("Cloud"))
    link(scene, "Points", bpy.data.pointclouds.new("Points"))
    link(scene, "Hairs", bpy.data.hair_curves.new("Hairs"))
    link(scene, "Pencil", bpy.data.lattices.new("Grid"))
    assert "flat" in [subject.noun for subject in read(scene)[0].shots[0].subjects]


def test_camera_inside_a_thing(scene):
    add_box(scene, "Shell", (0, -10, 1), (2, 2, 2))
    add_box(scene)
    (shot,) = read(scene)[0].shots
    assert "crate" not in [subject.noun for subject in shot.subjects]


@pytest.mark.parametrize("scale", [(-1, 1, 1), (1, 1, -1), (-2, -2, -2), (0.001, 0.001, 0.001)])
def test_a_camera_that_is_scaled_or_mirrored(scene, scale):
    """Blender renders with the rotation alone: the view axis is the matrix's, whatever its scale."""
    add_box(scene)
    scene.camera.scale = scale
    key(scene.camera, "location", {1: (0, -10, 1), 25: (0, -8, 1)})
    (shot,) = read(scene)[0].shots
    forward = -Matrix([shot.camera_path.samples[0].matrix_world[i : i + 4] for i in (0, 4, 8, 12)]).col[2].to_3d()
    expected = "push_in" if forward.y > 0.0 else "pull_back"
    assert [move.kind for move in shot.camera_path.moves] == [expected]


def test_a_mirrored_thing(scene):
    add_box(scene, location=(1, 0, 1)).scale = (-1, 1, 1)
    assert [subject.noun for subject in read(scene)[0].shots[0].subjects] == ["crate"]


def test_thousands_of_markers(scene):
    scene.frame_end = 4000
    for frame in range(1, 4001):
        scene.timeline_markers.new(f"beat {frame}", frame=frame)
    scene.timeline_markers[10].camera = scene.camera
    assert len(read(scene)[0].shots) == 1


@pytest.mark.parametrize("name", ["夜景 第一场", "مشهد", "🎬 take", "a/b\\c \"quoted\" 'x'", " ", "%s {0}"])
def test_names_in_any_script(scene, name):
    add_box(scene, name)
    scene.camera.name = name
    marker = scene.timeline_markers.new(name, frame=1)
    marker.camera = scene.camera
    scene.name = name
    brief, _ = read(scene)
    assert brief.shot(marker.name).camera == scene.camera.name


def test_huge_coordinates(scene):
    far = 1e6
    scene.camera.location = (far, -10 + far, 1)
    crate = add_box(scene, location=(far, far, 1))
    key(crate, "location", {1: (far, far, 1), 25: (far + 4, far, 1)})
    (shot,) = read(scene)[0].shots
    assert [subject.noun for subject in shot.subjects] == ["crate"]
    assert shot.subjects[0].distance_m == pytest.approx(10.0, abs=0.2)
    assert [move.kind for move in shot.camera_path.moves] == ["static"]


def test_tiny_units(scene):
    """The same shot modelled in millimetres."""
    scene.unit_settings.scale_length = 0.001
    scene.camera.location = (0, -10000, 1000)
    scene.camera.data.clip_end = 1e6
    add_box(scene, location=(0, 0, 1000), size=(1000, 1000, 2000))
    key(scene.camera, "location", {1: (0, -10000, 1000), 25: (0, -7000, 1000)})
    (shot,) = read(scene)[0].shots
    (move,) = shot.camera_path.moves
    assert (move.kind, move.amount) == ("push_in", pytest.approx(3.0, abs=0.01))
    assert shot.subjects[0].distance_m == pytest.approx(10.0, abs=0.01)


def test_two_view_layers(scene):
    """The first layer that renders counts; what it excludes is not there."""
    hidden = bpy.data.collections.new("Hidden")
    scene.collection.children.link(hidden)
    box = add_box(scene, "Only here", (1, 0, 1))
    scene.collection.objects.unlink(box)
    hidden.objects.link(box)
    add_box(scene, location=(-1, 0, 1))
    scene.view_layers.new("Second")
    scene.view_layers[0].layer_collection.children["Hidden"].exclude = True
    assert [s.noun for s in read(scene)[0].shots[0].subjects] == ["crate"]
    scene.view_layers[0].use = False
    assert {s.noun for s in read(scene)[0].shots[0].subjects} == {"crate", "only here"}


def test_missing_library(scene, tmp_path):
    path = str(tmp_path / "library.blend")
    add_box(scene, "Prop")
    bpy.data.libraries.write(path, {bpy.data.objects["Prop"]})
    bpy.data.objects.remove(bpy.data.objects["Prop"])
    with bpy.data.libraries.load(path, link=True) as (_, target):
        target.objects = ["Prop"]
    scene.collection.objects.link(target.objects[0])
    assert [s.noun for s in read(scene)[0].shots[0].subjects] == ["prop"]
    main = str(tmp_path / "main.blend")
    bpy.ops.wm.save_as_mainfile(filepath=main)
    (tmp_path / "library.blend").unlink()
    bpy.ops.wm.open_mainfile(filepath=main)
    assert read(bpy.context.scene)[0].shots[0].subjects == ()


def test_camera_outside_the_view_layer(scene):
    add_box(scene)
    camera = scene.camera
    scene.collection.objects.unlink(camera)
    assert [s.noun for s in read(scene)[0].shots[0].subjects] == ["crate"]


def test_parents_in_a_ring_of_groups(scene):
    """An armature modifier that points to a rig which hangs on the mesh it deforms."""
    rig = link(scene, "Rig", bpy.data.armatures.new("Rig"))
    body = add_box(scene, "Body")
    body.modifiers.new("Armature", "ARMATURE").object = rig
    rig.parent = body
    assert len(read(scene)[0].shots[0].subjects) == 1


def test_reading_leaves_no_trace(scene):
    add_box(scene)
    aim_sun(add_lamp(scene), 120, 30, frame=1)
    key(scene.camera, "location", {1: (0, -10, 1), 25: (0, -8, 1)})
    scene.frame_set(7, subframe=0.5)
    counts = {name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "scenes", "materials", "actions")}
    place = scene.camera.matrix_world.copy()
    selected = [item.name for item in bpy.context.selected_objects]
    read(scene)
    assert (scene.frame_current, scene.frame_subframe) == (7, pytest.approx(0.5))
    assert counts == {name: len(getattr(bpy.data, name)) for name in counts}
    assert scene.camera.matrix_world == place and selected == [item.name for item in bpy.context.selected_objects]


def test_orthographic_and_panoramic_are_told_apart(scene):
    add_box(scene)
    scene.camera.data.type = "ORTHO"
    path = read(scene)[0].shots[0].camera_path
    assert path.lens_class is None and path.samples[0].lens_mm is None
    scene.camera.data.type = "PANO"
    path = read(scene)[0].shots[0].camera_path
    assert path.lens_class == "fisheye" and path.samples[0].lens_mm is None


def test_focus_on_a_bone_and_on_a_moving_thing(scene):
    focus = link(scene, "Focus", location=(0, -6, 1))
    dof = scene.camera.data.dof
    dof.use_dof, dof.focus_object = True, focus
    key(focus, "location", {1: (0, -6, 1), 25: (0, 0, 1)})
    first, *_, last = read(scene)[0].shots[0].camera_path.samples
    assert (first.focus_distance_m, last.focus_distance_m) == (pytest.approx(4.0), pytest.approx(10.0))
    focus.location.x = NAN
    focus.animation_data_clear()
    assert read(scene)[0].shots[0].camera_path.samples[0].focus_distance_m is None


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_shots(scene, frames):
    scene.frame_start, scene.frame_end = 10, 9 + frames
    key(scene.camera, "location", {10: (0, -10, 1), 12: (0, -4, 1)})
    (shot,) = read(scene)[0].shots
    assert len(shot.camera_path.samples) <= frames
    assert not math.isnan(sum(shot.camera_path.samples[-1].matrix_world))
