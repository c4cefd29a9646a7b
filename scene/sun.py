# SPDX-License-Identifier: GPL-3.0-or-later
"""The sun that lights the render: the strongest Sun light, else the sun of the world's Sky Texture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Vector

from .. import compat
from .brief import StartEnd, Sun, SunSample, SunSource
from .geometry import (
    Pose,
    angle_between_deg,
    azimuth_deg,
    color_temperature_k,
    elevation_deg,
    rising_at_ends,
    sector,
    time_of_day,
)
from .sampling import thin
from .visibility import Lamp

ANGLE_TOLERANCE = 0.25
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class SunState:
    """A sun at a frame: unit `direction` to it, kelvin, its own `strength` and the `power` by which suns compare."""

    source: SunSource
    direction: np.ndarray
    color_temperature_k: float | None
    strength: float | None
    power: float


def light_color(light: bpy.types.Light) -> tuple[np.ndarray, float | None]:
    """Linear colour of a light and its temperature: as set in kelvin, by a blackbody node, else that of the colour."""
    tint = np.array(light.color[:], dtype=float)
    stated = compat.light_temperature(light)
    if stated is None:
        kelvin = _blackbody_kelvin(light)
        return tint, color_temperature_k(tint) if kelvin is None else kelvin
    kelvin, color = stated
    mixed = tint * np.array(color)
    neutral = tint.max() - tint.min() < 1e-3 * max(float(tint.max()), 1e-9)
    return mixed, kelvin if neutral else color_temperature_k(mixed)


def _blackbody_kelvin(light: bpy.types.Light) -> float | None:
    """The temperature of a Blackbody node that colours the light's emission."""
    tree = compat.light_tree(light)
    for node in tree.nodes if tree else ():
        color = node.inputs.get("Color") if node.bl_idname == "ShaderNodeEmission" else None
        source = color.links[0].from_node if color is not None and color.is_linked else None
        if source is not None and source.bl_idname == "ShaderNodeBlackbody" and not source.inputs[0].is_linked:
            return float(source.inputs[0].default_value)
    return None


def lamp_sun(lamp: Lamp) -> SunState | None:
    """A Sun light as a sun; None when its matrix gives no direction."""
    axis = np.array(lamp.matrix.col[2][:3], dtype=float)
    length = float(np.linalg.norm(axis))
    if not math.isfinite(length) or length < 1e-12:
        return None
    color, kelvin = light_color(lamp.light)
    strength = lamp.light.energy * 2.0 ** compat.light_exposure(lamp.light) if lamp.renders else 0.0
    return SunState("sun_light", axis / length, kelvin, strength, strength * float(color @ LUMINANCE))


def sky_sun(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, depsgraph: bpy.types.Depsgraph) -> SunState | None:
    """The sun of the first Sky Texture that the world's active output shows."""
    world = compat.world_of(scene, layer)
    if world is None:
        return None
    tree = compat.world_tree(world.evaluated_get(depsgraph))
    output = tree.get_output_node("ALL") if tree else None
    if output is None:
        return None
    for node, strength in _upstream(output.inputs["Surface"], [], 1.0):
        if node.bl_idname == "ShaderNodeTexSky" and strength > 0.0:
            intensity = compat.sky_sun_intensity(node)
            direction = np.array(_turned(compat.sky_sun_direction(node), node))
            return SunState("sky_texture", direction, None, None if intensity is None else intensity * strength, 0.0)
    return None


def _upstream(socket: Any, groups: list[Any], strength: float) -> Iterator[tuple[Any, float]]:
    """Nodes that feed a socket, nearest first, each with the background strength on the way; goes into node groups."""
    for link in socket.links:
        if link.is_muted or not link.is_valid:
            continue
        node = link.from_node
        if node.bl_idname == "ShaderNodeGroup" and node.node_tree is not None and not node.mute:
            inner = next(
                (n for n in node.node_tree.nodes if n.bl_idname == "NodeGroupOutput" and n.is_active_output), None
            )
            match = inner and next((s for s in inner.inputs if s.identifier == link.from_socket.identifier), None)
            if match:
                yield from _upstream(match, [*groups, node], strength)
        elif node.bl_idname == "NodeGroupInput" and groups:
            outer = next((s for s in groups[-1].inputs if s.identifier == link.from_socket.identifier), None)
            if outer is not None:
                yield from _upstream(outer, groups[:-1], strength)
        else:
            if not node.mute:
                yield node, strength
            factor = 1.0
            if node.bl_idname == "ShaderNodeBackground" and not node.inputs["Strength"].is_linked and not node.mute:
                factor = node.inputs["Strength"].default_value
            for feed in node.inputs:
                if feed.name != "Strength" and feed.name != "Vector" and not feed.is_unavailable:
                    yield from _upstream(feed, groups, strength * factor)


def _turned(direction: tuple[float, float, float], sky: Any) -> Vector:
    """The sun's direction in world space: a Mapping node before the sky turns the sky the other way."""
    socket = sky.inputs.get("Vector")
    node = socket.links[0].from_node if socket is not None and socket.is_linked else None
    if node is None or node.bl_idname != "ShaderNodeMapping" or node.inputs["Rotation"].is_linked:
        return Vector(direction)
    turn = Euler(node.inputs["Rotation"].default_value).to_matrix()
    if node.vector_type != "TEXTURE":
        turn = turn.transposed()
    return turn @ Vector(direction)


def sun_error(a: SunState, b: SunState, middle: SunState, t: float) -> float:
    """How far `middle` lies from the linear mix of `a` and `b`, in tolerances: 0.25 degrees, 1 % of temperature and
    strength."""
    line = a.direction + (b.direction - a.direction) * t
    length = float(np.linalg.norm(line))
    if length < 0.7:  # far apart: a straight mix means nothing yet
        return math.inf
    worst = angle_between_deg(line / length, middle.direction) / ANGLE_TOLERANCE
    worst = max(worst, _polar_error(a.direction, b.direction, middle.direction, t) / ANGLE_TOLERANCE)
    for name in ("color_temperature_k", "strength"):
        x, y, z = (getattr(state, name) for state in (a, b, middle))
        if None in (x, y, z):
            worst = worst if x is y is z is None else math.inf
        else:
            worst = max(worst, abs(x + (y - x) * t - z) / max(0.01 * abs(z), 1e-6))
    return worst


def _polar_error(a: np.ndarray, b: np.ndarray, middle: np.ndarray, t: float) -> float:
    """The same for who interpolates azimuth and elevation: degrees on the sphere."""
    elevations = [elevation_deg(v) for v in (a, b, middle)]
    turn = (azimuth_deg(b) - azimuth_deg(a) + 180.0) % 360.0 - 180.0
    azimuth_miss = (azimuth_deg(a) + turn * t - azimuth_deg(middle) + 180.0) % 360.0 - 180.0
    elevation_miss = elevations[0] + (elevations[1] - elevations[0]) * t - elevations[2]
    return math.hypot(azimuth_miss * math.cos(math.radians(elevations[2])), elevation_miss)


def build_sun(track: list[tuple[int, SunState]], poses: tuple[Pose, Pose], north_offset_deg: float) -> Sun:
    """The brief's sun from its states at the evaluated frames; `poses` are the camera's at both ends."""
    azimuths = [azimuth_deg(state.direction, north_offset_deg) for _, state in track]
    elevations = [elevation_deg(state.direction) for _, state in track]
    rises = rising_at_ends(azimuths, elevations)
    words = [time_of_day(azimuths[end], elevations[end], rises[end]) for end in (0, -1)]
    sides = [sector(track[end][1].direction, poses[end]) for end in (0, -1)]
    samples = [
        SunSample(
            frame,
            azimuth_deg(state.direction, north_offset_deg),
            elevation_deg(state.direction),
            (float(state.direction[0]), float(state.direction[1]), float(state.direction[2])),
            state.color_temperature_k,
            state.strength,
        )
        for frame, state in thin(track, sun_error)
    ]
    return Sun(track[0][1].source, tuple(samples), StartEnd(*words), StartEnd(*sides))
