# SPDX-License-Identifier: GPL-3.0-or-later
"""How lamps go over a shot: on, off, brighter, dimmer, elsewhere; in the brief and in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene_makers import add_box, add_camera, add_lamp, key, use_nodes
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.scene.lighting.lamp_course import changes
from wan_previs.scene.reader import read_brief

FPS = 24.0


@pytest.fixture
def scene(blank_scene):
    blank_scene.frame_start, blank_scene.frame_end = 1, 72
    add_camera(blank_scene)
    add_box(blank_scene, "Statue")
    return blank_scene


def read(scene):
    """(the strongest light, the English and the Chinese prompt)"""
    brief, _ = read_brief(scene)
    prompt = build_prompt(brief, brief.shots[0])
    return brief.shots[0].lights[0], prompt_text(prompt), prompt_text(prompt, "zh")


def by_energy(lamp, values):
    key(lamp.data, "energy", {frame: 500.0 * value for frame, value in values.items()})


def by_color(lamp, values):
    key(lamp.data, "color", {frame: (value,) * 3 for frame, value in values.items()})


def by_nodes(lamp, values):
    tree = use_nodes(lamp.data)
    strength = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeEmission").inputs["Strength"]
    for frame, value in values.items():
        strength.default_value = value
        strength.keyframe_insert("default_value", frame=frame)


@pytest.mark.parametrize("how", [by_energy, by_color, by_nodes])
@pytest.mark.parametrize(
    ("values", "kinds", "english", "chinese"),
    [
        ({1: 0.0, 35: 0.0, 36: 1.0}, ["comes_on"], "A white lamp comes on halfway through the shot and lights", "亮起"),
        ({1: 1.0, 60: 1.0, 61: 0.0}, ["goes_out"], ", and it goes out late in the shot.", "熄灭"),
        ({1: 1.0, 72: 0.0}, ["fades_out"], ", and it fades out.", "渐渐熄灭"),
        ({1: 1.0, 36: 0.3, 72: 1.0}, ["dims", "brightens"], ", and it grows dimmer, then grows brighter.", "变暗"),
        ({1: 1.0, 72: 0.8}, [], "lights the scene from the front right.", "照亮场景。"),
    ],
)
def test_what_a_lamp_does_over_the_shot_is_told(scene, how, values, kinds, english, chinese):
    how(add_lamp(scene, "POINT", "Bulb", 500.0, (2, -2, 3)), values)
    light, told, told_chinese = read(scene)
    assert [change.kind for change in light.changes] == kinds
    assert english in told and chinese in told_chinese


def test_a_lamp_that_renders_late_comes_on(scene):
    lamp = add_lamp(scene, "AREA", "Panel", 500.0, (0, -3, 3))
    key(lamp, "hide_render", {1: True, 50: False}, "CONSTANT")
    (change,) = read(scene)[0].changes
    assert (change.kind, change.frame_start, change.frame_end) == ("comes_on", 49, 50)


def test_a_lamp_that_goes_on_and_off_all_the_time_flickers(scene):
    lamp = add_lamp(scene, "POINT", "Neon", 500.0, (2, -2, 3))
    key(lamp.data, "energy", {frame: 500.0 * (frame % 6 == 1) for frame in range(1, 73, 3)}, "CONSTANT")
    light, english, chinese = read(scene)
    assert [change.kind for change in light.changes] == ["flickers"]
    assert "it flickers" in english and "闪烁" in chinese


def test_a_lamp_that_burns_longer_goes_before_one_that_only_flashes(scene):
    flash = add_lamp(scene, "POINT", "Flash", 500.0, (2, -2, 3))
    key(flash.data, "energy", {1: 0.0, 30: 0.0, 31: 500.0, 32: 0.0})
    add_lamp(scene, "POINT", "Steady", 100.0, (-2, -2, 3))
    assert read(scene)[0].name == "Steady"


@pytest.mark.parametrize("mover", ["lamp", "camera"])
def test_only_a_lamp_that_goes_itself_is_told_to_move(scene, mover):
    lamp = add_lamp(scene, "POINT", "Torch", 500.0, (-4, -2, 2))
    item = lamp if mover == "lamp" else scene.camera
    x, y, z = item.location
    key(item, "location", {1: (x, y, z), 72: (x + 8, y, z)})
    light, english, chinese = read(scene)
    assert light.moves_to == ("front_right" if mover == "lamp" else None)
    assert ("it moves to the front right" in english) == ("移到右前方" in chinese) == (mover == "lamp")


@given(st.lists(st.floats(0.0, 1e6), min_size=2, max_size=60).filter(max), st.sampled_from([12.0, 24.0, 60.0]))
def test_changes_lie_in_the_shot_one_after_the_other(powers, fps):
    found = changes(range(1, len(powers) + 1), powers, fps)
    frames = [frame for change in found for frame in (change.frame_start, change.frame_end)]
    assert frames == sorted(frames) and all(1 <= frame <= len(powers) for frame in frames)
    if max(powers) < 1.5 * min(powers):
        assert found == ()


@given(st.lists(st.floats(0.001, 1e6), min_size=2, max_size=60))
def test_a_lamp_played_backwards_does_the_contrary(powers):
    contrary = {"comes_on": "goes_out", "fades_in": "fades_out", "brightens": "dims", "flickers": "flickers"}
    contrary |= {b: a for a, b in contrary.items()}
    forth = changes(range(len(powers)), powers, FPS)
    back = changes(range(len(powers)), powers[::-1], FPS)
    if len(forth) < 2:  # pivots of equal height may be met in another order
        assert [change.kind for change in back] == [contrary[change.kind] for change in forth]
