# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that stand for others: parts of what is seen close, and what an object scatters over itself."""

import math

import bpy
import pytest
from scene_makers import add_box, add_camera, link, look_at
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.scene.reader import read_brief
from wan_previs.scene.subjects.visible import Scanner

PLACES = [(x, y) for x in (-6, -3, 0, 3, 6) for y in (-2, 2)]


def read(scene):
    brief, _ = read_brief(scene)
    return brief.shots[0], prompt_text(build_prompt(brief, brief.shots[0]))


def part_of(scene, whole, name, at, size):
    item = add_box(scene, name, at, size)
    if whole is not None:
        item.parent = whole
        item.matrix_parent_inverse.identity()
        item.location = [a - b for a, b in zip(at, whole.location, strict=True)]
    return item


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        (("Head", (0, 0, 1.6), (0.2, 0.2, 0.3)), ("Eye.L", (0, -0.1, 1.63), (0.05, 0.02, 0.03))),
        (("Car", (0, 0, 0.7), (4.5, 1.8, 1.4)), ("Wheel.001", (0, -0.9, 0.4), (0.6, 0.2, 0.6))),
    ],
)
def test_a_close_up_tells_the_part_it_looks_at(blank_scene, whole, part):
    scene = blank_scene
    name, at, size = whole
    parent = add_box(scene, name, at, size)
    part_of(scene, parent, *part)
    camera = add_camera(scene, (part[1][0], part[1][1] - 2.5 * part[2][0], part[1][2]))
    camera.data.clip_start = 0.001
    camera.data.lens = 50
    shot, told = read(scene)
    assert [subject.name for subject in shot.subjects] == [name, part[0]]
    assert f"a {name.lower()} and a" in told and shot.camera_path.shot_size not in ("wide", "medium_wide")
    camera.location.y -= 30 * size[0]
    shot, _ = read(scene)
    assert [subject.name for subject in shot.subjects] == [name]


def test_a_part_that_the_whole_hides_is_not_told(blank_scene):
    head = add_box(blank_scene, "Head", (0, 0, 1.6), (0.2, 0.2, 0.3))
    part_of(blank_scene, head, "Brain", (0, 0, 1.62), (0.1, 0.1, 0.1))
    add_camera(blank_scene, (0, -0.35, 1.6)).data.clip_start = 0.001
    shot, _ = read(blank_scene)
    assert [subject.name for subject in shot.subjects] == ["Head"]


def on_faces(scene, tree):
    mesh = bpy.data.meshes.new("Emitter")
    corners = [(x + i, y + j, 0) for x, y in PLACES for i, j in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))]
    mesh.from_pydata(corners, [], [tuple(range(4 * n, 4 * n + 4)) for n in range(len(PLACES))])
    scatterer(scene, mesh, tree, "FACES")


def on_vertices(scene, tree):
    mesh = bpy.data.meshes.new("Emitter")
    mesh.from_pydata([(x, y, 0) for x, y in PLACES], [], [])
    scatterer(scene, mesh, tree, "VERTS")


def scatterer(scene, mesh, tree, kind):
    item = link(scene, "Emitter", mesh)
    tree.parent, tree.location = item, (0, 0, 1)
    item.instance_type, item.show_instancer_for_render = kind, False


def by_geometry_nodes(scene, tree):
    mesh = bpy.data.meshes.new("Ground")
    mesh.from_pydata([(x, y, 0) for x, y in PLACES], [], [(0, 1, 3, 2)])
    tree.location = (0, 0, 500)
    group = bpy.data.node_groups.new("Scatter", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        group.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    new, join = group.nodes.new, group.links.new
    start, end, info = new("NodeGroupInput"), new("NodeGroupOutput"), new("GeometryNodeObjectInfo")
    points, place = new("GeometryNodeMeshToPoints"), new("GeometryNodeInstanceOnPoints")
    info.inputs["Object"].default_value, info.inputs["As Instance"].default_value = tree, True
    join(start.outputs[0], points.inputs[0]), join(points.outputs[0], place.inputs["Points"])
    join(info.outputs["Geometry"], place.inputs["Instance"]), join(place.outputs[0], end.inputs[0])
    link(scene, "Ground", mesh).modifiers.new("Scatter", "NODES").node_group = group


@pytest.mark.parametrize("scatter", [on_faces, on_vertices, by_geometry_nodes])
def test_what_is_scattered_is_told_by_its_own_name(blank_scene, scatter):
    scene = blank_scene
    tree = add_box(scene, "Pine Tree", (0, 0, 1), (0.6, 0.6, 2))
    scatter(scene, tree)
    scene.camera = add_camera(scene, (0, -20, 3))
    look_at(scene.camera, (0, 0, 1))
    shot, told = read(scene)
    (subject,) = shot.subjects
    assert (subject.name, subject.noun, subject.count) == ("Pine Tree", "pine tree", len(PLACES))
    assert subject.members is None and shot.camera_path.shot_size == "wide"
    assert "The scene shows several pine trees across the picture." in told


def sprinkled(scene, thing, count, systems=1):
    """A meadow of 20 x 20 m over which particles scatter a thing."""
    meadow = add_box(scene, "Meadow Ground", (0, 0, -0.05), (20, 20, 0.1))
    for index in range(systems):
        meadow.modifiers.new(f"Scatter {index}", "PARTICLE_SYSTEM")
        meadow.particle_systems[index].seed = index
        settings = meadow.particle_systems[index].settings
        settings.type, settings.count, settings.use_advanced_hair = "HAIR", count, True
        settings.render_type, settings.instance_object, settings.particle_size = "OBJECT", thing, 1.0
        settings.hair_length = 1.0


@pytest.mark.parametrize(("count", "systems"), [(40, 1), (40, 2), (1500, 1)])
def test_particles_are_told_as_what_they_show(blank_scene, count, systems):
    scene = blank_scene
    sprinkled(scene, add_box(scene, "Tulip", (0, -90, 0), (0.3, 0.3, 0.6)), count, systems)
    add_box(scene, "Barn", (0, 6, 2), (5, 4, 4))
    scene.camera = add_camera(scene, (0, -12, 2))
    shot, told = read(scene)
    subjects = {subject.name: subject for subject in shot.subjects}
    assert 6 <= subjects["Tulip"].count <= 24 and subjects["Barn"].count == 1
    assert shot.camera_path.shot_size == "wide" and "several tulips across the picture" in told


def test_thousands_of_scattered_things_are_no_carpet(blank_scene):
    scene = blank_scene
    stone = add_box(scene, "Stone", (0, 0, 500), (0.4, 0.4, 0.3))
    mesh = bpy.data.meshes.new("Emitter")
    mesh.from_pydata([(x * 0.5, y * 0.5, 0) for x in range(-20, 20) for y in range(-20, 20)], [], [])
    scatterer(scene, mesh, stone, "VERTS")
    add_box(scene, "Shrine", (0, 3, 1.5), (3, 3, 3))
    scene.camera = add_camera(scene, (0, -10, 2))
    look_at(scene.camera, (0, 3, 1.5))
    shot, _ = read(scene)
    counts = {subject.name: subject.count for subject in shot.subjects}
    assert counts["Shrine"] == 1 and 4 < counts["Stone"] <= 24
    assert shot.camera_path.shot_size == "wide"


def half_sunk_balls(scene, order):
    """A shrine with round stones half in the ground around it, whose vertices come in some order."""
    mesh = bpy.data.meshes.new("Stone")
    ring = [i * math.pi / 12 for i in range(24)]
    points = [
        (0.3 * math.cos(a) * math.cos(t), 0.3 * math.sin(a) * math.cos(t), 0.3 * math.sin(t))
        for a in ring
        for t in (-1.4, -1.0, -0.6, -0.2, 0.0, 0.2, 0.6, 1.0, 1.4)
    ]
    order = order(list(range(len(points))))
    place = {old: new for new, old in enumerate(order)}
    pairs = [(9 * i + j, 9 * ((i + 1) % 24) + j) for i in range(24) for j in range(8)]
    faces = [(a, b, b + 1, a + 1) for a, b in pairs]
    mesh.from_pydata([points[i] for i in order], [], [tuple(place[i] for i in face) for face in faces])
    add_box(scene, "Ground", (0, 0, -0.1), (60, 60, 0.2))
    add_box(scene, "Shrine", (0, 3, 1.25), (3, 2.5, 2.5))
    for index, x in enumerate((-4, -2.5, -1.2, 1.1, 2.2, 3.4, 5)):
        link(scene, f"Stone.{index:03}", mesh, (x, -1 + 0.3 * index, 0.0))
    add_camera(scene, (0, -9, 1.8))


def test_the_order_of_vertices_changes_nothing_that_is_measured(blank_scene, monkeypatch):
    looked, look = [], Scanner.look
    monkeypatch.setattr(Scanner, "look", lambda *args: looked.append(look(*args)) or looked[-1])
    for order in (list, lambda old: sorted(old, key=lambda i: i * 79 % 216)):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        half_sunk_balls(bpy.context.scene, order)
        read(bpy.context.scene)
    first, second = ([(thing.group.key, thing.seen) for thing in looked[i]] for i in (0, len(looked) // 2))
    assert first == second and len(first) > 4


def test_scattered_things_match_by_chance_and_make_no_symmetry(blank_scene):
    scene = blank_scene
    add_box(scene, "Ground", (0, 0, -0.1), (60, 60, 0.2))
    add_box(scene, "Shrine", (0, 3, 1.25), (3, 2.5, 2.5))
    add_box(scene, "Bell", (0, -1, 0.6), (1, 1, 1.2))
    add_camera(scene, (0, -9, 1.8))
    for index, (x, y) in enumerate([(-1.6, -1), (1.6, -1), (-2.4, 0), (2.4, 0), (-3, 1), (3, 1)]):
        add_box(scene, f"Stone.{index:03}", (x, y, 0.3), (0.6, 0.6, 0.6))
    assert read(scene)[0].camera_path.composition == "symmetrical"
    for index, (x, y) in enumerate([(5.0, 9), (4.2, 7), (-3.0, 8), (3.2, 6)]):
        add_box(scene, f"Stone.1{index:02}", (x, y, 0.15), (0.3, 0.3, 0.3))
    assert read(scene)[0].camera_path.composition == "center"
