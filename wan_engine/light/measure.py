# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of a finished clip in numbers.

Frames are counted from 0. Display luminance is Y = 0.299 R + 0.587 G + 0.114 B of display values in 0..1; a relative
change is a change of it over its level, so 0.1 is about a third of a stop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..color_temperature import blackbody_rgb, mired
from ..light_curve import LightCurve
from ..media.frames import as_rgb
from .changes import _compensated_change, find_cuts, frame_gains, relative_changes
from .color import color_temperature, luminance
from .curves import expected_luminance, expected_temperature, plain_changes
from .departure import ColorDeparture, LuminanceDeparture, Pictures, color_departure, luminance_departure
from .direction import LightDirection, light_direction
from .flicker import flicker_of
from .jumps import Jump, find_jumps
from .loss import LightConsistencyLoss
from .meant import intent_of
from .motion import compare_frames, reduced

__all__ = [
    "Jump",
    "LightConsistencyLoss",
    "LightMeasures",
    "as_rgb",
    "measure",
]


@dataclass(frozen=True)
class LightMeasures:
    """The light of a clip of T frames.

    luminance: "mean", "p05", "p50", "p95" of display luminance per frame (with whatever the camera sees).
    light: motion-compensated course of the light, relative to frame 0, per frame; a cut leaves it where it was.
    change: motion-compensated change of display luminance against the frame before, per frame (0 at frame 0).
    temperature_k: colour temperature per frame, None where the picture has none; temperature_drift_mired: largest
    motion-compensated departure from frame 0 (and from the expected one), positive = warmer.
    flicker, flicker_allowed, slow_change, swings, swing: see `flicker.Flicker`; steadiness_loss: of
    `LightConsistencyLoss`, 0 = steady.
    cuts: first frames of another picture. directions: of some frames.
    temperature_course_mired: motion-compensated, from frame 0 on, positive = warmer.
    expected, expected_temperature_k: the scene's curve at each frame in the unit of `luminance` (`expected_source`
    "render") or of `light` ("brief"); departure: what it was held against, and the worst of it; curve_error: the mean
    distance of that over the curve's mean level. color: the same of colour, where a render or a picture tells it.
    """

    frames: int
    fps: float
    luminance: dict[str, tuple[float, ...]]
    light: tuple[float, ...]
    change: tuple[float, ...]
    temperature_k: tuple[float | None, ...]
    temperature_drift_mired: float
    jumps: tuple[Jump, ...]
    cuts: tuple[int, ...]
    flicker: float
    flicker_allowed: float
    steadiness_loss: float
    slow_change: float
    swings: int
    swing: float
    directions: tuple[LightDirection, ...]
    expected: tuple[float, ...] | None
    expected_temperature_k: tuple[float, ...] | None
    curve_error: float | None
    expected_source: str | None
    departure: LuminanceDeparture | None
    color: ColorDeparture | None
    temperature_course_mired: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data for the report."""
        return dataclasses.asdict(self)


def measure(
    frames: Iterable[np.ndarray], fps: float, expected: LightCurve | None = None, pictures: Pictures = (None, None)
) -> LightMeasures:
    """The light of `frames` (a clip, or what `as_rgb` takes) at `fps`, against the scene's curve if given,
    and against the mean display RGB (0..1) of the pictures of the shot's first and last frame, where there are some.

    Raises UsageError when the frames are no clip.
    """
    small = reduced(as_rgb(frames))
    count = len(small)
    y = luminance(small).reshape(count, -1)
    levels = {name: np.percentile(y, q, axis=1) for name, q in (("p05", 5), ("p50", 50), ("p95", 95))}
    changes = compare_frames(small)
    cuts = find_cuts(changes, small)
    relative = relative_changes(changes, cuts, y.mean(1))
    intent = intent_of(expected, y.mean(1), cuts)
    jumps = find_jumps(changes, relative, cuts, intent)
    course = np.concatenate([[0.0], np.cumsum(relative)])
    told = None if expected is None else intent.told
    flicker = flicker_of(relative, plain_changes(y.mean(1), cuts), told, cuts, any(jump.size for jump in jumps))
    kelvin = None if expected is None else expected_temperature(expected, count)
    gains = np.concatenate([np.zeros((1, 3)), np.cumsum(frame_gains(changes, cuts), axis=0)])
    warming = (gains[:, 0] - gains[:, 2]) / _log_ratio_per_mired()
    departure = None if expected is None else luminance_departure(expected, y.mean(1), course, jumps)
    return LightMeasures(
        frames=count,
        fps=float(fps),
        luminance={"mean": _floats(y.mean(1)), **{name: _floats(level) for name, level in levels.items()}},
        light=_floats(np.exp(course)),
        change=_floats(np.concatenate([[0.0], _compensated_change(changes, cuts)])),
        temperature_k=tuple(_rounded(color_temperature(picture), 0) for picture in small),
        temperature_drift_mired=_temperature_drift(warming, kelvin),
        jumps=tuple(jumps),
        cuts=tuple(cuts),
        flicker=round(flicker.flicker, 5),
        flicker_allowed=round(flicker.allowed, 5),
        steadiness_loss=_steadiness_loss(small),
        slow_change=round(flicker.slow_change, 4),
        swings=flicker.swings,
        swing=round(flicker.swing, 4),
        directions=tuple(light_direction(small[k], k) for k in _sampled(count)),
        expected=None if expected is None else _floats(expected_luminance(expected, count)),
        expected_temperature_k=None if kelvin is None else _floats(kelvin, 0),
        curve_error=None if departure is None else departure.mean,
        expected_source=None if expected is None else expected.source,
        departure=departure,
        color=color_departure(expected, pictures, small.mean((1, 2)), gains),
        temperature_course_mired=_floats(warming, 1),
    )


def _steadiness_loss(pictures: np.ndarray) -> float:
    """How unevenly the light of pictures [T, h, w, 3] in 0..1 changes, by the loss a model is trained with."""
    video = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))[None]
    with torch.no_grad():
        return round(float(LightConsistencyLoss()(video)), 6)


def _temperature_drift(warming: np.ndarray, expected_kelvin: np.ndarray | None) -> float:
    """Largest departure from frame 0 in mired, positive = warmer, less what is expected, of a course [T] that is read
    off the compensated red-to-blue ratio; a black body near daylight gives what one mired makes of it."""
    course = warming
    if expected_kelvin is not None:
        course = course - (1e6 / expected_kelvin - 1e6 / expected_kelvin[0])
    return round(float(course[np.abs(course).argmax()]), 1)


def _log_ratio_per_mired() -> float:
    warm, cool = blackbody_rgb(4000), blackbody_rgb(8000)
    return float(np.log(warm[0] / warm[2]) - np.log(cool[0] / cool[2])) / (mired(4000) - mired(8000))


def _sampled(count: int) -> list[int]:
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, 9))})


def _floats(values: np.ndarray, digits: int = 5) -> tuple[float, ...]:
    return tuple(round(float(value), digits) for value in values)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
