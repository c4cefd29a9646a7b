# SPDX-License-Identifier: GPL-3.0-or-later
"""What a render will lack is told before it, once for each kind and with names; nothing is said where nothing lacks."""

import shutil
from pathlib import Path

import bpy
import pytest
from object_kinds import given, node, nodes_of
from scene_makers import add_box, add_camera, add_lamp, key, link, use_nodes
from test_linked_names import linked, save_library
from wan_previs import compat, previs
from wan_previs.scene.losses import losses


def told(scene):
    scene.frame_set(scene.frame_current)
    return losses(scene)


def picture(path="//gone.png", name="Wood", source="FILE"):
    """An image of a file that is not there."""
    image = bpy.data.images.new(name, 8, 8)
    image.source = source
    image.filepath = path
    return image


def material(image, name="Paint", linked=True):
    made = bpy.data.materials.new(name)
    tree = use_nodes(made)
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    if linked:
        tree.links.new(texture.outputs["Color"], tree.nodes["Principled BSDF"].inputs["Base Color"])
    return made


def painted(scene, image, name="Crate", **settings):
    item = add_box(scene, name)
    item.data.materials.append(material(image, **settings))
    return item


def group_with(image):
    tree = bpy.data.node_groups.new("Group", "ShaderNodeTree")
    tree.interface.new_socket("Color", in_out="OUTPUT", socket_type="NodeSocketColor")
    texture, output = tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("NodeGroupOutput")
    texture.image = image
    tree.links.new(texture.outputs["Color"], output.inputs[0])
    return tree


def in_a_group(scene):
    item = painted(scene, None)
    tree = item.material_slots[0].material.node_tree
    group = tree.nodes.new("ShaderNodeGroup")
    group.node_tree = group_with(picture())
    tree.links.new(group.outputs[0], tree.nodes["Principled BSDF"].inputs["Base Color"])


def in_the_world(scene):
    scene.world = bpy.data.worlds.new("World")
    tree = use_nodes(scene.world)
    texture = tree.nodes.new("ShaderNodeTexEnvironment")
    texture.image = picture()
    tree.links.new(texture.outputs["Color"], tree.nodes["Background"].inputs["Color"])


def on_a_light(scene):
    tree = use_nodes(add_lamp(scene, "SPOT").data)
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = picture()
    tree.links.new(texture.outputs["Color"], next(n for n in tree.nodes if n.type == "EMISSION").inputs["Color"])


def on_an_instance(scene):
    item = painted(scene, picture())
    kept = bpy.data.collections.new("Kept")
    scene.collection.objects.unlink(item)
    kept.objects.link(item)
    empty = link(scene, "Placed")
    empty.instance_type, empty.instance_collection = "COLLECTION", kept


def in_a_scene_behind(scene):
    scene.background_set = bpy.data.scenes.new("Stage")
    painted(scene.background_set, picture())


def set_by_nodes(scene):
    paint = material(picture())

    def build(tree):
        made = node(tree, "GeometryNodeSetMaterial", node(tree, "GeometryNodeMeshCube"))
        made.node.inputs["Material"].default_value = paint
        return made

    add_box(scene).modifiers.new("Nodes", "NODES").node_group = nodes_of(build)


def displacing(scene):
    texture = bpy.data.textures.new("Bumps", "IMAGE")
    texture.image = picture()
    add_box(scene).modifiers.new("Displace", "DISPLACE").texture = texture


def read_by_nodes(tree):
    """Geometry nodes that move a mesh by the colours of an image; returns the image's socket and what comes out."""
    texture = node(tree, "GeometryNodeImageTexture")
    moved = node(tree, "GeometryNodeSetPosition", given(tree))
    tree.links.new(texture, moved.node.inputs["Offset"])
    return texture.node.inputs["Image"], moved


def stated_in_nodes(scene):
    def build(tree):
        image, moved = read_by_nodes(tree)
        image.default_value = picture()
        return moved

    add_box(scene).modifiers.new("Nodes", "NODES").node_group = nodes_of(build)


def given_to_nodes(scene):
    def build(tree):
        image, moved = read_by_nodes(tree)
        tree.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketImage").default_value = picture()
        group = next(n for n in tree.nodes if n.bl_idname == "NodeGroupInput")
        tree.links.new(group.outputs["Image"], image)
        return moved

    add_box(scene).modifiers.new("Nodes", "NODES").node_group = nodes_of(build)


def hidden_by_key(scene):
    key(painted(scene, picture()), "hide_render", {1: True, 3: False})
    scene.frame_set(1)


MISSING = [
    lambda scene: painted(scene, picture()),
    lambda scene: painted(scene, picture("", source="FILE")),
    lambda scene: painted(scene, picture("//gone.<UDIM>.png", source="TILED")),
    lambda scene: painted(scene, picture("//gone/0001.png", source="SEQUENCE")),
    lambda scene: painted(scene, picture("//gone.mp4", source="MOVIE")),
    in_a_group, in_the_world, on_a_light, on_an_instance, set_by_nodes, displacing, hidden_by_key, stated_in_nodes,
    given_to_nodes, in_a_scene_behind,
]  # fmt: skip


@pytest.mark.parametrize("make", MISSING)
def test_missing_pictures_are_named(scene, make):
    make(scene)
    (text,) = told(scene)
    assert "'Wood'" in text and "missing" in text


@pytest.mark.parametrize("place", ["x" * 300 + ".png", "x" * 300 + "/wood.png"], ids=["file", "folder"])
@pytest.mark.parametrize("source", ["FILE", "TILED"])
def test_a_name_that_no_disk_takes_is_a_missing_picture(scene, source, place):
    painted(scene, picture(f"/{place}".replace(".png", ".<UDIM>.png" if source == "TILED" else ".png"), source=source))
    (words,) = told(scene)
    assert "'Wood'" in words


def test_many_missing_pictures_are_one_warning(scene):
    for number in range(9):
        item = add_box(scene, f"Crate {number}")
        item.data.materials.append(material(picture(name=f"Wood {number}"), f"Paint {number}"))
    (text,) = told(scene)
    assert "and 5 more" in text


def test_missing_volumes_and_caches_are_named(scene):
    cloud = bpy.data.volumes.new("Cloud")
    cloud.filepath = "//gone.vdb"
    link(scene, "Cloud", cloud)
    (text,) = told(scene)
    assert "'Cloud'" in text


def test_missing_light_profiles_and_mesh_caches_are_named(scene):
    tree = use_nodes(add_lamp(scene, "SPOT").data)
    profile = tree.nodes.new("ShaderNodeTexIES")
    profile.mode, profile.filepath = "EXTERNAL", "//gone.ies"
    emission = next(n for n in tree.nodes if n.type == "EMISSION")
    tree.links.new(profile.outputs[0], emission.inputs["Strength"])
    cache = add_box(scene).modifiers.new("Cache", "MESH_CACHE")
    cache.filepath = "//gone.pc2"
    (text,) = told(scene)
    assert "'gone.ies'" in text and "'gone.pc2'" in text


def test_missing_fonts_are_named(scene, tmp_path):
    source = next(Path(bpy.utils.system_resource("DATAFILES"), "fonts").glob("Inter*"))
    file = Path(shutil.copy(source, tmp_path / "titles.woff2"))
    bpy.ops.object.text_add()
    bpy.context.object.data.font = bpy.data.fonts.load(str(file))
    assert told(scene) == []
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "titles.blend"))
    file.unlink()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "titles.blend"))
    (text,) = told(bpy.context.scene)
    assert repr(bpy.context.scene.objects["Text"].data.font.name) in text


def test_a_volume_that_nodes_make_has_no_file_to_miss(scene, tmp_path):
    link(scene, "Cloud", bpy.data.volumes.new("Cloud"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "cloud.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "cloud.blend"))
    assert told(bpy.context.scene) == []


def save_picture(path):
    image = bpy.data.images.new("Saved", 4, 4)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return path


def packed(scene, tmp_path):
    image = bpy.data.images.load(str(save_picture(tmp_path / "wood.png")))
    image.pack()
    (tmp_path / "wood.png").unlink()
    painted(scene, image)


def painted_in_memory(scene, tmp_path):
    image = bpy.data.images.new("Wood", 4, 4)
    image.pixels[0] = 0.5
    painted(scene, image)


def tiles(scene, tmp_path):
    save_picture(tmp_path / "wood.1001.png")
    painted(scene, picture(str(tmp_path / "wood.<UDIM>.png"), source="TILED"))


def sequence(scene, tmp_path):
    save_picture(tmp_path / "wood0007.png")
    painted(scene, picture(str(tmp_path / "wood0001.png"), source="SEQUENCE"))


def not_rendered(scene, tmp_path):
    painted(scene, picture()).hide_render = True


def excluded(scene, tmp_path):
    item = painted(scene, picture())
    kept = bpy.data.collections.new("Kept")
    scene.collection.children.link(kept)
    scene.collection.objects.unlink(item)
    kept.objects.link(item)
    scene.view_layers[0].layer_collection.children["Kept"].exclude = True


def overridden(scene, tmp_path):
    painted(scene, picture())
    scene.view_layers[0].material_override = bpy.data.materials.new("Clay")


def loaded(scene, tmp_path):
    painted(scene, bpy.data.images.load(str(save_picture(tmp_path / "wood.png"))))


NOTHING = [
    packed, painted_in_memory, tiles, sequence, not_rendered, excluded, overridden, loaded,
    lambda scene, tmp_path: painted(scene, picture(), linked=False),
    lambda scene, tmp_path: material(picture()),
    lambda scene, tmp_path: painted(scene, None),
]  # fmt: skip


@pytest.mark.parametrize("make", NOTHING)
def test_no_word_where_no_picture_is_missing(scene, make, tmp_path):
    make(scene, tmp_path)
    assert told(scene) == []


def use_gone_library(tmp_path, kinds=("objects", "Crate"), use=None):
    """A file that links from a library, opened after the library was deleted."""
    library = save_library(tmp_path / "props.blend", lambda scene: painted(scene, None))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    add_camera(scene)
    block = linked(library, *kinds)
    (use or scene.collection.objects.link)(block)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    library.unlink()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    return bpy.context.scene


def test_missing_libraries_are_named(tmp_path):
    (text,) = told(use_gone_library(tmp_path))
    assert "Crate" in text and "'props.blend'" in text


def test_a_missing_material_of_what_renders(tmp_path):
    def put_on(paint):
        add_box(bpy.context.scene, "Own").data.materials.append(paint)

    (text,) = told(use_gone_library(tmp_path, ("materials", "Paint"), put_on))
    assert "Paint" in text


def test_missing_data_that_nothing_rendered_uses(tmp_path):
    def put_aside(paint):
        item = add_box(bpy.context.scene, "Own")
        item.data.materials.append(paint)
        item.hide_render = True

    assert told(use_gone_library(tmp_path, ("materials", "Paint"), put_aside)) == []


def test_drivers_that_may_not_run_are_named(scene, tmp_path):
    box = add_box(scene)
    box.driver_add("location", 2).driver.expression = "__import__('math').sin(frame)"
    box.driver_add("location", 0).driver.expression = "frame * 0.1"
    add_box(scene, "Even").driver_add("location", 0).driver.expression = "sin(frame)"
    path = str(tmp_path / "driven.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path, use_scripts=False)
    (text,) = told(bpy.context.scene)
    assert "'Crate'" in text and "Even" not in text and "Scripts are switched off" in text
    bpy.ops.wm.open_mainfile(filepath=path, use_scripts=True)
    assert told(bpy.context.scene) == []


def test_a_second_layer_that_is_dropped(scene):
    layer = scene.view_layers.new("Smoke")
    (text,) = told(scene)
    assert "'Smoke'" in text and "left out" in text
    layer.use = False
    assert told(scene) == []


def composite(scene, *kinds, mute=False):
    """Compositing nodes: the render through nodes of some kinds to the output."""
    if bpy.app.version >= (5, 0, 0):
        tree = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        scene.compositing_node_group = tree
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    now = tree.nodes.new("CompositorNodeRLayers").outputs["Image"]
    for kind in kinds:
        step = tree.nodes.new(kind)
        step.mute = mute
        tree.links.new(now, next(socket for socket in step.inputs if socket.type == "RGBA"))
        now = step.outputs[0]
    tree.links.new(now, output.inputs[0])
    return tree


def test_a_compositor_that_changes_the_picture(scene):
    composite(scene, "CompositorNodeInvert")
    (text,) = told(scene)
    assert "compositor" in text
    scene.render.use_compositing = False
    assert told(scene) == []


@pytest.mark.parametrize(("kinds", "mute"), [((), False), (("NodeReroute",), False), (("CompositorNodeInvert",), True)])
def test_a_compositor_that_only_passes_on(scene, kinds, mute):
    composite(scene, *kinds, mute=mute)
    assert told(scene) == []


def test_every_face_is_told(scene):
    painted(scene, picture())
    scene.view_layers.new("Smoke")
    warnings = previs.read_shots(scene)[1]
    assert any("'Wood'" in text for text in warnings) and any("'Smoke'" in text for text in warnings)


def test_picture_and_brief_are_of_one_layer(scene):
    """The layer that the window shows, where it renders."""
    scene.view_layers.new("Second")
    assert compat.render_layer(scene) == bpy.context.window.view_layer
    scene.view_layers[0].use = False
    assert compat.render_layer(scene).name == "Second"
