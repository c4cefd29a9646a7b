# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that a scene's facts tell of a shot: how bright the frame will be, and how warm, from its first frame on.

A few hundred rays from the camera meet surfaces, which sun, sky and lamps light and the scene's own colour management
shows: what comes into view and what falls into shadow is known, reflections and textures are not. The mean luminance
of the first and last conditioning frame, where they are rendered anyway, set level and end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import bpy
import numpy as np

from ..scene.brief import Shot
from ..scene.color_temperature import nearest_black_body
from ..wan_engine.light_curve import LightCurve
from .light_probe import ALBEDO, View
from .scene_light import FrameLight, Glow, glows, light_at, views
from .tone import Tone, mean_rgb, tone_of

LUMA = np.array((0.299, 0.587, 0.114))  # of display values, as the engine measures them
REC709 = np.array((0.2126, 0.7152, 0.0722))  # of linear light
EVALUATED = 97  # frames at most at which animated lamps and worlds are looked at, evenly over the shot
LOOKS = 5  # at most, of the rays, evenly over the shot
TIMES = 33  # of a curve, at most, beside those at jumps
JUMP = 0.05  # display luminance from one look to the next: less is no jump
_DARK = 0.005
_RANGE = 4.0  # stops by which surfaces may be brighter or darker than their materials say


def predict_light(
    scene: bpy.types.Scene, shot: Shot, first: Path | None = None, last: Path | None = None
) -> LightCurve:
    """The curve from the brief and the scene. `first` and `last` are conditioning frames rendered before. Leaves the
    scene as it was. Raises SceneError when the shot's camera is missing."""
    frames = evaluated_frames(shot)
    looks = spread(len(frames), LOOKS)
    glow = glows(scene, shot, frames)
    seen = views(scene, shot, [frames[i] for i in looks], [glow[i] for i in looks])
    means = [None if path is None else float(LUMA @ mean_rgb(path)) for path in (first, last)]
    return curve_from_light(shot, frames, glow, dict(zip(looks, seen, strict=True)), tone_of(scene), *means)


def curve_from_light(
    shot: Shot,
    frames: Sequence[int],
    glows: Sequence[Glow],
    seen: Mapping[int, View],
    tone: Tone,
    first: float | None = None,
    last: float | None = None,
) -> LightCurve:
    """The curve for the light at `frames` (the shot's first to its last). `seen` are views at some of them, by their
    place, in order. `first` and `last` are the true mean luminances of the first and last, in 0..1: they settle how
    bright the surfaces are, seen from the first frame on and from the last one back; between them the one story fades
    into the other."""
    lights = [light_at(shot, frame, glow) for frame, glow in zip(frames, glows, strict=True)]
    stage = _Stage(lights, seen, tone)
    shown = stage.shown(stage.level(first, 0))
    ratios = [max(value, _DARK) / max(shown[0], _DARK) for value in shown]
    if first is not None and last is not None:
        back = [max(value, _DARK) for value in stage.shown(stage.level(last, len(frames) - 1))]
        end = max(last, _DARK) / max(first, _DARK)
        ratios = _fading(ratios, [end * value / back[-1] for value in back], [time_of(shot, f) for f in frames])
    jumps = _jumps(shown)
    kept = spread(len(frames), TIMES, jumps)
    times = [time_of(shot, frame) for frame in frames]
    kelvins = [stage.kelvin(i) for i in kept]
    return make_curve("brief", [times[i] for i in kept], [ratios[i] for i in kept], kelvins, [times[i] for i in jumps])


class _Stage:
    """The shot's light at every frame, and the views through which it is seen."""

    def __init__(self, lights: Sequence[FrameLight], seen: Mapping[int, View], tone: Tone) -> None:
        self.lights, self.tone = lights, tone
        self.mixes = [_mixed(seen, i) for i in range(len(lights))]

    def shown(self, level: float) -> list[float]:
        """Mean display luminance of each frame when surfaces are `level` times as bright as their materials say."""
        return [self._shown(i, level) for i in range(len(self.lights))]

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
        """Colour temperature of the light on what is seen, by the mean logarithm of its channels; None in the dark."""
        course = np.zeros(3)
        for view, share in self.mixes[at]:
            light = irradiance(view, self.lights[at])
            light[view.sky] = self._sky(at)
            course += share * np.log(np.maximum(light, 1e-6)).mean(0)
        color = np.exp(course)
        nearest = nearest_black_body(color) if color.max() > 1e-5 else None
        return None if nearest is None else nearest[0]

    def _sky(self, at: int) -> np.ndarray:
        """Radiance of the sky that the camera sees."""
        return np.array(self.lights[at].glow.world) + self.lights[at].sky / math.pi

    def _shown(self, at: int, level: float) -> float:
        total = 0.0
        for view, share in self.mixes[at]:
            surface = level * view.albedo * (irradiance(view, self.lights[at]) @ REC709) / math.pi + view.glow
            total += share * float(self.tone.of(np.where(view.sky, self._sky(at) @ REC709, surface)).mean())
        return total


def irradiance(view: View, light: FrameLight) -> np.ndarray:
    """Linear RGB irradiance [N, 3] of the surfaces in view: by sun and lamps, by as much of sky and world as is above
    them, and, once, by what they throw on each other."""
    upward = (1 + view.normals[:, 2:]) / 2
    around = math.pi * np.array(light.glow.world) + upward * light.sky
    result = view.open[:, None] * around
    for lamp in light.glow.lamps:
        reached = view.reached.get(lamp.name, 1.0 - view.sky)
        result = result + reached[:, None] * lamp.irradiance(view.places, view.normals)
    if light.toward is not None:
        facing = np.maximum(0.0, view.normals @ light.toward) * view.lit
        result = result + facing[:, None] * light.sun
    surfaces = ~view.sky
    if surfaces.any():
        thrown = (view.albedo[surfaces, None] * result[surfaces]).mean(0)
        result = result + (1 - view.open[:, None]) * ALBEDO * thrown
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


def _fading(forth: Sequence[float], back: Sequence[float], times: Sequence[float]) -> list[float]:
    """From one curve to the other over the time, in the logarithm."""
    faded = [a ** (1 - time) * b**time for a, b, time in zip(forth, back, times, strict=True)]
    # Light that only falls, or only rises, goes on doing so.
    if faded[-1] <= 1 and all(b <= a for a, b in pairwise(forth)):
        return [max(value, faded[-1]) for value in accumulate(faded, min)]
    if faded[-1] >= 1 and all(b >= a for a, b in pairwise(forth)):
        return [min(value, faded[-1]) for value in accumulate(faded, max)]
    return faded


def _jumps(shown: Sequence[float]) -> list[int]:
    """Indices from which on the light is suddenly another: a step of display luminance four times as large as those
    beside it, of which only such in the same direction make a gradual change."""
    steps = [0.0, *(b - a for a, b in pairwise(shown)), 0.0]
    beside = [max(0.0, a * b, b * c) for a, b, c in zip(steps, steps[1:], steps[2:], strict=False)]
    return [i for i, step in enumerate(steps[1:-1], 1) if abs(step) > JUMP and step**2 > 4 * beside[i - 1]]


def spread(count: int, wanted: int, jumps: Iterable[int] = ()) -> list[int]:
    """Of so many indices at most `wanted`, evenly, first and last among them; and those on both sides of jumps."""
    even = range(count) if count <= wanted else (round(i * (count - 1) / (wanted - 1)) for i in range(wanted))
    return sorted({*even, *jumps, *(i - 1 for i in jumps)})


def evaluated_frames(shot: Shot) -> list[int]:
    """The frames at which the shot's light is worked out."""
    return [shot.frame_start + i for i in spread(shot.frame_count, EVALUATED)]


def time_of(shot: Shot, frame: int) -> float:
    """0 at the shot's first frame, 1 at its last."""
    return (frame - shot.frame_start) / max(1, shot.frame_count - 1)


def make_curve(
    source: str,
    times: Sequence[float],
    luminance: Sequence[float],
    kelvins: Sequence[float | None],
    jumps: Sequence[float],
    rgb: Sequence[tuple[float, ...]] | None = None,
) -> LightCurve:
    """A curve has two ends, also that of a single frame; no temperature where the light has none at some time."""
    if len(times) == 1:
        times, luminance, kelvins = (0.0, 1.0), (*luminance, *luminance), (*kelvins, *kelvins)
        rgb = None if rgb is None else (*rgb, *rgb)
    known = tuple(k for k in kelvins if k is not None)
    temperature = known if len(known) == len(kelvins) else None
    colors = None if rgb is None else tuple(rgb)
    curve = LightCurve(source, tuple(times), tuple(luminance), temperature, tuple(jumps), colors)
    curve.validate()
    return curve
