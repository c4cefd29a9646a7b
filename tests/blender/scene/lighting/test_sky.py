# SPDX-License-Identifier: GPL-3.0-or-later
"""The sun of Sky Textures, against where it stands in a render of the sky."""

import math

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from scene_makers import add_camera, add_lamp, add_sky, sky_models
from sky_renders import brightest, glow, panorama
from wan_previs.scene.geometry import angle_between_deg, direction_from
from wan_previs.scene.reader import read_brief

VECTOR_MODELS = ("PREETHAM", "HOSEK_WILKIE")


def sun_of(scene):
    brief, _ = read_brief(scene)
    return brief.shots[0].sun


def read_direction(scene):
    return np.array(sun_of(scene).samples[0].direction)


def turn_sun(sky, azimuth, elevation):
    if sky.sky_type in VECTOR_MODELS:
        sky.sun_direction, sky.turbidity = direction_from(azimuth, elevation) * 1.5, 6.0
    else:
        sky.sun_rotation, sky.sun_elevation = math.radians(azimuth), math.radians(elevation)
        sky.sun_size = math.radians(5.0)


@pytest.mark.parametrize("kind", sky_models())
@pytest.mark.parametrize("azimuth,elevation", [(250, 35), (10, 50), (123, 25)])
def test_every_model_stands_where_the_render_shows_it(blank_scene, tmp_path, kind, azimuth, elevation):
    add_camera(blank_scene)
    sky = add_sky(blank_scene, kind)
    turn_sun(sky, azimuth, elevation)
    rendered = panorama(blank_scene, tmp_path)
    seen, bound = (glow(rendered), 4.0) if kind in VECTOR_MODELS else (brightest(rendered), 1.0)
    assert angle_between_deg(seen, direction_from(azimuth, elevation)) < bound
    assert angle_between_deg(read_direction(blank_scene), direction_from(azimuth, elevation)) < 0.02
    assert sun_of(blank_scene).source == "sky_texture"


def coordinates(tree, output="Generated"):
    return tree.nodes.new("ShaderNodeTexCoord").outputs[output]


def mapping(tree, source, kind="POINT", rotation=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0)):
    node = tree.nodes.new("ShaderNodeMapping")
    node.vector_type = kind
    node.inputs["Rotation"].default_value, node.inputs["Scale"].default_value = rotation, scale
    tree.links.new(source, node.inputs["Vector"])
    return node.outputs[0]


def rotate(tree, source, kind, angle=0.0, axis=(0.0, 0.0, 1.0), euler=(0.0, 0.0, 0.0), invert=False):
    node = tree.nodes.new("ShaderNodeVectorRotate")
    node.rotation_type, node.invert = kind, invert
    for item in node.inputs:  # by identifier: the kind decides which can be had by name
        if item.identifier in ("Angle", "Axis", "Rotation"):
            item.default_value = {"Angle": angle, "Axis": axis, "Rotation": euler}[item.identifier]
    tree.links.new(source, node.inputs["Vector"])
    return node.outputs[0]


def compute(tree, source, operation, other):
    node = tree.nodes.new("ShaderNodeVectorMath")
    node.operation = operation
    node.inputs[1].default_value = other
    tree.links.new(source, node.inputs[0])
    return node.outputs[0]


def through_reroutes(tree):
    first, second = tree.nodes.new("NodeReroute"), tree.nodes.new("NodeReroute")
    tree.links.new(mapping(tree, coordinates(tree), rotation=(0, 0, 0.9)), first.inputs[0])
    tree.links.new(first.outputs[0], second.inputs[0])
    return second.outputs[0]


def muted_mapping(tree):
    turned = mapping(tree, coordinates(tree), rotation=(0, 0, 0.9))
    turned.node.mute = True
    return turned


def driven_by_values(tree):
    angle, combine = tree.nodes.new("ShaderNodeValue"), tree.nodes.new("ShaderNodeCombineXYZ")
    angle.outputs[0].default_value = 40.0
    radians = tree.nodes.new("ShaderNodeMath")
    radians.operation = "RADIANS"
    tree.links.new(angle.outputs[0], radians.inputs[0])
    tree.links.new(radians.outputs[0], combine.inputs["Z"])
    node = mapping(tree, coordinates(tree)).node
    tree.links.new(combine.outputs[0], node.inputs["Rotation"])
    return node.outputs[0]


def of_an_empty(tree):
    node = tree.nodes.new("ShaderNodeTexCoord")
    node.object = bpy.data.objects.new("Turn", None)
    bpy.context.scene.collection.objects.link(node.object)
    node.object.rotation_euler = (0.3, 0.1, 1.2)
    return node.outputs["Object"]


def in_a_group(tree):
    """A group that turns its input by an angle given from outside."""
    group = bpy.data.node_groups.new("Turn", "ShaderNodeTree")
    group.interface.new_socket("Vector", in_out="INPUT", socket_type="NodeSocketVector")
    group.interface.new_socket("Angle", in_out="INPUT", socket_type="NodeSocketFloat")
    group.interface.new_socket("Vector", in_out="OUTPUT", socket_type="NodeSocketVector")
    start, end = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
    turn = rotate(group, start.outputs[0], "Z_AXIS").node
    group.links.new(start.outputs[1], turn.inputs["Angle"])
    group.links.new(turn.outputs[0], end.inputs[0])
    node = tree.nodes.new("ShaderNodeGroup")
    node.node_tree = group
    tree.links.new(coordinates(tree), node.inputs[0])
    node.inputs[1].default_value = -0.7
    return node.outputs[0]


CHAINS = {
    "nothing": coordinates,
    "normal": lambda tree: coordinates(tree, "Normal"),
    "incoming": lambda tree: tree.nodes.new("ShaderNodeNewGeometry").outputs["Incoming"],
    "point": lambda tree: mapping(tree, coordinates(tree), "POINT", (0.2, -0.3, 1.1), (1.0, 2.0, 1.0)),
    "texture": lambda tree: mapping(tree, coordinates(tree), "TEXTURE", (0.2, -0.3, 1.1), (1.0, 2.0, 1.0)),
    "vector": lambda tree: mapping(tree, coordinates(tree), "VECTOR", (0.0, 0.2, -2.0)),
    "normal mapping": lambda tree: mapping(tree, coordinates(tree), "NORMAL", (0.1, 0.2, 0.5), (1.0, 0.7, 1.0)),
    "rotate axis": lambda tree: rotate(tree, coordinates(tree), "AXIS_ANGLE", 0.8, (0.3, 0.2, 0.9)),
    "rotate inverted": lambda tree: rotate(tree, coordinates(tree), "Z_AXIS", 0.8, invert=True),
    "rotate euler": lambda tree: rotate(tree, coordinates(tree), "EULER_XYZ", euler=(0.1, 0.2, 1.0)),
    "offset": lambda tree: compute(tree, coordinates(tree), "ADD", (0.2, 0.1, 0.3)),
    "mirrored": lambda tree: compute(tree, coordinates(tree), "MULTIPLY", (-1.0, 1.0, 1.0)),
    "two": lambda tree: rotate(tree, mapping(tree, coordinates(tree), rotation=(0, 0, 1)), "X_AXIS", 0.3),
    "reroutes": through_reroutes,
    "muted": muted_mapping,
    "values": driven_by_values,
    "empty": of_an_empty,
    "group": in_a_group,
}


@pytest.mark.parametrize("chain", CHAINS)
def test_a_turned_sky_stands_where_the_render_shows_it(blank_scene, tmp_path, chain):
    add_camera(blank_scene)
    sky = add_sky(blank_scene, "PREETHAM")
    turn_sun(sky, 200, 50)
    tree = blank_scene.world.node_tree
    tree.links.new(CHAINS[chain](tree), sky.inputs["Vector"])
    read = read_direction(blank_scene)
    # The sky is swapped for a picture with a dot where its sun is: the sky's own glow is too wide to measure tilts.
    picture = tree.nodes.new("ShaderNodeTexEnvironment")
    picture.image = dot_picture(direction_from(200, 50))
    tree.links.new(sky.inputs["Vector"].links[0].from_socket, picture.inputs["Vector"])
    tree.links.new(picture.outputs[0], tree.nodes["Background"].inputs["Color"])
    assert angle_between_deg(brightest(panorama(blank_scene, tmp_path)), read) < 2.0


def dot_picture(direction, radius=3.0, name="dot"):
    """An equirectangular picture that is black but for a dot in a direction of its own space."""
    height, width = 180, 360
    v = ((np.arange(height) + 0.5) / height - 0.5)[:, None] * np.pi
    u = -((np.arange(width) + 0.5) / width - 0.5)[None] * 2.0 * np.pi
    ways = np.stack([np.cos(u) * np.cos(v), np.sin(u) * np.cos(v), np.sin(v) * np.ones_like(u)], axis=-1)
    pixels = np.zeros((height, width, 4), np.float32)
    pixels[ways @ direction > math.cos(math.radians(radius))] = 20.0
    pixels[..., 3] = 1.0
    image = bpy.data.images.new(name, width, height, float_buffer=True)
    image.pixels.foreach_set(pixels.ravel())
    return image


def test_a_textures_own_mapping(blank_scene, tmp_path):
    add_camera(blank_scene)
    sky = add_sky(blank_scene, sky_models()[0])
    turn_sun(sky, 80, 30)
    sky.texture_mapping.rotation = (0.0, 0.0, math.radians(50.0))
    assert angle_between_deg(brightest(panorama(blank_scene, tmp_path)), read_direction(blank_scene)) < 1.0


def test_a_vector_that_the_model_does_not_take_is_passed_over(blank_scene, tmp_path):
    add_camera(blank_scene)
    sky = add_sky(blank_scene, sky_models()[0])
    turn_sun(sky, 80, 30)
    sky.sun_disc = False
    tree = blank_scene.world.node_tree
    tree.links.new(mapping(tree, coordinates(tree), rotation=(0, 0, 1.0)), sky.inputs["Vector"])
    without = read_direction(blank_scene)
    assert angle_between_deg(without, direction_from(80, 30)) > 20.0
    sky.sun_disc = True  # the model with its disc has no vector input
    assert angle_between_deg(read_direction(blank_scene), direction_from(80, 30)) < 0.02
    assert angle_between_deg(brightest(panorama(blank_scene, tmp_path)), direction_from(80, 30)) < 1.0


def test_the_stronger_of_two_skies_in_a_mix(blank_scene):
    add_camera(blank_scene)
    first = add_sky(blank_scene, "PREETHAM")
    turn_sun(first, 40, 30)
    tree = blank_scene.world.node_tree
    second = tree.nodes.new("ShaderNodeTexSky")
    second.sky_type = "HOSEK_WILKIE"
    turn_sun(second, 140, 30)
    other, mix = tree.nodes.new("ShaderNodeBackground"), tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(second.outputs[0], other.inputs["Color"])
    tree.links.new(tree.nodes["Background"].outputs[0], mix.inputs[1])
    tree.links.new(other.outputs[0], mix.inputs[2])
    output = tree.get_output_node("ALL")
    tree.links.new(mix.outputs[0], output.inputs["Surface"])
    for factor, azimuth in [(0.0, 40), (0.3, 40), (0.7, 140), (1.0, 140)]:
        mix.inputs[0].default_value = factor
        assert angle_between_deg(read_direction(blank_scene), direction_from(azimuth, 30)) < 0.02
    rays = tree.nodes.new("ShaderNodeLightPath")  # the camera sees the second, the first lights the scene
    tree.links.new(rays.outputs["Is Camera Ray"], mix.inputs[0])
    assert angle_between_deg(read_direction(blank_scene), direction_from(40, 30)) < 0.02
    mix.mute = True
    assert (sun_of(blank_scene) is None) == (not mix.internal_links)


def test_mix_color_and_muted_background(blank_scene):
    add_camera(blank_scene)
    sky = add_sky(blank_scene, "PREETHAM")
    turn_sun(sky, 40, 30)
    tree = blank_scene.world.node_tree
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    colours = [item for item in mix.inputs if item.enabled and item.type == "RGBA"]
    tree.links.new(sky.outputs[0], colours[1])
    tree.links.new(next(item for item in mix.outputs if item.enabled), tree.nodes["Background"].inputs["Color"])
    mix.inputs[0].default_value = 0.0
    assert sun_of(blank_scene) is None
    mix.inputs[0].default_value = 0.4
    assert sun_of(blank_scene).source == "sky_texture"
    tree.nodes["Background"].mute = True  # a shader has no shortcut from a colour: the world is black
    assert sun_of(blank_scene) is None


def test_odd_skies_give_no_sun_and_no_error(blank_scene):
    add_camera(blank_scene)
    sky = add_sky(blank_scene, "PREETHAM")
    sky.sun_direction = (0.0, 0.0, 0.0)
    assert sun_of(blank_scene) is None
    turn_sun(sky, 40, 30)
    tree = blank_scene.world.node_tree
    flat = mapping(tree, coordinates(tree), scale=(1.0, 1.0, 0.0))
    tree.links.new(flat, sky.inputs["Vector"])
    assert sun_of(blank_scene) is None
    noise = tree.nodes.new("ShaderNodeTexNoise")
    tree.links.new(noise.outputs["Color"], sky.inputs["Vector"])
    assert sun_of(blank_scene).source == "sky_texture"
    add_lamp(blank_scene, name="太阳 ☀", energy=0.0)
    assert sun_of(blank_scene).source == "sky_texture"


def test_an_empty_that_turns_the_sky(blank_scene):
    add_camera(blank_scene)
    sky = add_sky(blank_scene, "PREETHAM")
    turn_sun(sky, 100, 20)
    tree = blank_scene.world.node_tree
    node = of_an_empty(tree).node
    tree.links.new(node.outputs["Object"], sky.inputs["Vector"])
    node.object.matrix_world = Matrix.Rotation(math.radians(30.0), 4, "Z")
    assert angle_between_deg(read_direction(blank_scene), direction_from(70, 20)) < 0.02
