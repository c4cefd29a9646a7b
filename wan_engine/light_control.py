# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a clip's light to the scene's while it is denoised, without a pass through the transformer.

Every step predicts the clean latents. Their mean luminance and colour, read through a linear map (`light_map.py`), are
moved part of the way to the expected ones by an offset that is smooth over the frame; the solver then goes on from
there, and the model redraws the rest to suit. In terms of the velocity v = (x - clean) / sigma that every solver takes,
the steered one is v - (steered - clean) / sigma.

A linear map errs, by content and by latent frame; so twice in a clip the decoder is asked what the prediction, made
small, looks like, and the reading is corrected by that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .light_color import blackbody_rgb
from .light_map import LightMap
from .request import LightCurve

LUMA = (0.299, 0.587, 0.114)
DISPLAY_GAMMA = 2.2
_CELLS = 4  # along a side of the frame: how fine the offset's own structure is
_DARK = 0.02  # luminances below cannot tell a ratio or a colour
_FLOOR = 0.05  # share of the offset that black and white get
_OUTLINED = 0.7  # the noise level below which the decoder is asked once more: the picture's masses stand by then
_UNFORESEEN = 0.1  # share of the light by which a brief's curve may err at the far end: what comes into view is unknown
SMALL = 32  # latent pixels along the longer side of what the decoder is asked about, at most
_LEAST = 3  # and along each side at least: below, the decoder sees nothing but edges


@dataclass(frozen=True)
class Strength:
    """`gain` is the share of the missing light that one step makes up for, `limit` the most it may move the mean
    luminance (or a channel against it). Below the noise level `fade` the gain falls to 0 with it: there the model no
    longer redraws what is changed. `color` is the colour's share of the gain."""

    gain: float
    limit: float
    fade: float
    color: float


STRENGTHS: Mapping[str, Strength] = MappingProxyType(
    {"gentle": Strength(0.5, 0.1, 0.3, 0.5), "strict": Strength(1.0, 0.3, 0.0, 1.0)}
)


class LightController:
    """Steers one clip. `first` and `last` are the mean RGB [3] (0..1) of the pictures it is held to, None without one;
    the latent frames that they stand in are never moved.

    Luminance: with a first picture the curve is taken relative to it, and with a last one bent, evenly over the time in
    the logarithm, to end on it. Without pictures a rendered curve is met as it stands; one that only tells ratios is
    laid through what the model itself predicts. One that is worked out from the scene and knows only the first picture
    grows doubtful with time: as much as it may err, the model has its way. Colour goes by the curve's temperatures.

    `shown` tells the mean RGB [T, 3] in 0..1 of the frames that the decoder makes of latents [z, t, h, w]; it is asked
    in the first step, and in the first one whose noise level is below 0.7. Without it the map is taken at its word.
    """

    def __init__(
        self,
        curve: LightCurve,
        strength: str,
        light_map: LightMap,
        first: Tensor | None = None,
        last: Tensor | None = None,
        shown: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._curve = curve
        self._strength = STRENGTHS[strength]
        self._map = light_map
        self._ends = (first, last)
        self._shown = shown
        self._asked = 0  # how often
        self._bias = torch.zeros(1, 3)  # what the map reads too much, per latent frame
        self._expected = cache(self._expect)  # the same in every step
        self.change = 0.0  # of a frame's mean luminance: the largest of the last step

    def state(self) -> dict[str, Tensor]:
        """What was learnt on the way, for `restore` in another process."""
        return {"bias": self._bias, "asked": torch.tensor(self._asked)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._bias, self._asked = state["bias"], int(state["asked"])

    def steer(self, clean: Tensor, sigma: float) -> Tensor:
        """The predicted clean latents [z, t, h, w] of the step at noise level `sigma`, moved toward the curve."""
        self._calibrate(clean, sigma)
        steered = self._strength
        rgb = self._map.rgb(clean)
        mean = rgb.mean((2, 3)).T - self._bias.to(rgb)
        luminance, chroma = self._wanted(mean)
        lack = luminance - _luma(mean)
        lack = lack.sign() * (lack.abs() - self._doubt(len(lack)).to(lack) * luminance).clamp_min(0)
        tint = _chroma(mean)
        change = lack.clamp(-steered.limit, steered.limit)[:, None] * tint
        if chroma is not None:
            lack_of_color = _luma(mean).clamp_min(0)[:, None] * (chroma - tint)
            change = change + steered.color * lack_of_color.clamp(-steered.limit, steered.limit)
        gain = steered.gain * min(1.0, float(sigma) / steered.fade if steered.fade else 1.0)
        change = gain * change * self._free(len(change)).to(change)[:, None]
        self.change = float(_luma(change).abs().max())
        return clean + self._map.change(change).T[:, :, None, None] * _shape(rgb)

    def steered_velocity(self, velocity: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The velocity at `x` that leads to the steered clean latents."""
        clean = x - sigma * velocity
        return velocity - (self.steer(clean, float(sigma)) - clean) / sigma

    def _calibrate(self, clean: Tensor, sigma: float) -> None:
        """Learn the map's error, per latent frame and channel, where it is time to."""
        due = 1 if sigma > _OUTLINED else 2
        if self._shown is None or self._asked >= due:
            return
        self._asked = due
        small = shrunk(clean.float())
        read = self._map.rgb(small).mean((2, 3)).T
        self._bias = read - per_latent_frame(self._shown(small)).to(read)

    def _free(self, count: int) -> Tensor:
        """1 for the latent frames that may be moved."""
        free = torch.ones(count)
        for picture, frame in zip(self._ends, (0, -1), strict=True):
            if picture is not None:
                free[frame] = 0
        return free

    def _doubt(self, count: int) -> Tensor:
        """The share of the expected luminance [t] within which the curve does not know better than the model."""
        open_end = self._ends[0] is not None and self._ends[1] is None
        return torch.linspace(0, _UNFORESEEN if open_end and self._curve.source == "brief" else 0, count)

    def _expect(self, count: int) -> tuple[Tensor, Tensor | None]:
        """What the curve and the pictures say of `count` latent frames: luminance [t] and chroma [t, 3]."""
        frames = (count - 1) * 4 + 1
        lights, tints = ([None if end is None else read(end) for end in self._ends] for read in (_luma, _chroma))
        chroma = expected_chroma(self._curve, frames, *tints)
        luminance = per_latent_frame(expected_luminance(self._curve, frames, *lights))
        return luminance, None if chroma is None else per_latent_frame(chroma)

    def _wanted(self, mean: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean luminance [t] and chroma [t, 3] (RGB over luminance) per latent frame, for a prediction with these mean
        RGB [t, 3]; no chroma when the curve has no temperatures."""
        luminance, chroma = self._expected(len(mean))
        wanted = luminance.to(mean)
        if self._ends[0] is None and self._curve.source == "brief":
            level = (wanted * _luma(mean)).sum() / (wanted * wanted).sum().clamp_min(1e-6)
            wanted = wanted * level.clamp_min(0)
        if chroma is None:
            return wanted.clamp(0, 1), None
        chroma = chroma.to(mean)
        if self._ends[0] is None:
            chroma = chroma * (_chroma(mean) / chroma).clamp(0.1, 10).log().mean(0).exp()
        return wanted.clamp(0, 1), chroma / _luma(chroma)[:, None]


def shrunk(latents: Tensor) -> Tensor:
    """Latents [z, t, h, w] averaged in space to what decodes in a fraction of the time, and looks about the same from
    afar: half as large, or less where they are many."""
    sides = latents.shape[2:]
    return F.adaptive_avg_pool2d(latents, shrunk_sides(*sides))


def shrunk_sides(height: int, width: int) -> tuple[int, int]:
    """Latent pixels of the small picture that the decoder is asked about."""
    factor = max(2, math.ceil(max(height, width) / SMALL))
    return max(height // factor, min(height, _LEAST)), max(width // factor, min(width, _LEAST))


def expected_luminance(
    curve: LightCurve, frames: int, first: Tensor | None = None, last: Tensor | None = None
) -> Tensor:
    """Display-referred mean luminance [frames] of a clip whose first and last frame have these, when they are known.

    Without a first one: the curve as it stands, a ratio when its source is the brief.
    """
    time = np.linspace(0, 1, frames)
    wanted = torch.from_numpy(np.interp(time, curve.times, curve.luminance)).float()
    if first is not None and float(wanted[0]) >= _DARK:
        wanted = wanted * (float(first) / float(wanted[0]))
    return wanted if first is None or last is None else _ending_on(wanted, float(last) / max(float(first), _DARK))


def _ending_on(wanted: Tensor, end: float) -> Tensor:
    """The curve [frames] bent so that its last value is `end` times its first. Its logarithm is scaled, so that the
    shape stays, but only as far as the change from end to end is the curve's largest; the rest grows evenly with time.
    As it is where it is too dark for ratios."""
    if float(wanted[0]) < _DARK or end <= 0:
        return wanted
    course = (wanted.clamp_min(_DARK) / wanted[0]).log()
    foretold, true = float(course[-1]), math.log(max(end, 0.01))
    telling = abs(foretold) / max(0.02, float(course.abs().max()))
    scale = 1.0 + telling * (min(3.0, max(0.0, true / foretold)) - 1.0) if abs(foretold) > 1e-4 else 1.0
    rest = (true - scale * foretold) * torch.linspace(0, 1, len(wanted))
    return wanted[0] * (scale * course + rest).exp()


def expected_chroma(
    curve: LightCurve, frames: int, first: Tensor | None = None, last: Tensor | None = None
) -> Tensor | None:
    """RGB over luminance [frames, 3] by the curve's temperatures, beginning and ending on these chromas [3] when they
    are known; else relative to the first frame. None for a curve without temperatures."""
    if curve.temperature_k is None:
        return None
    time = np.linspace(0, 1, frames)
    kelvin = np.interp(time, curve.times, curve.temperature_k)
    white = np.stack([blackbody_rgb(k) for k in kelvin]).clip(0.02) ** (1 / DISPLAY_GAMMA)
    white = torch.from_numpy(white).float()
    wanted = white / white[0] * (torch.ones(3) if first is None else first.cpu().float())
    if last is not None:
        share = torch.from_numpy(time).float()[:, None]
        wanted = wanted * _ratio(last, wanted[-1] / _luma(wanted[-1])) ** share
    return wanted / _luma(wanted)[:, None]


def per_latent_frame(values: Tensor) -> Tensor:
    """[4n + 1, ...] -> [n + 1, ...]: the first frame, then the means of four."""
    return torch.cat([values[:1], values[1:].unflatten(0, (-1, 4)).mean(1)]) if len(values) > 1 else values


def mean_rgb(picture: Tensor) -> Tensor:
    """[3, H, W] in -1..1 -> mean RGB [3] in 0..1."""
    return (picture.float().mean((1, 2)) + 1) / 2


def _luma(rgb: Tensor) -> Tensor:
    """[..., 3] -> [...]."""
    return rgb @ rgb.new_tensor(LUMA)


def _chroma(rgb: Tensor) -> Tensor:
    """RGB over luminance [..., 3]; grey where it is too dark to tell. Its luminance is 1."""
    safe = rgb.clamp_min(0) + _DARK
    return safe / _luma(safe)[..., None]


def _ratio(wanted: Tensor, has: Tensor) -> Tensor:
    """How much brighter the last frame is than the curve says, in reason; 1 where it is too dark to tell."""
    tells = (wanted.cpu() >= _DARK) & (has >= _DARK)
    return torch.where(tells, (wanted.cpu() / has.clamp_min(_DARK)).clamp(0.1, 10), torch.ones(()))


def _shape(rgb: Tensor) -> Tensor:
    """How the offset lies over the frame, [t, h, w] of mean 1: most in the mid tones, for more or less light scales a
    picture rather than lifting its shadows, and film-like tone curves hold the highlights. Even on black."""
    luminance = torch.einsum("c,cthw->thw", rgb.new_tensor(LUMA), rgb).clamp(0, 1)
    mid = luminance * (1 - luminance) + _FLOOR
    cells = F.adaptive_avg_pool2d(mid[:, None], [min(_CELLS, side) for side in mid.shape[1:]])
    smooth = F.interpolate(cells, size=mid.shape[1:], mode="bilinear")[:, 0]
    return smooth / smooth.mean((1, 2), keepdim=True)
