# SPDX-License-Identifier: GPL-3.0-or-later
"""Directions and their names, without a scene."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from wan_previs.scene import geometry as g
from wan_previs.scene.subjects.framing import SIZES, camera_angle, shot_size

azimuths = st.floats(0.0, 359.9)
elevations = st.floats(-89.0, 89.0)


def level_pose(heading):
    forward = g.direction_from(heading, 0.0)
    return g.Pose(np.zeros(3), np.cross(forward, [0, 0, 1]), np.array([0.0, 0.0, 1.0]), forward)


@given(azimuths, elevations)
def test_direction_and_back(azimuth, elevation):
    direction = g.direction_from(azimuth, elevation)
    assert np.linalg.norm(direction) == pytest.approx(1.0)
    assert g.elevation_deg(direction) == pytest.approx(elevation, abs=1e-6)
    assert (g.azimuth_deg(direction) - azimuth + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("direction,azimuth", [((0, 1, 0), 0), ((1, 0, 0), 90), ((0, -1, 0), 180), ((-1, 0, 0), 270)])
def test_compass(direction, azimuth):
    assert g.azimuth_deg(direction) == azimuth


@given(azimuths, elevations, st.floats(-720.0, 720.0))
def test_turning_the_world_turns_azimuths(azimuth, elevation, turn):
    turned = g.direction_from(azimuth + turn, elevation)
    assert (g.azimuth_deg(turned, turn) - azimuth + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1e-6)


@given(azimuths, azimuths, elevations)
def test_mirrored_scenes_swap_left_and_right(sun, heading, elevation):
    assume(abs((sun - heading + 22.5) % 45.0) > 1e-6 and abs((heading - sun + 22.5) % 45.0) > 1e-6)
    seen = g.sector(g.direction_from(sun, elevation), level_pose(heading))
    mirrored = g.sector(g.direction_from(-sun, elevation), level_pose(-heading))
    swap = {"left": "right", "right": "left"}
    expected = seen and "_".join(swap.get(word, word) for word in seen.split("_"))
    assert mirrored == expected


@pytest.mark.parametrize(
    "turn,name",
    [(0, "back"), (45, "back_right"), (90, "right"), (135, "front_right"), (180, "front"), (225, "front_left"),
     (270, "left"), (315, "back_left"), (22.4, "back"), (22.6, "back_right"), (-22.4, "back")],
)  # fmt: skip
def test_sectors(turn, name):
    assert g.sector(g.direction_from(30.0 + turn, 40.0), level_pose(30.0)) == name


def test_sector_by_height():
    pose = level_pose(0.0)
    assert g.sector(g.direction_from(10.0, 70.0), pose) == "top"
    assert g.sector(g.direction_from(10.0, -5.9), pose) == "back"
    assert g.sector(g.direction_from(10.0, -6.1), pose) is None
    assert g.sector(g.direction_from(10.0, -40.0), pose, below_horizon=True) == "back"


def test_straight_down_camera_heads_along_its_up():
    rows = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 64, 0, 0, 0, 1]  # an untouched camera looks down, up is north
    pose = g.Pose.from_matrix(rows)
    assert g.azimuth_deg(pose.heading) == 0.0
    assert g.sector(g.direction_from(90.0, 20.0), pose) == "right"


@pytest.mark.parametrize(
    "azimuth,elevation,rising,name",
    [(90, -6.1, True, "night"), (90, -6, True, "dawn"), (270, -6, False, "dusk"), (90, 0, True, "sunrise"),
     (90, -0.01, True, "dawn"), (270, 9.99, False, "sunset"), (100, 10, True, "morning"), (260, 10, False, "afternoon"),
     (260, 60, False, "midday"), (260, 59.9, False, "afternoon"), (165, 20, True, "midday"), (195, 20, False, "midday"),
     (164, 20, True, "morning"), (196, 20, False, "afternoon")],
)  # fmt: skip
def test_time_of_day(azimuth, elevation, rising, name):
    assert g.time_of_day(azimuth, elevation, rising) == name


def test_rising_is_the_slope_at_each_end_else_the_half():
    assert g.rising_at_ends([200, 210, 220], [30, 31, 30]) == (True, False)
    assert g.rising_at_ends([250, 250], [5, 8]) == (True, True)
    assert g.rising_at_ends([90, 90], [5, 5]) == (True, True)
    assert g.rising_at_ends([270, 270], [5, 5]) == (False, False)


@pytest.mark.parametrize("roll", [-170.0, -30.0, -8.0, 0.0, 12.0, 90.0])
def test_roll_is_clockwise_from_behind(roll):
    angle = math.radians(roll)
    up = np.array([math.sin(angle), 0.0, math.cos(angle)])  # the body's top leans to the right
    forward = np.array([0.0, 1.0, 0.0])
    assert g.Pose(np.zeros(3), np.cross(forward, up), up, forward).roll_deg == pytest.approx(roll)


NOISE = st.sampled_from((-3e-6, 0.0, 3e-6))
"""Degrees by which single precision misses what was set."""


@given(st.sampled_from((-6.0, 0.0, 10.0, 60.0)), st.sampled_from((165.0, 195.0, 90.0)), NOISE, NOISE, st.booleans())
def test_a_bound_that_rounding_misses_is_met(elevation, azimuth, noise, other, rising):
    assert g.time_of_day(azimuth + other, elevation + noise, rising) == g.time_of_day(azimuth, elevation, rising)


@given(st.sampled_from((0.0, 22.5, 67.5, 112.5, 202.5)), st.sampled_from((-6.0, 20.0, 70.0)), NOISE, NOISE)
def test_a_sector_that_rounding_misses_is_met(azimuth, elevation, noise, other):
    exact, near = (g.direction_from(azimuth + a, elevation + e) for a, e in ((0.0, 0.0), (noise, other)))
    assert g.sector(near, level_pose(0.0)) == g.sector(exact, level_pose(0.0))


@given(st.sampled_from((-70.0, -12.0, 12.0)), st.sampled_from((0.0, 8.0, -8.0)), NOISE, NOISE)
def test_an_angle_that_rounding_misses_is_met(pitch, roll, noise, other):
    exact, near = (tipped_pose(pitch + a, roll + b) for a, b in ((0.0, 0.0), (noise, other)))
    assert camera_angle(near, 15.0 + noise) == camera_angle(exact, 15.0)


@given(st.sampled_from([limit for limit, _ in SIZES]), NOISE)
def test_a_size_that_rounding_misses_is_met(height, noise):
    assert shot_size(height + noise) == shot_size(height)


def tipped_pose(pitch, roll):
    """Looks north, up by the pitch, turned clockwise by the roll, degrees."""
    forward = g.direction_from(0.0, pitch)
    right, up = np.array([1.0, 0.0, 0.0]), np.cross([1.0, 0.0, 0.0], forward)
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    return g.Pose(np.zeros(3), c * right - s * up, c * up + s * right, forward)
