# SPDX-License-Identifier: GPL-3.0-or-later
"""Surroundings that are known: pictures around the scene, rooms, fog, things that shine."""

import json
import math

import bpy
import numpy as np
import pytest
from scene_makers import add_box, add_camera, add_lamp, add_sky, aim_sun, key, link, sky_models, use_nodes
from sky_renders import brightest, panorama
from wan_previs.scene.brief import Brief
from wan_previs.scene.geometry import angle_between_deg, direction_from
from wan_previs.scene.reader import read_brief


def environment_of(scene):
    brief, _ = read_brief(scene)
    assert Brief.from_json(json.loads(json.dumps(brief.to_json(), allow_nan=False))) == brief
    return brief.shots[0].environment


def picture_world(scene, pixels, *, turn=(0.0, 0.0, 0.0), width=None, float_buffer=True):
    """A world lit by a picture [rows, columns, 3], row 0 at the bottom."""
    rows, columns = pixels.shape[:2]
    image = bpy.data.images.new("Sky", columns, rows, float_buffer=float_buffer)
    image.pixels.foreach_set(np.dstack([pixels, np.ones((rows, columns))]).astype(np.float32).ravel())
    world = bpy.data.worlds.new("World")
    scene.world = world
    tree = use_nodes(world)
    node, place = tree.nodes.new("ShaderNodeTexEnvironment"), tree.nodes.new("ShaderNodeMapping")
    node.image = image
    place.inputs["Rotation"].default_value = turn
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["Generated"], place.inputs["Vector"])
    tree.links.new(place.outputs[0], node.inputs["Vector"])
    tree.links.new(node.outputs[0], tree.nodes["Background"].inputs["Color"])
    return node


def sky_picture(sun=None, rows=128, above=1.0, below=0.2):
    """A bright upper and a dark lower half; `sun` is (row, column, brightness) of a dot two pixels wide."""
    pixels = np.full((rows, 2 * rows, 3), below)
    pixels[rows // 2 :] = above
    if sun is not None:
        row, column, value = sun
        pixels[row : row + 2, column : column + 2] = value
    return pixels


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.0, 0.0, 1.3), (0.2, -0.1, 2.0)])
@pytest.mark.parametrize("rows", [64, 300])
def test_the_brightest_direction_of_a_picture(blank_scene, tmp_path, turn, rows):
    add_camera(blank_scene)
    picture_world(blank_scene, sky_picture((rows * 3 // 4, rows // 3, 5.0 * rows * rows), rows), turn=turn)
    found = environment_of(blank_scene).hdri
    seen = brightest(panorama(blank_scene, tmp_path, 240), 0.3)
    assert angle_between_deg(direction_from(found.azimuth_deg, found.elevation_deg), seen) < 1.5
    assert found.confidence > 0.5


def test_clear_and_overcast_pictures(blank_scene):
    add_camera(blank_scene)
    node = picture_world(blank_scene, sky_picture((90, 40, 5000.0)))
    environment = environment_of(blank_scene)
    assert (environment.sky, environment.setting) == ("clear", "exterior")
    assert read_brief(blank_scene)[0].shots[0].sun is None
    picture_world(blank_scene, sky_picture())
    environment = environment_of(blank_scene)
    assert environment.sky == "overcast" and environment.hdri.confidence < 0.1
    picture_world(blank_scene, np.zeros((64, 128, 3)))
    assert environment_of(blank_scene).hdri is None and environment_of(blank_scene).sky is None
    missing = picture_world(blank_scene, sky_picture())
    missing.image.source, missing.image.filepath = "FILE", "//nowhere.hdr"
    assert environment_of(blank_scene).hdri is None
    node.image = None


def radiance_file(path, pixels):
    """Writes a picture [rows, columns, 3], row 0 at the bottom, as an uncompressed Radiance file."""
    flat = pixels[::-1].reshape(-1, 3)
    mantissa, exponent = np.frexp(flat.max(axis=1))
    scaled = flat * (mantissa * 256.0 / np.maximum(flat.max(axis=1), 1e-30))[:, None]
    bytes_ = np.concatenate([scaled, exponent[:, None] + 128.0], axis=1).astype(np.uint8)
    head = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {pixels.shape[0]} +X {pixels.shape[1]}\n"
    path.write_bytes(head.encode() + bytes_.tobytes())


def test_a_file_is_put_down_again(blank_scene, tmp_path):
    add_camera(blank_scene)
    node = picture_world(blank_scene, sky_picture((90, 40, 5000.0)))
    expected = environment_of(blank_scene).hdri
    radiance_file(tmp_path / "sky.hdr", sky_picture((90, 40, 5000.0)))
    node.image = loaded = bpy.data.images.load(str(tmp_path / "sky.hdr"))
    assert not loaded.has_data
    found = environment_of(blank_scene).hdri
    assert found.azimuth_deg == pytest.approx(expected.azimuth_deg, abs=0.1)
    assert found.confidence == pytest.approx(expected.confidence, abs=0.02) and found.confidence > 0.5
    assert not loaded.has_data


def test_a_sky_without_its_disc_is_overcast(blank_scene):
    add_camera(blank_scene)
    sky = add_sky(blank_scene, sky_models()[0])
    assert environment_of(blank_scene).sky == "clear"
    sky.sun_disc = False
    assert environment_of(blank_scene).sky == "overcast"
    aim_sun(add_lamp(blank_scene), 100, 30)  # a lamp in the disc's place
    assert environment_of(blank_scene).sky is None


def test_a_white_world_without_sun_is_overcast(blank_scene):
    add_camera(blank_scene)
    world = bpy.data.worlds.new("World")
    blank_scene.world = world
    colour = use_nodes(world).nodes["Background"].inputs["Color"]
    for value, sky in [((0.9, 0.9, 1.0, 1.0), "overcast"), ((0.05, 0.05, 0.05, 1), None), ((1.0, 0.1, 0.1, 1), None)]:
        colour.default_value = value
        assert environment_of(blank_scene).sky == sky


def room(scene, *, south=True, roof=True):
    walls = {
        "North": ((0, 5, 1.5), (10, 0.2, 3)), "West": ((-5, 0, 1.5), (0.2, 10, 3)), "East": ((5, 0, 1.5), (0.2, 10, 3)),
    }  # fmt: skip
    walls |= {"South": ((0, -5, 1.5), (10, 0.2, 3))} if south else {}
    walls |= {"Roof": ((0, 0, 3.1), (10, 10, 0.2))} if roof else {}
    return [add_box(scene, name, place, size) for name, (place, size) in walls.items()]


def test_settings(blank_scene):
    camera = add_camera(blank_scene, (0.0, -3.0, 1.5))
    aim_sun(add_lamp(blank_scene), 150, 40)
    walls = room(blank_scene)
    assert environment_of(blank_scene).setting == "interior"
    walls[3].hide_render = walls[3].hide_viewport = True  # looked into from outside, through the missing wall
    camera.location.y = -14.0
    assert environment_of(blank_scene).setting == "interior"
    walls[4].hide_render = True  # hidden in renders only
    assert environment_of(blank_scene).setting == "exterior"
    for wall in walls:
        wall.hide_render = True
    assert environment_of(blank_scene).setting == "exterior"
    bpy.data.objects["Sun"].hide_render = True
    assert environment_of(blank_scene).setting == "unknown"


def volume_material(density=0.2):
    material = bpy.data.materials.new("Haze")
    tree = use_nodes(material)
    output = tree.get_output_node("ALL")
    for item in list(output.inputs["Surface"].links):
        tree.links.remove(item)
    node = tree.nodes.new("ShaderNodeVolumePrincipled")
    node.inputs["Density"].default_value = density
    tree.links.new(node.outputs[0], output.inputs["Volume"])
    return node, material


def test_a_volume_around_the_camera_is_fog_and_no_room(blank_scene):
    add_camera(blank_scene)
    aim_sun(add_lamp(blank_scene), 150, 40)
    haze = add_box(blank_scene, "Haze", (0, 0, 5), (60, 60, 12))
    node, material = volume_material()
    haze.data.materials.append(material)
    environment = environment_of(blank_scene)
    assert (environment.weather, environment.setting) == ("fog", "exterior")
    node.inputs["Density"].default_value = 0.0
    assert environment_of(blank_scene).weather is None
    node.inputs["Density"].default_value = 0.2
    haze.hide_render = True
    assert environment_of(blank_scene).weather is None
    blank_scene.view_layers[0].use_pass_mist = True
    assert environment_of(blank_scene).weather is None


def test_a_world_volume_is_fog(blank_scene):
    add_camera(blank_scene)
    add_sky(blank_scene)
    tree = blank_scene.world.node_tree
    fog, add = tree.nodes.new("ShaderNodeVolumeScatter"), tree.nodes.new("ShaderNodeAddShader")
    tree.links.new(fog.outputs[0], add.inputs[0])
    tree.links.new(add.outputs[0], tree.get_output_node("ALL").inputs["Volume"])
    assert environment_of(blank_scene).weather == "fog"
    fog.inputs["Density"].default_value = 0.0
    assert environment_of(blank_scene).weather is None


def glow(item, strength, colour=(1.0, 0.6, 0.3, 1.0)):
    material = bpy.data.materials.new("Glow")
    tree = use_nodes(material)
    node = tree.nodes.new("ShaderNodeEmission")
    node.inputs["Strength"].default_value, node.inputs["Color"].default_value = strength, colour
    tree.links.new(node.outputs[0], tree.get_output_node("ALL").inputs["Surface"])
    item.data.materials.append(material)
    return node


def test_things_that_shine_in_the_picture(blank_scene):
    add_camera(blank_scene)
    glow(add_box(blank_scene, "Screen", (0, 0, 1), (1, 0.1, 1)), 5.0)
    glow(add_box(blank_scene, "Softbox", (0, -15, 1)), 50.0)  # behind the camera
    glow(add_box(blank_scene, "Covered", (2, 8, 1), (0.4, 0.4, 0.4)), 5.0)
    add_box(blank_scene, "Wall", (2, 5, 1), (1.5, 0.2, 3))
    glow(add_box(blank_scene, "Ember", (-2, 0, 1), (0.2, 0.2, 0.2)), 0.1)
    plain = add_box(blank_scene, "Panel", (-1.5, 0, 2), (0.3, 0.3, 0.3))
    material = bpy.data.materials.new("Panel")
    shader = next(node for node in use_nodes(material).nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    shader.inputs["Emission Strength"].default_value = 3.0
    shader.inputs["Emission Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    plain.data.materials.append(material)
    found = environment_of(blank_scene).emitters
    assert [item.name for item in found] == ["Screen", "Panel"]
    assert found[0].strength == pytest.approx(5.0 * (0.2126 + 0.6 * 0.7152 + 0.3 * 0.0722), rel=1e-4)
    assert 2000 < found[0].color_temperature_k < 4500
    x0, y0, x1, y1 = found[0].screen_box
    assert x0 < 0.5 < x1 and y0 < 0.5 < y1


def test_odd_things_are_passed_over(blank_scene):
    add_camera(blank_scene)
    broken = add_box(blank_scene, "坏 🧨", (0, 0, 1))
    glow(broken, 5.0)
    broken.location = (math.nan, 0.0, 1.0)
    flat = add_box(blank_scene, "مسطح", (1, 0, 1))
    glow(flat, 5.0)
    flat.scale = (0.0, 0.0, 0.0)
    mirrored = add_box(blank_scene, "Mirrored", (-1, 0, 1))
    glow(mirrored, 5.0)
    mirrored.scale = (-1.0, 1.0, 1.0)
    lamp = add_lamp(blank_scene)
    lamp.data.energy = math.nan
    link(blank_scene, "Empty")
    environment = environment_of(blank_scene)
    assert "Mirrored" in [item.name for item in environment.emitters]
    assert all(math.isfinite(value) for item in environment.emitters for value in item.screen_box)


def test_under_a_bridge_is_no_room(blank_scene):
    """The camera looks just under a deck: rays there meet its underside, which is no wall."""
    camera = add_camera(blank_scene, (0.0, -6.0, 1.8))
    camera.rotation_euler.x += math.atan2(0.2, 26.0)
    aim_sun(add_lamp(blank_scene), 30, 15)
    add_box(blank_scene, "Bridge", (0, 20, 2.6), (30, 3, 1.2))
    assert environment_of(blank_scene).setting == "exterior"


def test_how_much_of_the_world_is_seen(blank_scene):
    camera = add_camera(blank_scene, (0.0, -6.0, 1.5))
    add_box(blank_scene, "Ground", (0, 0, -0.1), (400, 400, 0.2))
    assert 0.3 < environment_of(blank_scene).world_share < 0.7
    add_box(blank_scene, "House Front", (0, 1, 5), (30, 0.2, 10))
    assert environment_of(blank_scene).world_share == 0.0
    key(camera, "rotation_euler", {1: camera.rotation_euler.copy(), 48: (math.radians(90), 0, math.radians(180))})
    blank_scene.frame_end = 48
    assert environment_of(blank_scene).world_share > 0.3


@pytest.mark.parametrize(
    ("strength", "color", "world", "exposure", "sky"),
    [
        (0.08, (0.5, 0.7, 1.0), 0.004, 0.0, "night"), (0.3, (0.8, 0.85, 1.0), 0.0, 0.0, "night"),
        (0.3, (1.0, 1.0, 1.0), 0.0, 0.0, None),
        (0.08, (0.5, 0.7, 1.0), 0.004, 5.0, None), (0.08, (0.5, 0.7, 1.0), 0.3, 0.0, None),
        (0.3, (1.0, 0.6, 0.3), 0.0, 0.0, None), (3.0, (0.5, 0.7, 1.0), 0.0, 0.0, None),
    ],
)  # fmt: skip
def test_a_weak_sun_in_a_black_world_is_a_moon(blank_scene, strength, color, world, exposure, sky):
    add_camera(blank_scene)
    moon = add_lamp(blank_scene, energy=strength)
    moon.data.color = color
    aim_sun(moon, 320, 35)
    blank_scene.world = bpy.data.worlds.new("World")
    use_nodes(blank_scene.world).nodes["Background"].inputs["Color"].default_value = (world, world, world, 1)
    blank_scene.view_settings.exposure = exposure
    assert environment_of(blank_scene).sky == sky
