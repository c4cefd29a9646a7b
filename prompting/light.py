# SPDX-License-Identifier: GPL-3.0-or-later
"""The suns of a shot in words: where their light comes from, where shadows fall, how both change over the whole shot.

Where shadows fall and slide is the brief's (`sun.shadows`); nothing here works it out again.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import cast

from ..scene.brief import CameraPath, Sector, Shot, Sun, SunSample, SunStretch, TimeOfDay
from .lamps import height_word, light_color, when_word
from .structured import (
    Amount,
    Brightness,
    HeightChange,
    LengthChange,
    Power,
    Strength,
    SunChange,
    SunLight,
    SunMoment,
    SunStop,
    Turn,
    TurnCause,
    When,
)
from .view import is_steep, sees_ground, turned

TURN_OF_SHADOWS: dict[str, Turn] = {
    "left": "left",
    "right": "right",
    "toward": "front",
    "away": "back",
    "clockwise": "clockwise",
    "counterclockwise": "counterclockwise",
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
BRIGHTER = 1.5  # ratio of the light on level ground
WEAK, OUT = 0.25, 0.03  # of a sun's strongest moment
TELLING = 0.15  # of the strongest sun's light at its best: a sun that never gives as much is not told
MOST_SUNS = 3
SAME_PLACE = math.cos(math.radians(30.0))
NIGHT = -6.0  # degrees, under which the night has no sun
SAME_WAY = math.cos(math.radians(3.0))
SAME_RATIO = 1.15  # of strengths, and of kelvins, that are told as the same


def sun_light(shot: Shot) -> SunLight | None:
    """The words for the sun that lights the shot, or None without one."""
    suns = suns_of(shot)
    return _light(suns[0], suns, shot) if suns else None


def other_suns(shot: Shot) -> tuple[SunLight, ...]:
    """The words for the suns that share the shot with the first."""
    suns = suns_of(shot)
    return tuple(_light(sun, suns, shot) for sun in suns[1:])


def suns_of(shot: Shot) -> list[Sun]:
    """The shot's suns worth telling, strongest first, but before them those that shine at the start: what fades in is
    told after what it follows. A sky's sun beside a lamp that stands for it is the same sun."""
    if shot.sun is None or not shot.sun.samples:
        return []
    best = max(_on_the_ground(sample) or 0.0 for sample in shot.sun.samples)
    others = [
        sun for sun in shot.suns if sun.samples and sun.samples != shot.sun.samples and _is_another(sun, shot.sun)
    ]
    told = [sun for sun in others if max(_on_the_ground(sample) or 0.0 for sample in sun.samples) > TELLING * best]
    return sorted([shot.sun, *told][:MOST_SUNS], key=lambda sun: _strength(sun.samples[0], sun) == "out")


def _is_another(sun: Sun, main: Sun) -> bool:
    """Whether a sun is not just the sky's own picture of the main one: it is a lamp, or stands elsewhere."""
    if sun.source == main.source or sun.source != "sky_texture":
        return True
    ways = [sum(a * b for a, b in zip(x.direction, y.direction, strict=True)) for x, y in zip(
        (sun.samples[0], sun.samples[-1]), (main.samples[0], main.samples[-1]), strict=True)]  # fmt: skip
    return min(ways) < SAME_PLACE


def _with_shadows_seen(start: SunMoment, end: SunMoment) -> tuple[SunMoment, list[SunMoment]]:
    """Two moments of the same light, of which one alone sees the ground: its shadows are those of both."""
    if start.shadows is None or end.shadows is None:
        start, end = (replace(one, shadows=start.shadows or end.shadows) for one in (start, end))
    return start, [end]


def is_moonlit(shot: Shot) -> bool:
    """Whether the night of a shot is lit by what its brief has as a sun."""
    return shot.environment.sky == "night" and shot.sun is not None and shot.sun.samples[0].elevation_deg >= NIGHT


def _light(sun: Sun, suns: list[Sun], shot: Shot) -> SunLight:
    path, moon = shot.camera_path, is_moonlit(shot)
    stretches: tuple[Sun | SunStretch, ...] = sun.stretches or (sun,)
    start = _moment(sun, stretches[0], 0, path, moon)
    ends = [_moment(sun, stretch, -1, path, moon) for stretch in stretches]
    if len(ends) == 1 and replace(start, shadows=None) == replace(ends[0], shadows=None):
        start, ends = _with_shadows_seen(start, ends[0])
    changes = [
        _change(stretch, path, before, after, suns)
        for stretch, (before, after) in zip(stretches, pairwise([start, *ends]), strict=True)
    ]
    whens = [_when(stretch.samples[-1].frame, sun) for stretch in stretches]
    whens = [when if when not in whens[:i] else "later" for i, when in enumerate(whens)]
    stops = tuple(map(SunStop, changes[:-1], ends[:-1], whens[:-1]))
    first, last = sun.samples[0], sun.samples[-1]
    steady = all(_same(first, sample) for sample in sun.samples)
    power: dict[Brightness | None, Power] = {"brighter": "stronger", "dimmer": "weaker"}
    net = power.get(_brightness(first.strength, last.strength))
    return SunLight(start, ends[-1], changes[-1], stops, steady, _same(first, last), net, moon)


def _same(one: SunSample, other: SunSample) -> bool:
    """Whether the sunlight of two moments is the same to the eye: its side, its strength and its colour."""
    if sum(a * b for a, b in zip(one.direction, other.direction, strict=True)) < SAME_WAY:
        return False
    pairs = ((one.strength, other.strength), (one.color_temperature_k, other.color_temperature_k))
    return all(a == b or (a and b and max(a, b) <= SAME_RATIO * min(a, b)) for a, b in pairs)


def _when(frame: int, sun: Sun) -> When:
    first, last = sun.samples[0].frame, sun.samples[-1].frame
    return when_word((frame - first) / max(last - first, 1))


def _moment(sun: Sun, stretch: Sun | SunStretch, index: int, path: CameraPath, moon: bool) -> SunMoment:
    """The sun at the first (0) or the last (-1) sample of a stretch."""
    sample, end = stretch.samples[index], "end" if index else "start"
    height = height_word(sample.elevation_deg)
    fall = getattr(stretch.shadows.fall, end) if stretch.shadows is not None and height != "below" else None
    strength = _strength(sample, sun)
    return SunMoment(
        time="night" if moon else cast(TimeOfDay | None, getattr(stretch.time_of_day, end)),
        sector=cast(Sector | None, getattr(stretch.relative_to_camera, end)),
        height=height,
        color=light_color(sample.color_temperature_k, sample.color),
        shadows=fall if strength != "out" and sees_ground(path, sample.frame) else None,
        strength=strength,
        steep=is_steep(path, sample.frame),
    )


def _strength(sample: SunSample, sun: Sun) -> Strength | None:
    strongest = max(one.strength or 0.0 for one in sun.samples)
    if sample.strength is None or strongest <= 0.0:
        return None
    return "out" if sample.strength < OUT * strongest else "weak" if sample.strength < WEAK * strongest else None


def _change(
    stretch: Sun | SunStretch, path: CameraPath, start: SunMoment, end: SunMoment, suns: list[Sun]
) -> SunChange:
    first, last = stretch.samples[0], stretch.samples[-1]
    rise = last.elevation_deg - first.elevation_deg
    height: HeightChange | None = None if abs(rise) < LEAST_RISE else "rises" if rise > 0 else "sinks"
    turn, turn_amount, cause = _turning(stretch, path, start, end)
    casts = start.shadows is not None and end.shadows is not None
    own = _brightness(_on_the_ground(first), _on_the_ground(last))
    power: dict[str | None, Power] = {"brighter": "stronger", "dimmer": "weaker"}
    return SunChange(
        height=height,
        height_amount=_amount(rise, 8, 25) if height else None,
        turn=turn,
        turn_amount=turn_amount,
        turn_cause=cause,
        shadow_length=_shadow_length(stretch, start, end),
        shadow_slide=OPPOSITE[turn] if turn and casts else None,
        brightness=own if len(suns) < 2 else _brightness(*(_all_suns(suns, one.frame) for one in (first, last))),
        power=power.get(own) if len(suns) > 1 else None,
        steep=start.steep,
    )


def _turning(
    stretch: Sun | SunStretch, path: CameraPath, start: SunMoment, end: SunMoment
) -> tuple[Turn | None, Amount | None, TurnCause | None]:
    """Where the light wanders as the camera sees it (against its shadows), how far, and what makes it. A sun overhead
    or deep below the horizon has no side."""
    shadows = stretch.shadows
    if shadows is None or shadows.slide is None or shadows.turn_deg is None:
        return None, None, None
    if any(moment.sector in (None, "top") for moment in (start, end)):
        return None, None, None
    own = round(shadows.turn_deg, 6)
    camera = -round(turned(path, stretch.samples[0].frame, stretch.samples[-1].frame), 6) if path.samples else 0.0
    turn = OPPOSITE[TURN_OF_SHADOWS[shadows.slide]]
    return turn, _amount(own + camera, 25, 70), "camera" if abs(camera) > abs(own) else "sun"


def _shadow_length(stretch: Sun | SunStretch, start: SunMoment, end: SunMoment) -> LengthChange | None:
    if (start.height == "below") != (end.height == "below"):
        risen = end if start.height == "below" else start
        return None if risen.shadows is None else "appear" if risen is end else "fade"
    if stretch.shadows is None or start.shadows is None or end.shadows is None:
        return None
    return stretch.shadows.change


def _on_the_ground(sample: SunSample) -> float | None:
    """How strongly the sun lights level ground: its strength times the sine of its elevation (Lambert)."""
    if sample.strength is None:
        return None
    return sample.strength * max(math.sin(math.radians(sample.elevation_deg)), 0.0)


def _all_suns(suns: list[Sun], frame: int) -> float | None:
    """The light of all suns on level ground at a frame, linear between their samples; None where one is not known."""
    lights = [_between(sun.samples, frame) for sun in suns]
    known = [light for light in lights if light is not None]
    return sum(known) if len(known) == len(lights) else None


def _between(samples: tuple[SunSample, ...], frame: int) -> float | None:
    after = next((i for i, sample in enumerate(samples) if sample.frame >= frame), len(samples) - 1)
    a, b = samples[max(after - 1, 0)], samples[after]
    light_a, light_b = _on_the_ground(a), _on_the_ground(b)
    if light_a is None or light_b is None or a.frame == b.frame:
        return light_b
    t = min(max((frame - a.frame) / (b.frame - a.frame), 0.0), 1.0)
    return light_a + (light_b - light_a) * t


def _brightness(first: float | None, last: float | None) -> Brightness | None:
    if first is None or last is None:
        return None
    if last > first * BRIGHTER:
        return "brighter"
    return "dimmer" if first > last * BRIGHTER else None


def _amount(value: float, little: float, much: float) -> Amount:
    return "slightly" if abs(value) < little else "far" if abs(value) >= much else "clearly"
