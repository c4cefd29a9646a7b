# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of a shot at any of its moments: the brief, seen the way a user's claims about it are judged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from ..scene.brief import Shot, Sun, SunStretch
from .lamps import light_color, sky_light
from .light import suns_of
from .structured import SkyLight
from .view import bearings, is_steep, turns

RISING = frozenset({"dawn", "sunrise", "morning"})
SETTING = frozenset({"dusk", "sunset", "afternoon"})
RING = ("back", "back_right", "right", "front_right", "front", "front_left", "left", "back_left")
"""Sectors of a light in steps of 45 degrees, clockwise from straight ahead."""


@dataclass(frozen=True)
class SunMoment:
    """The sun at one of its samples: `elevation` in degrees above the horizon, the time of day's `word`, and whether it
    is rising (None: unknown).
    """

    elevation: float
    word: str | None
    rising: bool | None


class ShotFacts:
    """A shot's facts as the verdicts need them."""

    def __init__(self, shot: Shot) -> None:
        self.shot = shot
        self.path = shot.camera_path
        self.sky, self.weather = shot.environment.sky, shot.environment.weather
        self.kinds = {move.kind for move in self.path.moves}
        self.suns = suns_of(shot)
        self.samples = self.suns[0].samples if self.suns else ()

    @cached_property
    def elevations(self) -> list[float]:
        """Of the strongest sun at its samples, in degrees above the horizon."""
        return [sample.elevation_deg for sample in self.samples]

    @cached_property
    def rises(self) -> list[float]:
        """How far every sun rises between the turns of its light, in degrees."""
        parts = [part.samples for sun in self.suns for part in sun.stretches or (sun,)]
        return [part[-1].elevation_deg - part[0].elevation_deg for part in parts]

    @cached_property
    def moments(self) -> list[SunMoment]:
        """Every sun at each of its samples."""
        return [moment for sun in self.suns for moment in _moments(sun)]

    @cached_property
    def sectors(self) -> set[str | None]:
        """Where light comes from at some time: the sun while it is up, without one the bright side of the world's
        picture, and every lamp; None for an unknown place."""
        found: set[str | None] = {light.relative_to_camera for light in self.shot.lights}
        for sun in self.suns:
            up = [(e, b) for e, b in bearings(sun, self.path) if e >= -0.5]
            found |= {"top" if e >= 70 else RING[round(b / 45) % 8] for e, b in up}
            parts: list[Sun | SunStretch] = [sun, *sun.stretches]
            for part in parts:
                ends = ((part.relative_to_camera.start, 0), (part.relative_to_camera.end, -1))
                found |= {word for word, index in ends if word and part.samples[index].elevation_deg >= -0.5}
        return found | self.bright_sides

    @cached_property
    def steep(self) -> bool:
        """Whether the camera looks straight down or up at the start: front and back are not in its picture."""
        return is_steep(self.path, self.shot.frame_start)

    @cached_property
    def bright_sides(self) -> set[str | None]:
        """Where the bright side of the world's picture stands at some time, as the camera turns."""
        if self.bright is None or self.bright.sector == "top":
            return set() if self.bright is None else {"top"}
        first = 45 * RING.index(self.bright.sector)
        return {RING[round((first - turn) / 45) % 8] for turn in turns(self.path) or [0.0]}

    @cached_property
    def bright(self) -> SkyLight | None:
        """The brightest direction of the world's picture, where no sun tells it and the picture clearly has one."""
        return sky_light(self.shot)

    @cached_property
    def colors(self) -> set[str]:
        """The colours of all lights, as words."""
        samples = [sample for sun in self.suns for sample in sun.samples if sample.elevation_deg >= 0]
        lights = [(one.color_temperature_k, one.color) for one in self.shot.lights]
        lights += [(one.color_temperature_k, one.color) for one in samples]
        found: set[str] = {word for kelvin, color in lights if (word := light_color(kelvin, color))}
        if self.bright is not None and self.bright.color:
            found.add(self.bright.color)
        return found

    @cached_property
    def views(self) -> list[float]:
        """Horizontal angles of view in degrees at the samples that have a lens."""
        lenses = [(sample.sensor_mm[0], sample.lens_mm) for sample in self.path.samples if sample.lens_mm]
        return [2 * math.degrees(math.atan(width / (2 * lens))) for width, lens in lenses]


def _moments(sun: Sun) -> list[SunMoment]:
    """The sun at each sample; between the shot's ends and the turns of its light the words are not known."""
    start, end = sun.time_of_day.start, sun.time_of_day.end
    told = {None if w is None else True if w in RISING else False if w in SETTING else None for w in (start, end)}
    same = told.pop() if len(told) == 1 else None
    elevations = [sample.elevation_deg for sample in sun.samples]
    last = len(elevations) - 1
    turns_of = {stretch.samples[-1].frame: stretch.time_of_day.end for stretch in sun.stretches}
    moments = []
    for index, elevation in enumerate(elevations):
        word = start if index == 0 else end if index == last else turns_of.get(sun.samples[index].frame)
        rising = True if word in RISING else False if word in SETTING else same
        if rising is None:
            slope = elevations[min(index + 1, last)] - elevations[max(index - 1, 0)]
            rising = slope > 0 if abs(slope) > 0.1 else None
        moments.append(SunMoment(elevation, word, rising))
    if last == 0:
        moments.append(SunMoment(elevations[0], end, same))
    return moments
