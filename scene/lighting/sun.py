# SPDX-License-Identifier: GPL-3.0-or-later
"""The suns that light the render: Sun lights, else the sun of the world's Sky Texture, else the one of the scene's
clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import bpy
import numpy as np

from ..animation.frame_sampling import thin
from ..brief import Rgb, StartEnd, Sun, SunSample, SunSource, SunStretch
from ..geometry import (
    Pose,
    angle_between_deg,
    azimuth_deg,
    direction_from,
    elevation_deg,
    rising_at_ends,
    sector,
    time_of_day,
)
from ..visibility import Lamp
from .course import turning_points
from .light_color import light_color, light_hue, light_strength, luminance
from .shadows import cast_shadows
from .sky import sky_sun_of
from .sun_position import read_almanac

ANGLE_TOLERANCE = 0.25


@dataclass(frozen=True)
class SunState:
    """A sun at a frame: unit `direction` to it, kelvin, its own `strength` and the `power` by which suns compare (its
    irradiance in W/m2, weighed by the luminance of its colour; 0 for a sun that is no Sun light).
    `rising` is what the scene's clock says, None without one."""

    source: SunSource
    direction: np.ndarray
    color_temperature_k: float | None
    strength: float | None
    power: float
    north_offset_deg: float = 0.0
    rising: bool | None = None
    color: Rgb | None = None


def lamp_sun(lamp: Lamp) -> SunState | None:
    """A Sun light as a sun; None when its matrix gives no direction. A strength that is no number counts as none."""
    axis = np.array(lamp.matrix.col[2][:3], dtype=float)
    length = float(np.linalg.norm(axis))
    if not math.isfinite(length) or length < 1e-12:
        return None
    color, kelvin = light_color(lamp.light)
    strength = light_strength(lamp.light) if lamp.renders else 0.0
    clock = lamp.almanac.clock
    return SunState(
        source="sun_position" if clock is not None and clock.lamp == lamp.owner else "sun_light",
        direction=axis / length,
        color_temperature_k=kelvin,
        strength=strength,
        power=strength * luminance(color),
        north_offset_deg=lamp.almanac.north_offset_deg,
        rising=clock.rising if clock is not None else None,
        color=light_hue(lamp.light),
    )


SunTrack = list[tuple[int, SunState]]  # (frame, state) at the evaluated frames, in order


def suns_that_light(tracks: Mapping[str, SunTrack], powers: Mapping[str, float]) -> list[str]:
    """Keys of the suns that light a shot, strongest first ("" is the sky's): the Sun lights by their powers over it,
    of equal ones that first which is stronger at the start; without any the sky's sun or the clock's. Beside Sun lights
    a sky's sun lights only where the sky draws it; how its strength compares with theirs is not known."""
    most = max(powers.values(), default=0.0)
    shining = [key for key, power in powers.items() if power > 0.0]
    shining.sort(key=lambda key: (-round(powers[key] / most, 3), -tracks[key][0][1].power, key))
    if "" in tracks and (not shining or any(state.strength for _, state in tracks[""])):
        shining.append("")
    return shining


def mean_power(track: SunTrack) -> float:
    """The power of a sun over a shot, the mean over its frames (straight between those of the track)."""
    if len(track) == 1:
        return track[0][1].power
    total = sum((b.power + a.power) / 2.0 * (end - start) for (start, a), (end, b) in pairwise(track))
    return total / (track[-1][0] - track[0][0])


def sky_sun(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, depsgraph: bpy.types.Depsgraph) -> SunState | None:
    """The sun where no Sun light shines: that of the world's Sky Texture, else the one of the scene's clock."""
    almanac = read_almanac(scene)
    clock, offset = almanac.clock, almanac.north_offset_deg
    sky = sky_sun_of(scene, layer, depsgraph)
    if sky is not None:
        rising = clock.rising if clock is not None else None
        return SunState("sky_texture", sky.direction, None, sky.strength, 0.0, offset, rising)
    if clock is None:
        return None
    direction = direction_from(clock.azimuth_deg + offset, clock.elevation_deg)
    return SunState("sun_position", direction, None, None, 0.0, offset, clock.rising)


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


def build_sun(track: SunTrack, poses: list[Pose]) -> Sun:
    """The brief's sun from its states at the evaluated frames, the whole and its stretches; `poses` are the camera's
    there."""
    turns = turning_points(
        [frame for frame, _ in track],
        [state.direction for _, state in track],
        [state.strength for _, state in track],
        [state.color_temperature_k for _, state in track],
    )
    cuts = [0, *turns, len(track) - 1] if turns else []
    stretches = tuple(_stretch(track[a : b + 1], poses[a : b + 1]) for a, b in pairwise(cuts))
    whole = _stretch(track, poses)
    return Sun(
        track[0][1].source,
        whole.samples,
        whole.time_of_day,
        whole.relative_to_camera,
        whole.shadows,
        stretches,
    )


def _stretch(track: SunTrack, poses: list[Pose]) -> SunStretch:
    """The sun over a track. The compass is turned by the scene's Sun Position data."""
    offset = track[0][1].north_offset_deg
    azimuths = [azimuth_deg(state.direction, offset) for _, state in track]
    elevations = [elevation_deg(state.direction) for _, state in track]
    rises = rising_at_ends(azimuths, elevations)
    words = []
    for end in (0, -1):
        stated = track[end][1].rising
        words.append(time_of_day(azimuths[end], elevations[end], rises[end] if stated is None else stated))
    sides = [sector(track[end][1].direction, poses[end]) for end in (0, -1)]
    samples = [
        SunSample(
            frame,
            azimuth_deg(state.direction, offset),
            elevation_deg(state.direction),
            (float(state.direction[0]), float(state.direction[1]), float(state.direction[2])),
            state.color_temperature_k,
            state.strength,
            state.color,
        )
        for frame, state in thin(track, sun_error)
    ]
    directions = [state.direction for _, state in track]
    return SunStretch(tuple(samples), StartEnd(*words), StartEnd(*sides), cast_shadows(directions, poses))
