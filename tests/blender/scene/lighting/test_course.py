# SPDX-License-Identifier: GPL-3.0-or-later
"""Where sunlight turns between the first and the last frame, and what the brief says of each stretch."""

import numpy as np
import pytest
from scene_makers import add_camera, add_lamp, aim_sun, key
from wan_previs.scene.brief import Brief
from wan_previs.scene.geometry import direction_from
from wan_previs.scene.lighting import shadows
from wan_previs.scene.lighting.course import turning_points, zigzag
from wan_previs.scene.reader import read_brief


def turns(elevations, azimuths=None, strengths=None, kelvins=None):
    count = len(elevations)
    frames = [1 + 10 * index for index in range(count)]
    directions = [direction_from(a, e) for a, e in zip(azimuths or [120] * count, elevations, strict=True)]
    return turning_points(frames, directions, strengths or [None] * count, kelvins or [None] * count)


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        ((0, 5, 0), [1]),
        ((0, 5, 3, 8), [1, 2]),
        ((0, 1, 2, 3), []),
        ((3, 3, 3), []),
        ((0, 0.5, 0), []),
        ((0, 4, 4, 4, 0), [2]),
        ((5, 5, 0, 0, 0, 5), [3]),
        ((0, 3, 2.5, 4, 0), [3]),
    ],
)
def test_peaks_and_dips_of_a_track(track, expected):
    assert [index for _, index in zigzag(track)] == expected


def test_a_turn_in_height_side_strength_or_colour():
    assert turns([8, 34, 60, 34, 8]) == [2]
    assert turns([5, -40, 5]) == [1]
    assert turns([30] * 3, azimuths=[90, 150, 90]) == [1]
    assert turns([30] * 3, strengths=[4.0, 0.2, 4.0]) == [1]
    assert turns([30] * 3, kelvins=[6500.0, 2800.0, 6500.0]) == [1]


def test_what_only_goes_on_has_no_turn():
    assert turns([5, 20, 40], azimuths=[350, 20, 50], strengths=[1.0, 2.0, 4.0], kelvins=[2500.0, 4000.0, 6000.0]) == []
    assert turns([30, 31, 30], strengths=[4.0, 3.5, 4.0]) == []
    assert turns([-30] * 3, strengths=[4.0, 0.2, 4.0]) == []  # below the horizon nothing is seen of it


def test_turns_of_one_moment_are_one_and_the_clearest_are_kept():
    assert turns([8, 60, 8], strengths=[1.0, 6.0, 1.0], kelvins=[2500.0, 6000.0, 2500.0]) == [1]
    assert turns([30] * 9, strengths=[1, 2, 1, 2, 0.5, 9, 0.1, 4, 1]) == [4, 5, 6]


def test_the_brief_has_the_sun_of_each_stretch(blank_scene):
    add_camera(blank_scene)
    blank_scene.frame_start, blank_scene.frame_end = 1, 61
    lamp = add_lamp(blank_scene)
    for frame, azimuth, elevation in ((1, 100, 8), (31, 180, 60), (61, 260, 8)):
        aim_sun(lamp, azimuth, elevation, frame)
    key(lamp.data, "energy", {1: 2.0, 31: 2.0, 61: 2.0})
    brief, _ = read_brief(blank_scene)
    sun = brief.shots[0].sun
    up, down = sun.stretches
    assert up.samples[0] == sun.samples[0] and down.samples[-1] == sun.samples[-1]
    assert up.samples[-1].frame == down.samples[0].frame and abs(up.samples[-1].frame - 31) <= 2
    assert (up.time_of_day.start, up.time_of_day.end, down.time_of_day.end) == ("sunrise", "midday", "sunset")
    assert (up.shadows.change, down.shadows.change) == ("shorten", "lengthen")
    assert up.relative_to_camera.end == down.relative_to_camera.start == "front"
    assert Brief.from_json(brief.to_json()) == brief


def test_a_night_between_two_evenings_has_shadows_only_at_its_ends(blank_scene):
    add_camera(blank_scene)
    blank_scene.frame_start, blank_scene.frame_end = 1, 61
    lamp = add_lamp(blank_scene)
    for frame, elevation in ((1, 5), (31, -40), (61, 5)):
        aim_sun(lamp, 270, elevation, frame)
    first, last = read_brief(blank_scene)[0].shots[0].sun.stretches
    assert first.time_of_day.end == last.time_of_day.start == "night"
    assert (first.shadows.fall.start, first.shadows.fall.end) == ("right", None)
    assert (last.shadows.fall.start, last.shadows.fall.end) == (None, "right")


@pytest.mark.parametrize(
    ("start", "end", "slide"), [(90, 180, "right"), (180, 270, "right"), (179, 271, "right"), (181, 269, "right")]
)
def test_shadows_that_go_as_far_across_as_ahead_are_told_across(start, end, slide):
    assert shadows._slide(np.array([start, end], dtype=float)) == slide
