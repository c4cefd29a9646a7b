# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that a scene predicts: against renders of the examples, and where physics says what it must be."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import bpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_makers import add_box, add_camera, add_lamp, add_sky, aim_sun, key, link, use_nodes
from wan_previs import compat
from wan_previs.conditioning import light_curve, light_probe, scene_light
from wan_previs.conditioning.frames import render_frames
from wan_previs.conditioning.lamps import LampLight
from wan_previs.conditioning.light_curve import curve_from_light, predict_light
from wan_previs.conditioning.light_probe import View
from wan_previs.conditioning.light_render import render_light
from wan_previs.conditioning.light_stage import irradiance
from wan_previs.conditioning.scene_light import Glow, air_mass, clear_sky
from wan_previs.conditioning.tone import Tone, mean_rgb, tone_of
from wan_previs.scene.brief import CameraPath, CameraSample, Light, Shot, Sun, SunSample
from wan_previs.scene.reader import read_brief
from wan_previs.wan_engine.light_curve import LightCurve

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LEVEL_CAMERA = (1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 2, 0, 0, 0, 1)  # looks north along +Y
STANDARD = Tone([min(1.0, (2.0 ** (-12 + 20 * i / 63)) ** (1 / 2.2)) for i in range(64)])
FRAMES = list(range(1, 26))
DIM = Glow(world=(0.05, 0.06, 0.08))


def plain_view(lit=2 / 3):
    """Ground and walls that face the camera, dark to bright, some of them in the shade."""
    stops = np.repeat(np.arange(-2, 3), 6)
    normals = np.tile(((0.0, 0.0, 1.0), (0.0, -1.0, 0.0)), (15, 1))
    shaded = np.arange(30) % 6 >= 6 * lit
    nothing = np.zeros(30)
    return View(nothing > 0, normals, 0.3 * 2.0**stops, nothing, 1.0 - shaded, np.full(30, 0.8), np.zeros((30, 3)), {})


def sample(frame, elevation, strength=4.0, kelvin=None):
    """A sun in the south, behind the camera."""
    e = math.radians(elevation)
    return SunSample(frame, 180.0, elevation, (0.0, -math.cos(e), math.sin(e)), kelvin, strength)


def shot_with(*suns, source="sun_light"):
    path = CameraPath((CameraSample(1, LEVEL_CAMERA, 35.0, (36.0, 24.0)),))
    return Shot("Shot", 1, 25, "Camera", Sun(source, suns) if suns else None, path)


def curve_of(shot, glows=None, **ends):
    return curve_from_light(shot, FRAMES, glows or [DIM] * 25, {0: plain_view()}, STANDARD, **ends)


def error(curve, truth):
    """Mean absolute error, in display luminance 0..1, at the rendered times."""

    def at(time):
        pairs = list(zip(curve.times, curve.luminance, strict=True))
        (a, x), (b, y) = next((p, q) for p, q in pairwise(pairs) if time <= q[0] + 1e-9)
        return x + (y - x) * (time - a) / (b - a)

    differences = [abs(at(t) * truth.luminance[0] - y) for t, y in zip(truth.times, truth.luminance, strict=True)]
    return sum(differences) / len(differences)


@pytest.mark.parametrize("name", ["courtyard_sunrise", "square_noon_to_dusk", "street_golden_hour"])
def test_the_examples_light_is_expected(name, tmp_path):
    bpy.ops.wm.open_mainfile(filepath=str(EXAMPLES / f"{name}.blend"))
    scene = bpy.context.scene
    brief, _ = read_brief(scene)
    shot = brief.shots[-1]
    before = (scene.frame_current, scene.render.resolution_x, scene.render.engine, len(bpy.data.images))
    truth = render_light(scene, shot, count=5, width=48)
    assert (scene.frame_current, scene.render.resolution_x, scene.render.engine, len(bpy.data.images)) == before
    frames = light_curve.evaluated_frames(shot)
    looks = light_curve.spread(len(frames), light_curve.times_of(shot, light_curve.LOOKS))
    glows = scene_light.glows(scene, shot, frames)
    views = scene_light.views(scene, shot, [frames[i] for i in looks], [glows[i] for i in looks])
    seen = dict(zip(looks, views, strict=True))
    bare = predict_light(scene, shot)
    both = curve_from_light(shot, frames, glows, seen, tone_of(scene), truth.luminance[0], truth.luminance[-1])
    assert error(bare, truth) < 0.02 and error(both, truth) < 0.01
    frozen = replace(bare, luminance=(1.0,) * len(bare.luminance))
    assert error(bare, truth) < 0.7 * error(frozen, truth)
    for curve in (bare, both, truth):
        assert LightCurve.from_json(curve.to_json()).jumps == ()
    assert bare.rgb is None and len(truth.rgb) == len(truth.times)
    for rgb, light in zip(truth.rgb, truth.luminance, strict=True):
        assert sum(a * b for a, b in zip(rgb, light_curve.LUMA, strict=True)) == pytest.approx(light, abs=1e-6)


def test_a_small_render_tells_what_a_large_one_shows(blank_scene, tmp_path):
    """Bars of light before black, a few small pixels wide: mixed in a pixel they are brighter than side by side."""
    blank_scene.view_settings.view_transform = "Standard"
    bars = bpy.data.materials.new("bars")
    use_nodes(bars)
    tree = compat.material_tree(bars)
    tree.nodes.clear()
    wave, edge, emission, out = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("TexWave", "Math", "Emission", "OutputMaterial")
    )
    wave.inputs["Scale"].default_value, edge.operation = 2.5, "GREATER_THAN"
    for source, target in ((wave, edge.inputs[0]), (edge, emission.inputs["Color"])):
        tree.links.new(source.outputs[0], target)
    tree.links.new(emission.outputs["Emission"], out.inputs["Surface"])
    bpy.ops.mesh.primitive_plane_add(size=8)
    bpy.context.object.data.materials.append(bars)
    camera = bpy.data.objects.new("Eye", bpy.data.cameras.new("Eye"))
    camera.location = (0, 0, 5)
    blank_scene.collection.objects.link(camera)
    shot = replace(shot_with(), camera="Eye", frame_end=3)

    def shown(width, height):
        return mean_rgb(render_frames(blank_scene, shot, (width, height), tmp_path, {f"{width}": 1}, 4)[f"{width}"])

    truth, small = shown(512, 288), shown(64, 36)
    assert small[0] > 1.04 * truth[0]
    for first, error in ((None, 0.03), (tmp_path / "512.png", 0.005)):
        curve = render_light(blank_scene, shot, first, count=2, samples=4)
        assert curve.rgb[0] == pytest.approx(truth, rel=error) and curve.rgb[-1] == pytest.approx(truth, rel=error)


@settings(max_examples=40, deadline=None)
@given(st.floats(2, 40), st.floats(2, 40), st.floats(0.02, 0.9), st.floats(0.02, 0.9))
def test_the_ends_are_met_and_a_sun_that_only_fades_never_brightens(a, b, first, last):
    high, low, bright, dark = max(a, b), min(a, b), max(first, last), min(first, last)
    shot = shot_with(sample(1, 40, high), sample(25, 40, low))
    curve = curve_of(shot, first=bright, last=dark)
    assert curve.luminance[0] == 1 and curve.luminance[-1] == pytest.approx(dark / bright, rel=1e-3)
    assert all(y <= x + 1e-9 for x, y in pairwise(curve.luminance))


@settings(max_examples=30, deadline=None)
@given(st.floats(-10, 60), st.floats(-10, 60), st.none() | st.floats(0, 1), st.none() | st.floats(0, 1))
def test_every_sun_gives_a_curve_the_engine_takes(start, end, first, last):
    for strength, source in ((4.0, "sun_light"), (0.004, "sky_texture"), (None, "sun_position"), (0.0, "sun_light")):
        shot = shot_with(sample(1, start, strength), sample(25, end, strength), source=source)
        LightCurve.from_json(curve_of(shot, first=first, last=last).to_json())


def test_a_setting_sun_of_a_sky_dims_and_warms_by_the_air_it_passes():
    suns = [sample(1, 60, 0.004), sample(25, 4, 0.004)]
    curve = curve_of(shot_with(*suns, source="sky_texture"))
    assert curve.luminance[-1] < 0.8
    assert air_mass(90) == pytest.approx(1.0, abs=0.01) and air_mass(0) == pytest.approx(38, abs=1)
    assert clear_sky(90)[0] == pytest.approx(0.7, abs=0.01) and clear_sky(-6)[0] == 0
    assert clear_sky(-6)[1] == pytest.approx(clear_sky(0)[1] / 10)


def test_colour_temperature_follows_the_sun():
    curve = curve_of(shot_with(sample(1, 40, 4.0, 5500.0), sample(25, 5, 4.0, 2500.0)), [Glow()] * 25)
    assert curve.temperature_k[0] == pytest.approx(5500, rel=0.05)
    assert curve.temperature_k[-1] == pytest.approx(2500, rel=0.1)


def test_a_lamp_that_blinks_is_a_jump_and_a_sunset_is_none():
    lamp = LampLight("Lamp", "SUN", (0.0, 0.0, 0.0), (0.0, -(0.5**0.5), 0.5**0.5), (8.5, 8.5, 7.0))
    lit = replace(DIM, lamps=(lamp,))
    blink = curve_of(shot_with(), [lit if 10 <= i <= 14 else DIM for i in range(25)])
    assert blink.jumps == (10 / 24, 15 / 24)
    at = dict(zip(blink.times, blink.luminance, strict=True))
    assert at[9 / 24] == 1 and at[10 / 24] > 1.3 and at[14 / 24] > 1.3 and at[15 / 24] == 1
    assert curve_of(shot_with(), [lit if i == 7 else DIM for i in range(25)]).jumps == (7 / 24, 8 / 24)
    assert curve_of(shot_with(sample(1, 30), sample(25, -6, 0.0))).jumps == ()
    assert curve_of(shot_with(sample(1, 30, 4.0), sample(13, 30, 4.0), sample(14, 30, 0.0))).jumps == (13 / 24,)


def test_a_sky_of_unknown_colours_tells_no_temperature(blank_scene):
    """Of a picture as of a Sky Texture; a world of one colour tells one."""
    shot = shot_with(sample(1, 40, 4.0, 5500.0), sample(25, 5, 4.0, 2500.0))
    assert curve_of(shot, [replace(DIM, hidden=True)] * 25).temperature_k is None
    add_sky(blank_scene)
    (sky,) = scene_light.glows(blank_scene, shot, [1])
    (clock,) = scene_light.glows(blank_scene, shot_with(sample(1, 40), source="sky_texture"), [1])
    tree = compat.world_tree(blank_scene.world)
    tree.links.clear()
    (plain,) = scene_light.glows(blank_scene, shot, [1])
    assert sky.hidden and clock.hidden and not plain.hidden


def test_the_curve_says_what_the_facts_leave_open():
    """Nothing at the first frame; more in the shade, which other surfaces light, and under a sky of many colours; less
    between two pictures, and nothing at their frames."""
    shot = shot_with(sample(1, 40, 4.0), sample(25, 8, 4.0))
    view = plain_view()
    per_ray = ("sky", "normals", "albedo", "glow", "lit", "open", "places")
    view = replace(view, **{name: np.repeat(getattr(view, name), 2, axis=0) for name in per_ray})  # halves see the same
    closed = replace(view, open=np.full(60, 0.2))

    def curve(seen, glow=DIM, **ends):
        return curve_from_light(shot, FRAMES, [glow] * 25, {0: seen}, STANDARD, **ends)

    free, bounced = curve(replace(view, open=np.ones(60))), curve(closed)
    sky = curve(view, replace(DIM, world=(0.5, 0.5, 0.5), hidden=True))
    known = curve(view, replace(DIM, world=(0.5, 0.5, 0.5)))
    between = curve(closed, first=0.5, last=0.4)
    for one in (free, bounced, sky, known, between):
        assert one.uncertainty[0] == 0 and len(one.uncertainty) == len(one.times)
        assert LightCurve.from_json(one.to_json()) == one
    assert free.uncertainty[-1] < 0.01 < 0.02 < bounced.uncertainty[-1]
    assert known.uncertainty[-1] < 0.01 < 0.02 < sky.uncertainty[-1]
    assert between.uncertainty[-1] == pytest.approx(0, abs=1e-3) and max(between.uncertainty) < max(bounced.uncertainty)


def test_a_wall_in_the_shade_is_lit_by_the_ground_before_it(blank_scene):
    """Of a wide level ground in the sun half of what it throws up arrives at a wall; and some that comes back twice."""
    add_box(blank_scene, "Wall", (0, 3, 5), (200, 1, 10))
    add_box(blank_scene, "Ground", (0, -100, -0.5), (400, 210, 1))
    camera = add_camera(blank_scene, (0, -1, 5))
    camera.data.lens, blank_scene.world = 60, None
    noon = SunSample(1, 180.0, 90.0, (0.0, 0.0, 1.0), None, 4.0)
    shot = shot_with(noon)
    (view,) = scene_light.views(blank_scene, shot, [1], [Glow()])
    light = scene_light.light_at(shot, 1, Glow())
    once = 0.5 * light_probe.BARE * light.sun
    lit = irradiance(view, light)[~view.sky].mean(0)
    assert (0.95 * once < lit).all() and (lit < 1.2 * once).all()


def test_darkness_is_a_curve_too():
    dark = curve_of(shot_with(), [Glow()] * 25, first=0.0, last=0.0)
    assert set(dark.luminance) == {1.0} and dark.temperature_k is None
    one = curve_from_light(replace(shot_with(), frame_end=1), [1], [DIM], {0: plain_view()}, STANDARD)
    assert one.times == (0.0, 1.0) and one.luminance == (1.0, 1.0)


def test_a_keyed_lamp_and_world_are_looked_at_and_left_alone(blank_scene):
    lamp = bpy.data.lights.new("Lamp", "POINT")
    link(blank_scene, "Lamp", lamp, (0, -4, 2))
    add_camera(blank_scene)
    add_box(blank_scene)
    for frame, energy in ((1, 0.0), (12, 0.0), (13, 4000.0)):
        lamp.energy = energy
        lamp.keyframe_insert("energy", frame=frame)
    blank_scene.frame_set(5)
    shot = replace(shot_with(), lights=(Light("Lamp", "point", energy=0.0),))
    curve = predict_light(blank_scene, shot)
    assert curve.jumps == (12 / 24,) and curve.luminance[-1] > 2
    assert blank_scene.frame_current == 5 and lamp.energy == 0


def carried_by_parent(lamp, carrier):
    lamp.parent = carrier


def carried_by_constraint(lamp, carrier):
    lamp.constraints.new("COPY_LOCATION").target = carrier


def carried_at_second_hand(lamp, carrier):
    middle = link(bpy.context.scene, "Middle")
    middle.parent = carrier
    lamp.parent = middle


@pytest.mark.parametrize("carry", [carried_by_parent, carried_by_constraint, carried_at_second_hand])
def test_a_lamp_that_something_carries_is_followed(blank_scene, carry):
    """It has no animation of its own, as the headlights of a car."""
    scene = blank_scene
    add_camera(scene)
    scene.frame_end = 20
    carrier = link(scene, "Car")
    key(carrier, "location", {1: (0, -8, 1), 20: (0, 30, 1)})
    carry(add_lamp(scene, "POINT", "Bulb", 1000.0), carrier)
    (shot,) = read_brief(scene)[0].shots
    (near,), (far,) = (glow.lamps for glow in scene_light.glows(scene, shot, [1, 20]))
    assert near.place == pytest.approx((0, -8, 1), abs=0.1) and far.place == pytest.approx((0, 30, 1), abs=0.1)


def dimmed_by_nodes(data):
    emission = next(node for node in use_nodes(data).nodes if node.bl_idname == "ShaderNodeEmission")
    emission.inputs["Strength"].default_value = 0.1


def dimmed_by_color(data):
    data.color = (0.1, 0.1, 0.1)


def dimmed_by_node_color(data):
    emission = next(node for node in use_nodes(data).nodes if node.bl_idname == "ShaderNodeEmission")
    emission.inputs["Color"].default_value = (0.1, 0.1, 0.1, 1.0)


@pytest.mark.parametrize("dim", [dimmed_by_nodes, dimmed_by_color, dimmed_by_node_color])
def test_a_lamps_light_is_its_energy_with_nodes_and_colour(blank_scene, dim):
    """As for the brief, which tells a lamp by the same power."""
    scene = blank_scene
    add_camera(scene)
    lamp = add_lamp(scene, "POINT", "Bulb", 1000.0)
    (shot,) = read_brief(scene)[0].shots
    (full,) = scene_light.glows(scene, shot, [1])
    dim(lamp.data)
    (dimmed,) = scene_light.glows(scene, shot, [1])
    (before,), (after,) = full.lamps, dimmed.lamps
    assert after.power == pytest.approx([0.1 * part for part in before.power], rel=1e-3) and before.power[0] > 0


def checkered(tree, dark, bright):
    node = tree.nodes.new("ShaderNodeTexChecker")
    node.inputs["Color1"].default_value, node.inputs["Color2"].default_value = (*dark, 1), (*bright, 1)
    return node.outputs["Color"]


def pictured(tree, dark, bright):
    image = bpy.data.images.new("Bricks", 4, 2, float_buffer=True)
    image.pixels.foreach_set(np.tile([*dark, 1.0, *bright, 1.0], 4).astype(np.float32))
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    return node.outputs["Color"]


def mixed(tree, dark, bright):
    noise, mix = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    tree.links.new(noise.outputs["Fac"], mix.inputs[0])
    mix.inputs[6].default_value, mix.inputs[7].default_value = (*dark, 1), (*bright, 1)
    return mix.outputs[2]


@pytest.mark.parametrize("paint", [checkered, pictured, mixed])
def test_a_textures_colour_is_its_mean(blank_scene, paint):
    """As dark as it is, or a dark wall that comes into view would be expected as a bright one."""
    material = bpy.data.materials.new("Wall")
    tree = use_nodes(material)
    tree.links.new(paint(tree, (0.02, 0.02, 0.02), (0.1, 0.1, 0.1)), tree.nodes["Principled BSDF"].inputs["Base Color"])
    assert light_probe._albedo(material) == pytest.approx(0.06, abs=0.005)


def room_with_a_lamp(scene, kind, energy):
    """A lamp that wanders before a wall, beside a pillar."""
    add_camera(scene, (0, -6, 1.5))
    add_box(scene, "Wall", (0, 2, 1.5), (12, 0.1, 6))
    add_box(scene, "Floor", (0, -2, -0.05), (12, 12, 0.1))
    add_box(scene, "Pillar", (2.2, -0.5, 1), (0.4, 0.4, 2))
    lamp = add_lamp(scene, kind, "Lamp", energy)
    lamp.rotation_euler = (math.radians(90), 0, 0)
    return lamp


@pytest.mark.parametrize(
    ("kind", "energy", "course"),
    [
        ("POINT", 60.0, {1: (-3.5, -1, 1.5), 13: (0, 0.5, 1.5), 25: (4, -4, 1.5)}),
        ("SPOT", 600.0, {1: (-2.5, -3, 1.5), 13: (0, -3, 1.5), 25: (3, -3, 1.5)}),
        ("AREA", 60.0, {1: (0, -5, 1.5), 13: (0, 0, 1.5), 25: (0, 0.6, 1.5)}),
    ],
)
def test_a_lamp_that_wanders_over_the_picture_is_followed(blank_scene, kind, energy, course):
    scene = blank_scene
    scene.frame_end, scene.cycles.seed = 25, 1
    scene.render.resolution_x, scene.render.resolution_y = 160, 90
    key(room_with_a_lamp(scene, kind, energy), "location", course)
    (shot,) = read_brief(scene)[0].shots
    truth, told = render_light(scene, shot, count=5, width=64, samples=16), predict_light(scene, shot)
    rendered = np.array(truth.luminance) / truth.luminance[0]
    expected = np.interp(truth.times, told.times, told.luminance)
    assert np.ptp(rendered) > 0.25 and np.abs(expected / rendered - 1).max() < 0.1


def test_a_long_shot_is_looked_at_as_often_as_a_short_one(blank_scene):
    """A lamp that breathes every two seconds for half a minute: each breath is told as deep as the others."""
    blank_scene.frame_end = 721
    lamp = room_with_a_lamp(blank_scene, "POINT", 60.0)
    lamp.location = (0, -2, 1.5)
    key(lamp.data, "energy", {1 + 24 * i: 180.0 if i % 2 else 60.0 for i in range(31)})
    (shot,) = read_brief(blank_scene)[0].shots
    told = predict_light(blank_scene, shot)
    bright, dark = (np.interp(np.arange(first, 31, 2) / 30, told.times, told.luminance) for first in (1, 0))
    assert bright.min() > 1.3 and np.ptp(bright) < 0.05 * bright.max() and np.ptp(dark) < 0.05


@pytest.mark.parametrize("transform", ["Standard", "AgX", "Filmic"])
def test_the_tone_curve_is_the_scenes_own(blank_scene, transform, tmp_path):
    blank_scene.view_settings.view_transform = transform
    tone = tone_of(blank_scene)
    values = [tone(2.0**stop) for stop in range(-12, 9)]
    assert values == sorted(values) and values[0] < 0.05 and values[-1] > 0.85
    if transform == "Standard":
        assert tone(0.18) == pytest.approx(0.461, abs=0.01)
    blank_scene.view_settings.exposure = 1.0
    assert tone_of(blank_scene)(0.1) == pytest.approx(tone(0.2), abs=0.01)
    assert len(bpy.data.images) == 0 and blank_scene.render.image_settings.color_mode == "RGBA"


def test_the_mean_of_a_picture_is_that_of_its_stored_values(blank_scene, tmp_path):
    image = bpy.data.images.new("half", 2, 1)
    image.pixels = [1.0, 0.5, 0.0, 1.0, 0.0, 0.5, 0.5, 1.0]
    image.filepath_raw, image.file_format = str(tmp_path / "half.png"), "PNG"
    image.save()
    assert mean_rgb(tmp_path / "half.png") == pytest.approx((0.5, 0.5, 0.25), abs=0.005)


def test_what_comes_into_view_and_into_the_sun_is_known(blank_scene, tmp_path):
    """The camera turns from a black wall in the shade to a white one in the sun: text alone tells the brighter end."""
    scene = blank_scene
    scene.view_settings.view_transform, scene.render.engine = "Standard", "CYCLES"
    scene.frame_end = 9
    camera = add_camera(scene, (0, 0, 1.6))
    key(camera, "rotation_euler", {1: (math.pi / 2, 0, 0), 9: (math.pi / 2, 0, math.pi / 2)})
    for name, place, size, shade in (
        ("Dark", (0, 9, 0), (14, 0.2, 14), 0.2),
        ("Light", (-9, 0, 0), (0.2, 14, 14), 0.8),
    ):
        wall = add_box(scene, name, place, size)
        wall.data.materials.append(bpy.data.materials.new(name))
        use_nodes(wall.active_material)
        inputs = compat.material_tree(wall.active_material).nodes["Principled BSDF"].inputs
        inputs["Base Color"].default_value, inputs["Specular IOR Level"].default_value = (shade, shade, shade, 1), 0.0
    aim_sun(add_lamp(scene, "SUN", "Sun", energy=2.0), 80.0, 40.0)  # from the east, almost along the dark wall
    scene.world = bpy.data.worlds.new("Dim")
    use_nodes(scene.world)
    compat.world_tree(scene.world).nodes["Background"].inputs["Color"].default_value = (0.3, 0.3, 0.3, 1)
    (shot,) = read_brief(scene)[0].shots
    curve = predict_light(scene, shot)
    truth = [mean_rgb(path)[1] for path in render_frames(scene, shot, (64, 36), tmp_path, {"a": 1, "b": 9}, 8).values()]
    assert truth[1] / truth[0] > 2
    assert curve.luminance[-1] == pytest.approx(truth[1] / truth[0], rel=0.2)  # light between unseen walls is unknown
