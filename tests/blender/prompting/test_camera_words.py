# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the camera turns, and where its focus goes, in words."""

import math

import pytest
from prompt_scenes import boxes, camera, ground, sun
from reading_rules import chinese_faults, english_faults
from scene_makers import add_box, key
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.scene.reader import read_brief

LEVEL = math.radians(90)


def told(scene):
    """The English and the Chinese prompt of a scene's only shot; both keep to the rules."""
    scene.frame_start, scene.frame_end = 1, 72
    brief, _ = read_brief(scene)
    prompt = build_prompt(brief, brief.shots[0])
    english, chinese = prompt_text(prompt), prompt_text(prompt, "zh")
    assert english_faults(english) == [] and chinese_faults(chinese) == []
    return english, chinese


@pytest.mark.parametrize(
    ("frames", "english", "chinese"),
    [((30, 38), "pans fast to the left", "快速向左摇"), ((1, 72), "pans far to the left", "大幅向左摇")],
)
def test_a_whip_pan_is_fast(blank_scene, frames, english, chinese):
    ground(blank_scene), boxes(blank_scene, ("Gate", 0, 2)), sun(blank_scene, {1: (180, 45)})
    first, last = frames
    key(camera(blank_scene), "rotation_euler", {first: (LEVEL, 0, 0), last: (LEVEL, 0, math.radians(80))})
    texts = told(blank_scene)
    assert english in texts[0] and chinese in texts[1]


def test_light_that_stays_is_told_once_though_the_ground_comes_into_view(blank_scene):
    ground(blank_scene), boxes(blank_scene, ("Tower", 0, 0), size=(2, 2, 20)), sun(blank_scene, {1: (120, 40)})
    item = camera(blank_scene, to=(0, 0, 5))
    key(item.data, "lens", {1: 120.0, 72: 18.0})
    english, chinese = told(blank_scene)
    assert english.count("sunlight comes from") == 1 and "At the end" not in english and "最后" not in chinese
    assert "Shadows of medium length fall" in english and "The sunlight does not change." in english


def focus(scene, keys, fstop):
    ground(scene), add_box(scene, "Cup", (-0.08, -1.3, 0.6), (0.05, 0.05, 0.05)), boxes(scene, ("Statue", 0, 2))
    item = camera(scene, (0, -2, 0.6), (0, 2, 0.6), lens=85.0)
    item.data.dof.use_dof, item.data.dof.aperture_fstop = True, fstop
    for frame, item.data.dof.focus_distance in keys.items():
        item.data.keyframe_insert("dof.focus_distance", frame=frame)
    return told(scene)


def test_where_the_focus_goes(blank_scene):
    english, chinese = focus(blank_scene, {20: 0.7, 50: 4.0}, 1.4)
    assert "The camera stands still. The focus shifts from the cup to the statue." in english
    assert "焦点从杯子转移到雕像。" in chinese


@pytest.mark.parametrize(("keys", "fstop"), [({20: 0.7, 50: 0.75}, 1.4), ({20: 0.7, 50: 4.0}, 64.0)])
def test_a_focus_that_stays_or_makes_no_difference_is_not_told(blank_scene, keys, fstop):
    assert "focus" not in focus(blank_scene, keys, fstop)[0]
