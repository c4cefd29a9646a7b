# SPDX-License-Identifier: GPL-3.0-or-later
"""Which abrupt changes of a clip's light the scene itself makes, by the curve that it expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..light_curve import LightCurve
from .curves import DARK, Step, excess, expected_luminance, find_steps, plain_changes

MEANT_NEAR = 2  # frames by which a meant jump may come early or late, at least
_MEANT_SHARE = 0.04
_DRAWN, _LEFT = 0.5, 0.4  # shares of a step: so much the curve changes the same way, and less is left beside the curve
_LEFT_AT_LEAST = 0.025  # relative: small renders and facts are no better
Event = tuple[Step, ...]  # a step, or two that make a flash


@dataclass(frozen=True)
class Intent:
    """What is expected of a clip of T frames from one frame to the next. `at`: the frames of `meant_changes`; relative
    changes, `told` [T-1] of the curve, `beside` [T-1] of the clip's means less those; `knots`: the frames that a coarse
    curve knows, [] of one that knows them all."""

    frames: int
    at: dict[int, int] = field(default_factory=dict)
    told: np.ndarray = field(default_factory=lambda: np.zeros(0))
    beside: np.ndarray = field(default_factory=lambda: np.zeros(0))
    knots: tuple[int, ...] = ()


def intent_of(expected: LightCurve | None, means: np.ndarray, cuts: Sequence[int]) -> Intent:
    """What `expected` tells of a clip whose frames have these mean luminances [T]; nothing is told across cuts."""
    count = len(means)
    if expected is None or count < 2:
        return Intent(count)
    told = expected_changes(expected, means, cuts)
    knots = np.unique([round(time * (count - 1)) for time in expected.times])
    coarse = tuple(knots.tolist()) if len(knots) < count else ()
    at = meant_changes(expected, count)
    if coarse and expected.source == "render":  # its ramps are no steps; between its knots the means tell
        at = {frame: sign for frame, sign in at.items() if sign == 0}
    return Intent(count, at, told, plain_changes(means, cuts) - told, coarse)


def expected_changes(expected: LightCurve, means: np.ndarray, cuts: Sequence[int]) -> np.ndarray:
    """The relative changes [T-1] of light that goes by the curve, at the level of the clip's means [T]; 0 at a cut."""
    curve = expected_luminance(expected, len(means)) * (1.0 if expected.source == "render" else means[0])
    return plain_changes(curve, cuts)


def meant_frames(expected: LightCurve | None, count: int) -> list[int]:
    """Frames at which the scene itself changes light abruptly."""
    return sorted(meant_changes(expected, count))


def meant_changes(expected: LightCurve | None, count: int) -> dict[int, int]:
    """Frames at which the scene itself changes light abruptly, as stated, and where its curve steps between samples;
    with each whether the curve steps up (1) or down (-1) there, 0 where that is only stated.

    A curve that is sampled as finely as the clip shows its own steps; a coarse one is a ramp and has none.
    """
    if expected is None or count < 2:
        return {}
    frames = {round(time * (count - 1)): 0 for time in expected.jumps}
    curve = expected_luminance(expected, count)
    relative = np.diff(curve) / np.maximum((curve[1:] + curve[:-1]) / 2, DARK / 2)
    for step in find_steps(relative, 0.04):
        frames |= {step.frame + k: int(np.sign(step.size)) for k in range(step.width)}
    return frames


def meant_reach(count: int) -> int:
    """Frames by which a meant change may come early or late in a clip of `count`."""
    return max(MEANT_NEAR, round(_MEANT_SHARE * count))


def meant_events(events: Sequence[Event], intent: Intent, shares: Sequence[float] | None = None) -> set[int]:
    """Which of the steps and flashes the scene means, by their places in `events`; `shares` of the picture take part.

    A frame at which the scene's light changes at once excuses the nearest within two frames or 4 % of the clip: steps
    of its own direction where the curve draws one, and a flash only where the light comes back too. A step that is gone
    once the curve is taken off is the scene's own wherever it lies.
    """
    near, excused = meant_reach(intent.frames), set()
    for frame, sign in intent.at.items():
        candidates = []
        for k, event in enumerate(events):
            step = event[0]
            away = max(step.frame - frame, frame - (step.frame + step.width - 1), 0)
            agrees = step.size * sign >= 0 and (len(event) == 1 or _returns(intent.at, frame, sign))
            if away <= near and agrees:
                candidates.append((away, k))
        excused |= {k for away, k in candidates if away == min(candidates)[0]}
    parts = shares or [1.0] * len(events)
    return excused | {k for k, event in enumerate(events) if _drawn(event, intent, parts[k])}


def _returns(at: dict[int, int], frame: int, sign: int) -> bool:
    """Whether the scene's light changes back within four frames; what is only stated may go either way."""
    return any(0 < other - frame <= 4 and sign * back <= 0 for other, back in at.items())


def _drawn(event: Event, intent: Intent, share: float) -> bool:
    """Whether the curve makes every step of an event: at its frames, or, where the curve knows only some, between the
    two that it knows around it (a flash may lie between them unseen)."""
    return len(intent.told) > 0 and all(
        _at_its_frames(step, intent, share) or (len(event) == 1 and _between_knots(step, intent, share))
        for step in event
    )


def _at_its_frames(step: Step, intent: Intent, share: float) -> bool:
    first, last, effect = step.frame - 1, step.frame - 1 + step.width, share * step.size
    told = float(intent.told[max(0, first - MEANT_NEAR) : last + MEANT_NEAR].sum())
    return _explains(told, float(np.sign(effect) * excess(intent.beside, step.width)[first]), effect)


def _between_knots(step: Step, intent: Intent, share: float) -> bool:
    if not intent.knots:
        return False
    before = max(knot for knot in intent.knots if knot < step.frame)
    after = min(knot for knot in intent.knots if knot >= min(step.frame + step.width - 1, intent.frames - 1))
    told, left = (float(changes[before:after].sum()) for changes in (intent.told, intent.beside))
    return _explains(told, abs(left), share * step.size)


def _explains(told: float, left: float, effect: float) -> bool:
    """Whether a change `told` accounts for an `effect` of which so much is `left`."""
    enough = told * np.sign(effect) >= _DRAWN * abs(effect)
    return bool(enough and left < max(_LEFT_AT_LEAST, _LEFT * abs(effect)))
