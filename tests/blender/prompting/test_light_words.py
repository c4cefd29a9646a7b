# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of scenes whose light or camera comes back, goes on, or only seems to: every sentence must be true."""

import math

import pytest
from prompt_scenes import boxes, camera, ground, sun
from reading_rules import chinese_faults, english_faults
from scene_makers import look_at
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.scene.reader import read_brief


@pytest.fixture
def scene(blank_scene):
    blank_scene.frame_start, blank_scene.frame_end = 1, 72
    ground(blank_scene), boxes(blank_scene, ("Statue", 0, 0))
    return blank_scene


def told(scene):
    """The English and the Chinese prompt of a scene's only shot; both keep to the rules."""
    brief, _ = read_brief(scene)
    prompt = build_prompt(brief, brief.shots[0])
    english, chinese = prompt_text(prompt), prompt_text(prompt, "zh")
    assert english_faults(english) == [] and chinese_faults(chinese) == []
    return english, chinese


def test_every_rise_of_a_sun_that_rises_twice_is_told(scene):
    sun(scene, {1: (150, 5), 18: (150, 50), 36: (150, 10), 54: (150, 50), 72: (150, 5)})
    camera(scene)
    english, chinese = told(scene)
    ways = ["rises far,", "sinks far,", "rises far again", "sinks far again", "as it was at first"]
    assert [english.index(way) for way in ways] == sorted(english.index(way) for way in ways)
    assert "再次大幅升高" in chinese and "再次大幅下沉" in chinese


@pytest.mark.parametrize(
    ("strengths", "words"),
    [
        ({1: 4.0, 36: 8.0, 72: 1.0}, "weaker than at first"),
        ({1: 4.0, 24: 1.0, 48: 4.0, 72: 1.0}, "weaker than at first"),
        ({1: 1.0, 24: 4.0, 48: 0.9, 72: 3.0}, "stronger than at first"),
        ({1: 4.0, 36: 0.3, 72: 3.9}, "as it was at first"),
    ],
)
def test_a_strength_that_ends_elsewhere_does_not_come_back(scene, strengths, words):
    sun(scene, {1: (150, 40)}, strengths)
    camera(scene)
    english, chinese = told(scene)
    assert words in english and ("比开始时" in chinese) == ("than" in words)
    assert ("as it was at first" in english) == (words == "as it was at first")


@pytest.mark.parametrize("strengths", [{1: 4.0, 72: 2.9}, {1: 4.0, 36: 2.9, 72: 4.0}])
def test_a_sun_that_fades_a_little_is_not_said_to_stay(scene, strengths):
    sun(scene, {1: (150, 40)}, strengths)
    camera(scene)
    assert "does not change" not in told(scene)[0]


def test_a_low_sun_that_ends_lower_does_not_come_back(scene):
    sun(scene, {1: (150, 9), 36: (150, 60), 72: (150, 1)})
    camera(scene)
    assert "as it was at first" not in told(scene)[0]


@pytest.mark.parametrize("pull", [True, False])
def test_a_roll_that_is_undone_is_not_told_by_half(scene, pull):
    sun(scene, {1: (150, 40)})
    item = camera(scene)
    for frame, roll, y in ((1, 0.0, -12.0), (30, 25.0, -15.0), (50, 0.0, -18.0), (72, 0.0, -24.0)):
        item.location.y = y if pull else -12.0
        look_at(item, (0, 0, 1.2), roll)
        item.keyframe_insert("location", frame=frame), item.keyframe_insert("rotation_euler", frame=frame)
    english, _ = told(scene)
    assert ("pulls back far and rolls clockwise and back." in english) if pull else ("then it rolls counter" in english)


@pytest.mark.parametrize(("tilt", "seen"), [(179.9, False), (150.0, False), (80.0, True)])
def test_shadows_on_the_ground_are_told_only_where_ground_is_in_the_picture(scene, tilt, seen):
    sun(scene, {1: (150, 40), 72: (150, 20)})
    camera(scene, (0, -2, 1.6)).rotation_euler = (math.radians(tilt), 0, 0)
    english, chinese = told(scene)
    assert ("hadows" in english) == ("影子" in chinese) == seen
