# SPDX-License-Identifier: GPL-3.0-or-later
"""What a light curve and the pictures of a shot want of every latent frame: luminance and colour.

A chroma is RGB over luminance, so that its own luminance is 1. All values are display-referred, in about 0..1.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..color_temperature import blackbody_rgb
from ..light import curves
from ..light.color import LUMA, luminance
from ..light_curve import LightCurve

DISPLAY_GAMMA = 2.2
_R, _G, _B = LUMA.tolist()
_DARK = 0.02  # luminances below cannot tell a ratio or a colour
_UNFORESEEN = 0.1  # share of the light by which a brief's curve may err at the far end: what comes into view is unknown

RGB = Sequence[float]
Ends = tuple[RGB | None, RGB | None]


@dataclass(frozen=True)
class Course:
    """What is wanted of each latent frame, the same in every step. `luminance` and `chroma` (None: colour is left
    alone) are met as they stand where `anchored`; else the chroma, and with `ratios` the luminance too, only tells how
    light changes. `doubt` is the share of the luminance within which the curve does not know better than the model,
    `free` 0 for the frames of the pictures and 1 for those that may be moved.

    Plain numbers: for a handful, arrays are several times slower.
    """

    luminance: Sequence[float]
    chroma: Sequence[RGB] | None
    doubt: Sequence[float]
    free: Sequence[float]
    anchored: bool
    ratios: bool

    def cut(self, start: int, stop: int) -> Course:
        """What is wanted of the latent frames `start` to `stop` (behind the last), of which the first is given where it
        is not the course's."""
        part = slice(start, stop)
        return replace(
            self,
            luminance=self.luminance[part],
            chroma=None if self.chroma is None else self.chroma[part],
            doubt=self.doubt[part],
            free=[0.0, *self.free[start + 1 : stop]] if start else self.free[part],
        )

    def missing(self, seen: Sequence[RGB], limit: float, color: float) -> list[list[float]]:
        """What is to be added to these mean RGB of the prediction, at most `limit` of luminance and as much of colour;
        `color` is the share of the colour that counts."""
        lights, tints = [luma(rgb) for rgb in seen], [_chroma(rgb) for rgb in seen]
        level, chromas = self._level(lights), self._tinted(tints)
        missing = []
        for i, (light, tint) in enumerate(zip(lights, tints, strict=True)):
            wanted = min(level * self.luminance[i], 1.0)
            lack = wanted - light
            lack = _within(lack - _within(lack, self.doubt[i] * wanted), limit)
            off = [_within(max(light, 0.0) * (c - t), limit) for c, t in zip(chromas[i], tint, strict=True)]
            missing.append([self.free[i] * (lack * t + color * o) for t, o in zip(tint, off, strict=True)])
        return missing

    def _level(self, lights: Sequence[float]) -> float:
        """What to take the luminance times; ratios without a picture are laid through the prediction's luminance."""
        if self.anchored or not self.ratios:
            return 1.0
        power = sum(wanted * wanted for wanted in self.luminance)
        return max(0.0, sum(map(operator.mul, self.luminance, lights)) / max(power, 1e-6))

    def _tinted(self, tints: Sequence[RGB]) -> Sequence[RGB]:
        """The chroma to meet; without a picture its course around the prediction's mean chroma."""
        if self.chroma is None or self.anchored:
            return tints if self.chroma is None else self.chroma
        mean = [sum(t[i] for t in tints) / sum(c[i] for c in self.chroma) for i in range(3)]
        return [_of_luminance_1([c * m for c, m in zip(rgb, mean, strict=True)]) for rgb in self.chroma]


def luma(rgb: RGB) -> float:
    """Y = 0.299 R + 0.587 G + 0.114 B."""
    return _R * rgb[0] + _G * rgb[1] + _B * rgb[2]


def _of_luminance_1(rgb: RGB) -> list[float]:
    light = luma(rgb)
    return [c / light for c in rgb]


def _chroma(rgb: RGB) -> list[float]:
    return _of_luminance_1([max(c, 0.0) + _DARK for c in rgb])


def _within(value: float, limit: float) -> float:
    return max(-limit, min(value, limit))


def course_of(curve: LightCurve, count: int, ends: Ends) -> Course:
    """For `count` latent frames; `ends` are the mean RGB of the first and the last picture, None without one."""
    frames = (count - 1) * 4 + 1
    lights = [None if end is None else luma(end) for end in ends]
    tints = [None if end is None else np.array(_chroma(end)) for end in ends]
    wanted = expected_chroma(curve, frames, *tints)
    if wanted is not None:
        wanted = per_latent_frame(wanted)
        wanted = wanted / luminance(wanted)[:, None]
    anchored, ratios = ends[0] is not None, curve.source == "brief"
    free = np.ones(count)
    for picture, frame in zip(ends, (0, -1), strict=True):
        if picture is not None:
            free[frame] = 0
    doubt = np.linspace(0, _UNFORESEEN if anchored and ratios and ends[1] is None else 0, count)
    light = per_latent_frame(expected_luminance(curve, frames, *lights))
    colors = None if wanted is None else wanted.tolist()
    return Course(light.tolist(), colors, doubt.tolist(), free.tolist(), anchored, ratios)


def expected_luminance(
    curve: LightCurve, frames: int, first: float | None = None, last: float | None = None
) -> np.ndarray:
    """Mean luminance [frames] of a clip whose first and last frame have these, when they are known.

    Without a first one: the curve as it stands, a ratio when its source is the brief.
    """
    wanted = curves.expected_luminance(curve, frames)
    if first is not None and wanted[0] >= _DARK:
        wanted = wanted * (first / wanted[0])
    return wanted if first is None or last is None else _ending_on(wanted, last / max(first, _DARK))


def _ending_on(wanted: np.ndarray, end: float) -> np.ndarray:
    """The curve [frames] bent so that its last value is `end` times its first. Its logarithm is scaled, so that the
    shape stays, but only as far as the change from end to end is the curve's largest; the rest grows evenly with time.
    As it is where it is too dark for ratios."""
    if wanted[0] < _DARK or end <= 0:
        return wanted
    course = np.log(wanted.clip(_DARK) / wanted[0])
    expected_end, true = float(course[-1]), math.log(max(end, 0.01))
    telling = abs(expected_end) / max(0.02, float(np.abs(course).max()))
    scale = 1.0 + telling * (min(3.0, max(0.0, true / expected_end)) - 1.0) if abs(expected_end) > 1e-4 else 1.0
    rest = (true - scale * expected_end) * np.linspace(0, 1, len(wanted))
    return wanted[0] * np.exp(scale * course + rest)


def expected_chroma(
    curve: LightCurve, frames: int, first: np.ndarray | None = None, last: np.ndarray | None = None
) -> np.ndarray | None:
    """Chroma [frames, 3] by the curve's temperatures, beginning and ending on these [3] when they are known; else
    relative to the first frame. None for a curve without temperatures."""
    kelvin = curves.expected_temperature(curve, frames)
    if kelvin is None:
        return None
    white = np.stack([blackbody_rgb(k) for k in kelvin]).clip(0.02) ** (1 / DISPLAY_GAMMA)
    wanted = white / white[0] * (1.0 if first is None else first)
    if last is not None:
        wanted = wanted * _ratio(last, wanted[-1] / luminance(wanted[-1])) ** np.linspace(0, 1, frames)[:, None]
    return wanted / luminance(wanted)[:, None]


def per_latent_frame(values: np.ndarray) -> np.ndarray:
    """[4n + 1, ...] -> [n + 1, ...]: the first frame, then the means of four."""
    return np.concatenate([values[:1], values[1:].reshape(-1, 4, *values.shape[1:]).mean(1)])


def _ratio(wanted: np.ndarray, has: np.ndarray) -> np.ndarray:
    """How much more of each colour the last frame has than the curve says, in reason; 1 where it is too dark."""
    tells = (wanted >= _DARK) & (has >= _DARK)
    return np.where(tells, (wanted / has.clip(_DARK)).clip(0.1, 10), 1.0)
