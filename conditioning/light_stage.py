# SPDX-License-Identifier: GPL-3.0-or-later
"""How bright a shot's frames are by its light and what the camera sees of it; and by other guesses of what facts leave
open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..wan_engine.color_temperature import nearest_black_body
from .light_probe import View
from .scene_light import FrameLight
from .tone import Tone

REC709 = np.array((0.2126, 0.7152, 0.0722))  # of linear light
_RANGE = 4.0  # stops by which surfaces may be brighter or darker than their materials say


@dataclass(frozen=True)
class Guess:
    """What is left open, as factors of what the facts make of it: light that surfaces throw on each other, a sky of
    many colours, light of surfaces of their own; `rays`: those that look, every `rays[1]`th from `rays[0]` on."""

    thrown: float = 1.0
    sky: float = 1.0
    glow: float = 1.0
    rays: tuple[int, int] = (0, 1)


FACTS = Guess()
# Pairs that stake out each: mirrors and further bounces, a sky's horizon and zenith, lamps behind glass, fine shadows.
GUESSES = (
    (Guess(thrown=0.5), Guess(thrown=2.0)),
    (Guess(sky=0.5), Guess(sky=2.0)),
    (Guess(glow=0.5), Guess(glow=2.0)),
    (Guess(rays=(0, 2)), Guess(rays=(1, 2))),
)


class Stage:
    """The shot's light at every frame, and the views through which it is seen."""

    def __init__(self, lights: Sequence[FrameLight], seen: Mapping[int, View], tone: Tone, guess: Guess = FACTS):
        self.lights, self.tone, self.guess = lights, tone, guess
        self.mixes = [_mixed(seen, i) for i in range(len(lights))]
        self.parts: dict[int, list[tuple[float, np.ndarray, np.ndarray]]] = {}

    def shown(self, level: float, places: Iterable[int]) -> list[float]:
        """Mean display luminance of frames when surfaces are `level` times as bright as their materials say."""
        return [self._shown(i, level) for i in places]

    def level(self, known: float | None, at: int) -> float:
        """The level at which a frame shows a known mean luminance, or comes nearest to it."""
        if known is None:
            return 1.0
        low, high = -_RANGE, _RANGE  # in stops; the display value rises with them
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if self._shown(at, 2**middle) < known else (low, middle)
        return float(2**low)

    def kelvin(self, at: int) -> float | None:
        """Colour temperature of the light on what is seen, by the mean logarithm of its channels; None in the dark, and
        under a world whose colours are hidden."""
        if self.lights[at].glow.hidden:
            return None
        course = np.zeros(3)
        for view, share in self.mixes[at]:
            light = irradiance(view, self.lights[at])
            light[view.sky] = sky_radiance(self.lights[at], FACTS)
            course += share * np.log(np.maximum(light, 1e-6)).mean(0)
        color = np.exp(course)
        nearest = nearest_black_body(color) if color.max() > 1e-5 else None
        return None if nearest is None else nearest[0]

    def _radiance(self, view: View, at: int) -> tuple[np.ndarray, np.ndarray]:
        """Luminance toward the camera that goes with the surfaces' level, and that which does not [N, N]."""
        light, guess = self.lights[at], self.guess
        scattered = view.albedo * (irradiance(view, light, guess) @ REC709) / math.pi
        own = np.where(view.sky, sky_radiance(light, guess) @ REC709, guess.glow * view.glow)
        first, step = guess.rays
        return np.where(view.sky, 0.0, scattered)[first::step], own[first::step]

    def _shown(self, at: int, level: float) -> float:
        if at not in self.parts:
            self.parts[at] = [(share, *self._radiance(view, at)) for view, share in self.mixes[at]]
        return sum(share * float(self.tone.of(level * a + b).mean()) for share, a, b in self.parts[at])


def sky_radiance(light: FrameLight, guess: Guess) -> np.ndarray:
    """Radiance [3] of the sky that the camera sees."""
    return np.array(light.glow.world) * (guess.sky if light.glow.hidden else 1.0) + guess.sky * light.sky / math.pi


def irradiance(view: View, light: FrameLight, guess: Guess = FACTS) -> np.ndarray:
    """Linear RGB irradiance [N, 3] of the surfaces in view: by sun, lamps and sky, and by what rays about each met, or
    where none looked, by the mean of all these surfaces."""
    direct, met = _direct(view, light, guess), view.around
    thrown = np.zeros_like(direct)
    if met is not None:
        exitance = met.albedo[:, None] * irradiance(met, light, guess) + math.pi * guess.glow * met.glow[:, None]
        np.add.at(thrown, view.owners, view.part * exitance)
    elif not view.sky.all():
        thrown = (1 - view.open[:, None]) * (view.albedo[:, None] * direct)[~view.sky].mean(0)
    return np.asarray(direct + guess.thrown * (thrown if view.near is None else view.near @ thrown))


def _direct(view: View, light: FrameLight, guess: Guess) -> np.ndarray:
    """Irradiance [N, 3] by sun and lamps, and by as much of sky and world as is above a surface."""
    upward = (1 + view.normals[:, 2:]) / 2
    world = np.array(light.glow.world) * (guess.sky if light.glow.hidden else 1.0)
    result = view.open[:, None] * (math.pi * world + upward * guess.sky * light.sky)
    for lamp in light.glow.lamps:
        reached = view.reached.get(lamp.name, 1.0 - view.sky)
        result = result + reached[:, None] * lamp.irradiance(view.places, view.normals)
    if light.toward is not None:
        facing = np.maximum(0.0, view.normals @ light.toward) * view.lit
        result = result + facing[:, None] * light.sun
    return np.asarray(result)


def _mixed(seen: Mapping[int, View], at: int) -> list[tuple[View, float]]:
    """The views before and after a place, and how much each counts there."""
    places = sorted(seen)
    before = max((place for place in places if place <= at), default=places[0])
    after = min((place for place in places if place >= at), default=places[-1])
    if before == after:
        return [(seen[before], 1.0)]
    share = (at - before) / (after - before)
    return [(seen[before], 1 - share), (seen[after], share)]
