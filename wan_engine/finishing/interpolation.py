# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames between frames: motion is warped along the optical flow, light is blended between the two in linear light.

Frames are uint8 [H, W, 3], RGB, display-referred. Flow is OpenCV's DIS (arXiv 1603.03590) in both directions.

For a time t between frames A (0) and B (1), a pixel's motion u is looked up where it comes from: u = flow_ab(x - t u),
and once more from the other side, u = -flow_ba(x + (1 - t) u), each by a few fixed-point iterations. Of the two, that
one counts more that is consistent: it leads to a fixed point, and the flows there and back cancel (Sundaram et al.
2010, "Dense point trajectories"). Where only one frame shows what is seen (occlusion), only that one is taken, and the
light that it lacks follows the change of light around it. Where nothing fits, the frames are faded in place. A pair of
which most does not fit (a cut, a motion too large), or whose difference no motion explains (grain, light alone), is
faded as a whole, so that nothing tears or swims.

A learned model takes the place of all this where the user has one (`interpolate_model`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..media.optical_flow import agrees, squared, warp
from ..media.srgb import from_linear, to_linear

if TYPE_CHECKING:
    from .learned_interpolation import InterpolationModel

_SMALLEST = 32  # below this many pixels the flow's coarsest patches do not fit
_ITERATIONS = 3
_LIGHT_GRID = 8  # light changes are gathered on a grid this much coarser than the picture
_FIT = (0.35, 0.6)  # share of a pair that must fit: below the first it is faded, above the second it is warped
_EXPLAINED = (0.25, 0.45)  # share of the difference that motion must explain: likewise
_LARGEST_GAIN = 8.0


def retime(frames: np.ndarray, count: int) -> np.ndarray:
    """Exactly `count` frames spanning the same duration as `frames` [T, H, W, 3]; the first and the last stay as they
    are, and so does every frame whose time is asked for.
    """
    if count == len(frames):
        return frames
    return np.stack(list(retimed(frames, len(frames), count)))


def retimed(
    frames: Iterable[np.ndarray], total: int, count: int, model: InterpolationModel | None = None
) -> Iterator[np.ndarray]:
    """`retime` for frames that come one by one, `total` of them; two are held at a time. Frames between are made by
    `model`, if there is one.
    """
    source = iter(frames)
    first, a, b = 0, next(source), next(source, None)
    pair: _FramePair | None = None
    for time in np.linspace(0, total - 1, count):
        while b is not None and time > first + 1 - 1e-6:
            first, a, b, pair = first + 1, b, next(source, None), None
        if b is None or time - first < 1e-6:
            yield a
            continue
        if model is not None:
            yield model.between((a, b), time - first)
            continue
        pair = pair or _FramePair(a, b)
        yield pair.between(time - first)


class _FramePair:
    """Two neighbouring frames with the flow and the change of light between them, made once for all times between."""

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        self._light = to_linear(a), to_linear(b)
        self._warps = 0.0
        if min(a.shape[:2]) < _SMALLEST:
            return
        solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        gray = _alike_grays(*self._light)
        ab, ba = (solver.calc(*pair, np.zeros((*a.shape[:2], 2), np.float32)) for pair in (gray, gray[::-1]))
        trust = _agreement(ab, ba), _agreement(ba, ab)
        self._ab, self._ba, self._trust = ab, ba, trust
        arrived = warp(self._light[1], ab)
        self._gain = _light_change(self._light[0], arrived, trust[0])
        unlike = _unlike(self._light[0] * self._gain, arrived)
        everywhere = np.ones_like(trust[0])
        unmoved = _unlike(self._light[0] * _light_change(*self._light, everywhere), self._light[1])
        fits = np.interp((trust[0].mean() + trust[1].mean()) / 2, _FIT, (0, 1))
        self._warps = float(fits * np.interp(1 - unlike / unmoved, _EXPLAINED, (0, 1)))

    def between(self, time: float) -> np.ndarray:
        """The frame at `time` in 0..1."""
        t = np.float32(time)
        faded = (1 - t) * self._light[0] + t * self._light[1]
        if not self._warps:
            return from_linear(faded)
        found = [self._moved(t, from_a=True), self._moved(t, from_a=False)]
        scores = [score**2 for _, score in found]
        together = scores[0] + scores[1] + np.float32(1e-6)
        moved = sum(light * (score / together)[..., None] for (light, _), score in zip(found, scores, strict=True))
        share = np.maximum(found[0][1], found[1][1])
        share = self._warps * np.clip(cv2.GaussianBlur(share, (5, 5), 0) * 4, 0, 1)[..., None]
        return from_linear(faded + share * (moved - faded))

    def _moved(self, t: np.float32, *, from_a: bool) -> tuple[np.ndarray, np.ndarray]:
        """The picture at time `t` by the flow of one side [H, W, 3], and how far that fits [H, W] in 0..1."""
        flow, trust = (self._ab, self._trust[0]) if from_a else (-self._ba, self._trust[1])
        far = -t if from_a else 1 - t  # along the motion, from here to the side whose flow this is
        motion = flow
        for _ in range(_ITERATIONS):
            motion = warp(flow, far * motion)
        missed = squared(warp(flow, far * motion) - motion)
        settled = np.exp(-missed / (0.5 + 0.01 * squared(motion)))
        both = warp(trust, far * motion)
        weight_a = both * (1 - t) + (1 - both) * np.float32(from_a)
        light = self._blend(t, motion, weight_a[..., None])
        return light, settled * (0.25 + 0.75 * both)

    def _blend(self, t: np.float32, motion: np.ndarray, weight_a: np.ndarray) -> np.ndarray:
        """Both frames warped to `t`. Where they do not count as the time says, the light is set right."""
        light = weight_a * warp(self._light[0], -t * motion)
        light += (1 - weight_a) * warp(self._light[1], (1 - t) * motion)
        return light * ((1 - t) + t * self._gain) / (weight_a + (1 - weight_a) * self._gain)


def _alike_grays(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two as bytes of gray, the brighter one's light lowered to the other's, so that flow follows motion only."""
    mean_a, mean_b = a.mean() + 1e-4, b.mean() + 1e-4
    scaled = a * min(1.0, mean_b / mean_a), b * min(1.0, mean_a / mean_b)
    return tuple(cv2.cvtColor(from_linear(image), cv2.COLOR_RGB2GRAY) for image in scaled)


def _unlike(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference of two pictures in linear light, in square roots of it, which is about how the eye sees it."""
    return float(np.abs(np.sqrt(a) - np.sqrt(b)).mean()) + 1e-6


def _light_change(a: np.ndarray, b: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """By what factor the light around each pixel grows from `a` to `b`, per channel; both show the same place there.

    Only trusted pixels are asked; where there are none near, the whole picture's change stands in.
    """
    height, width = trust.shape
    small = max(1, width // _LIGHT_GRID), max(1, height // _LIGHT_GRID)
    coarse = [cv2.resize(image * trust[..., None], small, interpolation=cv2.INTER_AREA) for image in (a, b)]
    around = [cv2.GaussianBlur(image, (0, 0), 2.0, borderType=cv2.BORDER_REPLICATE) for image in coarse]
    all_over = [image.mean((0, 1)) + 1e-4 for image in coarse]
    gain = (around[1] + 0.02 * all_over[1]) / (around[0] + 0.02 * all_over[0])
    gain = np.clip(gain, 1 / _LARGEST_GAIN, _LARGEST_GAIN).astype(np.float32)
    return cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR)


def _agreement(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """1 where the two motions agree, 0 where they do not, with a soft edge."""
    return cv2.GaussianBlur(agrees(forward, backward).astype(np.float32), (5, 5), 0)
