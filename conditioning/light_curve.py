# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that a scene's facts tell of a shot: how bright the frame will be, and how warm, from its first frame on.

A few hundred rays from the camera meet surfaces, which sun, sky, lamps and other surfaces light and the scene's own
colour management shows: what comes into view and what falls into shadow is known, reflections and textures are not. By
how much the curve may be off, other guesses at what the facts leave open tell. The mean luminance of the first and last
conditioning frame, where they are rendered anyway, set level and end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import bpy
import numpy as np

from ..scene.brief import Shot
from ..wan_engine.light_curve import LightCurve
from .light_probe import View
from .light_stage import GUESSES, Stage
from .scene_light import Glow, glows, light_at, views
from .tone import Tone, mean_rgb, tone_of

LUMA = np.array((0.299, 0.587, 0.114))  # of display values, as the engine measures them
# How often the light is looked at, at most, evenly over the shot: so many times, in a long one each so many frames.
EVALUATED = 97, 4  # animated lamps and worlds
LOOKS = 5, 30  # the rays
TIMES = 33, 12  # of a curve, beside those at jumps
JUMP = 0.05  # display luminance from one look to the next: less is no jump
_DARK = 0.005


def predict_light(
    scene: bpy.types.Scene, shot: Shot, first: Path | None = None, last: Path | None = None
) -> LightCurve:
    """The curve from the brief and the scene. `first` and `last` are conditioning frames rendered before. Leaves the
    scene as it was. Raises SceneError when the shot's camera is missing."""
    frames = evaluated_frames(shot)
    looks = spread(len(frames), times_of(shot, LOOKS))
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
    stage = Stage(lights, seen, tone)
    jumps = _jumps(stage.shown(stage.level(first, 0), range(len(frames))))
    kept = {i: time_of(shot, frames[i]) for i in spread(len(frames), times_of(shot, TIMES), jumps)}
    ratios = _ratios(stage, kept, first, last)
    others = [[_ratios(Stage(lights, seen, tone, guess), kept, first, last) for guess in pair] for pair in GUESSES]
    return make_curve(
        "brief", list(kept.values()), ratios, [stage.kelvin(i) for i in kept], [kept[i] for i in jumps],
        uncertainty=_uncertainty(ratios, others),
    )  # fmt: skip


def _ratios(stage: Stage, times: Mapping[int, float], first: float | None, last: float | None) -> list[float]:
    """Luminance over that of the first frame, at frames by their place, which have these `times`."""
    shown = stage.shown(stage.level(first, 0), times)
    ratios = [max(value, _DARK) / max(shown[0], _DARK) for value in shown]
    if first is None or last is None:
        return ratios
    back = [max(value, _DARK) for value in stage.shown(stage.level(last, max(times)), times)]
    end = max(last, _DARK) / max(first, _DARK)
    return _fading(ratios, [end * value / back[-1] for value in back], list(times.values()))


def _uncertainty(ratios: Sequence[float], others: Sequence[Sequence[Sequence[float]]]) -> list[float]:
    """By how much, relative, each value may be off: the larger departure of each pair of guesses, which have nothing to
    do with each other."""
    away = np.abs(np.log(np.array(others) / np.array(ratios))).max(1)  # [pairs, frames]
    return [round(float(value), 4) for value in np.expm1(np.sqrt((away**2).sum(0)))]


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


def times_of(shot: Shot, often: tuple[int, int]) -> int:
    """How many times a shot is looked at: the first number, or once in every so many frames where that is more."""
    least, every = often
    return max(least, shot.frame_count // every + 1)


def evaluated_frames(shot: Shot) -> list[int]:
    """The frames at which the shot's light is worked out."""
    return [shot.frame_start + i for i in spread(shot.frame_count, times_of(shot, EVALUATED))]


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
    uncertainty: Sequence[float] | None = None,
) -> LightCurve:
    """A curve has two ends, also that of a single frame; no temperature where the light has none at some time."""
    if len(times) == 1:
        times, luminance, kelvins = (0.0, 1.0), (*luminance, *luminance), (*kelvins, *kelvins)
        rgb = None if rgb is None else (*rgb, *rgb)
        uncertainty = None if uncertainty is None else (*uncertainty, *uncertainty)
    known = tuple(k for k in kelvins if k is not None)
    temperature = known if len(known) == len(kelvins) else None
    colors = None if rgb is None else tuple(rgb)
    spread_of = None if uncertainty is None else tuple(uncertainty)
    curve = LightCurve(source, tuple(times), tuple(luminance), temperature, tuple(jumps), colors, spread_of)
    curve.validate()
    return curve
