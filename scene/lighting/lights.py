# SPDX-License-Identifier: GPL-3.0-or-later
"""The lights other than the sun, and what each does for the picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ..brief import Light, LightRole, Rgb, Sector, library_name
from ..camera.camera import CameraState
from ..geometry import Pose, angle_between_deg, elevation_deg, sector, unit
from ..visibility import Lamp
from .lamp_course import changes
from .light_color import light_color, light_hue, light_power
from .linking import receives

LEAST_WAY = 15.0  # degrees, seen from what it lights, that a lamp goes
AIMED = 0.9  # cosine, from which a lamp points at something
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
    color: Rgb | None = None


LampTrack = list[tuple[int, LampFacts | None]]  # a lamp at some frames, in order; None where it does not shine


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
        color=light_hue(lamp.light),
    )


def describe_lights(
    lamps: Iterable[LampFacts],
    camera: CameraState,
    target: np.ndarray,
    subject: Sequence[bpy.types.Object],
    sun_power: float,
    tracks: Mapping[str, LampTrack],
    pose_at: Callable[[int], Pose],
    fps: float,
) -> tuple[Light, ...]:
    """The lights with their roles, those first that are strongest on the target over the shot. `target`: what they
    light, a point in metres; `subject`: the objects it belongs to, as far as there are any; `sun_power`: W/m2 of the
    sun, 0 without a Sun light; `tracks` of lamps by their keys, `pose_at` the camera's at a frame."""

    def reaching(lamp: LampFacts) -> float:
        lit = not subject or any(receives(lamp.owner, part) for part in subject)
        return _irradiance(lamp, target) * _mean_share(lamp, tracks.get(lamp.key, [])) if lit else 0.0

    ranked = sorted(lamps, key=lambda lamp: (-reaching(lamp), lamp.key))
    whole = sum(map(reaching, ranked))
    depth = float((target - camera.pose.position) @ camera.pose.forward)
    lights = []
    for index, lamp in enumerate(ranked):
        away = lamp.axis if lamp.kind == "sun" else lamp.position - target
        placed = float(np.linalg.norm(away)) > 1e-6
        side = sector(unit(away), camera.pose, below_horizon=True) if placed else None
        height = elevation_deg(away) if placed else None
        strongest = index == 0 and reaching(lamp) > sun_power
        role = "key" if strongest else _role(lamp, side, camera, depth, _facing(lamp, away))
        kelvin = lamp.color_temperature_k
        library = library_name(lamp.owner)
        track = tracks.get(lamp.key, [])
        course = changes([frame for frame, _ in track], _powers(track), fps) if track else ()
        moved = _moves_to(track, target, pose_at)
        share = reaching(lamp) / whole if whole > 0.0 else 0.0
        name, energy, color = lamp.owner.name, lamp.energy, lamp.color
        lights.append(Light(name, lamp.kind, role, kelvin, energy, side, height, library, course, moved, color, share))
    return tuple(lights)


def _powers(track: LampTrack) -> list[float]:
    return [0.0 if facts is None else facts.power for _, facts in track]


def _mean_share(lamp: LampFacts, track: LampTrack) -> float:
    """A lamp's mean power over the shot as a share of its power at the first frame where it shines."""
    if len(track) < 2:
        return 1.0
    frames = [frame for frame, _ in track]
    every = np.arange(frames[0], frames[-1] + 1)
    return float(np.interp(every, frames, _powers(track)).mean()) / lamp.power


def _moves_to(track: LampTrack, target: np.ndarray, pose_at: Callable[[int], Pose]) -> Sector | None:
    """The side where a lamp ends that goes around the target by itself, None for one that stays."""
    shining = [(frame, facts.position - target) for frame, facts in track if facts is not None]
    if len(shining) < 2 or any(float(np.linalg.norm(away)) < 1e-6 for _, away in shining):
        return None
    (start, before), (end, after) = shining[0], shining[-1]
    if angle_between_deg(unit(before), unit(after)) < LEAST_WAY:
        return None
    first, last = (
        sector(unit(way), pose_at(frame), below_horizon=True) for frame, way in ((start, before), (end, after))
    )
    return last if last != first else None


def _irradiance(lamp: LampFacts, target: np.ndarray) -> float:
    """About how much light reaches the target, W/m2: a Sun light's as it is, others spread over a sphere; a spot's only
    inside its cone, an area light's before its face, by the cosine (Lambert)."""
    if lamp.kind == "sun":
        return lamp.power
    way = lamp.position - target
    distance = max(float(np.linalg.norm(way)), 0.1)
    facing = _facing(lamp, way)
    share = float(facing >= lamp.cone) if lamp.kind == "spot" else 1.0
    if lamp.kind == "area":
        share = 4.0 * max(facing, 0.0)
    return share * lamp.power / (4.0 * math.pi * distance * distance)


def _facing(lamp: LampFacts, away: np.ndarray) -> float:
    """Cosine between where a lamp points and the way from it to what it lights (`away` leads back to the lamp)."""
    return float(lamp.axis @ away) / max(float(np.linalg.norm(away)), 0.1)


def _role(lamp: LampFacts, side: Sector | None, camera: CameraState, depth: float, facing: float) -> LightRole:
    """A light that is not the key: seen in the picture it is practical, far behind the subject it lights the
    background unless it is aimed at the subject, close behind it is a rim, else it fills."""
    if lamp.kind != "sun":
        x, y, ahead = camera.project(lamp.position[None])[0]
        aimed = lamp.kind in ("spot", "area") and facing > AIMED
        if ahead > 2.0 * depth > 0.0 and not aimed:
            return "background"
        if ahead > 0.0 and 0.0 < x < 1.0 and 0.0 < y < 1.0:
            return "practical"
    return "rim" if side in BEHIND else "fill"
