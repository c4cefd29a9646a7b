# SPDX-License-Identifier: GPL-3.0-or-later
"""The sun of a shot in words: where its light comes from, where the shadows fall, how both change.

Bearings are degrees against the camera's heading seen from above: 0 ahead of the camera, 90 to its right.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, cast

from ..scene.brief import CameraPath, Matrix16, Sector, Shot, Sun, SunSample, TimeOfDay, Vector3
from .structured import (
    Amount,
    Brightness,
    Height,
    HeightChange,
    LampKind,
    LampLight,
    LengthChange,
    LightColor,
    ShadowFall,
    SkyLight,
    SunChange,
    SunLight,
    SunMoment,
    Turn,
    TurnCause,
)

HEIGHTS: tuple[tuple[float, Height], ...] = (
    (0, "below"),
    (10, "very_low"),
    (25, "low"),
    (50, "middle"),
    (70, "high"),
)
OVERHEAD: Height = "overhead"
KELVINS: tuple[tuple[float, LightColor], ...] = ((3300, "orange"), (5000, "golden"), (7500, "white"))
SHADOWS: dict[Sector, ShadowFall] = {
    "front": "away",
    "front_left": "away_right",
    "left": "right",
    "back_left": "toward_right",
    "back": "toward",
    "back_right": "toward_left",
    "right": "left",
    "front_right": "away_left",
    "top": "below",
}
OPPOSITE: dict[Turn, Turn] = {
    "left": "right",
    "right": "left",
    "front": "back",
    "back": "front",
    "clockwise": "clockwise",
    "counterclockwise": "counterclockwise",
}
LEAST_RISE = 1.5  # degrees of elevation; less is called still
LEAST_TURN = 5.0  # degrees of bearing
HALF_TURN = 135.0  # from here on left and right lose their sense
CLEAR_DIRECTION = 0.3  # confidence from which a world picture has one bright place
BRIGHTER = 1.5  # ratio of the light on level ground


def sun_light(shot: Shot) -> SunLight | None:
    """The words for the shot's sun, or None without one."""
    sun = shot.sun
    if sun is None or not sun.samples:
        return None
    start, end = _moment(sun, 0), _moment(sun, -1)
    return SunLight(start, end, _change(sun, shot.camera_path, start, end))


def sky_light(shot: Shot) -> SkyLight | None:
    """The words for a world picture's brightest direction, where no sun tells it and the picture clearly has one."""
    hdri = shot.environment.hdri
    if hdri is None or sun_light(shot) is not None or hdri.relative_to_camera is None:
        return None
    if hdri.confidence < CLEAR_DIRECTION or hdri.elevation_deg < 0:
        return None
    return SkyLight(hdri.relative_to_camera, _height(hdri.elevation_deg), light_color(hdri.color_temperature_k))


LAMP_KINDS: dict[str, LampKind] = {"point": "lamp", "spot": "spotlight", "area": "panel", "sun": "beam"}


def lamp_lights(shot: Shot, most: int = 2) -> tuple[LampLight, ...]:
    """The strongest lights besides the sun, in falling energy; background lights are left out."""
    lights = [light for light in shot.lights if light.role != "background" and light.type in LAMP_KINDS]
    lights.sort(key=lambda light: -(light.energy or 0.0))
    return tuple(
        LampLight(LAMP_KINDS[light.type], light.role, light_color(light.color_temperature_k), light.relative_to_camera)
        for light in lights[:most]
    )


def light_color(kelvin: float | None) -> LightColor | None:
    """The colour word of a colour temperature."""
    if kelvin is None:
        return None
    return next((word for limit, word in KELVINS if kelvin < limit), "bluish")


def _height(elevation_deg: float) -> Height:
    return next((word for limit, word in HEIGHTS if elevation_deg < limit), OVERHEAD)


def _moment(sun: Sun, index: int) -> SunMoment:
    sample = sun.samples[index]
    height = _height(sample.elevation_deg)
    end = index != 0
    sector = cast(Sector | None, sun.relative_to_camera.end if end else sun.relative_to_camera.start)
    time = cast(TimeOfDay | None, sun.time_of_day.end if end else sun.time_of_day.start)
    shadows = SHADOWS[sector] if sector and height != "below" else None
    return SunMoment(time, sector, height, light_color(sample.color_temperature_k), shadows)


def _change(sun: Sun, path: CameraPath, start: SunMoment, end: SunMoment) -> SunChange:
    first, last = sun.samples[0], sun.samples[-1]
    rise = last.elevation_deg - first.elevation_deg
    height: HeightChange | None = None if abs(rise) < LEAST_RISE else "rises" if rise > 0 else "sinks"
    turn, turn_amount, cause = _turning(sun, path) if _has_direction(start, end) else (None, None, None)
    casts = start.height != "below" and end.height != "below"
    return SunChange(
        height=height,
        height_amount=_amount(rise, 8, 25) if height else None,
        turn=turn,
        turn_amount=turn_amount,
        turn_cause=cause,
        shadow_length=_shadow_length(height, start, end),
        shadow_slide=OPPOSITE[turn] if turn and casts else None,
        brightness=_brightness(_on_the_ground(first), _on_the_ground(last)),
    )


def _has_direction(start: SunMoment, end: SunMoment) -> bool:
    """A bearing means nothing while the sun is overhead or deep below the horizon."""
    return all(moment.sector not in (None, "top") for moment in (start, end))


def _shadow_length(height: HeightChange | None, start: SunMoment, end: SunMoment) -> LengthChange | None:
    if (start.height == "below") != (end.height == "below"):
        return "appear" if start.height == "below" else "fade"
    if height is None or start.height == "below":
        return None
    return "shorten" if height == "rises" else "lengthen"


def _on_the_ground(sample: SunSample) -> float | None:
    """How strongly the sun lights level ground: its strength times the sine of its elevation (Lambert)."""
    if sample.strength is None:
        return None
    return sample.strength * max(math.sin(math.radians(sample.elevation_deg)), 0.0)


def _brightness(first: float | None, last: float | None) -> Brightness | None:
    if first is None or last is None:
        return None
    if last > first * BRIGHTER:
        return "brighter"
    return "dimmer" if first > last * BRIGHTER else None


def bearings(sun: Sun, path: CameraPath) -> list[tuple[float, float]]:
    """(elevation, bearing against the camera's heading) in degrees at every sampled frame of the shot."""
    frames = sorted({sample.frame for sample in sun.samples} | {sample.frame for sample in path.samples})
    found = []
    for frame in frames:
        direction = _at(sun.samples, frame, "direction")
        elevation = math.degrees(math.atan2(direction[2], math.hypot(direction[0], direction[1])))
        found.append((elevation, _azimuth(direction) - _heading(_at(path.samples, frame, "matrix_world"))))
    return found


def turns(path: CameraPath) -> list[float]:
    """How far the camera has turned since the first sample, in degrees clockwise, at each sample."""
    headings = [_heading(sample.matrix_world) for sample in path.samples]
    return [heading - headings[0] for heading in headings]


def _turning(sun: Sun, path: CameraPath) -> tuple[Turn | None, Amount | None, TurnCause | None]:
    """Where the sun's bearing wanders over the shot, how far, and what makes it: the sun or the camera."""
    frames = sorted({sample.frame for sample in sun.samples} | {sample.frame for sample in path.samples})
    azimuths = [_azimuth(_at(sun.samples, frame, "direction")) for frame in frames]
    headings = [_heading(_at(path.samples, frame, "matrix_world")) for frame in frames]
    own, camera = round(_travel(azimuths), 6), -round(_travel(headings), 6)
    travel = round(own + camera, 6)
    turn = _turn(azimuths[0] - headings[0], travel)
    if turn is None:
        return None, None, None
    return turn, _amount(travel, 25, 70), "camera" if abs(camera) > abs(own) else "sun"


def _at(samples: tuple[Any, ...], frame: int, name: str) -> tuple[float, ...]:
    """A field of the samples at a frame, linear between them."""
    after = next((i for i, sample in enumerate(samples) if sample.frame >= frame), len(samples) - 1)
    b = samples[after]
    a = samples[max(after - 1, 0)]
    if b.frame == a.frame:
        return tuple(getattr(b, name))
    t = min(max((frame - a.frame) / (b.frame - a.frame), 0.0), 1.0)
    return tuple(x + (y - x) * t for x, y in zip(getattr(a, name), getattr(b, name), strict=True))


def _azimuth(direction: tuple[float, ...] | Vector3) -> float:
    return math.degrees(math.atan2(direction[0], direction[1]))


def _heading(matrix: tuple[float, ...] | Matrix16) -> float:
    """World azimuth of the view; the camera's up vector counts when it looks straight down or up."""
    x, y = -matrix[2], -matrix[6]
    if math.hypot(x, y) < 1e-3:
        x, y = matrix[1], matrix[5]
    return math.degrees(math.atan2(x, y))


def _travel(angles: list[float]) -> float:
    """The way along the angles in degrees, clockwise positive, going the short way from each to the next."""
    return sum((b - a + 180) % 360 - 180 for a, b in pairwise(angles))


def _turn(begin: float, travel: float) -> Turn | None:
    """The direction in which a light at bearing `begin` wanders on the ground by `travel` degrees."""
    if abs(travel) < LEAST_TURN:
        return None
    if abs(travel) >= HALF_TURN:
        return "clockwise" if travel > 0 else "counterclockwise"
    a, b = math.radians(begin), math.radians(begin + travel)
    right, ahead = round(math.sin(b) - math.sin(a), 6), round(math.cos(b) - math.cos(a), 6)
    if abs(right) >= abs(ahead):
        return "right" if right > 0 else "left"
    return "back" if ahead > 0 else "front"


def _amount(value: float, little: float, much: float) -> Amount:
    return "slightly" if abs(value) < little else "far" if abs(value) >= much else "clearly"
