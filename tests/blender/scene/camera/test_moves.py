# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera moves that were keyed on purpose are named for what they are."""

import math

import pytest
from mathutils import Vector
from scene_makers import add_box, add_camera, key, link, look_at
from wan_previs import compat
from wan_previs.scene.reader import read_brief

LEVEL = math.radians(90.0)
HOME = Vector((0.0, -10.0, 1.0))


@pytest.fixture
def scene(blank_scene):
    """A crate ten metres north of a level camera, frames 1 to 49 at 24 fps."""
    add_camera(blank_scene, HOME)
    add_box(blank_scene)
    blank_scene.frame_end = 49
    return blank_scene


def moves_of(scene):
    brief, _ = read_brief(scene)
    return brief.shots[0].camera_path.moves


def words(scene):
    return [move.kind for move in moves_of(scene)]


def test_static(scene):
    (move,) = moves_of(scene)
    assert (move.kind, move.frame_start, move.frame_end, move.amount) == ("static", 1, 49, None)


@pytest.mark.parametrize(
    "kind,step",
    [("push_in", (0, 3, 0)), ("pull_back", (0, -3, 0)), ("truck_right", (3, 0, 0)), ("truck_left", (-3, 0, 0)),
     ("pedestal_up", (0, 0, 3)), ("pedestal_down", (0, 0, -3))],
)  # fmt: skip
@pytest.mark.parametrize("interpolation", ["LINEAR", "BEZIER"])
def test_travel(scene, kind, step, interpolation):
    key(scene.camera, "location", {1: HOME, 49: HOME + Vector(step)}, interpolation)
    (move,) = moves_of(scene)
    assert (move.kind, move.unit) == (kind, "m")
    assert move.amount == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize(
    "kind,turn",
    [("pan_right", (0, 0, -30)), ("pan_left", (0, 0, 30)), ("tilt_up", (30, 0, 0)), ("tilt_down", (-30, 0, 0)),
     ("roll_clockwise", (0, 30, 0)), ("roll_counterclockwise", (0, -30, 0))],
)  # fmt: skip
def test_turns(scene, kind, turn):
    # Euler XYZ of a camera that looks north: Z pans, X tilts, and Y is world +Y, its view axis.
    x, y, z = (math.radians(value) for value in turn)
    key(scene.camera, "rotation_euler", {1: (LEVEL, 0, 0), 49: (LEVEL + x, y, z)})
    (move,) = moves_of(scene)
    assert (move.kind, move.unit) == (kind, "deg")
    assert move.amount == pytest.approx(30.0, abs=0.05)


def test_pan_turns_the_view_to_its_right(scene):
    key(scene.camera, "rotation_euler", {1: (LEVEL, 0, 0), 49: (LEVEL, 0, math.radians(-30))})
    scene.frame_set(49)
    assert scene.camera.matrix_world.col[2].x < 0  # backward to the left: forward to the right


@pytest.mark.parametrize("pitch", [-40.0, -20.0, 25.0])
def test_tilted_camera_pushes_along_its_axis_and_rises_upright(scene, pitch):
    camera = scene.camera
    camera.rotation_euler = (LEVEL + math.radians(pitch), 0, 0)
    way = Vector((0, math.cos(math.radians(pitch)), math.sin(math.radians(pitch))))
    key(camera, "location", {1: HOME, 49: HOME + 2.0 * way})
    assert words(scene) == ["push_in"]
    key(camera, "location", {1: HOME, 49: HOME + Vector((0, 0, 2))})
    assert words(scene) == ["pedestal_up"]
    key(camera, "location", {1: HOME, 49: HOME + Vector((0, 2, 0))})
    assert words(scene) == ["push_in"]


def aim(camera, pitch, heading=0.0):
    """Degrees up from level, and clockwise from north."""
    camera.rotation_euler = (LEVEL + math.radians(pitch), 0, math.radians(-heading))


@pytest.mark.parametrize("pitch,heading", [(-20, -20), (-20, 40), (-8, -30), (15, 20), (-50, 25), (-66, 15), (40, -35)])
def test_a_level_dolly_off_the_heading_does_not_rise(scene, pitch, heading):
    aim(scene.camera, pitch, heading)
    key(scene.camera, "location", {1: (0, -24, 5), 49: (0, -12, 5)})
    found = {move.kind: move.amount for move in moves_of(scene)}
    ahead, across = 12 * math.cos(math.radians(heading)), 12 * math.sin(math.radians(abs(heading)))
    side = "truck_left" if heading > 0 else "truck_right"
    assert found == {"push_in": pytest.approx(ahead, abs=0.01), side: pytest.approx(across, abs=0.01)}


def test_a_level_dolly_of_a_leaning_camera_does_not_rise(scene):
    look_at(scene.camera, HOME + Vector((0, 4, -1)), roll_deg=20)
    key(scene.camera, "location", {1: HOME, 49: HOME + Vector((4, 0, 0))})
    assert words(scene) == ["truck_right"]


@pytest.mark.parametrize(
    "rise,told",
    [(1.5, {"push_in": 10.0, "pedestal_up": 1.5}), (-1.0, {"push_in": 10.18}),
     (-7.0, {"push_in": 10.64, "pedestal_down": 3.36})],
)  # fmt: skip
def test_a_rise_is_one_of_the_camera(scene, rise, told):
    """Looking 20 degrees down and going forward: only a camera that goes up rises; a little down lies on the way of the
    view axis, and what goes down beyond it sinks."""
    aim(scene.camera, -20)
    key(scene.camera, "location", {1: (0, -24, 9), 49: (0, -14, 9 + rise)})
    found = {move.kind: move.amount for move in moves_of(scene)}
    assert found == {kind: pytest.approx(amount, abs=0.02) for kind, amount in told.items()}


def test_down_first_and_level_then(scene):
    aim(scene.camera, -20)
    key(scene.camera, "location", {1: (0, -20, 8), 25: (0, -20, 4), 49: (2, -14, 4)})
    found = {move.kind: (move.frame_start, move.frame_end) for move in moves_of(scene)}
    assert found == {"pedestal_down": (1, 25), "push_in": (25, 49), "truck_right": (25, 49)}


def test_from_above_over_the_ground_is_no_push(scene):
    aim(scene.camera, -76)
    key(scene.camera, "location", {1: (0, -4, 15), 49: (0, 2, 15)})
    (move,) = moves_of(scene)
    assert (move.kind, move.amount) == ("tracking", pytest.approx(6.0, abs=0.01))


def test_what_is_undone_gives_way_to_what_lasts(scene):
    roll = math.radians(45)
    key(scene.camera, "rotation_euler", {1: (LEVEL, 0, 0), 25: (LEVEL, roll, 0), 49: (LEVEL, 0, 0)})
    key(scene.camera, "location", {1: HOME, 49: HOME - Vector((0, 10, 0))})
    assert words(scene)[0] == "pull_back" and sorted(words(scene)[1:]) == ["roll_clockwise", "roll_counterclockwise"]


@pytest.mark.parametrize("kind,end", [("zoom_in", 85.0), ("zoom_out", 28.0)])
def test_zoom(scene, kind, end):
    key(scene.camera.data, "lens", {1: 50.0, 49: end})
    (move,) = moves_of(scene)
    assert (move.kind, move.unit, move.amount) == (kind, "mm", pytest.approx(abs(end - 50.0), abs=0.01))


def orbit(scene, start, sweep, radius=10.0, height=1.0, end_radius=None, aim=(0, 0, 1)):
    """Camera on a circle around the crate: compass azimuth of the camera from `start` by `sweep` degrees."""
    camera = scene.camera
    for frame in range(1, 50):
        part = (frame - 1) / 48.0
        angle = math.radians(start + sweep * part)
        reach = radius + ((end_radius or radius) - radius) * part
        camera.location = (math.sin(angle) * reach, math.cos(angle) * reach, height)
        look_at(camera, aim)
        turn = camera.rotation_euler.copy()
        camera.rotation_euler = turn
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)


# South of the crate, looking north, the camera's left is west: clockwise seen from above, azimuth growing.
@pytest.mark.parametrize("kind,sweep", [("arc_left", 40), ("arc_right", -40), ("arc_left", 170), ("arc_right", -20)])
@pytest.mark.parametrize("height", [1.0, 5.0])
def test_arc(scene, kind, sweep, height):
    orbit(scene, 180.0, sweep, height=height)
    (move,) = moves_of(scene)
    assert (move.kind, move.unit) == (kind, "deg")
    assert move.amount == pytest.approx(abs(sweep), abs=1.0)


@pytest.mark.parametrize("turn,kind", [(-50, "arc_left"), (50, "arc_right")])
def test_arc_by_a_turning_parent(scene, turn, kind):
    pivot = link(scene, "Pivot")
    scene.camera.parent = pivot
    key(pivot, "rotation_euler", {1: (0, 0, 0), 49: (0, 0, math.radians(turn))}, "BEZIER")
    (move,) = moves_of(scene)
    assert move.kind == kind
    assert move.amount == pytest.approx(50.0, abs=0.5)
    assert (move.frame_start, move.frame_end) == (1, 49)


def test_arc_that_comes_nearer(scene):
    orbit(scene, 180.0, 60.0, end_radius=6.0)
    assert words(scene) == ["arc_left", "push_in"]
    assert moves_of(scene)[1].amount == pytest.approx(4.0, abs=0.1)


def test_passing_by_while_looking_is_no_arc(scene):
    camera = scene.camera
    for frame in range(1, 50):
        camera.location = (-4.0 + 8.0 * (frame - 1) / 48.0, -10.0, 1.0)
        look_at(camera, (0, 0, 1))
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    assert set(words(scene)) >= {"truck_right", "pan_left"}
    assert not {"arc_left", "arc_right"} & set(words(scene))


def test_track_to_constraint_orbit(scene):
    goal = link(scene, "Goal", location=(0, 0, 1))
    track = scene.camera.constraints.new("TRACK_TO")
    track.target, track.track_axis, track.up_axis = goal, "TRACK_NEGATIVE_Z", "UP_Y"
    pivot = link(scene, "Pivot")
    scene.camera.parent = pivot
    key(pivot, "rotation_euler", {1: (0, 0, 0), 49: (0, 0, math.radians(-70))})
    (move,) = moves_of(scene)
    assert (move.kind, move.amount) == ("arc_left", pytest.approx(70.0, abs=0.5))


def test_combination_strongest_first(scene):
    key(scene.camera, "location", {1: HOME, 49: HOME + Vector((0, 5, 0))})
    key(scene.camera, "rotation_euler", {1: (LEVEL, 0, 0), 49: (LEVEL + math.radians(4), 0, 0)})
    assert words(scene) == ["push_in", "tilt_up"]


def test_one_after_the_other(scene):
    key(scene.camera, "location", {1: HOME, 24: HOME + Vector((0, 4, 0))})
    key(scene.camera, "rotation_euler", {25: (LEVEL, 0, 0), 40: (LEVEL, 0, math.radians(-20))})
    found = {move.kind: (move.frame_start, move.frame_end) for move in moves_of(scene)}
    assert found == {"push_in": (1, 24), "pan_right": (25, 40)}


def test_there_and_back(scene):
    right = math.radians(-25)
    key(scene.camera, "rotation_euler", {1: (LEVEL, 0, 0), 25: (LEVEL, 0, right), 49: (LEVEL, 0, 0)})
    assert sorted(words(scene)) == ["pan_left", "pan_right"]


@pytest.mark.parametrize("step", [(4, 0, 0), (0, 4, 0)])
def test_tracking(scene, step):
    crate = scene.objects["Crate"]
    start = crate.location.copy()
    key(crate, "location", {1: start, 49: start + Vector(step)})
    key(scene.camera, "location", {1: HOME, 49: HOME + Vector(step)})
    (move,) = moves_of(scene)
    assert (move.kind, move.unit, move.amount) == ("tracking", "m", pytest.approx(4.0, abs=0.05))


def test_following_by_pan_alone_is_a_pan(scene):
    crate = scene.objects["Crate"]
    goal = scene.camera.constraints.new("TRACK_TO")
    goal.target, goal.track_axis, goal.up_axis = crate, "TRACK_NEGATIVE_Z", "UP_Y"
    key(crate, "location", {1: (-3, 0, 1), 49: (3, 0, 1)})
    assert words(scene) == ["pan_right"]


@pytest.mark.parametrize("end", [-5.0, -20.0])
def test_dolly_zoom(scene, end):
    key(scene.camera, "location", {1: HOME, 49: (0, end, 1)})
    key(scene.camera.data, "lens", {1: 50.0, 49: 50.0 * end / -10.0})
    (move,) = moves_of(scene)
    assert (move.kind, move.unit, move.amount) == ("dolly_zoom", "m", pytest.approx(abs(end + 10.0), abs=0.1))


def test_handheld(scene):
    scene.frame_end = 120
    camera = scene.camera
    key(camera, "rotation_euler", {1: (LEVEL, 0, 0)})
    for index, curve in enumerate(compat.fcurves(camera)):
        noise = curve.modifiers.new("NOISE")
        noise.strength, noise.scale, noise.phase = 0.03, 12.0, 10.0 * index
    assert words(scene) == ["handheld"]
    key(camera, "location", {1: HOME, 120: HOME + Vector((0, 5, 0))})
    assert set(words(scene)) == {"handheld", "push_in"}


def test_handheld_by_keys(scene):
    camera = scene.camera
    for frame in range(1, 50):
        sway = math.radians(0.4)
        tilt, pan = sway * math.sin(frame * 1.1), sway * math.sin(frame * 0.9 + 1.0)
        camera.rotation_euler = (LEVEL + tilt, 0, pan)
        camera.keyframe_insert("rotation_euler", frame=frame)
    assert words(scene) == ["handheld"]


def test_mirrored_move_swaps_sides(scene):
    orbit(scene, 150.0, 50.0)
    one = words(scene)
    orbit(scene, -150.0, -50.0)
    assert (one, words(scene)) == (["arc_left"], ["arc_right"])


def test_straight_down(scene):
    camera = scene.camera
    camera.location, camera.rotation_euler = (0, 0, 12), (0, 0, 0)
    key(camera, "location", {1: (0, 0, 12), 49: (0, 0, 8)})
    assert words(scene) == ["push_in"]
    key(camera, "location", {1: (0, 0, 12), 49: (0, 0, 12)})
    key(camera, "rotation_euler", {1: (0, 0, 0), 49: (0, 0, math.radians(-40))})
    assert words(scene) == ["roll_clockwise"]


def test_unit_scale_counts(scene):
    scene.unit_settings.scale_length = 0.1
    key(scene.camera, "location", {1: HOME, 49: HOME + Vector((0, 3, 0))})
    (move,) = moves_of(scene)
    assert (move.kind, move.amount) == ("push_in", pytest.approx(0.3, abs=0.001))


def test_close_keys_are_no_hand(scene):
    """A circle keyed every second frame, and a crane keyed every fifth with the camera held on its subject."""
    camera, middle = scene.camera, Vector((0, 0, 1))
    scene.frame_end = 120
    for frame in range(1, 121, 2):
        angle = math.radians(170.0 * (frame - 1) / 118.0 - 90.0)
        camera.location = middle + Vector((8 * math.cos(angle), 8 * math.sin(angle), 0.8))
        look_at(camera, middle)
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    assert words(scene) == ["arc_right"]
    camera.animation_data_clear()
    scene.frame_end = 96
    for frame in range(1, 97, 5):
        camera.location = (0, -9, 1.5 + 9.0 * (frame - 1) / 95.0)
        look_at(camera, middle)
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    assert sorted(words(scene)) == ["pedestal_up", "tilt_down"]
