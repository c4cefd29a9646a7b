# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the focus goes in a shot: from one thing to another that was out of focus before."""

from __future__ import annotations

from ..scene.brief import CameraSample, Shot, Subject
from .structured import FocusShift
from .subjects import chinese_noun, noun

SHARP, BLURRED = 0.004, 0.01  # circle of confusion in picture widths
WAYS = frozenset({"push_in", "pull_back", "tracking", "dolly_zoom", "arc_left", "arc_right"})


def focus_shift(shot: Shot) -> FocusShift | None:
    """The shift between the things that are sharp at the start and at the end, None where the focus stays, and where
    the camera's own way changes what is sharp: how far things are is known at the start alone."""
    samples, ways = shot.camera_path.samples, {move.kind for move in shot.camera_path.moves}
    still = [
        one for one in shot.subjects if one.motion is None or one.motion.screen_direction not in ("toward", "away")
    ]
    if len(samples) < 2 or ways & WAYS:
        return None
    start, end = (_sharpest(sample, still) for sample in (samples[0], samples[-1]))
    if start is None or end is None or noun(start) == noun(end):
        return None
    shifts = _blur(samples[0], end) > BLURRED < _blur(samples[-1], start)
    return FocusShift(noun(start), noun(end), (chinese_noun(start), chinese_noun(end))) if shifts else None


def _sharpest(sample: CameraSample, subjects: list[Subject]) -> Subject | None:
    sharp = [subject for subject in subjects if _blur(sample, subject) < SHARP]
    return min(sharp, key=lambda subject: _blur(sample, subject), default=None)


def _blur(sample: CameraSample, subject: Subject) -> float:
    """Circle of confusion in picture widths by the thin-lens formula; 0 without depth of field."""
    if not sample.lens_mm or not sample.fstop or not sample.focus_distance_m:
        return 0.0
    lens, at = sample.lens_mm / 1000.0, max(subject.distance_m, 1e-3)
    focus = max(sample.focus_distance_m, 1.01 * lens)
    circle = lens * lens / sample.fstop * abs(at - focus) / (at * (focus - lens))
    return circle / (sample.sensor_mm[0] / 1000.0)
