# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Blender 4.2 and 5.2, in one place (the sequencer's differences live in `sequencer/`)."""

from __future__ import annotations

import math
from typing import Any

import bpy


def fcurves(owner: bpy.types.ID) -> list[Any]:
    """Animation curves of an ID's active action: by the slot's channel bag from 4.4 on, `action.fcurves` before."""
    data = owner.animation_data
    if data is None or data.action is None:
        return []
    if bpy.app.version < (4, 4, 0):
        return list(data.action.fcurves)
    if data.action_slot is None:
        return []
    found: list[Any] = []
    for layer in data.action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(data.action_slot)
            found.extend(bag.fcurves if bag else ())
    return found


def path_options() -> set[str]:
    """Options of a property that stores a path, which may be relative to the .blend; from 4.5 on that is told."""
    return {"ANIMATABLE"} | ({"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set())


def stored_properties(owner: bpy.types.ID, name: str) -> dict[str, Any]:
    """What a file stores of a property group that an add-on registered on an ID, also without that add-on. From 5.0 on
    such data lies apart from the custom properties; files from before hold it there."""
    found: dict[str, Any] = {}
    blocks = [owner]
    if bpy.app.version >= (5, 0, 0):
        blocks.append(owner.bl_system_properties_get())
    for block in blocks:
        group = block.get(name) if block is not None else None
        if group is not None and hasattr(group, "items"):
            found.update(group.items())
    return found


def world_tree(world: bpy.types.World | None) -> Any:
    """The world's node tree if it is in use. From 5.0 on it always is, and `use_nodes` only warns."""
    if world is None or world.node_tree is None:
        return None
    if bpy.app.version < (5, 0, 0) and not world.use_nodes:
        return None
    return world.node_tree


def light_tree(light: bpy.types.Light) -> Any:
    """The light's node tree if it is in use. From 5.1 on it always is, and `use_nodes` only warns."""
    return light.node_tree if bpy.app.version >= (5, 1, 0) or light.use_nodes else None


def material_tree(material: bpy.types.Material) -> Any:
    """The material's node tree if it is in use. From 5.0 on it always is, and `use_nodes` only warns."""
    return material.node_tree if bpy.app.version >= (5, 0, 0) or material.use_nodes else None


def compositor_tree(scene: bpy.types.Scene) -> Any:
    """The scene's compositing nodes if they are in use: its own tree until 4.5, a node group since."""
    if bpy.app.version >= (5, 0, 0):
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def render_layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer | None:
    """The view layer that makes the picture, as without compositing one does: of those that render the window's active
    one, else the first; None when none renders."""
    used = [layer for layer in scene.view_layers if layer.use]
    active = bpy.context.window.view_layer if bpy.context.window else None
    return active if active in used else used[0] if used else None


def world_output(world: bpy.types.World | None, engine: str) -> Any:
    """The output node of the world that a render engine obeys."""
    tree = world_tree(world)
    if tree is None:
        return None
    return tree.get_output_node("CYCLES" if engine == "CYCLES" else "EEVEE")


def sky_sun_direction(node: Any) -> tuple[float, float, float] | None:
    """Toward the sun of a Sky Texture, in its texture space; None for a zero vector. The physical models (Nishita until
    4.5, single and multiple scattering since) hold elevation and rotation, Preetham and Hosek/Wilkie a vector."""
    if node.sky_type in {"PREETHAM", "HOSEK_WILKIE"}:
        x, y, z = node.sun_direction
        length = math.sqrt(x * x + y * y + z * z)
        return (x / length, y / length, z / length) if length > 1e-9 else None
    elevation, rotation = node.sun_elevation, node.sun_rotation
    flat = math.cos(elevation)
    return (math.sin(rotation) * flat, math.cos(rotation) * flat, math.sin(elevation))


def sky_sun_intensity(node: Any) -> float | None:
    """How bright a Sky Texture's sun disc is; None where it draws none."""
    if node.sky_type in {"PREETHAM", "HOSEK_WILKIE"} or not node.sun_disc:
        return None
    return float(node.sun_intensity)


def sky_without_disc(node: Any) -> bool:
    """Whether a Sky Texture could draw its sun's disc and is told not to."""
    return node.sky_type not in {"PREETHAM", "HOSEK_WILKIE"} and not node.sun_disc


def light_exposure(light: bpy.types.Light) -> float:
    """Exposure of a light in stops, 4.5 and later."""
    return float(getattr(light, "exposure", 0.0))


def light_temperature(light: bpy.types.Light) -> tuple[float, tuple[float, float, float]] | None:
    """(kelvin, linear colour that it stands for) of a light that is set by temperature, 4.5 and later."""
    if not getattr(light, "use_temperature", False):
        return None
    return float(light.temperature), tuple(light.temperature_color)


def world_of(scene: bpy.types.Scene, layer: bpy.types.ViewLayer) -> bpy.types.World | None:
    """The world that lights a view layer: its override where Blender has one, else the scene's."""
    return getattr(layer, "world_override", None) or scene.world


def modifier_input(modifier: Any, identifier: str) -> Any:
    """What a geometry nodes modifier gives to an input of its tree: a custom property until 5.1, a socket since."""
    if hasattr(modifier, "properties"):
        return getattr(getattr(modifier.properties.inputs, identifier, None), "value", None)
    return modifier.get(identifier)


def is_module() -> bool:
    """Whether Blender runs as a Python module; 4.2 tells only by having no program."""
    return bool(getattr(bpy.app, "module", not bpy.app.binary_path))


# The passes of object and material indices, as files name them.
OBJECT_PASS, MATERIAL_PASS = (
    ("Object Index", "Material Index") if bpy.app.version >= (5, 0, 0) else ("IndexOB", "IndexMA")
)


def set_layered_file(image: Any) -> None:
    """Renders are saved with all their passes, in 32 bits and uncompressed, as one part of one OpenEXR file."""
    if image.file_format != "OPEN_EXR_MULTILAYER":
        if hasattr(image, "media_type"):
            image.media_type = "MULTI_LAYER_IMAGE"
        image.file_format = "OPEN_EXR_MULTILAYER"
    image.color_depth, image.exr_codec = "32", "NONE"
    if hasattr(image, "use_exr_interleave"):
        image.use_exr_interleave = True
