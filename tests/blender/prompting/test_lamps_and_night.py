# SPDX-License-Identifier: GPL-3.0-or-later
"""Coloured lamps, moons, backgrounds that something covers, and figures that move where they stand, in words."""

import bpy
import pytest
from prompt_scenes import boxes, camera, ground, sun
from reading_rules import chinese_faults, english_faults
from scene_makers import add_box, add_lamp, key, use_nodes
from wan_previs.prompting import build_prompt, contradictions, prompt_text
from wan_previs.scene.reader import read_brief


def told(scene):
    """The English and the Chinese prompt of a scene's only shot; both keep to the rules."""
    brief, _ = read_brief(scene)
    prompt = build_prompt(brief, brief.shots[0])
    english, chinese = prompt_text(prompt), prompt_text(prompt, "zh")
    assert english_faults(english) == [] and chinese_faults(chinese) == []
    return english, chinese, prompt


def world(scene, color):
    scene.world = bpy.data.worlds.new("World")
    use_nodes(scene.world).nodes["Background"].inputs["Color"].default_value = (*color, 1)


def test_a_weak_sun_in_a_black_world_is_told_as_a_moon(blank_scene):
    ground(blank_scene), boxes(blank_scene, ("Wolf", 0, 0)), camera(blank_scene), world(blank_scene, (0, 0, 0.01))
    sun(blank_scene, {1: (320, 35)})
    lamp = next(item for item in blank_scene.objects if item.type == "LIGHT")
    lamp.data.energy, lamp.data.color = 0.08, (0.3, 0.45, 1.0)
    english, chinese, _ = told(blank_scene)
    assert "Night time, moonlight" in english and "It is night. Bluish moonlight comes from" in english
    assert "and the moon is at medium height" in english and "The moonlight does not change." in english
    assert not {"sun", "afternoon", "day"} & set(english.lower().replace(",", "").replace(".", "").split())
    assert "夜晚，月光" in chinese and "淡蓝色的月光" in chinese and "太阳" not in chinese and "阳光" not in chinese
    shot = read_brief(blank_scene)[0].shots[0]
    assert contradictions(shot, "A wolf at night.") == () and contradictions(shot, "A wolf at noon.")


@pytest.mark.parametrize(
    ("color", "words", "chinese_words", "term"),
    [
        ((0.1, 0.2, 1.0), "A blue lamp", "蓝色的灯", "cool_colors"),
        ((1.0, 0.1, 0.05), "A red lamp", "红色的灯", "warm_colors"),
        ((1.0, 0.1, 0.6), "A pink lamp", "粉色的灯", None), ((0.1, 1.0, 0.2), "A green lamp", "绿色的灯", None),
        ((1.0, 0.35, 0.08), "An orange lamp", "橙色的灯", "warm_colors"),
        ((1.0, 1.0, 1.0), "A white lamp", "白色的灯", None),
        ((0.3, 0.45, 1.0), "A bluish lamp", "淡蓝色的灯", "cool_colors"),
    ],
)  # fmt: skip
def test_coloured_lamps_keep_their_colour(blank_scene, color, words, chinese_words, term):
    ground(blank_scene), boxes(blank_scene, ("Statue", 0, 0)), camera(blank_scene)
    add_lamp(blank_scene, "POINT", "Lamp", 500.0, (-4, -3, 4)).data.color = color
    english, chinese, prompt = told(blank_scene)
    assert words in english and chinese_words in chinese
    assert [name for name in prompt.terms if name.endswith("_colors")] == ([term] if term else [])


def test_a_lamp_that_shines_alone_for_a_while_is_no_fill(blank_scene):
    ground(blank_scene), boxes(blank_scene, ("Drummer", 0, 0)), camera(blank_scene)
    blank_scene.frame_end = 96
    for name, x, keys in (("A", -4, {1: 2000.0, 40: 2000.0, 60: 0.0}), ("B", 4, {1: 0.0, 50: 0.0, 70: 2500.0})):
        key(add_lamp(blank_scene, "POINT", name, 1.0, (x, -3, 4)).data, "energy", keys)
    english, chinese, _ = told(blank_scene)
    assert english.count("lights the scene from") == 2 and "brightens the shadows" not in english
    assert "照亮阴影" not in chinese


def test_a_background_that_something_covers_is_not_told(blank_scene):
    ground(blank_scene), boxes(blank_scene, ("Bottle", 0, 0)), camera(blank_scene), world(blank_scene, (0.3, 0.0, 0.3))
    english, chinese, _ = told(blank_scene)
    assert "The background is pink." in english and "背景是" in chinese
    add_box(blank_scene, "Backdrop", (0, 8, 10), (80, 0.1, 80))
    english, chinese, _ = told(blank_scene)
    assert "background" not in english and "背景" not in chinese


def test_what_moves_where_it_stands_does_not_change_its_shape(blank_scene):
    ground(blank_scene), boxes(blank_scene, ("Dancer", 0, 0)), camera(blank_scene)
    dancer = blank_scene.objects["Dancer"]
    dancer.shape_key_add(name="Basis")
    pose = dancer.shape_key_add(name="Bend")
    pose.data[0].co.x += 0.4
    for frame, pose.value in ((1, 0.0), (40, 1.0)):
        pose.keyframe_insert("value", frame=frame)
    english, chinese, _ = told(blank_scene)
    assert "The dancer moves in place." in english and "舞者在原地动。" in chinese
