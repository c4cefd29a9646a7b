# SPDX-License-Identifier: GPL-3.0-or-later
"""What surrounds a shot: indoors or out, sky, weather, world colour."""

from __future__ import annotations

import math
from typing import Any

import bpy
from mathutils import Vector

from .. import compat
from .brief import Environment, Setting, Sky, Sun
from .camera import CameraState
from .geometry import DARK_ELEVATION

VOLUMES = {"ShaderNodeVolumeScatter", "ShaderNodeVolumePrincipled", "ShaderNodeVolumeAbsorption"}
FAR = 100.0  # metres beyond which what is hit is a sky dome or hills, no wall


def read_environment(
    scene: bpy.types.Scene,
    layer: bpy.types.ViewLayer,
    depsgraph: bpy.types.Depsgraph,
    camera: CameraState,
    sun: Sun | None,
    unit: float,
) -> Environment:
    """The environment at the frame that `depsgraph` is evaluated at."""
    world = compat.world_of(scene, layer)
    evaluated = world.evaluated_get(depsgraph) if world is not None else None
    tree = compat.world_tree(evaluated)
    output = tree.get_output_node("ALL") if tree else None
    return Environment(
        setting=_setting(scene, depsgraph, camera, sun, unit),
        sky=_sky(sun),
        weather="fog" if output is not None and _fog(output) else None,
        world_color=_color(evaluated, output),
    )


def _sky(sun: Sun | None) -> Sky | None:
    """Night by the sun's place at the start; clear where a Sky Texture draws it. A lamp alone tells no clouds."""
    if sun is None:
        return None
    if sun.samples[0].elevation_deg < DARK_ELEVATION:
        return "night"
    return "clear" if sun.source == "sky_texture" else None


def _fog(output: Any) -> bool:
    return any(link.from_node.bl_idname in VOLUMES and not link.is_muted for link in output.inputs["Volume"].links)


def _color(world: bpy.types.World | None, output: Any) -> tuple[float, float, float] | None:
    """The plain colour of the world's background; None where a texture colours it."""
    if world is None:
        return None
    if output is None:
        return None if compat.world_tree(world) else tuple(world.color)
    links = output.inputs["Surface"].links
    node = links[0].from_node if links and not links[0].is_muted else None
    if node is None:
        return (0.0, 0.0, 0.0)
    if node.bl_idname != "ShaderNodeBackground" or node.inputs["Color"].is_linked:
        return None
    red, green, blue, _ = node.inputs["Color"].default_value
    return (red, green, blue)


def _setting(
    scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph, camera: CameraState, sun: Sun | None, unit: float
) -> Setting:
    """Interior under a roof with walls on most sides, exterior under an open sky that has a sun, else unknown."""
    start = Vector(camera.pose.position / unit)

    def near(way: Vector) -> bool:
        hit, *_ = scene.ray_cast(depsgraph, start, way, distance=FAR / unit)
        return hit

    turns = [math.radians(45.0 * index) for index in range(8)]
    roof = near(Vector((0.0, 0.0, 1.0)))
    walls = sum(near(Vector((math.sin(turn), math.cos(turn), 0.02))) for turn in turns)
    if roof and walls >= 5:
        return "interior"
    return "exterior" if not roof and sun is not None else "unknown"
