# SPDX-License-Identifier: GPL-3.0-or-later
"""What surrounds a shot: indoors or out, sky, weather, world colour, a picture around it, things that shine."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ... import compat
from ..brief import Environment, Hdri, Setting, Sky, Sun
from ..camera.camera import CameraState
from ..geometry import DARK_ELEVATION, azimuth_deg, elevation_deg, sector
from ..lighting.light_color import luminance
from ..lighting.sky import sky_sun_of
from ..lighting.sun_position import read_almanac
from ..nodes import Place, color, resolve, scalar
from ..visibility import rendered_objects
from .hdri import Brightest, brightest_of
from .materials import volume_density
from .ray_probe import Surroundings, walls_of

BRIGHT_WORLD = 0.4  # luminance of an even world that is a white sky
BLACK_WORLD = 0.02  # luminance of a world that gives no light to speak of
MOON, BLUE = 0.5, 1.1  # W/m2 below which a bluish Sun light is a moon; by how much blue leads in its colour
GREY = 0.5  # colour spread (of the largest channel) up to which a sky is white or grey
SUNNY, CLOUDY = 0.25, 0.12  # confidence of a picture's brightest direction


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
    output = compat.world_output(evaluated, scene.render.engine)
    around = Surroundings(scene, depsgraph, rendered_objects(layer), camera, unit)
    target = around.looked_at()
    picture = brightest_of(scene, layer, depsgraph)
    world_color, world_strength = _background(evaluated, output)
    room, open_air = walls_of(around.enclosure(spot) for spot in (camera.pose.position, target) if spot is not None)
    sky = _sky(sun, picture, scene, layer, depsgraph)
    if sky is None and sun is None and picture is None and open_air and _white(world_color):
        sky = "overcast"
    if sky is None and picture is None and sun is not None and world_color is not None:
        exposure = 2.0**scene.view_settings.exposure
        lit = luminance(np.array(world_color)) * world_strength * exposure
        sky = "night" if lit < BLACK_WORLD and _is_moon(sun, exposure) else None
    fog = (output is not None and volume_density(output) > 0.0) or around.foggy(target)
    return Environment(
        setting=_setting(room, open_air, sun is not None or (picture is not None and sky is not None)),
        sky=sky,
        weather="fog" if fog else None,
        world_color=world_color,
        hdri=_hdri(picture, read_almanac(scene).north_offset_deg, camera),
        emitters=around.emitters(),
    )


def _setting(room: bool, open_air: bool, outdoors: bool) -> Setting:
    """Interior in a room, exterior in the open under a sun or a picture of a sky; else the scene does not say."""
    if room:
        return "interior"
    return "exterior" if open_air and outdoors else "unknown"


def _sky(
    sun: Sun | None,
    picture: Brightest | None,
    scene: bpy.types.Scene,
    layer: bpy.types.ViewLayer,
    depsgraph: bpy.types.Depsgraph,
) -> Sky | None:
    """Night by the sun's place at the start; clear where a Sky Texture or a picture shows a sun, overcast where the sky
    leaves its sun out or the picture's light comes from everywhere above. A lamp alone tells no clouds."""
    if sun is not None and sun.samples[0].elevation_deg < DARK_ELEVATION:
        return "night"
    if sun is not None and sun.source == "sky_texture":
        sky = sky_sun_of(scene, layer, depsgraph)
        return "overcast" if sky is not None and sky.disc_off else "clear"
    if picture is None or elevation_deg(picture.direction) <= 0.0:
        return None
    if picture.confidence >= SUNNY:
        return "clear"
    return "overcast" if picture.confidence < CLOUDY and picture.above > max(picture.below, 0.05) else None


def _is_moon(sun: Sun, exposure: float) -> bool:
    """Whether a Sun light lights as a moon in a film does: weakly and bluish, all the while. A weak white one may as
    well fill a studio."""
    strengths = [sample.strength for sample in sun.samples]
    weak = all(strength is not None and strength * exposure < MOON for strength in strengths)
    blue = all(one.color is not None and one.color[2] > BLUE * max(one.color[:2]) for one in sun.samples)
    return sun.source == "sun_light" and weak and blue


def _white(world_color: tuple[float, float, float] | None) -> bool:
    if world_color is None:
        return False
    spread = (max(world_color) - min(world_color)) / max(max(world_color), 1e-9)
    return spread <= GREY and luminance(np.array(world_color)) >= BRIGHT_WORLD


def _hdri(picture: Brightest | None, north_offset_deg: float, camera: CameraState) -> Hdri | None:
    if picture is None:
        return None
    return Hdri(
        azimuth_deg(picture.direction, north_offset_deg),
        elevation_deg(picture.direction),
        picture.confidence,
        sector(picture.direction, camera.pose, below_horizon=True),
        picture.color_temperature_k,
    )


def _background(world: bpy.types.World | None, output: Any) -> tuple[tuple[float, float, float] | None, float]:
    """(colour, strength) of the world's plain background: no colour where a texture makes it, black where nothing is
    shown."""
    if world is None:
        return None, 0.0
    if output is None:
        return (None, 1.0) if compat.world_tree(world) else (tuple(world.color), 1.0)
    source = resolve(Place(output.inputs["Surface"], ()))
    if source is None or not source.socket.is_output:
        return (0.0, 0.0, 0.0), 0.0
    if source.node.bl_idname != "ShaderNodeBackground":
        return None, 1.0
    strength = scalar(source.beside("Strength"), unknown=1.0)
    if strength <= 0.0:
        return (0.0, 0.0, 0.0), 0.0
    plain = color(source.beside("Color"))
    if plain is None or not np.isfinite(plain).all():
        return None, strength
    return (float(plain[0]), float(plain[1]), float(plain[2])), strength
