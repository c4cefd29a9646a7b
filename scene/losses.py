# SPDX-License-Identifier: GPL-3.0-or-later
"""What a render of the scene loses without a word from Blender: files that are gone, drivers that may not run, view
layers and compositing that the pictures do without."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import bpy

from .. import compat
from .animation.frame_sampling import render_layer
from .animation.simulations import few, shown_scenes
from .nodes import node_trees, reached
from .subjects.occluders import MOST_INSTANCES
from .visibility import rendered_objects

# Kinds of data that nothing in a render depends on.
ASIDE = {"brushes", "libraries", "palettes", "paint_curves", "screens", "sounds", "texts", "window_managers"}
ASIDE |= {"workspaces"}


def losses(scene: bpy.types.Scene) -> list[str]:
    """A warning for each kind of thing that is missing or left out when the scene is rendered, with names. The scene
    must have been evaluated (a frame was set)."""
    layer = render_layer(scene)
    layer.update()
    shown = _shown(scene, layer)
    found = [
        ("These files are missing and show as magenta or not at all: {}. Find them under File > External Data.",
         _missing_files(scene, layer, shown)),
        ("Linked data is missing, so what it held is not shown: {}. Find the libraries again or link anew.",
         _missing_links(scene, shown)),
        ("Scripts are switched off, so drivers stand still: {}. Trust the file (Preferences > Save & Load > Auto Run "
         "Python Scripts) and open it again.", _silent_drivers(layer)),
        (f"Only the view layer {layer.name!r} is rendered; left out: {{}}.",
         [repr(other.name) for other in scene.view_layers if other.use and other != layer]),
        ("The compositor is left out of the pictures, which it changes{}.", [""] if _composites(scene) else []),
    ]  # fmt: skip
    return [words.format(few(names)) for words, names in found if names]


def _shown(scene: bpy.types.Scene, layer: bpy.types.ViewLayer) -> set[bpy.types.Object]:
    """Objects that may render, also those of scenes behind and those placed by instances."""
    layers = [layer, *filter(None, map(compat.render_layer, shown_scenes(scene)[1:]))]
    objects = (item for each in layers for item in rendered_objects(each))
    found = {item for item in objects if not item.hide_render or item.animation_data is not None}
    for instance in islice(layer.depsgraph.object_instances, MOST_INSTANCES):
        if instance.is_instance and instance.parent is not None and instance.parent.original in found:
            found.add(instance.object.original)
    return found


def _missing_files(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, shown: Iterable[bpy.types.Object]) -> list[str]:
    """Names of pictures and other files that the render needs and does not find."""
    trees = [compat.world_tree(compat.world_of(scene, layer))]
    trees += [compat.material_tree(material) for material in _materials(layer, shown)]
    trees += [compat.light_tree(item.data) for item in shown if item.type == "LIGHT"]
    pictures: dict[Any, None] = {}
    files: list[Any] = []
    for tree in trees:
        for node in _used_nodes(tree) if tree is not None else ():
            pictures[getattr(node, "image", None)] = None
            files += [node] if getattr(node, "mode", "") == "EXTERNAL" else []  # light profiles, scripts
    for item in shown:
        files += [item.data] if item.type == "VOLUME" else []
        files += _fonts(item.data) if item.type == "FONT" else []
        for modifier in item.modifiers:
            pictures[getattr(getattr(modifier, "texture", None), "image", None)] = None
            pictures.update((image, None) for image in _images_given(modifier))
            files += filter(None, [getattr(modifier, "cache_file", None)])
            files += [modifier] if modifier.type == "MESH_CACHE" else []
    missing = [image for image in pictures if isinstance(image, bpy.types.Image) and _is_lost(image)]
    missing += [block for block in dict.fromkeys(files) if _names_file(block) and not _exists(block)]
    return [_title(block) for block in missing if not getattr(block, "is_missing", False)]


def _fonts(text: bpy.types.TextCurve) -> list[bpy.types.VectorFont]:
    fonts = (text.font, text.font_bold, text.font_italic, text.font_bold_italic)
    return [font for font in fonts if font is not None and font.filepath != "<builtin>"]


def _images_given(modifier: Any) -> Iterator[Any]:
    """Images that geometry nodes read: stated in the tree or on the modifier."""
    tree = getattr(modifier, "node_group", None)
    if tree is None:
        return
    for node in _used_nodes(tree):
        for socket in node.inputs:
            if socket.bl_idname == "NodeSocketImage" and not socket.is_linked:
                yield socket.default_value
        if node.bl_idname == "GeometryNodeInputImage":
            yield node.image
    for item in tree.interface.items_tree:
        if getattr(item, "socket_type", "") == "NodeSocketImage" and item.in_out == "INPUT":
            yield compat.modifier_input(modifier, item.identifier)


def _names_file(block: Any) -> bool:
    """Whether a file is stated at all; Blender saves an empty path as that of a folder."""
    return bool(bpy.path.basename(block.filepath))


def _title(block: Any) -> str:
    """The name of a data-block; of what is none, that of its file."""
    return repr(block.name if isinstance(block, bpy.types.ID) else bpy.path.basename(block.filepath))


def _materials(layer: bpy.types.ViewLayer, shown: Iterable[bpy.types.Object]) -> list[bpy.types.Material]:
    """Every material that is seen, also one that geometry nodes set."""
    if layer.material_override is not None:
        return [layer.material_override]
    found: dict[bpy.types.Material, None] = {}
    for item in shown:
        evaluated = item.evaluated_get(layer.depsgraph)
        materials = [slot.material for slot in evaluated.material_slots]
        materials += list(getattr(evaluated.data, "materials", ()))
        found.update((material.original, None) for material in materials if material is not None)
    return list(found)


def _used_nodes(tree: bpy.types.NodeTree) -> Iterator[Any]:
    """Nodes of a tree, and of the groups in it, that something leads from to an active output."""

    def outputs(tree: bpy.types.NodeTree) -> list[Any]:
        return [node for node in tree.nodes if getattr(node, "is_active_output", False)]

    def onward(node: Any) -> list[Any]:
        inner = getattr(node, "node_tree", None)
        before = [link.from_node for socket in node.inputs for link in socket.links if not link.is_muted]
        return before if inner is None or node.mute else [*outputs(inner), *before]

    return (node for node in reached(outputs(tree), onward) if not node.mute)


def _is_lost(image: bpy.types.Image) -> bool:
    """Whether an image that comes from files has none: not packed, not painted in memory, not on disk."""
    if image.source not in {"FILE", "SEQUENCE", "MOVIE", "TILED"} or len(image.packed_files) or image.is_dirty:
        return False
    return not _exists(image)


def _exists(block: Any) -> bool:
    """Whether the file of a data-block is there; of a sequence or of tiles, any."""
    if getattr(block, "packed_file", None) is not None:
        return True
    path = Path(bpy.path.abspath(block.filepath, library=block.id_data.library)) if block.filepath else None
    if path is None or os.path.isfile(path):
        return path is not None
    several = getattr(block, "source", "") in {"SEQUENCE", "TILED"} or getattr(block, "is_sequence", False)
    name = re.sub(r"<UDIM>|<UVTILE>|\d+(?=\D*$)", "\0", path.name)
    pattern = re.compile(r"[\w]+".join(re.escape(part) for part in name.split("\0")))
    try:
        return several and any(pattern.fullmatch(other) for other in os.listdir(path.parent))
    except OSError:
        return False


def _missing_links(scene: bpy.types.Scene, shown: set[bpy.types.Object]) -> list[str]:
    """Libraries with the data that is missing from them, of what the render needs."""
    missing = {block for block in _blocks() if block.is_missing and block.library is not None}
    if not missing:
        return []
    users = bpy.data.user_map()
    lost: dict[str, list[str]] = {}
    for block in missing:
        if _is_needed(block, users, {*shown, scene}):
            lost.setdefault(block.library.name, []).append(block.name)
    return [f"{few(sorted(names))} (of {library!r})" for library, names in sorted(lost.items())]


def _blocks() -> Iterator[bpy.types.ID]:
    for prop in bpy.data.bl_rna.properties:
        if prop.type == "COLLECTION" and prop.identifier not in ASIDE:
            yield from getattr(bpy.data, prop.identifier)


def _is_needed(block: bpy.types.ID, users: dict[bpy.types.ID, set[bpy.types.ID]], wanted: set[bpy.types.ID]) -> bool:
    """Whether what is rendered uses a data-block. Objects are used by their collections, rendered or not, so from an
    object the way leads to other objects only."""

    def onward(now: bpy.types.ID) -> list[bpy.types.ID]:
        only_objects = isinstance(now, bpy.types.Object)
        return [user for user in users.get(now, ()) if not only_objects or isinstance(user, bpy.types.Object)]

    return any(now in wanted for now in reached([block], onward))


def _silent_drivers(layer: bpy.types.ViewLayer) -> list[str]:
    """Names of what drivers should move that need scripts, while those are off."""
    if not bpy.app.autoexec_fail:
        return []
    found: dict[str, None] = {}
    for block in layer.depsgraph.ids:
        for owner in (block.original, *node_trees(block.original)):
            data = getattr(owner, "animation_data", None)
            for curve in data.drivers if data is not None else ():
                blocked = curve.driver.type == "SCRIPTED" and not curve.driver.is_valid and not curve.mute
                if blocked:
                    found[repr(block.original.name)] = None
    return list(found)


def _composites(scene: bpy.types.Scene) -> bool:
    """Whether the compositor changes the picture: what it puts out is more than the scene's own render."""
    tree = compat.compositor_tree(scene)
    if tree is None or not scene.render.use_compositing:
        return False
    kinds = {"CompositorNodeComposite", "NodeGroupOutput"}
    outputs = [node for node in tree.nodes if node.bl_idname in kinds and not node.mute]
    if not outputs:
        return False
    node = next((node for node in outputs if getattr(node, "is_active_output", False)), outputs[0])
    socket = next(iter(node.inputs), None)
    while socket is not None and socket.is_linked:
        origin = socket.links[0].from_socket
        source = origin.node
        if source.bl_idname == "CompositorNodeRLayers" and not source.mute:
            return bool(origin.name != "Image" or source.scene not in (None, scene))
        socket = _passed(source, origin)
    return True


def _passed(node: Any, output: Any) -> Any:
    """The input that a node hands on unchanged to an output; None for a node that does something."""
    if node.bl_idname in {"NodeReroute", "CompositorNodeDenoise"}:  # the pictures are denoised anyway
        return node.inputs[0]
    if node.mute:
        return next((link.from_socket for link in node.internal_links if link.to_socket == output), None)
    return None
