# SPDX-License-Identifier: GPL-3.0-or-later
"""The Sky Texture of a world: where its sun stands once nodes have turned it."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ... import compat
from ..nodes import contributions, seen_at, texture_map

SKY = {"ShaderNodeTexSky"}


@dataclass(frozen=True)
class SkySun:
    """The sun of a Sky Texture: unit `direction` in world space, its disc's brightness (None without a disc), and
    whether the sky leaves the disc out that it could draw."""

    direction: np.ndarray
    strength: float | None
    disc_off: bool


def sky_sun_of(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, depsgraph: bpy.types.Depsgraph) -> SkySun | None:
    """The sun of the strongest Sky Texture that the world's active output shows to what it lights, else to the camera.
    None where there is none or its nodes show its sun nowhere."""
    world = compat.world_of(scene, layer)
    if world is None:
        return None
    output = compat.world_output(world.evaluated_get(depsgraph), scene.render.engine)
    if output is None:
        return None
    surface = output.inputs["Surface"]
    for sky, weight in contributions(surface, SKY) or contributions(surface, SKY, camera_ray=1.0):
        own = compat.sky_sun_direction(sky.node)
        if own is None:
            continue
        mapping = texture_map(sky)
        direction = np.array(own) if mapping is None else seen_at(mapping, np.array(own))
        if direction is None or not np.isfinite(direction).all():
            continue
        intensity = compat.sky_sun_intensity(sky.node)
        return SkySun(direction, None if intensity is None else intensity * weight, compat.sky_without_disc(sky.node))
    return None
