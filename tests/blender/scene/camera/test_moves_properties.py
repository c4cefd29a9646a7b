# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera does keeps its name when the world turns, and swaps it when the world is mirrored or time runs back."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wan_previs.scene.camera.moves import classify
from wan_previs.scene.camera.path import take_apart
from wan_previs.scene.geometry import Pose, direction_from

FPS, COUNT = 24.0, 49
TARGET = np.array([0.0, 0.0, 1.0])
MIRRORED = {
    "truck_left": "truck_right", "pan_left": "pan_right", "roll_clockwise": "roll_counterclockwise",
    "arc_left": "arc_right",
}  # fmt: skip
REVERSED = {**MIRRORED, "push_in": "pull_back", "pedestal_up": "pedestal_down", "tilt_up": "tilt_down",
            "zoom_in": "zoom_out"}  # fmt: skip


def both_ways(table):
    return {**table, **{b: a for a, b in table.items()}}


@dataclasses.dataclass
class Take:
    """A camera at every frame: positions, view axes, up vectors, lenses, and the place of a subject."""

    position: np.ndarray
    forward: np.ndarray
    up: np.ndarray
    lens: np.ndarray
    target: np.ndarray

    def moves(self):
        axes = zip(self.position, self.forward, self.up, strict=True)
        poses = [Pose(place, np.cross(forward, up), up, forward) for place, forward, up in axes]
        path = take_apart(range(1, len(poses) + 1), poses, self.lens.tolist(), 0.72, 0.405)
        return classify(path, FPS, [self.target])

    def changed(self, matrix, offset=(0.0, 0.0, 0.0)):
        turn = {name: getattr(self, name) @ matrix.T for name in ("forward", "up")}
        place = {name: getattr(self, name) @ matrix.T + offset for name in ("position", "target")}
        return dataclasses.replace(self, **turn, **place)

    def backwards(self):
        return Take(*(getattr(self, field.name)[::-1] for field in dataclasses.fields(self)))


def take(heading, pitch, roll, place, lens, target):
    """Angles in degrees at every frame; pitch within 60 degrees."""
    forward = np.array([direction_from(h, p) for h, p in zip(heading, pitch, strict=True)])
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    level = np.cross(right, forward)
    angle = np.radians(roll)[:, None]
    up = level * np.cos(angle) + right * np.sin(angle)
    return Take(place, forward, up, lens, target)


def eased(part):
    return part * part * (3.0 - 2.0 * part)


@st.composite
def takes(draw):
    """Up to three simple moves, each within a stretch of the shot, one per channel, clearly large enough."""
    ramp = np.linspace(0.0, 1.0, COUNT)
    channels = {name: np.zeros(COUNT) for name in ("x", "y", "z", "pan", "tilt", "roll", "lens")}
    for name in draw(st.lists(st.sampled_from(sorted(channels)), min_size=1, max_size=3, unique=True)):
        begin, length = draw(st.sampled_from([0.0, 0.2, 0.5])), draw(st.sampled_from([0.4, 0.5, 1.0]))
        part = np.clip((ramp - begin) / min(length, 1.0 - begin), 0.0, 1.0)
        sizes = {"x": 3.0, "y": 4.0, "z": 2.5, "pan": 25.0, "tilt": 20.0, "roll": 25.0, "lens": 30.0}
        amount = sizes[name] * draw(st.sampled_from([0.6, 1.0])) * draw(st.sampled_from([-1.0, 1.0]))
        channels[name] = amount * (eased(part) if draw(st.booleans()) else part)
    base = np.array([draw(st.sampled_from([-2.0, 0.0])), -10.0, 1.5])
    place = base + np.stack([channels["x"], channels["y"], channels["z"]], axis=1)
    target = np.repeat(TARGET[None], COUNT, axis=0)
    return take(channels["pan"], channels["tilt"], channels["roll"], place, 50.0 + channels["lens"], target)


def kinds(moves):
    return [move.kind for move in moves]


def facts(moves):
    return {(m.kind, m.frame_start, m.frame_end, m.unit): m.amount for m in moves}


@settings(max_examples=60, deadline=None)
@given(takes(), st.floats(-180.0, 180.0), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_turning_and_shifting_the_world_changes_nothing(shot, turn, x, y):
    a = math.radians(turn)
    matrix = np.array([[math.cos(a), -math.sin(a), 0.0], [math.sin(a), math.cos(a), 0.0], [0.0, 0.0, 1.0]])
    before, after = facts(shot.moves()), facts(shot.changed(matrix, (x, y, 30.0)).moves())
    assert before.keys() == after.keys()
    for key, amount in before.items():
        assert after[key] == pytest.approx(amount, rel=1e-3, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(takes())
def test_mirroring_swaps_left_and_right(shot):
    swap = both_ways(MIRRORED)
    mirrored = shot.changed(np.diag([-1.0, 1.0, 1.0]))
    assert kinds(mirrored.moves()) == [swap.get(kind, kind) for kind in kinds(shot.moves())]


@settings(max_examples=200, deadline=None)
@given(takes())
def test_running_time_back_turns_moves_around(shot):
    swap = both_ways(REVERSED)
    expected = sorted(swap.get(kind, kind) for kind in kinds(shot.moves()))
    assert sorted(kinds(shot.backwards().moves())) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-58.0, 58.0), st.floats(-180.0, 180.0), st.sampled_from([0.0, 0.0, -25.0, 12.0]),
    st.tuples(st.floats(-12.0, 12.0), st.floats(-12.0, 12.0), st.sampled_from([0.0, 0.0, 0.6, -0.6, 4.0, -4.0])),
)  # fmt: skip
def test_words_are_true_of_the_path_in_the_world(pitch, heading, roll, way):
    """Whatever a straight travel is called: a rise is a rise of the camera, by no more than it has; forward is forward,
    and right is right."""
    ramp, zeros = np.linspace(0.0, 1.0, COUNT), np.zeros(COUNT)
    place = np.array([-2.0, -20.0, 6.0]) + np.outer(eased(ramp), way)
    target = np.repeat(TARGET[None], COUNT, axis=0)
    moves = take(zeros + heading, zeros + pitch, zeros + roll, place, zeros + 50.0, target).moves()
    ahead, across = direction_from(heading, 0.0) @ way, direction_from(heading + 90.0, 0.0) @ way
    for move in moves:
        amount = move.amount or 0.0
        if move.kind.startswith("pedestal"):
            rise = way[2] if move.kind == "pedestal_up" else -way[2]
            assert rise > 0.0 and amount <= rise + 1e-6
        if move.kind in ("push_in", "pull_back"):
            assert ahead * (1 if move.kind == "push_in" else -1) > -1e-6 or abs(roll) > 0.0 or abs(way[2]) > 0.0
        if move.kind.startswith("truck") and not roll:
            assert across * (1 if move.kind == "truck_right" else -1) == pytest.approx(amount, abs=1e-6)
    if way[2] == 0.0:
        assert not {"pedestal_up", "pedestal_down"} & set(kinds(moves))
        for move in moves:
            if move.unit == "m":
                expected = ahead if move.kind in ("push_in", "pull_back") else across
                assert abs(expected) == pytest.approx(move.amount, abs=1e-6)


@pytest.mark.parametrize("seconds", [3, 20])
@pytest.mark.parametrize("seed", range(3))
def test_a_shaking_level_dolly_never_rises(seed, seconds):
    """Swaying up and down does not add up over a long shot."""
    count = seconds * 24 + 1
    ramp, time = np.linspace(0.0, 1.0, count), np.arange(count) / FPS
    generator = np.random.default_rng(seed)
    waves = [(generator.uniform(0.7, 1.8), generator.uniform(0.0, 6.0)) for _ in range(6)]
    shake = [sum(np.sin(2 * math.pi * f * k * time + p) / k for k in (1, 2.3)) for f, p in waves]
    place = np.array([0.0, -24.0, 5.0]) + np.outer(ramp, [2.0, 12.0, 0.0]) + 0.006 * np.stack(shake[:3], axis=1)
    target = np.repeat(TARGET[None], count, axis=0)
    shot = take(0.35 * shake[3], -20.0 + 0.3 * shake[4], 0.1 * shake[5], place, np.full(count, 50.0), target)
    assert kinds(shot.moves()) == ["push_in", "truck_right", "handheld"]


def test_swaying_in_one_channel_gives_way_to_what_stays():
    """However often the camera rolls to and fro, the pull-back that doubles the distance comes first."""
    ramp, zeros = np.linspace(0.0, 1.0, COUNT), np.zeros(COUNT)
    place = np.array([0.0, -10.0, 1.0]) + np.outer(ramp, [0.0, -10.0, 0.0])
    target = np.repeat(TARGET[None], COUNT, axis=0)
    for turns, size in ((1, 70.0), (2, 50.0), (4, 30.0)):
        roll = size * np.abs(np.sin(math.pi * turns * ramp))
        moves = take(zeros, zeros, roll, place, zeros + 50.0, target).moves()
        assert kinds(moves)[0] == "pull_back" and {"roll_clockwise", "roll_counterclockwise"} < set(kinds(moves))


@settings(max_examples=40, deadline=None)
@given(st.floats(-1.0, 1.0), st.floats(0.0, 0.4), st.floats(0.0, 0.004))
def test_tiny_drifts_are_static(x, pan, wobble):
    ramp = np.linspace(0.0, 1.0, COUNT)
    place = np.array([0.0, -10.0, 1.5]) + np.outer(ramp, [0.05 * x, 0.0, 0.0]) + wobble * np.sin(ramp)[:, None]
    zeros, target = np.zeros(COUNT), np.repeat(TARGET[None], COUNT, axis=0)
    assert kinds(take(pan * ramp, zeros, zeros, place, zeros + 50.0, target).moves()) == ["static"]


@settings(max_examples=60, deadline=None)
@given(st.floats(12.0, 300.0), st.floats(0.0, 359.0), st.floats(2.0, 30.0), st.sampled_from([-1.0, 1.0]))
def test_any_orbit_is_an_arc(sweep, start, radius, way):
    azimuths = start + way * sweep * np.linspace(0.0, 1.0, COUNT)
    target = np.repeat(TARGET[None], COUNT, axis=0)
    place = TARGET + radius * np.array([direction_from(azimuth, 10.0) for azimuth in azimuths])
    zeros = np.zeros(COUNT)
    (move,) = take(azimuths + 180.0, zeros - 10.0, zeros, place, zeros + 50.0, target).moves()
    assert move.kind == ("arc_left" if way > 0.0 else "arc_right")
    assert move.amount == pytest.approx(sweep, rel=0.03, abs=1.0)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 360.0), st.floats(2.0, 20.0), st.floats(-0.3, 0.3))
def test_keeping_up_with_a_moving_subject_is_tracking(heading, length, rise):
    ramp = np.linspace(0.0, 1.0, COUNT)
    target = TARGET + np.outer(eased(ramp) * length, direction_from(heading, math.degrees(rise)))
    place = target + np.array([0.0, -6.0, 0.5])
    zeros = np.zeros(COUNT)
    (move,) = take(zeros, zeros, zeros, place, zeros + 35.0, target).moves()
    assert (move.kind, move.unit) == ("tracking", "m")
    assert move.amount == pytest.approx(length, rel=0.01)


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_a_dolly_zoom_at_any_size(size):
    ramp = np.linspace(0.0, 1.0, COUNT)
    place = size * np.array([0.0, -10.0, 1.0]) + size * np.outer(eased(ramp), [0.0, 5.0, 0.0])
    target = np.repeat(size * TARGET[None], COUNT, axis=0)
    zeros = np.zeros(COUNT)
    lens = 50.0 * -place[:, 1] / (10.0 * size)
    moves = take(zeros, zeros, zeros, place, lens, target).moves()
    assert kinds(moves) == ["dolly_zoom"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("extra", ["none", "push_in", "pan_right", "arc_left"])
def test_handheld_on_top_of_a_move(seed, extra):
    count = 97
    ramp = np.linspace(0.0, 1.0, count)
    generator = np.random.default_rng(seed)
    waves = [(generator.uniform(0.7, 1.8), generator.uniform(0.0, 6.0)) for _ in range(6)]
    time = np.arange(count) / FPS
    shake = [sum(np.sin(2 * math.pi * f * k * time + p) / k for k in (1, 2.3)) for f, p in waves]
    pan = 30.0 * eased(ramp) if extra == "pan_right" else np.zeros(count)
    place = np.array([0.0, -10.0, 1.0]) + np.outer(eased(ramp), [0.0, 4.0 if extra == "push_in" else 0.0, 0.0])
    if extra == "arc_left":
        pan = 40.0 * eased(ramp)
        place = TARGET + 10.0 * np.array([direction_from(180.0 + a, 0.0) for a in pan])
    place = place + 0.006 * np.stack(shake[:3], axis=1)
    target = np.repeat(TARGET[None], count, axis=0)
    shot = take(pan + 0.35 * shake[3], 0.3 * shake[4], 0.1 * shake[5], place, np.full(count, 50.0), target)
    assert set(kinds(shot.moves())) == {"handheld", extra} - {"none"}
