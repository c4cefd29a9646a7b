# SPDX-License-Identifier: GPL-3.0-or-later
"""Several lamps in words: equal ones together, how many they are and where they stand."""

import json
from dataclasses import replace

import pytest
from prompt_scenes import FOLDER
from reading_rules import chinese_faults, english_faults
from scene_makers import add_box, add_camera, add_lamp
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.scene.brief import Brief, Environment, Light, LightChange
from wan_previs.scene.reader import read_brief

WHITE, RED, BLUE = (1.0, 1.0, 1.0), (1.0, 0.02, 0.02), (0.02, 0.05, 1.0)
STUDIO = Brief.from_json(json.loads((FOLDER / "lit_room.json").read_text(encoding="utf-8")))


def lamp(sector, role="fill", share=0.2, kind="point", color=WHITE, energy=100.0, height=20.0, **more):
    kelvin = 6500.0 if color == WHITE else None
    return Light("Lamp", kind, role, kelvin, energy, sector, height, color=color, share=share, **more)


def told(*lights):
    """The English and the Chinese prompt of a studio with these lamps, the strongest first."""
    shot = replace(STUDIO.shots[0], sun=None, suns=(), lights=lights, environment=Environment("interior"))
    prompt = build_prompt(replace(STUDIO, shots=(shot,)), shot)
    english, chinese = prompt_text(prompt), prompt_text(prompt, "zh")
    assert english_faults(english) == [] and chinese_faults(chinese) == []
    return english, chinese


FADES = (LightChange("fades_out", 1, 20),)


@pytest.mark.parametrize(
    ("lights", "english", "chinese"),
    [
        ([lamp("left", "key", 0.5), lamp("right", share=0.5)],
         ["Two white lamps light the scene from both sides."], ["两盏白色的灯从两侧照来，照亮场景。"]),
        ([lamp("left", "key", 0.7), lamp("right", share=0.3)],
         ["lamp lights the scene from the left side.", "lamp brightens the shadows from the right side."],
         ["一盏白色的灯从左侧照来，照亮场景。", "一盏白色的灯从右侧照来，照亮阴影。"]),
        ([lamp("front_left", "key", 0.4), lamp("left", share=0.3), lamp("back_left", share=0.3)],
         ["Three white lamps light the scene from the left side."], ["三盏白色的灯从左侧照来"]),
        ([lamp(side, "key" if i == 0 else role, 0.25, "area", height=60.0) for i, (side, role) in enumerate(
            [("left", "key"), ("front", "fill"), ("back", "rim"), ("right", "fill")])],
         ["Four white light panels light the scene from above."], ["四盏白色的面光灯从正上方照下，照亮场景。"]),
        ([lamp(side, "key" if i == 0 else "rim" if side.startswith("back") else "fill", 0.12, "spot") for i, side in
          enumerate(["left", "front", "back", "right", "back_left", "back_right", "front_left", "front_right"])],
         ["Several white spotlights light the scene from all around."], ["好几盏白色的聚光灯从四周照来，照亮场景。"]),
        ([lamp("front_left", "key", 0.7), lamp("front_right", share=0.2, energy=30.0), lamp("back", "rim", 0.1)],
         ["lights the scene from the front left", "brightens the shadows from the front right", "draws bright edges"],
         ["照亮场景", "照亮阴影", "勾出明亮的轮廓"]),
        ([lamp("left", "key", 0.4, "spot", RED), lamp("front_left", "fill", 0.4, "spot", RED),
          lamp("right", "fill", 0.2, "spot", BLUE)],
         ["Two red spotlights light the scene from the left side.", "A blue spotlight brightens the shadows"],
         ["两盏红色的聚光灯从左侧照来，照亮场景。", "一盏蓝色的聚光灯"]),
        ([lamp("back_right", "key", 0.5), lamp("back_left", "practical", 0.3), lamp("back_right", "background", 0.1),
          lamp("back_left", "background", 0.1)],
         ["Four white lamps glow in the scene on both sides."], ["两侧亮着四盏白色的灯。"]),
        ([lamp("left", "key", 0.5, changes=FADES), lamp("right", share=0.5, changes=FADES)],
         ["Two white lamps light the scene from both sides, and they fade out"], ["两盏白色的灯从两侧照来"]),
        ([lamp("left", "key", 0.5), lamp("top", share=0.5)],
         ["A white lamp lights the scene from the left side.", "A white lamp lights the scene from above."],
         ["一盏白色的灯从左侧照来，照亮场景。", "一盏白色的灯从正上方照下，照亮场景。"]),
    ],
)  # fmt: skip
def test_equal_lamps_are_told_together(lights, english, chinese):
    texts = told(*lights)
    for text, words in zip(texts, (english, chinese), strict=True):
        assert [one for one in words if one not in text] == []


def test_the_brief_says_how_much_of_the_light_is_each_lamps(blank_scene):
    add_box(blank_scene), add_camera(blank_scene)
    for name, x, energy in (("A", -4.0, 300.0), ("B", 4.0, 100.0)):
        add_lamp(blank_scene, "POINT", name, energy, (x, -3.0, 1.0))
    lights = read_brief(blank_scene)[0].shots[0].lights
    assert [(light.name, light.share) for light in lights] == [("A", pytest.approx(0.75)), ("B", pytest.approx(0.25))]
