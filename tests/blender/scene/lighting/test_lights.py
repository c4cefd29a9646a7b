# SPDX-License-Identifier: GPL-3.0-or-later
"""Lights other than the sun: which counts, what it does, and its colour."""

import math

import bpy
import pytest
from mathutils import Vector
from scene_makers import add_box, add_camera, add_lamp, aim_sun, link, sun_euler, use_nodes
from wan_previs import compat
from wan_previs.scene.reader import read_brief


def lights_of(scene):
    return {light.name: light for light in read_brief(scene)[0].shots[0].lights}


def point_at(item, target):
    item.rotation_euler = (Vector(target) - item.location).to_track_quat("-Z", "Y").to_euler()


def test_roles_by_what_reaches_the_subject(blank_scene):
    add_camera(blank_scene)
    add_box(blank_scene)
    point_at(add_lamp(blank_scene, "AREA", "Window", 100.0, (-4, -3, 2)), (0, 0, 1))
    add_lamp(blank_scene, "AREA", "Turned away", 900.0, (4, -3, 2)).rotation_euler = (math.pi, 0, 0)
    add_lamp(blank_scene, "SPOT", "Beside", 900.0, (0, -8, 8)).rotation_euler = (math.radians(170), 0, 0)
    point_at(add_lamp(blank_scene, "SPOT", "Rim", 60.0, (1, 4, 4)), (0, 0, 1))
    blue = add_lamp(blank_scene, "POINT", "Blue", 200.0, (3, -4, 1))
    blue.data.color = (0.0, 0.0, 1.0)
    add_lamp(blank_scene, "POINT", "Bulb", 5.0, (1.0, 1.0, 2.0))
    add_lamp(blank_scene, "POINT", "Far", 50.0, (0.0, 60.0, 2.0))
    roles = {name: light.role for name, light in lights_of(blank_scene).items()}
    assert roles["Window"] == "key" and roles["Turned away"] != "key" and roles["Beside"] != "key"
    assert roles["Rim"] == "rim" and roles["Blue"] == "fill"
    assert roles["Bulb"] == "practical" and roles["Far"] == "background"


def test_height_and_side(blank_scene):
    add_camera(blank_scene)
    add_box(blank_scene, location=(0, 0, 1))
    add_lamp(blank_scene, "POINT", "Above", 50.0, (0, 0, 9))
    add_lamp(blank_scene, "POINT", "Below", 50.0, (-3, 0, -3))
    lights = lights_of(blank_scene)
    assert lights["Above"].relative_to_camera == "top" and lights["Above"].elevation_deg == pytest.approx(90.0, abs=2)
    assert lights["Below"].relative_to_camera == "left" and -60 < lights["Below"].elevation_deg < -45


def test_blackbody_and_emission_nodes_colour_a_lamp(blank_scene):
    add_camera(blank_scene)
    lamp = add_lamp(blank_scene)
    aim_sun(lamp, 90, 20)
    tree = use_nodes(lamp.data)
    emission = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeEmission")
    body, way = tree.nodes.new("ShaderNodeBlackbody"), tree.nodes.new("NodeReroute")
    value = tree.nodes.new("ShaderNodeValue")
    value.outputs[0].default_value = 2700.0
    tree.links.new(value.outputs[0], body.inputs[0])
    tree.links.new(body.outputs[0], way.inputs[0])
    tree.links.new(way.outputs[0], emission.inputs["Color"])

    def kelvin():
        return read_brief(blank_scene)[0].shots[0].sun.samples[0].color_temperature_k

    assert kelvin() == pytest.approx(2700.0)
    if bpy.app.version < (5, 1, 0):
        lamp.data.use_nodes = False
        assert kelvin() != pytest.approx(2700.0)
        lamp.data.use_nodes = True
    body.mute = True
    assert kelvin() != pytest.approx(2700.0)
    tree.links.remove(emission.inputs["Color"].links[0])
    emission.inputs["Color"].default_value = (1.0, 0.6, 0.3, 1.0)
    assert 2500 < kelvin() < 4500
    if compat.light_temperature(lamp.data) is not None or hasattr(lamp.data, "use_temperature"):
        emission.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
        lamp.data.use_temperature, lamp.data.temperature = True, 4300.0
        assert kelvin() == pytest.approx(4300.0)


def instance_by_nodes(holder, source):
    """Geometry nodes on `holder` that put `source` there as an instance."""
    group = bpy.data.node_groups.new("Place", "GeometryNodeTree")
    group.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    info, end = group.nodes.new("GeometryNodeObjectInfo"), group.nodes.new("NodeGroupOutput")
    info.inputs["Object"].default_value = source
    info.inputs["As Instance"].default_value = True
    group.links.new(info.outputs["Geometry"], end.inputs[0])
    holder.modifiers.new("Place", "NODES").node_group = group


def test_a_sun_that_geometry_nodes_place(blank_scene):
    add_camera(blank_scene)
    lamp = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    lamp.data.energy = 4.0
    holder = link(blank_scene, "Holder", bpy.data.meshes.new("Holder"))
    instance_by_nodes(holder, lamp)
    holder.rotation_euler = sun_euler(100, 20)
    sun = read_brief(blank_scene)[0].shots[0].sun
    assert sun is not None and sun.samples[0].azimuth_deg == pytest.approx(100.0, abs=0.01)
    assert sun.samples[0].elevation_deg == pytest.approx(20.0, abs=0.01)
    hidden = bpy.data.collections.new("Sources")  # what nodes place renders though its source does not
    blank_scene.collection.children.link(hidden)
    hidden.objects.link(lamp)
    hidden.hide_render = lamp.hide_render = True
    assert read_brief(blank_scene)[0].shots[0].sun.samples[0].azimuth_deg == pytest.approx(100.0, abs=0.01)
    holder.hide_render = True
    assert read_brief(blank_scene)[0].shots[0].sun is None


def test_a_linked_sun(blank_scene, tmp_path):
    rig = bpy.data.collections.new("Rig")
    lamp = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    rig.objects.link(lamp)
    lamp.rotation_euler = sun_euler(140, 25)
    path = str(tmp_path / "rig.blend")
    bpy.data.libraries.write(path, {rig})
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    add_camera(scene)
    with bpy.data.libraries.load(path, link=True) as (source, target):
        target.collections = list(source.collections)
    scene.collection.children.link(bpy.data.collections["Rig"])
    local = add_lamp(scene, name="Sun", energy=0.2)
    aim_sun(local, 10, 10)
    sun = read_brief(scene)[0].shots[0].sun
    assert sun.samples[0].azimuth_deg == pytest.approx(140.0, abs=0.01)
    assert [light.name for light in read_brief(scene)[0].shots[0].lights] == ["Sun"]


def test_thousands_of_lights(blank_scene):
    add_camera(blank_scene)
    data = bpy.data.lights.new("Bulb", "POINT")
    for index in range(3000):
        link(blank_scene, f"灯 مصباح 💡 {index}", data, (index % 50, index // 50, 2.0))
    assert len(lights_of(blank_scene)) == 3000


LAMPS = {  # kind, power, metres from the subject, W/m2 there: P / (4 pi d^2), four times that before an area light
    "Street 1": ("POINT", 3000.0, 60.0, 0.066),
    "Street 2": ("SPOT", 4000.0, 55.0, 0.105),
    "Desk": ("POINT", 15.0, 1.2, 0.829),
    "Softbox": ("AREA", 60.0, 3.0, 2.122),
    "Rim sun": ("SUN", 0.4, 0.0, 0.4),
    "Weak sun": ("SUN", 0.08, 0.0, 0.08),
}


@pytest.mark.parametrize(
    "kept", [tuple(LAMPS), ("Street 1", "Street 2", "Rim sun"), ("Weak sun", "Street 2", "Desk")], ids=" ".join
)
def test_lights_stand_by_what_reaches_the_subject(blank_scene, kept):
    """Watts far away count less than a weak sun: W/m2 at the subject, not the lamps' own numbers."""
    add_camera(blank_scene)
    add_box(blank_scene)
    aim_sun(add_lamp(blank_scene, "SUN", "Sun", 6.0), 200, 40)
    for index, name in enumerate(kept):
        kind, power, distance, _ = LAMPS[name]
        turn = 2.4 * index + 1.0
        lamp = add_lamp(blank_scene, kind, name, power, (math.sin(turn) * distance, math.cos(turn) * distance, 1))
        if kind == "SUN":
            aim_sun(lamp, 30, 30)
        else:
            point_at(lamp, (0, 0, 1))
    lights = read_brief(blank_scene)[0].shots[0].lights
    assert [light.name for light in lights] == sorted(kept, key=lambda name: -LAMPS[name][3])


def black(data):
    data.color = (0.0, 0.0, 0.0)


def black_in_nodes(data):
    emission = next(node for node in use_nodes(data).nodes if node.bl_idname == "ShaderNodeEmission")
    emission.inputs["Color"].default_value = (0.0, 0.0, 0.0, 1.0)


def below_nothing(data):
    data.energy = -500.0


@pytest.mark.parametrize("kind", ["POINT", "SPOT", "AREA", "SUN"])
@pytest.mark.parametrize("spoil", [black, black_in_nodes, below_nothing])
def test_what_sends_out_no_light_is_no_light(blank_scene, kind, spoil):
    add_camera(blank_scene)
    add_box(blank_scene)
    spoil(add_lamp(blank_scene, kind, "Dark", 500.0, (2, -2, 3)).data)
    (shot,) = read_brief(blank_scene)[0].shots
    assert shot.lights == () and shot.suns == ()


def test_a_rim_far_behind_a_small_thing_is_aimed_at_it(blank_scene):
    add_camera(blank_scene, (0, -0.6, 0.14))
    add_box(blank_scene, "Bottle", (0, 0, 0.1), (0.1, 0.1, 0.2))
    point_at(add_lamp(blank_scene, "AREA", "Key", 12.0, (-0.8, -0.8, 1)), (0, 0, 0.1))
    point_at(add_lamp(blank_scene, "AREA", "Rim", 8.0, (0.3, 1.5, 1.2)), (0, 0, 0.1))
    point_at(add_lamp(blank_scene, "SPOT", "On the wall", 8.0, (0.3, 1.5, 1.2)), (0, 3, 1))
    roles = {name: light.role for name, light in lights_of(blank_scene).items()}
    assert roles == {"Key": "key", "Rim": "rim", "On the wall": "background"}


def test_lights_and_suns_keep_the_colour_that_no_temperature_tells(blank_scene):
    add_camera(blank_scene)
    add_box(blank_scene)
    for name, color in (("Blue", (0.1, 0.2, 1.0)), ("Red", (0.5, 0.05, 0.025))):
        add_lamp(blank_scene, "POINT", name, 100.0, (-3, -4, 2)).data.color = color
    add_lamp(blank_scene, "SUN", "Moon", 1.0).data.color = (0.2, 0.4, 0.8)
    lights = lights_of(blank_scene)
    assert lights["Blue"].color == pytest.approx((0.1, 0.2, 1.0))
    assert lights["Red"].color == pytest.approx((1.0, 0.1, 0.05))
    assert lights["Blue"].color_temperature_k is None
    sun = read_brief(blank_scene)[0].shots[0].sun
    assert sun.samples[0].color == pytest.approx((0.25, 0.5, 1.0))
