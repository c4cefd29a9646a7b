# SPDX-License-Identifier: GPL-3.0-or-later
"""Varied scenes whose briefs and prompts are stored in `tests/data/prompts`.

    PYTHONPATH=tests/blender .venv/bin/python tests/blender/prompt_scenes.py [SCENE.blend ...]

builds the scenes (and opens the files), reads their briefs and stores them with the prompts of today beside them. Read
the prompts line by line before they are committed: they are what is right from then on.
"""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import bpy
from scene_makers import add_box, add_camera, add_lamp, add_sky, aim_sun, key, look_at, use_nodes
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.scene.reader import read_brief

FOLDER = Path(__file__).resolve().parents[1] / "data" / "prompts"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FRAMES = 72


def sun(scene, track, energy=3.0, name="Sun", color=None):
    """A Sun light keyed to {frame: (azimuth, elevation)}; `energy` a number or {frame: number}."""
    lamp = add_lamp(scene, name=name)
    for frame, place in track.items():
        aim_sun(lamp, *place, frame=frame if len(track) > 1 else None)
    if isinstance(energy, dict):
        key(lamp.data, "energy", energy)
    else:
        lamp.data.energy = energy
    if isinstance(color, dict):
        for frame, value in color.items():
            lamp.data.color = value
            lamp.data.keyframe_insert("color", frame=frame)
    elif color is not None:
        lamp.data.color = color
    return lamp


def ground(scene):
    return add_box(scene, "Ground", (0, 0, -0.05), (200, 200, 0.1))


def boxes(scene, *names_and_places, size=(1.0, 1.0, 2.0)):
    return [add_box(scene, name, (x, y, size[2] / 2), size) for name, x, y in names_and_places]


def camera(scene, at=(0, -12, 1.6), to=(0, 0, 1.2), roll=0.0, lens=35.0):
    item = add_camera(scene, at)
    look_at(item, to, roll)
    item.data.lens = lens
    return item


def fly(item, places, to=None):
    """Keys the camera at {frame: place}; it keeps looking at `to`, where that is given."""
    for frame, place in places.items():
        item.location = place
        item.keyframe_insert("location", frame=frame)
        if to is not None:
            before = item.rotation_euler.copy()
            look_at(item, to)
            item.rotation_euler.make_compatible(before)
            item.keyframe_insert("rotation_euler", frame=frame)


def world(scene, color):
    scene.world = bpy.data.worlds.new("World")
    use_nodes(scene.world).nodes["Background"].inputs["Color"].default_value = (*color, 1.0)


def glow(item, color, strength=5.0):
    material = bpy.data.materials.new(item.name)
    tree = material.node_tree if bpy.app.version >= (5, 0, 0) else use_nodes(material)
    tree.nodes.clear()
    output, emission = tree.nodes.new("ShaderNodeOutputMaterial"), tree.nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = (*color, 1.0)
    emission.inputs["Strength"].default_value = strength
    tree.links.new(emission.outputs[0], output.inputs["Surface"])
    item.data.materials.append(material)


def overhead_car(s):
    ground(s), boxes(s, ("Car", 0, 0), ("Tree", -4, 3), size=(2, 4, 1.5))
    sun(s, {1: (180, 40)})
    world(s, (0.0509, 0.0509, 0.0509))
    camera(s, (0, 0, 14), (0, 0.001, 0))


def overhead_sun_moves(s):
    ground(s), boxes(s, ("Fountain", 0, 0), size=(2, 2, 2))
    sun(s, {1: (90, 20), 72: (180, 50)})
    item = camera(s, (0, 0, 12), (0, 0.001, 0))
    item.rotation_euler = (0, 0, 0)
    fly(item, {1: (0, 0, 12), 72: (0, 0, 9)})


def tilt_up_from_above(s):
    ground(s), boxes(s, ("Monument", 0, 6), size=(2, 2, 6))
    sun(s, {1: (200, 30)})
    world(s, (0.3, 0.5, 0.9))
    item = camera(s, (0, -4, 6))
    key(item, "rotation_euler", {1: (math.radians(5), 0, 0), 72: (math.radians(88), 0, 0)})


def house_and_trees(s):
    ground(s), boxes(s, ("House", 0, 6), size=(5, 5, 5))
    boxes(s, ("Tree.001", -5, -1), ("Tree.002", 1.5, -1), ("Tree.003", 5, -1), size=(1, 1, 1.5))
    sun(s, {1: (120, 35)})
    world(s, (0.0509, 0.0509, 0.0509))
    camera(s, (0, -14, 1.6))


def strength_dips(s):
    ground(s), boxes(s, ("Bench", -2, 0), ("Statue", 2, 0))
    sun(s, {1: (240, 40)}, {1: 4.0, 36: 0.2, 72: 4.0})
    camera(s)


def strength_comes_and_goes(s):
    ground(s), boxes(s, ("Windmill", 0, 0), size=(2, 2, 6))
    sun(s, {1: (90, 40)}, {1: 0.0, 24: 4.0, 48: 0.5, 72: 4.0})
    camera(s)


def day_in_a_shot(s):
    ground(s), boxes(s, ("Castle", 0, 0), size=(4, 4, 5))
    sun(s, {1: (95, 8), 36: (180, 60), 72: (265, 8)})
    world(s, (0.3, 0.5, 0.9))
    camera(s)


def night_in_a_shot(s):
    ground(s), boxes(s, ("Cottage", 0, 0), size=(4, 4, 3))
    sun(s, {1: (280, 5), 36: (340, -40), 72: (80, 5)})
    camera(s)


def suns_fade_across(s):
    ground(s), boxes(s, ("Statue", 0, 0), size=(1, 1, 3))
    sun(s, {1: (100, 30)}, {1: 4.0, 72: 0.0}, "A", (1.0, 0.6, 0.25))
    sun(s, {1: (260, 30)}, {1: 0.0, 72: 4.0}, "B")
    camera(s)


def two_suns(s):
    ground(s), boxes(s, ("Robot", 0, 0))
    sun(s, {1: (200, 40)}, 4.0, "Key")
    sun(s, {1: (300, 20), 72: (330, 30)}, {1: 1.5, 72: 3.0}, "Second", (0.4, 0.6, 1.0))
    camera(s)


def colour_turns(s):
    ground(s), boxes(s, ("Tower", 0, 0), size=(2, 2, 8))
    warm, white = (1.0, 0.45, 0.1), (1.0, 1.0, 1.0)
    sun(s, {1: (250, 30)}, color={1: white, 36: warm, 72: white})
    camera(s)


def handheld_walk(s):
    ground(s), boxes(s, ("Door", 0, 0), size=(1, 0.2, 2))
    sun(s, {1: (220, 25)})
    item = camera(s)
    for frame in range(1, 73, 2):
        shake = 0.04 * math.sin(frame * 2.1), 0.03 * math.sin(frame * 1.3 + 1)
        item.location = (shake[0], -12 + frame * 0.06, 1.6 + shake[1])
        item.rotation_euler = (math.radians(88 + 30 * shake[1]), 0, math.radians(30 * shake[0]))
        item.keyframe_insert("location", frame=frame)
        item.keyframe_insert("rotation_euler", frame=frame)


def orbit(s):
    ground(s), boxes(s, ("Fountain", 0, 0), size=(2, 2, 2))
    sun(s, {1: (60, 30)})
    item = camera(s, (0, -10, 2))
    turn = {frame: math.radians(200 * (frame - 1) / 71) for frame in range(1, 73)}
    fly(item, {f: (10 * math.sin(a), -10 * math.cos(a), 2.0) for f, a in turn.items()}, (0, 0, 1))


def lit_room(s):
    for name, at, size in (
        ("Floor", (0, 0, -0.1), (8, 8, 0.2)), ("Ceiling", (0, 0, 3.1), (8, 8, 0.2)),
        ("Wall North", (0, 4, 1.5), (8, 0.2, 3)),
        ("Wall South", (0, -4, 1.5), (8, 0.2, 3)), ("Wall East", (4, 0, 1.5), (0.2, 8, 3)),
        ("Wall West", (-4, 0, 1.5), (0.2, 8, 3)), ("Table", (0, 1, 0.4), (1.6, 1, 0.8)),
        ("Chair.001", (-1.4, 1, 0.5), (0.5, 0.5, 1)),
        ("Chair.002", (1.4, 1, 0.5), (0.5, 0.5, 1)),
    ):  # fmt: skip
        add_box(s, name, at, size)
    for x in (-2.0, 2.0):
        lamp = add_lamp(s, "POINT", f"Lamp {x}", 200.0, (x, 2.5, 2.4))
        lamp.data.color = (1.0, 0.6, 0.25)
    camera(s, (0, -3.4, 1.5), (0, 2, 1), lens=24.0)


def neon_street(s):
    ground(s), boxes(s, ("Shop", -3, 4), ("Shop.001", 3, 4), size=(4, 3, 4))
    signs = [add_box(s, name, (x, 2, 3), (1.5, 0.1, 0.6)) for name, x in (("Neon Sign", -3), ("Windows", 3))]
    glow(signs[0], (1.0, 0.2, 0.05)), glow(signs[1], (1.0, 0.75, 0.4))
    sun(s, {1: (300, -25)}, 1.0)
    camera(s)


def names_that_are_no_nouns(s):
    ground(s), boxes(s, ("he said hi there", -3, 0), ("Zorblax", 0, 0), ("Wall North", 3, 2))
    boxes(s, ("Torus.001", -1.5, 3), ("Torus.002", -1.2, 5), ("TreeCrown", 4.5, 0))
    sun(s, {1: (150, 45)})
    camera(s)


def chinese_names(s):
    ground(s)
    first, second = boxes(s, ("喷泉", -2, 0), ("铁锅", 2, 0))
    first.name, second.name = "喷泉", "铁锅"
    thing = add_box(s, "Cube", (0, 3, 1), (1, 1, 2))
    thing["description"] = "一位穿红衣的老人"
    sun(s, {1: (150, 45)})
    camera(s)


def descriptions(s):
    ground(s)
    for x, words in (
        (-3, "A rusty fishing boat, half sunk"),
        (0, "two old men"),
        (3, "The man is reading a newspaper."),
    ):
        add_box(s, "Cube", (x, 0, 1), (1, 1, 2))["description"] = words
    sun(s, {1: (150, 45)})
    camera(s)


def traffic(s):
    ground(s), boxes(s, ("Bus Stop", 0, 4), size=(3, 1, 2.5))
    for name, start, end in (("Car.001", (-5, 0), (5, 0)), ("Car.002", (5, 2), (-5, 2)), ("Dog", (-4, -2), (0, -2))):
        item = add_box(s, name, (*start, 0.6), (2, 1, 1.2) if name != "Dog" else (0.8, 0.3, 0.6))
        key(item, "location", {1: (*start, 0.6), 72: (*end, 0.6)})
    sun(s, {1: (210, 55)})
    camera(s, (0, -16, 2))


def flock(s):
    ground(s), boxes(s, ("Church", 0, 8), size=(4, 4, 9))
    for index, x in enumerate((-3, 0, 3)):
        item = add_box(s, f"Bird.{index:03}", (x, 0, 4), (0.6, 0.4, 0.2))
        key(item, "location", {1: (x, 0, 4), 72: (x + 4, 0, 5)})
    wheel = add_box(s, "Wheel", (-4, 0, 1), (1, 0.3, 1))
    key(wheel, "rotation_euler", {1: (0, 0, 0), 72: (0, math.radians(300), 0)})
    sun(s, {1: (150, 45)})
    camera(s, (0, -16, 2), (0, 0, 3))


def overcast_field(s):
    ground(s), boxes(s, ("Barn", -2, 0), ("Hay", 2, 0), size=(2, 2, 2))
    world(s, (0.8, 0.8, 0.82))
    camera(s)


def clear_sky(s):
    ground(s), boxes(s, ("Lighthouse", 0, 0), size=(2, 2, 9))
    sky = add_sky(s)
    sky.sun_elevation, sky.sun_rotation = math.radians(12), math.radians(250)
    camera(s, (0, -20, 1.6), (0, 0, 4))


def aerial_pan(s):
    ground(s), boxes(s, *((f"House.{i:03}", 8 * (i % 4) - 12, 8 * (i // 4)) for i in range(8)), size=(4, 4, 4))
    sun(s, {1: (120, 30)})
    world(s, (0.3, 0.5, 0.9))
    item = camera(s, (0, -30, 30), (0, 4, 0))
    key(item, "rotation_euler", {1: tuple(item.rotation_euler), 72: (item.rotation_euler.x, 0, math.radians(-50))})


def dutch_close_up(s):
    ground(s), add_box(s, "Head", (0, 0, 1.6), (0.22, 0.25, 0.3))
    add_lamp(s, "AREA", "Rim", 80.0, (1.5, 2, 2.2)).rotation_euler = (math.radians(-60), 0, math.radians(140))
    sun(s, {1: (230, 30)})
    camera(s, (0, -0.6, 1.6), (0, 0, 1.6), 15.0, 50.0)


def low_angle_tilt(s):
    ground(s), boxes(s, ("Skyscraper", 0, 0), size=(5, 5, 40))
    sun(s, {1: (300, 45)})
    world(s, (0.3, 0.5, 0.9))
    item = camera(s, (0, -18, 1), (0, 0, 8))
    key(item, "rotation_euler", {1: tuple(item.rotation_euler), 72: (item.rotation_euler.x + 0.5, 0, 0)})


def trucking_long_lens(s):
    ground(s), boxes(s, ("Horse", 0, 0), ("Fence", 0, 2), size=(2, 0.6, 1.6))
    sun(s, {1: (60, 15)})
    item = camera(s, (0, -25, 1.6), (0, 0, 1.2), lens=120.0)
    fly(item, {1: (-4, -25, 1.6), 72: (4, -25, 1.6)})


def noon_people(s):
    ground(s)
    for name, x in (("Man", -2), ("Woman", 0), ("Child.001", 1.5), ("Child.002", 2.5)):
        add_box(s, name, (x, 0, 0.8), (0.5, 0.4, 1.6))
    sun(s, {1: (180, 80)}, 5.0)
    camera(s, (0, -7, 1.6))


def boat_at_dusk(s):
    add_box(s, "Water", (0, 0, -0.05), (200, 200, 0.1)), boxes(s, ("Sailboat", 0, 0), size=(2, 4, 4))
    sun(s, {1: (0, 8), 72: (10, -4)}, {1: 3.0, 72: 0.3}, color=(1.0, 0.45, 0.1))
    camera(s)


def bare_cube(s):
    add_box(s, "Cube", (0, 0, 0), (2, 2, 2))
    add_lamp(s, "POINT", "Light", 1000.0, (4, 1, 6))
    world(s, (0.0509, 0.0509, 0.0509))
    camera(s, (7.4, -6.9, 5), (0, 0, 0), lens=50.0)


def dolly_zoom(s):
    ground(s), boxes(s, ("Woman", 0, 0), size=(0.6, 0.4, 1.7))
    sun(s, {1: (120, 25)})
    item = camera(s, (0, -5, 1.4), (0, 0, 1))
    fly(item, {1: (0, -5, 1.4), 72: (0, -12, 1.4)})
    key(item.data, "lens", {1: 28.0, 72: 67.0})


def foggy_bridge(s):
    ground(s), boxes(s, ("Stone Bridge", 0, 3), size=(12, 3, 3))
    world(s, (0.5, 0.5, 0.5))
    tree = use_nodes(s.world)
    fog = tree.nodes.new("ShaderNodeVolumeScatter")
    fog.inputs["Density"].default_value = 0.05
    tree.links.new(fog.outputs[0], next(n for n in tree.nodes if n.type == "OUTPUT_WORLD").inputs["Volume"])
    sun(s, {1: (40, 10)}, 1.0)
    camera(s)


def follow_the_runner(s):
    ground(s), boxes(s, *((f"Pine.{i:03}", 4 * i - 12, 4) for i in range(7)), size=(0.6, 0.6, 5))
    runner = add_box(s, "Runner", (-6, 0, 0.9), (0.5, 0.5, 1.8))
    key(runner, "location", {1: (-6, 0, 0.9), 72: (8, 0, 0.9)})
    sun(s, {1: (200, 20)})
    fly(camera(s, (-6, -8, 1.6), (-6, 0, 1.2)), {1: (-6, -8, 1.6), 72: (8, -8, 1.6)})


def pan_then_push(s):
    ground(s), boxes(s, ("Gate", 0, 2), ("Lamp Post", -3, 0), ("Lamp Post.001", 3, 0), size=(1, 1, 4))
    sun(s, {1: (270, 20)})
    item = camera(s)
    level = math.radians(90)
    key(item, "rotation_euler", {1: (level, 0, math.radians(60)), 36: (level, 0, 0), 72: (level, 0, 0)})
    key(item, "location", {1: (0, -12, 1.6), 36: (0, -12, 1.6), 72: (0, -5, 1.6)})


SCENES = [
    overhead_car, overhead_sun_moves, tilt_up_from_above, house_and_trees, strength_dips, strength_comes_and_goes,
    day_in_a_shot, night_in_a_shot, suns_fade_across, two_suns, colour_turns, handheld_walk, orbit, lit_room,
    neon_street, names_that_are_no_nouns, chinese_names, descriptions, traffic, flock, overcast_field, clear_sky,
    aerial_pan, dutch_close_up, low_angle_tilt, trucking_long_lens, noon_people, boat_at_dusk, bare_cube, dolly_zoom,
    foggy_bridge, follow_the_runner, pan_then_push,
]  # fmt: skip


def briefs(files):
    """(name, brief) of every scene."""
    for build in SCENES:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        scene.frame_start, scene.frame_end = 1, FRAMES
        build(scene)
        yield build.__name__, read_brief(scene)[0]
    for path in files:
        bpy.ops.wm.open_mainfile(filepath=str(path))
        yield path.stem, read_brief(bpy.context.scene)[0]


def main(files):
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, read in briefs([*sorted(EXAMPLES.glob("*.blend")), *map(Path, files)]):
        brief = replace(read, blend_file="")
        data = json.dumps(_rounded(brief.to_json()), ensure_ascii=False, separators=(",", ":"))
        (FOLDER / f"{name}.json").write_text(data + "\n", encoding="utf-8")
        (FOLDER / f"{name}.txt").write_text(prompts(brief), encoding="utf-8")


def prompts(brief):
    """The prompts of all shots, English and Chinese, a line each."""
    structured = [build_prompt(brief, shot) for shot in brief.shots]
    return "".join(f"{prompt_text(one, language)}\n" for one in structured for language in ("en", "zh"))


def _rounded(value):
    """Numbers to nine digits: what a prompt needs, in half the space."""
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 9) if isinstance(value, float) else value


if __name__ == "__main__":
    main(sys.argv[1:])
