# SPDX-License-Identifier: GPL-3.0-or-later
"""What the camera sees, and what counts as one thing."""

import math

import bpy
import pytest
from mathutils import Matrix, Vector
from scene_makers import add_box, key, link, look_at, use_nodes
from wan_previs.scene.reader import read_brief
from wan_previs.scene.subjects.names import best_name, clean_name, color_word


def subjects_of(scene):
    brief, _ = read_brief(scene)
    return brief.shots[0].subjects


def nouns_of(scene):
    return [subject.noun for subject in subjects_of(scene)]


def wall(scene, name="Wall", y=-4.0):
    return add_box(scene, name, (0, y, 1), (3, 0.1, 3))


def paint(item, **inputs):
    material = bpy.data.materials.new(item.name)
    tree = use_nodes(material)
    for name, value in inputs.items():
        tree.nodes["Principled BSDF"].inputs[name.replace("_", " ")].default_value = value
    item.data.materials.append(material)
    return material


def test_a_wall_hides_what_is_behind(scene):
    add_box(scene)
    assert nouns_of(scene) == ["crate"]
    wall(scene)
    assert nouns_of(scene) == ["wall"]


@pytest.mark.parametrize("why", ["glass", "alpha", "hidden", "camera ray", "holdout", "wire", "edges only"])
def test_what_one_sees_through_hides_nothing(scene, why):
    add_box(scene)
    pane = wall(scene)
    if why == "glass":
        paint(pane, Transmission_Weight=1.0)
    elif why == "alpha":
        paint(pane, Alpha=0.1)
    elif why == "hidden":
        pane.hide_render = True
    elif why == "camera ray":
        pane.visible_camera = False
    elif why == "holdout":
        pane.is_holdout = True
    elif why == "wire":
        pane.display_type = "WIRE"
    else:
        pane.data.clear_geometry()
        pane.data.from_pydata([(-1, 0, -1), (1, 0, -1), (1, 0, 1)], [(0, 1), (1, 2), (2, 0)], [])
    assert "crate" in nouns_of(scene)


def test_a_hole_in_a_wall_shows_what_is_behind(scene):
    """The box around the wall is in the way, the wall itself is not."""
    add_box(scene, size=(0.6, 0.6, 0.6))
    mesh = bpy.data.meshes.new("Frame")
    outer, inner = ((-3, -3), (3, -3), (3, 3), (-3, 3)), ((-1, -1), (1, -1), (1, 1), (-1, 1))
    mesh.from_pydata(
        [(x, 0, z) for x, z in (*outer, *inner)], [], [(i, (i + 1) % 4, 4 + (i + 1) % 4, 4 + i) for i in range(4)]
    )
    link(scene, "Frame", mesh, (0, -4, 1))
    assert set(nouns_of(scene)) == {"crate", "frame"}


def test_half_hidden_is_still_seen(scene):
    add_box(scene, size=(2, 1, 2))
    add_box(scene, "Post", (-0.5, -4, 1), (0.6, 0.1, 3))
    assert set(nouns_of(scene)) == {"crate", "post"}


def test_glass_is_a_subject_too(scene):
    paint(add_box(scene, "Vase"), Transmission_Weight=1.0)
    assert nouns_of(scene) == ["vase"]


def test_a_text_and_a_metaball_hide_and_are_seen(scene):
    text = bpy.data.curves.new("Sign", "FONT")
    text.body, text.extrude, text.size = "HELLO", 0.1, 1.0
    sign = link(scene, "Sign", text, (-1.5, 0, 1))
    sign.rotation_euler = (math.radians(90), 0, 0)
    ball = bpy.data.metaballs.new("Blob")
    ball.elements.new().radius = 1.5
    link(scene, "Blob", ball, (2, 0, 1))
    assert set(nouns_of(scene)) == {"sign", "blob"}


def test_collection_instance_is_one_thing(scene):
    parts = bpy.data.collections.new("RobotArm")
    for name, place in (("Base", (0, 0, 0.5)), ("Claw", (0, 0, 1.5))):
        item = add_box(scene, name, place, (0.8, 0.8, 0.8))
        scene.collection.objects.unlink(item)
        parts.objects.link(item)
    arm = link(scene, "Empty.004", location=(0.5, 0, 0))
    arm.instance_type, arm.instance_collection = "COLLECTION", parts
    (subject,) = subjects_of(scene)
    assert subject.noun == "robot arm" and subject.distance_m == pytest.approx(10.0, abs=0.01)
    assert subject.screen_box[3] - subject.screen_box[1] == pytest.approx(1.8 / (9.6 * 0.72 * 9 / 16), abs=0.02)
    wall(scene)
    assert nouns_of(scene) == ["wall"]


def test_instances_by_vertices_are_told_by_what_they_are(scene):
    mesh = bpy.data.meshes.new("Spots")
    mesh.from_pydata([(x, 0, 0) for x in (-2, -1, 0, 1, 2)], [], [])
    spots = link(scene, "Fence", mesh, (0, 0, 1))
    add_box(scene, "Picket", (0, 0, 0), (0.2, 0.2, 1.5)).parent = spots
    spots.instance_type = "VERTS"
    (subject,) = subjects_of(scene)
    assert (subject.noun, subject.count) == ("picket", 5) and subject.screen_box[2] - subject.screen_box[0] > 0.5


def test_a_described_collection_is_one_thing(scene):
    boat = bpy.data.collections.new("Boat")
    scene.collection.children.link(boat)
    boat["description"] = "a rusty fishing boat"
    for name, place in (("Hull", (0, 0, 0.5)), ("Mast", (0, 0, 2.0))):
        item = add_box(scene, name, place, (1, 1, 1))
        scene.collection.objects.unlink(item)
        boat.objects.link(item)
    (subject,) = subjects_of(scene)
    assert (subject.noun, subject.description) == ("boat", "a rusty fishing boat")


def test_many_equal_things_are_told_as_one(scene):
    for index in range(12):
        add_box(scene, "Tree", (-3.3 + 0.6 * index, 0, 1), (0.3, 0.3, 2))
    (subject,) = subjects_of(scene)
    assert (subject.noun, subject.count) == ("tree", 12)
    assert subject.screen_box[0] < 0.05 and subject.screen_box[2] > 0.95


def test_few_equal_things_are_told_one_by_one(scene):
    for x in (-2, 0, 2):
        add_box(scene, "Tree", (x, 0, 1), (0.3, 0.3, 2))
    assert [(subject.noun, subject.count) for subject in subjects_of(scene)] == [("tree", 1)] * 3


def rig(scene):
    data = bpy.data.armatures.new("rig")
    item = link(scene, "Hero_rig", data)
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    bone = data.edit_bones.new("spine")
    bone.head, bone.tail = (0, 0, 0), (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    return item


def skinned(scene, armature, name, location):
    item = add_box(scene, name, location, (0.6, 0.4, 0.6))
    group = item.vertex_groups.new(name="spine")
    group.add(range(8), 1.0, "REPLACE")
    item.modifiers.new("Armature", "ARMATURE").object = armature
    return item


def test_a_character_is_one_subject(scene):
    """Meshes that hang on one armature by modifier only, without being its children."""
    armature = rig(scene)
    skinned(scene, armature, "Body", (0, 0, 0.6))
    skinned(scene, armature, "Head", (0, 0, 1.6))
    (subject,) = subjects_of(scene)
    assert subject.noun == "hero" and subject.motion.kind == "static"
    bone = armature.pose.bones["spine"]
    for frame, turn in ((1, 0.0), (25, 1.2)):
        bone.rotation_quaternion = Matrix.Rotation(turn, 3, "Y").to_quaternion()  # about the bone
        bone.keyframe_insert("rotation_quaternion", frame=frame)
    (subject,) = subjects_of(scene)
    assert subject.motion.kind == "deforming"
    for frame, x in ((1, 0.0), (25, 2.0)):
        bone.location.x = x
        bone.keyframe_insert("location", frame=frame)
    (subject,) = subjects_of(scene)
    assert (subject.motion.kind, subject.motion.screen_direction) == ("moving", "right")
    assert subject.motion.speed_m_s == pytest.approx(2.0, rel=0.05)


def test_a_moving_empty_carries_one_thing(scene):
    carrier = link(scene, "Ship")
    for name, place in (("Hull", (0, 0, 1)), ("Cabin", (0, 0, 2))):
        add_box(scene, name, place, (1, 1, 1)).parent = carrier
    assert set(nouns_of(scene)) == {"hull", "cabin"}
    key(carrier, "location", {1: (0, 0, 0), 25: (1, 0, 0)})
    (subject,) = subjects_of(scene)
    assert (subject.noun, subject.motion.kind) == ("ship", "moving")


def test_modifier_that_moves_the_surface(scene):
    mesh = bpy.data.meshes.new("Flag")
    steps = range(9)
    points = [(x / 4 - 1, y / 4 - 1, 0) for x in steps for y in steps]
    mesh.from_pydata(points, [], [(i, i + 1, i + 10, i + 9) for i in range(71) if i % 9 != 8])
    flag = link(scene, "Flag", mesh, (0, 0, 1))
    flag.rotation_euler = (math.radians(80), 0, 0)
    flag.modifiers.new("Wave", "WAVE").height = 0.3
    (subject,) = subjects_of(scene)
    assert subject.motion.kind == "deforming"


def test_distance_and_motion_do_not_depend_on_how_the_world_is_turned(scene):
    crate = add_box(scene, size=(3, 1, 2))
    key(crate, "location", {1: (0, 0, 1), 25: (2, 0, 1)})
    (straight,) = subjects_of(scene)
    world = link(scene, "World", location=(7, -3, 2))
    world.rotation_euler.z = math.radians(33)
    for item in (crate, scene.camera):
        item.parent = world
    (turned,) = subjects_of(scene)
    assert turned.screen_box == pytest.approx(straight.screen_box, abs=1e-5)
    assert turned.distance_m == pytest.approx(straight.distance_m, abs=1e-4)
    assert turned.motion.speed_m_s == pytest.approx(straight.motion.speed_m_s, abs=1e-4)
    assert turned.motion.screen_direction == straight.motion.screen_direction == "right"


@pytest.mark.parametrize(
    "name,clean",
    [("SM_OakTree_LOD0", "oak tree"), ("椅子.003", "椅子"), ("كرسي.001", "كرسي"), ("🚗.002", "🚗"), ("Tree_v2", "tree"),
     ("CHR_Hero_rig", "hero"), ("Crate.001.002", "crate"), ("...", "..."), ("  Lamp  ", "lamp"),
     ("OLDCar2", "old car")],
)  # fmt: skip
def test_names_become_words(name, clean):
    assert clean_name(name) == clean


def test_a_default_name_gives_way_to_a_telling_one(scene):
    assert best_name(["Cube.003", "Treasure Chest"]) == "treasure chest"
    assert best_name(["Cube.003", "Cube"]) == "cube"
    add_box(scene).name = "Cube.001"
    assert nouns_of(scene) == ["crate"]  # what the mesh is called


def test_the_sharp_one_is_the_main_subject(scene):
    add_box(scene, "Near", (0.5, -5, 1), (0.8, 0.8, 1.2))
    add_box(scene, "Far", (-1.0, 6, 1), (2, 1, 2))
    assert nouns_of(scene)[0] == "near"
    dof = scene.camera.data.dof
    dof.use_dof, dof.aperture_fstop, dof.focus_distance = True, 0.05, 16.0
    assert nouns_of(scene)[0] == "far"


def test_what_comes_in_between_two_looks_is_found_at_its_first_frame(scene):
    scene.frame_end = 100
    crate = add_box(scene, size=(1, 0.1, 1))
    key(crate, "location", {1: (-30, 0, 1), 100: (3, 0, 1)})
    look_at(scene.camera, Vector((0, 0, 1)))
    (subject,) = subjects_of(scene)
    assert subject.screen_box[0] == 0.0 and subject.screen_box[2] < 0.08


def path_curve(scene, name="Path"):
    curve = bpy.data.curves.new(name, "CURVE")
    curve.dimensions = "3D"
    spline = curve.splines.new("POLY")
    spline.points.add(2)
    for point, place in zip(spline.points, ((-2, -3, 1), (0, -3, 2), (2, -3, 1)), strict=True):
        point.co = (*place, 1.0)
    return link(scene, name, curve)


def unseen_shader(item, kind):
    material = paint(item)
    tree = material.node_tree
    shader = tree.nodes.new(kind)
    tree.links.new(shader.outputs[0], tree.nodes["Material Output"].inputs["Surface"])


@pytest.mark.parametrize("vertices, edges", [([(-1, -3, 0), (1, -3, 2)], []), ([(-1, -3, 0), (1, -3, 2)], [(0, 1)])])
def test_a_mesh_without_faces_is_no_subject(scene, vertices, edges):
    add_box(scene)
    mesh = bpy.data.meshes.new("Helper")
    mesh.from_pydata(vertices, edges, [])
    link(scene, "Helper", mesh)
    assert nouns_of(scene) == ["crate"]


def test_a_curve_is_a_subject_only_with_thickness(scene):
    add_box(scene)
    path = path_curve(scene)
    assert nouns_of(scene) == ["crate"]
    key(path, "location", {1: (0, 0, 0), 25: (1, 0, 0)})
    assert nouns_of(scene) == ["crate"]
    path.data.bevel_depth = 0.2
    assert sorted(nouns_of(scene)) == ["crate", "path"]


def test_a_path_placed_by_an_empty_is_no_subject(scene):
    add_box(scene)
    path = path_curve(scene)
    rails = bpy.data.collections.new("Rails")
    scene.collection.objects.unlink(path)
    rails.objects.link(path)
    placer = link(scene, "Placer")
    placer.instance_type, placer.instance_collection = "COLLECTION", rails
    assert nouns_of(scene) == ["crate"]


def test_what_goes_along_a_path_is_not_called_by_it(scene):
    add_box(scene, "Cart").parent = path_curve(scene)
    assert nouns_of(scene) == ["cart"]


@pytest.mark.parametrize("why", ["ShaderNodeBsdfTransparent", "ShaderNodeHoldout", "alpha", "shadow catcher"])
def test_what_a_render_shows_nothing_of_is_no_subject(scene, why):
    scene.render.engine = "CYCLES"
    add_box(scene)
    pane = wall(scene)
    assert nouns_of(scene) == ["wall"]
    if why == "shadow catcher":
        pane.is_shadow_catcher = True
    elif why == "alpha":
        paint(pane, Alpha=0.0)
    else:
        unseen_shader(pane, why)
    assert nouns_of(scene) == ["crate"]


def test_a_bottle_that_turns_with_its_label_stays_where_it_is(scene):
    bottle = add_box(scene, "Bottle", (0, 0, 1), (0.8, 0.8, 2))
    label = add_box(scene, "Label", (0, -0.41, 1), (0.5, 0.02, 0.5))
    bpy.context.view_layer.update()
    label.parent, label.matrix_parent_inverse = bottle, bottle.matrix_world.inverted()
    key(bottle, "rotation_euler", {1: (0, 0, 0), 25: (0, 0, math.radians(300))})
    (subject,) = subjects_of(scene)
    assert subject.members == ("Bottle", "Label") and subject.motion.kind == "turning"


@pytest.mark.parametrize(
    ("color", "word"),
    [
        ((0.7, 0.6, 0.4), "beige"), ((0.5, 0.35, 0.25), "beige"), ((0.4, 0.25, 0.12), "brown"),
        ((0.4, 0.2, 0.1), "brown"), ((0.2, 0.1, 0.04), "brown"), ((0.3, 0.28, 0.1), "olive green"),
        ((0.8, 0.3, 0.02), "orange"), ((0.8, 0.6, 0.05), "yellow"), ((0.5, 0.05, 0.04), "red"),
        ((0.1, 0.4, 0.08), "green"), ((0.4, 0.15, 0.1), "red"),
        ((0.3, 0.3, 0.3), None),
    ],
)  # fmt: skip
def test_earthy_colours_have_names_of_their_own(color, word):
    assert color_word(color) == word
