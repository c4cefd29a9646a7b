# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of a scene: Sun Position data (Blender's bundled add-on until 4.1, an extension since), read from what the
file stores, whether or not the add-on is there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import bpy
from astral import Observer
from astral.sun import zenith_and_azimuth

from ... import compat

BLOCK = "sun_pos_properties"
ENVIRONMENT_MODE = 1  # the add-on then follows a picture of the sky and no clock


@dataclass(frozen=True)
class Clock:
    """Where the sun stands at the hour that the scene states: true azimuth and elevation in degrees, and whether it
    rises. `lamp` is the light that the clock turns."""

    azimuth_deg: float
    elevation_deg: float
    rising: bool
    lamp: bpy.types.Object | None


@dataclass(frozen=True)
class Almanac:
    """Sun Position data at a frame: the turn of the compass and the clock, None where date or time are not set."""

    north_offset_deg: float = 0.0
    clock: Clock | None = None


def read_almanac(scene: bpy.types.Scene) -> Almanac:
    """The Sun Position data of a scene at its current frame."""
    stored = compat.stored_properties(scene, BLOCK)
    if not stored:
        return Almanac()
    data = {**stored, **_animated(scene)}
    offset = _number(data, "north_offset", 0.0)
    return Almanac(math.degrees(offset), _clock(data))


def _animated(scene: bpy.types.Scene) -> dict[str, float]:
    """Keyed properties at the current frame; without the add-on nothing else evaluates them."""
    start = BLOCK + "."
    curves = [curve for curve in compat.fcurves(scene) if curve.data_path.startswith(start)]
    return {curve.data_path[len(start) :]: curve.evaluate(scene.frame_current) for curve in curves}


def _number(data: Mapping[str, Any], name: str, default: float) -> float:
    value = data.get(name, default)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else default


def _clock(data: Mapping[str, Any]) -> Clock | None:
    """Only stored values were set by the user: what the add-on shows at its defaults is no statement."""
    days = {"day_of_year"} if data.get("use_day_of_year") else {"month", "day"}
    if "time" not in data or not days & data.keys() or data.get("usage_mode", 0) == ENVIRONMENT_MODE:
        return None
    try:
        moment = _moment(data)
        minutes = timedelta(minutes=5)
        earlier, later = (_position(data, moment + way * minutes)[1] for way in (-1, 1))
    except (ValueError, OverflowError):  # a date that no calendar has
        return None
    lamp = data.get("sun_object")
    return Clock(*_position(data, moment), later >= earlier, lamp if isinstance(lamp, bpy.types.Object) else None)


def _moment(data: Mapping[str, Any]) -> datetime:
    """The stated date and hour in universal time. A day that its month lacks is its last, as in the add-on."""
    year = round(_number(data, "year", 2000))
    if data.get("use_day_of_year"):
        day = datetime(year, 1, 1, tzinfo=UTC) + timedelta(round(_number(data, "day_of_year", 1)) - 1)
    else:
        first = datetime(year, round(_number(data, "month", 1)), 1, tzinfo=UTC)
        last = (first + timedelta(31)).replace(day=1) - timedelta(1)
        day = min(first + timedelta(round(_number(data, "day", 1)) - 1), last)
    zone = _number(data, "UTC_zone", 0.0) + (1.0 if data.get("use_daylight_savings") else 0.0)
    return day + timedelta(hours=_number(data, "time", 12.0) - zone)


def _position(data: Mapping[str, Any], moment: datetime) -> tuple[float, float]:
    """(azimuth, elevation) in degrees. Astral follows NOAA's solar calculator (Meeus, "Astronomical Algorithms"), which
    the add-on follows too."""
    place = Observer(_number(data, "latitude", 0.0), _number(data, "longitude", 0.0))
    refraction = bool(data.get("use_refraction", True))
    zenith, azimuth = zenith_and_azimuth(place, moment, with_refraction=refraction)
    return azimuth, 90.0 - zenith
