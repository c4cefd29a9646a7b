# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a clip's light to the scene's while it is denoised, without a pass through the transformer.

Every step predicts the clean latents. Their mean luminance and colour, read through a linear map (`light_map.py`), are
moved part of the way to the expected ones (`light_course.py`) by an offset that is smooth over the frame; the solver
then goes on from there, and the model redraws the rest to suit. In terms of the velocity v = (x - clean) / sigma that
every solver takes, the steered one is v - offset / sigma.

A small model's step takes milliseconds, in which every tensor operation counts: so there are few on the latents, and
what concerns a handful of numbers per frame is done in plain ones.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from ..light_curve import LightCurve
from ..networks.latent_rgb import LightMap
from .light_target import RGB, Ends, course_of, luma

_CELLS = 4  # along a side of the frame: how fine the offset's own structure is
_FLOOR = 0.05  # share of the offset that black and white get


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
    {"gentle": Strength(0.7, 0.1, 0.3, 0.5), "strict": Strength(1.0, 0.3, 0.0, 1.0)}
)


class LightController:
    """Steers one clip. `first` and `last` are the mean RGB [3] (0..1) of the pictures it is held to, None without one;
    the latent frames that they stand in are never moved. `curve` and these may be of a longer stretch, of `whole`
    latent frames, of which the clip begins with the number `start`: its first one is held then, too.

    Luminance: with a first picture the curve is taken relative to it, and with a last one bent, evenly over the time in
    the logarithm, to end on it. Without pictures a rendered curve is met as it stands; one that only tells ratios is
    laid through what the model itself predicts. One that is worked out from the scene and knows only the first picture
    grows doubtful with time: as much as it may err, the model has its way. Colour goes by the curve's temperatures.
    """

    def __init__(
        self,
        curve: LightCurve,
        strength: str,
        light_map: LightMap,
        first: Tensor | None = None,
        last: Tensor | None = None,
        start: int = 0,
        whole: int | None = None,
    ) -> None:
        ends: Ends = (None if first is None else first.tolist(), None if last is None else last.tolist())
        self._strength = STRENGTHS[strength]
        self._map = cache(light_map.along)
        self._course = cache(lambda count: course_of(curve, whole or count, ends).cut(start, start + count))
        self._frame = cache(_Frame.of)
        self.change = 0.0  # of a frame's mean luminance: the largest of the last step

    def steered_velocity(self, velocity: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The velocity at `x` that leads to the steered clean latents."""
        level = float(sigma)
        return torch.sub(velocity, self._offset(torch.sub(x, velocity, alpha=level), level), alpha=1 / level)

    def _offset(self, clean: Tensor, sigma: float) -> Tensor:
        """What the step at noise level `sigma` adds to the predicted clean latents [z, t, h, w]."""
        _, count, height, width = clean.shape
        reading, frame = self._map(count, clean.device), self._frame(height, width, clean.device)
        columns = reading.read(clean.reshape(-1, height * width) @ frame.pool)
        seen = columns.view(3, count, -1).permute(1, 2, 0).tolist()  # [t][1 + cells][3]
        changes = self._changes([rgb for rgb, *_ in seen], sigma)
        self.change = max(abs(luma(rgb)) for rgb in changes)
        shapes = [_shape(cells, frame.share) for _, *cells in seen]
        table = torch.tensor([[*rgb, *shape] for rgb, shape in zip(changes, shapes, strict=True)]).to(clean)
        moved, shape = reading.change(table[:, :3].T), table[:, 3:] @ frame.spread
        return moved[:, :, None, None] * shape.view(count, height, width)

    def _changes(self, seen: list[list[float]], sigma: float) -> list[list[float]]:
        """What this step adds to the mean RGB of the prediction's latent frames."""
        strength = self._strength
        gain = strength.gain * min(1.0, sigma / strength.fade if strength.fade else 1.0)
        missing = self._course(len(seen)).missing(seen, strength.limit, strength.color)
        return [[gain * c for c in rgb] for rgb in missing]


@dataclass(frozen=True)
class _Frame:
    """Matrices between a latent frame's h w pixels and its cells: `pool` [hw, 1 + cells] takes the frame's mean and the
    cells' means, `spread` [cells, hw] draws cells out to pixels without edges between them, where `share` [cells] is
    what each counts for."""

    pool: Tensor
    spread: Tensor
    share: Sequence[float]

    @classmethod
    def of(cls, height: int, width: int, device: torch.device) -> _Frame:
        sides = [torch.eye(side)[None] for side in (height, width)]
        pools = [torch.kron(*(F.adaptive_avg_pool1d(side, n)[0] for side in sides)) for n in (1, _CELLS)]
        cell = torch.eye(_CELLS)[None]
        spread = torch.kron(*(F.interpolate(cell, size=side, mode="linear")[0] for side in (height, width)))
        return cls(torch.cat(pools, 1).to(device), spread.to(device), spread.mean(1).tolist())


def _shape(cells: Sequence[RGB], share: Sequence[float]) -> list[float]:
    """How the offset lies over the frame, by the RGB of its cells: most in the mid tones, for more or less light scales
    a picture rather than lifting its shadows, and film-like tone curves hold the highlights. Even on black. Its mean is
    1 when each cell counts for its `share`."""
    lumas = [min(max(luma(rgb), 0.0), 1.0) for rgb in cells]
    mid = [y * (1 - y) + _FLOOR for y in lumas]
    mean = sum(map(operator.mul, mid, share))
    return [m / mean for m in mid]
