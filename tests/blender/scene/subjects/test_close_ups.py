# SPDX-License-Identifier: GPL-3.0-or-later
"""A close-up keeps its subject, whatever lies under it, sticks out of it or stands before it; ground, walls and rooms
are still none."""

import math

import bpy
import pytest
from scene_makers import add_box, add_camera, look_at
from wan_previs.scene.reader import read_brief


@pytest.fixture
def scene(blank_scene):
    blank_scene.frame_end = 10
    return blank_scene


def ball(name, place, size, segments=32):
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, location=place, segments=segments, ring_count=segments // 2)
    item = bpy.context.object
    item.name, item.scale = name, size
    return item


def head(distance, lens=50.0):
    """A head and a camera that looks at it from the south."""
    scene = bpy.context.scene
    item = ball("Head", (0, 0, 1.2), (0.8, 0.8, 1.6))
    camera = add_camera(scene, (0, -distance, 1.3))
    camera.rotation_euler.x = math.radians(85)
    camera.data.lens = lens
    return item


def sheet(name, place, size):
    bpy.ops.mesh.primitive_plane_add(size=1.0, location=place)
    item = bpy.context.object
    item.name, item.scale = name, (size, size, 1.0)
    return item


def hills(name, place, size, height):
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=24, y_subdivisions=24, size=size, location=place)
    item = bpy.context.object
    item.name = name
    for vertex in item.data.vertices:
        vertex.co.z = height * (0.5 + 0.5 * math.sin(vertex.co.x * 0.7) * math.cos(vertex.co.y * 0.5))
    return item


def told(scene):
    shot = read_brief(scene)[0].shots[0]
    return [subject.name for subject in shot.subjects], shot.camera_path.shot_size


GROUNDS = {
    "none": lambda: None,
    "ground behind": lambda: sheet("Ground", (0, 0.5, 0), 60),
    "ground before": lambda: sheet("Ground", (0, -0.5, 0), 60),
    "unnamed": lambda: sheet("Plane.002", (0, -0.5, 0), 60),
    "a slab": lambda: add_box(bpy.context.scene, "Cube.001", (0, -0.5, -0.5), (60, 60, 1)),
    "a table": lambda: add_box(bpy.context.scene, "Cube.004", (0, -0.3, 0.3), (3, 3, 0.1)),
    "hills": lambda: hills("Grid", (0, -0.5, -0.2), 60, 2.5),
    "ground off to a side": lambda: sheet("Ground", (8, -0.4, 0), 60),
    "a rug": lambda: sheet("Rug", (0, -0.4, 0.01), 3),
}


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize(("distance", "size"), [(0.85, "close_up"), (0.55, "extreme_close_up"), (2.4, "medium")])
def test_the_ground_takes_no_subject_away(scene, ground, distance, size):
    head(distance)
    GROUNDS[ground]()
    names, shot_size = told(scene)
    assert names[0] == "Head" and set(names) <= {"Head", "Cube.004"} and shot_size == size


def test_eyes_leave_the_face_a_subject(scene):
    head(0.85)
    sheet("Floor", (0, -0.5, 0), 40)
    for side in (-1, 1):
        ball(f"Eye.{'L' if side < 0 else 'R'}", (0.12 * side, -0.38, 1.35), (0.08, 0.08, 0.08))
    names, size = told(scene)
    assert names[0] == "Head" and set(names) == {"Head", "Eye.L", "Eye.R"} and size == "close_up"


def test_a_hand_before_a_face(scene):
    head(0.85)
    add_box(scene, "Hand", (0.1, -0.55, 1.25), (0.05, 0.02, 0.12))
    names, size = told(scene)
    assert "Head" in names and size == "close_up"


def test_a_turned_body_with_wide_arms(scene):
    """The camera stands within the box around outstretched arms, before the face."""
    body = head(0.85)
    for side in (-1, 1):
        add_box(scene, f"Arm.{side}", (0.9 * side, -0.3, 0.8), (0.1, 1.6, 0.1)).parent = body
    bpy.context.view_layer.update()
    for child in body.children:
        child.matrix_parent_inverse = body.matrix_world.inverted()
    names, size = told(scene)
    assert names == ["Head"] and size in ("close_up", "extreme_close_up")


def test_a_boat_from_above(scene):
    boat = ball("Boat", (0, 0, 0), (3.0, 10.0, 1.6))
    sheet("Sea", (0, -2, 0), 400)
    camera = add_camera(scene, (0, 0, 6.0))
    camera.rotation_euler = (0, 0, math.radians(90))
    assert told(scene)[0] == [boat.name]
    bpy.data.objects.remove(scene.objects["Sea"])
    assert told(scene)[0] == [boat.name]


@pytest.mark.parametrize("lens", [35.0, 85.0, 200.0])
def test_a_painting_is_its_own_subject(scene, lens):
    add_box(scene, "Painting", (0, 0, 1.5), (1.2, 0.04, 0.9))
    add_box(scene, "House wall", (0, 0.1, 1.5), (9, 0.1, 5))
    sheet("Floor", (0, -2, 0), 30)
    camera = add_camera(scene, (0, -1.2, 1.5))
    camera.data.lens = lens
    assert told(scene)[0] == ["Painting"]


@pytest.mark.parametrize("turn", [0, 25])
def test_walls_behind_things_stay_no_subject(scene, turn):
    add_box(scene, "Vase", (0, 0, 1), (0.2, 0.2, 0.4))
    wall = add_box(scene, "Wall", (0, 1.2, 1), (3.4, 0.1, 3.0))
    wall.rotation_euler.z = math.radians(turn)
    sheet("Floor", (0, 0, 0), 30)
    add_camera(scene, (0, -1.4, 1.0))
    assert told(scene)[0] == ["Vase"]


def test_a_sweep_under_a_product_stays_no_subject(scene):
    curve = [(-1.2, 0.0), (0.4, 0.0), (0.8, 0.15), (1.0, 0.5), (1.0, 2.2)]
    mesh = bpy.data.meshes.new("Plane.007")
    mesh.from_pydata(
        [(x, y, z) for x in (-1.4, 1.4) for y, z in curve], [], [(i, i + 1, i + 6, i + 5) for i in range(4)]
    )
    scene.collection.objects.link(bpy.data.objects.new("Plane.007", mesh))
    add_box(scene, "Bottle", (0, 0, 0.15), (0.1, 0.1, 0.3))
    camera = add_camera(scene, (0, -0.9, 0.35))
    look_at(camera, (0, 0, 0.2))
    assert told(scene)[0] == ["Bottle"]


def test_a_house_front_behind_a_person_stays_no_subject(scene):
    add_box(scene, "House", (0, 6, 3), (14, 8, 6))
    add_box(scene, "Person", (0, 0, 0.9), (0.5, 0.3, 1.8))
    sheet("Street", (0, 0, 0), 80)
    add_camera(scene, (0, -3, 1.5))
    assert told(scene)[0] == ["Person"]


def test_a_room_around_the_camera_stays_no_subject(scene):
    room = add_box(scene, "Cube", (0, 0, 1.5), (6, 6, 3))
    add_box(scene, "Chair", (0, 1, 0.5), (0.5, 0.5, 1.0))
    add_camera(scene, (0, -2, 1.4))
    assert told(scene)[0] == ["Chair"]
    bpy.data.objects.remove(scene.objects["Chair"])
    assert told(scene) == ([], None) and room.name == "Cube"


def test_the_walls_beside_the_camera_are_no_subjects(scene):
    for name, x in (("Left House", -2.5), ("Right House", 2.5)):
        add_box(scene, name, (x, 8, 4), (0.4, 40, 8))
    add_box(scene, "Person", (0, 6, 0.9), (0.5, 0.3, 1.8))
    add_camera(scene, (0, -3, 1.5))
    assert told(scene) == (["Person"], "wide")


def test_the_wall_of_a_shaft_behind_a_thing_is_no_subject(scene):
    add_box(scene, "Shaft", (0, 4, -20), (8, 0.2, 80))
    add_box(scene, "Cabin", (0, 0, 1), (2, 2, 2.4))
    add_camera(scene, (0, -6, 1.2)).data.lens = 35
    assert told(scene) == (["Cabin"], "wide")


def test_a_block_that_reaches_past_the_camera_is_not_the_main_subject(scene):
    add_box(scene, "House", (-7, 8, 5), (8, 40, 10))
    add_box(scene, "Person", (0.5, 6, 0.9), (0.5, 0.3, 1.8))
    add_camera(scene, (0, -3, 1.5))
    assert told(scene) == (["Person", "House"], "wide")


def test_in_a_room_its_walls_are_no_subjects(scene):
    for name, place, size in (
        ("Wall Back", (0, 3, 1.5), (7, 0.1, 3)), ("Wall Low", (3, 1.5, 0.4), (0.1, 1, 0.8)),
        ("Ceiling", (0, 0, 3.05), (7, 7, 0.1)), ("Piano", (0, 0.8, 0.5), (1.5, 1.5, 1)),
    ):  # fmt: skip
        add_box(scene, name, place, size)
    add_camera(scene, (0, -3, 1.6)).data.lens = 26
    assert told(scene)[0] == ["Piano"]
    bpy.data.objects.remove(scene.objects["Ceiling"])
    assert set(told(scene)[0]) == {"Piano", "Wall Back", "Wall Low"}
