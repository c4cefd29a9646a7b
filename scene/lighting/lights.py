# SPDX-License-Identifier: GPL-3.0-or-later
"""The lights other than the sun, and what each does for the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ..brief import Light, LightRole, Sector, library_name
from ..camera.camera import CameraState
from ..geometry import elevation_deg, sector, unit
from ..visibility import Lamp
from .light_color import light_color, light_power
from .linking import receives

BEHIND: tuple[Sector, ...] = ("back", "back_left", "back_right")


@dataclass(frozen=True)
class LampFacts:
    """A light at the first frame where it shines: place in metres, unit `axis` from what it lights back to it. `power`
    is `light_power`'s, `cone` the cosine of half a spot's
    angle."""

    key: str
    owner: bpy.types.Object
    kind: str
    energy: float
    color_temperature_k: float | None
    position: np.ndarray
    axis: np.ndarray
    power: float
    cone: float = -1.0


def lamp_facts(lamp: Lamp, unit_scale: float) -> LampFacts | None:
    """None for a light that is off or black, takes light away, does not render or stands nowhere."""
    matrix = np.array(lamp.matrix, dtype=float)
    length = float(np.linalg.norm(matrix[:3, 2]))
    if not np.isfinite(matrix).all() or length < 1e-12:
        return None
    power = light_power(lamp.light) if lamp.renders else 0.0
    if power <= 0.0:
        return None
    return LampFacts(
        key=lamp.key,
        owner=lamp.owner,
        kind=lamp.light.type.lower(),
        energy=float(lamp.light.energy),
        color_temperature_k=light_color(lamp.light)[1],
        position=matrix[:3, 3] * unit_scale,
        axis=matrix[:3, 2] / length,
        power=power,
        cone=math.cos(lamp.light.spot_size / 2.0) if lamp.light.type == "SPOT" else -1.0,
    )


def describe_lights(
    lamps: Iterable[LampFacts],
    camera: CameraState,
    target: np.ndarray,
    subject: Sequence[bpy.types.Object],
    sun_power: float,
) -> tuple[Light, ...]:
    """The lights with their roles, strongest on the target first. `target`: what they light, a point in metres;
    `subject`: the objects it belongs to, as far as there are any; `sun_power`: W/m2 of the sun, 0 without a Sun
    light."""

    def reaching(lamp: LampFacts) -> float:
        lit = not subject or any(receives(lamp.owner, part) for part in subject)
        return _irradiance(lamp, target) if lit else 0.0

    ranked = sorted(lamps, key=lambda lamp: (-reaching(lamp), lamp.key))
    depth = float((target - camera.pose.position) @ camera.pose.forward)
    lights = []
    for index, lamp in enumerate(ranked):
        away = lamp.axis if lamp.kind == "sun" else lamp.position - target
        placed = float(np.linalg.norm(away)) > 1e-6
        side = sector(unit(away), camera.pose, below_horizon=True) if placed else None
        height = elevation_deg(away) if placed else None
        strongest = index == 0 and reaching(lamp) > sun_power
        role = "key" if strongest else _role(lamp, side, camera, depth)
        kelvin = lamp.color_temperature_k
        library = library_name(lamp.owner)
        lights.append(Light(lamp.owner.name, lamp.kind, role, kelvin, lamp.energy, side, height, library))
    return tuple(lights)


def _irradiance(lamp: LampFacts, target: np.ndarray) -> float:
    """About how much light reaches the target, W/m2: a Sun light's as it is, others spread over a sphere; a spot's only
    inside its cone, an area light's before its face, by the cosine (Lambert)."""
    if lamp.kind == "sun":
        return lamp.power
    way = lamp.position - target
    distance = max(float(np.linalg.norm(way)), 0.1)
    facing = float(lamp.axis @ way) / distance
    share = float(facing >= lamp.cone) if lamp.kind == "spot" else 1.0
    if lamp.kind == "area":
        share = 4.0 * max(facing, 0.0)
    return share * lamp.power / (4.0 * math.pi * distance * distance)


def _role(lamp: LampFacts, side: Sector | None, camera: CameraState, depth: float) -> LightRole:
    """A light that is not the key: seen in the picture it is practical, far behind the subject it lights the
    background, close behind it is a rim, else it fills."""
    if lamp.kind != "sun":
        x, y, ahead = camera.project(lamp.position[None])[0]
        if ahead > 2.0 * depth > 0.0:
            return "background"
        if ahead > 0.0 and 0.0 < x < 1.0 and 0.0 < y < 1.0:
            return "practical"
    return "rim" if side in BEHIND else "fill"
