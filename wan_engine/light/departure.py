# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a clip's light and colour go from what the scene tells: a curve, and the pictures that were rendered of it.

A chroma is mean display RGB over its luminance; between two frames that are known the clip may show what crosses the
picture, so that there the nearer of its frames and of its course along the motion is held against the scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..light_curve import LightCurve
from .bounds import BOUNDS
from .color import luminance
from .curves import DARK, expected_luminance, expected_rgb, expected_uncertainty
from .jumps import Jump
from .meant import MEANT_NEAR, meant_changes, meant_reach

RGB = Sequence[float]
Pictures = tuple[RGB | None, RGB | None]
_BLACK = 0.02  # added to display values: in black there is no colour
_DISPLAY_GAMMA = 2.2


@dataclass(frozen=True)
class LuminanceDeparture:
    """`held` [T]: the clip's light in the unit of the curve, as it is held against it; `level` [T]: what a departure is
    relative to, the curve itself but near black; `uncertain` [T]: by how much, relative, the curve itself may be off;
    `mean`: the mean distance over the curve's mean level; `size`: the largest departure, positive = brighter, at
    `frame`; where one is beyond all that is allowed and uncertain, the one most beyond."""

    held: tuple[float, ...]
    level: tuple[float, ...]
    uncertain: tuple[float, ...]
    mean: float
    size: float
    frame: int


@dataclass(frozen=True)
class ColorDeparture:
    """`held` [T]: the clip's chroma; `expected`: the scene's at each of `frames`; `change`: by how much each channel
    departs at `frame`, where one departs most; `source`: "render" or "pictures"."""

    source: str
    frames: tuple[int, ...]
    held: tuple[tuple[float, ...], ...]
    expected: tuple[tuple[float, ...], ...]
    change: tuple[float, ...]
    frame: int

    @property
    def size(self) -> float:
        """The departure of the channel that departs most."""
        return max(map(abs, self.change))


def luminance_departure(
    expected: LightCurve, means: np.ndarray, course: np.ndarray, jumps: Sequence[Jump]
) -> LuminanceDeparture:
    """Of a clip whose frames have these mean luminances [T], its light this course along the motion (logarithm, [T]).

    What one sees counts: the frames as they stand. Only between the frames that a render shows, where it cannot know
    what crosses, the course through them may come nearer to it.
    """
    curve = expected_luminance(expected, len(means))
    if expected.source == "render":
        shown, wanted = (np.log(np.maximum(light, 1e-4))[:, None] for light in (means, curve))
        held, least = np.exp(_nearer(shown, course[:, None], wanted, _knots(expected, means)))[:, 0], DARK
    else:
        calm = np.exp(_without_undrawn(np.log(np.maximum(means, 1e-4)), expected, jumps))
        held, least = calm / max(means[0], DARK), DARK / max(means[0], DARK)
    level = np.maximum(curve, least)
    away = _beyond(held, curve, expected) / level
    uncertain = expected_uncertainty(expected, len(means))
    sure = np.abs(away) - uncertain
    frame = int((sure if sure.max() > BOUNDS["curve"][expected.source] else np.abs(away)).argmax())
    mean, size = float(np.abs(held - curve).mean()) / max(float(curve.mean()), DARK), float(away[frame])
    return LuminanceDeparture(
        _rounded(held), _rounded(level), _rounded(uncertain), round(mean, 4), round(size, 4), frame
    )


def color_departure(
    expected: LightCurve | None, pictures: Pictures, means: np.ndarray, gains: np.ndarray
) -> ColorDeparture | None:
    """Of a clip whose frames have these mean display RGB [T, 3], its light this course along the motion (logarithm of
    linear channels, [T, 3]). A render tells the colour of every frame, `pictures` (the mean display RGB of the shot's
    first and last) that of theirs; None where neither is there."""
    count = len(means)
    rendered = None if expected is None else expected_rgb(expected, count)
    if expected is not None and rendered is not None:
        source, frames, wanted = "render", np.arange(count), chroma(rendered)
        course = gains / _DISPLAY_GAMMA
        held = np.exp(_nearer(np.log(chroma(means)), course, np.log(wanted), _knots(expected, means)))
    else:
        known = {k: rgb for k, rgb in zip((0, count - 1), pictures, strict=True) if rgb is not None}
        if not known:
            return None
        source, frames = "pictures", np.array(sorted(known))
        wanted = chroma(np.array([known[k] for k in frames]))
        held = chroma(means)
    away = np.log(held[frames] / wanted)
    away = _steadied(away) if source == "render" else away
    worst = int(np.abs(away).max(1).argmax())
    return ColorDeparture(
        source,
        tuple(frames.tolist()),
        tuple(_rounded(c) for c in held),
        tuple(_rounded(c) for c in wanted),
        _rounded(np.expm1(away[worst])),
        int(frames[worst]),
    )


def chroma(rgb: np.ndarray) -> np.ndarray:
    """Display RGB [..., 3] over its luminance, drawn toward grey near black."""
    lifted = np.maximum(rgb, 0) + _BLACK
    return lifted / luminance(lifted)[..., None]


def _knots(expected: LightCurve, means: np.ndarray) -> np.ndarray:
    """The frames that a render shows."""
    return np.unique([round(time * (len(means) - 1)) for time in expected.times])


def _nearer(shown: np.ndarray, course: np.ndarray, wanted: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Logarithms [T, C]: what the frames show, or between `knots` the course through what they show there, whichever is
    nearer to what is wanted."""
    frames = np.arange(len(shown))
    offset = (shown - course)[knots]
    through = course + np.stack([np.interp(frames, knots, track) for track in offset.T], -1)
    nearer = np.abs(through - wanted).max(1) < np.abs(shown - wanted).max(1)
    return np.where(nearer[:, None], through, shown)


def _without_undrawn(course: np.ndarray, expected: LightCurve, jumps: Sequence[Jump]) -> np.ndarray:
    """A course [T] (logarithm) less jumps that the scene states and its curve does not draw, as of a blinking lamp.
    Beside one that it draws light may change by that one alone."""
    count = len(course)
    calm, curve, near = course.copy(), expected_luminance(expected, count), meant_reach(count)
    stated = [frame for frame, sign in meant_changes(expected, count).items() if sign == 0]
    for jump in jumps:
        around = curve[max(0, jump.frame - 1 - MEANT_NEAR) : jump.frame + 4 + MEANT_NEAR]
        drawn = np.ptp(around) / max(around.mean(), DARK)
        is_stated = jump.meant and any(abs(jump.frame - frame) <= near for frame in stated)
        if is_stated and jump.kind == "step" and drawn < jump.share * abs(jump.size) / 2:
            calm[jump.frame :] -= jump.share * jump.size
    return calm


def _beyond(held: np.ndarray, curve: np.ndarray, expected: LightCurve) -> np.ndarray:
    """Held less curve [T], steadied. A change that is meant at once may come early or late."""
    count = len(curve)
    low, high, near = curve.copy(), curve.copy(), meant_reach(count)
    for frame in meant_changes(expected, count):
        for t in range(max(0, frame - near), min(count, frame + near + 1)):
            around = curve[max(0, t - near) : t + near + 1]
            low[t], high[t] = min(low[t], around.min()), max(high[t], around.max())
    return _steadied(held - held.clip(low, high))


def _steadied(values: np.ndarray) -> np.ndarray:
    """Medians of three along time [T, ...]: what one frame alone does is a flash's matter, not a course's."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)
