# SPDX-License-Identifier: GPL-3.0-or-later
"""Which suns light a shot, and in which order: by what each does in a Cycles render."""

import bpy
import numpy as np
import pytest
from scene_makers import add_box, add_camera, add_lamp, add_sky, aim_sun, key, link, use_nodes
from wan_previs.scene.reader import read_brief


def matte():
    """A material without gloss (from 5.2 on a thing without a material has one)."""
    material = bpy.data.materials.new("Matte")
    tree = use_nodes(material)
    output = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputMaterial")
    tree.links.new(tree.nodes.new("ShaderNodeBsdfDiffuse").outputs[0], output.inputs["Surface"])
    return material


@pytest.fixture
def scene(blank_scene):
    """A crate on the ground and two suns: A of 10 W/m2, B of 3."""
    blank_scene.render.engine = "CYCLES"
    blank_scene.frame_end = 48
    add_camera(blank_scene, (0, -12, 1.6))
    add_box(blank_scene)
    add_box(blank_scene, "Ground", (0, 0, -0.05), (60, 60, 0.1))
    add_box(blank_scene, "Prop", (80, 0, 1))
    blank_scene.view_layers[0].material_override = matte()
    aim_sun(add_lamp(blank_scene, "SUN", "Sun A", 10.0), 120, 40)
    aim_sun(add_lamp(blank_scene, "SUN", "Sun B", 3.0), 240, 40)
    return blank_scene


def shot_of(scene):
    return read_brief(scene)[0].shots[0]


def azimuths(shot):
    return [round(sun.samples[0].azimuth_deg) for sun in shot.suns]


def rendered(scene, only, path):
    """Mean of the picture with only one of the lights."""
    lights = [item for item in scene.objects if item.type == "LIGHT"]
    before = [item.hide_render for item in lights]
    for item in lights:
        item.hide_render = item.name != only
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.render.resolution_x, scene.render.resolution_y = 32, 18
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    for item, hidden in zip(lights, before, strict=True):
        item.hide_render = hidden
    image = bpy.data.images.load(str(path))
    mean = float(np.array(image.pixels[:]).reshape(-1, 4)[:, :3].mean())
    bpy.data.images.remove(image)
    return mean


def emission(lamp):
    tree = use_nodes(lamp.data)
    return tree, next(node for node in tree.nodes if node.bl_idname == "ShaderNodeEmission")


def weak_emission(scene):
    _, node = emission(scene.objects["Sun A"])
    node.inputs["Strength"].default_value = 0.02


def weak_falloff(scene):
    tree, node = emission(scene.objects["Sun A"])
    falloff = tree.nodes.new("ShaderNodeLightFalloff")
    falloff.inputs["Strength"].default_value = 0.05
    tree.links.new(falloff.outputs["Quadratic"], node.inputs["Strength"])


def mixed_with_nothing(scene):
    tree, node = emission(scene.objects["Sun A"])
    mix = tree.nodes.new("ShaderNodeMixShader")
    mix.inputs[0].default_value = 0.95
    output = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputLight")
    tree.links.new(node.outputs[0], mix.inputs[1])
    tree.links.new(mix.outputs[0], output.inputs[0])


def dark_emission(scene):
    _, node = emission(scene.objects["Sun A"])
    node.inputs["Color"].default_value = (0.01, 0.02, 0.2, 1.0)


def nothing_linked(scene):
    tree, node = emission(scene.objects["Sun A"])
    tree.links.remove(node.outputs[0].links[0])


def strong_other(scene):
    _, node = emission(scene.objects["Sun B"])
    node.inputs["Strength"].default_value = 6.0


def linked_to(scene, names, state="INCLUDE", inner=False):
    collection = bpy.data.collections.new("Receivers")
    holder = collection
    if inner:
        holder = bpy.data.collections.new("Inner")
        collection.children.link(holder)
        collection.collection_children[0].light_linking.link_state = state
    for name in names:
        holder.objects.link(scene.objects[name])
    for entry in () if inner else holder.collection_objects:
        entry.light_linking.link_state = state
    scene.objects["Sun A"].light_linking.receiver_collection = collection


def linked_out_of_frame(scene):
    linked_to(scene, ["Prop"])


def linked_in_an_inner_collection(scene):
    linked_to(scene, ["Prop"], inner=True)


def all_in_frame_excluded(scene):
    linked_to(scene, ["Ground", "Crate"], "EXCLUDE")


def not_on_surfaces(scene):
    scene.objects["Sun A"].visible_diffuse = False


CHANGES = [
    weak_emission, weak_falloff, mixed_with_nothing, dark_emission, nothing_linked, strong_other, linked_out_of_frame,
    linked_in_an_inner_collection, all_in_frame_excluded, not_on_surfaces,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_sun_is_what_lights_the_render(scene, change, tmp_path):
    assert azimuths(shot_of(scene)) == [120, 240]
    change(scene)
    by_a, by_b = (rendered(scene, name, tmp_path / f"{name}.exr") for name in ("Sun A", "Sun B"))
    assert by_b > 1.5 * by_a
    shot = shot_of(scene)
    lights = by_a > 1e-4
    assert azimuths(shot) == ([240, 120] if lights else [240])
    assert shot.sun == shot.suns[0]
    assert [light.name for light in shot.lights] == (["Sun A"] if lights else [])


@pytest.mark.parametrize("names,state", [(["Crate", "Ground"], "INCLUDE"), (["Prop"], "EXCLUDE"), ([], "INCLUDE")])
def test_links_that_leave_the_picture_lit_change_nothing(scene, names, state, tmp_path):
    linked_to(scene, names, state)
    assert rendered(scene, "Sun A", tmp_path / "a.exr") > 2 * rendered(scene, "Sun B", tmp_path / "b.exr")
    assert azimuths(shot_of(scene)) == [120, 240]


def test_a_strength_in_the_nodes_is_told(scene):
    weak_emission(scene)
    strengths = {round(sun.samples[0].azimuth_deg): sun.samples[0].strength for sun in shot_of(scene).suns}
    assert strengths == {240: pytest.approx(3.0), 120: pytest.approx(0.2)}


def strength_at(sun, frame):
    frames = [sample.frame for sample in sun.samples]
    return float(np.interp(frame, frames, [sample.strength for sample in sun.samples]))


@pytest.mark.parametrize("where", ["energy", "nodes"])
def test_suns_that_fade_across_are_both_told(scene, where):
    """One goes out as the other comes in: both with their change, which follows their keys within 2 %."""
    course = {"Sun A": {1: 4.0, 30: 0.5, 48: 0.0}, "Sun B": {1: 0.0, 20: 2.5, 48: 4.0}}
    curves = {}
    for name, values in course.items():
        lamp = scene.objects[name]
        if where == "energy":
            key(lamp.data, "energy", values, "BEZIER")
            curves[name] = lambda lamp=lamp: lamp.data.energy
        else:
            lamp.data.energy = 2.0
            _, node = emission(lamp)
            socket = node.inputs["Strength"]
            for frame, value in values.items():
                socket.default_value = value / 2.0
                socket.keyframe_insert("default_value", frame=frame)
            curves[name] = lambda socket=socket: 2.0 * socket.default_value
    shot = shot_of(scene)
    told = {round(sun.samples[0].azimuth_deg): sun for sun in shot.suns}
    assert len(told) == 2
    for frame in range(1, 49):
        scene.frame_set(frame)
        for azimuth, name in ((120, "Sun A"), (240, "Sun B")):
            assert strength_at(told[azimuth], frame) == pytest.approx(curves[name](), rel=0.02, abs=1e-3)
    assert (shot.sun.samples[0].strength > 0.0) == (azimuths(shot)[0] == 120)


def test_of_equal_suns_the_one_that_begins_is_the_sun(scene):
    for name, values in (("Sun A", {1: 0.0, 48: 3.0}), ("Sun B", {1: 3.0, 48: 0.0})):
        key(scene.objects[name].data, "energy", values)
    shot = shot_of(scene)
    assert azimuths(shot) == [240, 120] and shot.sun.samples[0].strength == pytest.approx(3.0)


def test_a_flash_does_not_make_the_sun(scene):
    """What lights the shot as a whole counts, not the brightest moment."""
    key(scene.objects["Sun A"].data, "energy", {1: 0.0, 23: 0.0, 24: 40.0, 25: 0.0})
    assert azimuths(shot_of(scene)) == [240, 120]


def test_the_sky_of_a_lamp_lights_only_where_its_disc_is_drawn(scene):
    sky = add_sky(scene)
    shot = shot_of(scene)
    assert [sun.source for sun in shot.suns] == ["sun_light", "sun_light", "sky_texture"]
    sky.sun_disc = False
    assert [sun.source for sun in shot_of(scene).suns] == ["sun_light", "sun_light"]
    for name in ("Sun A", "Sun B"):
        scene.objects[name].hide_render = True
    assert [sun.source for sun in shot_of(scene).suns] == ["sky_texture"]


def test_no_sun_no_suns(scene):
    for name in ("Sun A", "Sun B"):
        bpy.data.objects.remove(scene.objects[name])
    shot = shot_of(scene)
    assert shot.sun is None and shot.suns == ()


def test_a_prop_that_comes_into_the_picture_brings_its_sun(scene):
    prop = scene.objects["Prop"]
    linked_out_of_frame(scene)
    key(prop, "location", {1: (80, 0, 1), 48: (1.5, -4, 1)})
    assert azimuths(shot_of(scene)) == [240, 120]


def test_a_lamp_for_something_else_lights_no_subject(scene):
    lamp = add_lamp(scene, "POINT", "Spare", 5000.0, (0, -3, 4))
    link(scene, "Marker")
    receivers = bpy.data.collections.new("Spare receivers")
    receivers.objects.link(scene.objects["Prop"])
    assert "Spare" in [light.name for light in shot_of(scene).lights]
    lamp.light_linking.receiver_collection = receivers
    assert "Spare" not in [light.name for light in shot_of(scene).lights]
