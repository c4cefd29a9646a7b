# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs of a finished clip's light: flicker and jumps evened out, colour held to the first frame and the scene.

Frames are uint8 [H, W, 3], display-referred; the repairs are gains of linear light that vary slowly over the picture,
so detail stays as it is. Frames that need nothing come back byte for byte. Each is repaired when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..color_temperature import blackbody_rgb
from ..light.bounds import flicker_bound
from ..light.changes import find_cuts, frame_gains, relative_changes
from ..light.color import luminance
from ..light.curves import DARK, Step, excess, expected_luminance, expected_rgb, expected_temperature, slow_part
from ..light.departure import chroma
from ..light.jumps import events_of_the_whole
from ..light.meant import Intent, intent_of, meant_events, meant_frames
from ..light.motion import GRID, Changes, compare_frames, compare_two, reduced
from ..light_curve import LightCurve
from ..media.frame_store import Changed, Frames
from ..media.frames import as_rgb
from ..media.srgb import encode, to_linear

_LARGEST_EXPOSURE = np.log(4.0)  # two stops
_LARGEST_COLOR = np.log(2.0)
_LARGEST_LOCAL = 0.3  # natural logarithm of linear light
_LOCAL_NOISE = 0.05  # what the flow leaves of moving things in one cell
_GAMMA = 2.2  # a relative change of display values is about this much of the linear light's logarithm
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear Rec.709
_COLOR_NOISE, _CURVE_NOISE = 0.015, 0.03
_UNSEEN = 0.002  # a gain nearer to none than this changes no byte worth changing


def deflicker(frames: np.ndarray | Frames, expected: LightCurve | None = None) -> Frames:
    """The clip with its flicker taken out and its unmeant jumps undone; the slow course stays.

    The course of exposure along the motion is replaced by its slow part (local quadratic regression); jumps are taken
    out before, except those the scene means, across which nothing is smoothed; quick changes that the scene's curve
    itself holds are put back. What follows a jump is brought to the level before it. Parts of the picture that flicker
    on their own are evened out too. Cuts part the clip. Raises UsageError when the frames are no clip.
    """
    clip = as_rgb(frames)
    if len(clip) < 3:
        return clip
    pictures = reduced(clip)
    changes = compare_frames(pictures)
    cuts, means = find_cuts(changes, pictures), luminance(pictures).mean((1, 2))
    relative = relative_changes(changes, cuts, means)
    gains = frame_gains(changes, cuts) @ _LUMINANCE
    calm, breaks = _without_faults(gains, relative, intent_of(expected, means, cuts), changes)
    breaks = sorted({*breaks, *cuts})
    course, slow = _course(gains), slow_part(_course(calm), breaks)
    quick = _quick_part(expected, len(clip), breaks)
    noise = 0.5 * _GAMMA * flicker_bound(1 - float(np.exp(-np.ptp(slow) / _GAMMA)))
    exposure = _quieted(slow + quick - course, noise).clip(-_LARGEST_EXPOSURE, _LARGEST_EXPOSURE)
    field = exposure[:, None, None] + _local_repair(changes, gains, breaks)
    return _with_gains(clip, np.repeat(field[..., None], 3, axis=-1))


def match_color(
    frames: np.ndarray | Frames, first: np.ndarray | None = None, expected: LightCurve | None = None
) -> Frames:
    """The clip with its colour held: to `first` (uint8 [h, w, 3], the picture the clip was made from) if it shows the
    same as frame 0, else to frame 0 itself, and along the scene's curve, or to a render's own colour where that has it.

    Without `expected` only colour is held and brightness stays as made. With it, colour follows its temperature and
    brightness its luminance. Only slow departures are corrected, brightness by at most two stops and each channel
    against it by one. After a cut colour is held to the first frame behind it. Raises UsageError when the frames are no
    clip.
    """
    clip = as_rgb(frames)
    pictures = reduced(clip)
    changes = compare_frames(pictures)
    cuts = find_cuts(changes, pictures)
    breaks = sorted({*cuts, *meant_frames(expected, len(clip))})
    course = _restarted(_course(frame_gains(changes, cuts)), cuts)
    brightness = course @ _LUMINANCE
    color = course - brightness[:, None]
    rendered = None if expected is None else expected_rgb(expected, len(clip))
    if rendered is not None:
        missing = _GAMMA * np.log(chroma(rendered) / chroma(pictures.mean((1, 2))))
        repair = _quieted(slow_part(missing - (missing @ _LUMINANCE)[:, None], breaks), _COLOR_NOISE)
    else:
        repair = _quieted(slow_part(_expected_color(expected, len(clip), cuts) - color, breaks), _COLOR_NOISE)
        if first is not None:
            repair[: cuts[0] if cuts else None] += _quieted(_offset(first, clip[0], pictures[0]), _COLOR_NOISE)
    repair = repair.clip(-_LARGEST_COLOR, _LARGEST_COLOR)
    if expected is not None:
        away = _quieted(slow_part(_brightness_error(expected, pictures, brightness), breaks), _CURVE_NOISE)
        repair = repair + away.clip(-_LARGEST_EXPOSURE, _LARGEST_EXPOSURE)[:, None]
    return _with_gains(clip, np.broadcast_to(repair[:, None, None, :], (len(clip), *GRID, 3)))


def _course(steps: np.ndarray) -> np.ndarray:
    """Sums along time, starting at 0: [T-1, ...] -> [T, ...]."""
    return np.concatenate([np.zeros((1, *steps.shape[1:])), np.cumsum(steps, axis=0)])


def _restarted(course: np.ndarray, cuts: Sequence[int]) -> np.ndarray:
    """The course [T, ...] starting at 0 again behind each cut."""
    result = course.copy()
    for cut in cuts:
        result[cut:] = course[cut:] - course[cut]
    return result


def _quieted(correction: np.ndarray, noise: float) -> np.ndarray:
    """Corrections well under `noise` vanish, those well above it stay, with no edge between."""
    return correction**3 / (correction**2 + noise**2)


def _without_faults(
    gains: np.ndarray, relative: np.ndarray, intent: Intent, changes: Changes
) -> tuple[np.ndarray, list[int]]:
    """Logarithmic gains [T-1] without unmeant steps of the whole picture, and the frames at which other steps, those
    meant and those of one part, begin and end."""
    calm, breaks = gains.copy(), []
    events = events_of_the_whole(relative, intent)
    meant = meant_events(events, intent)
    for step, planned in ((step, k in meant) for k, event in enumerate(events) for step in event):
        end = step.frame + step.width
        if planned or not _of_the_whole(step, changes):
            breaks += list(range(step.frame, end))
        else:
            calm[step.frame - 1 : end - 1] -= excess(gains, step.width)[step.frame - 1] / step.width
    return calm, breaks


def _of_the_whole(step: Step, changes: Changes) -> bool:
    """Whether most of what can be followed of the picture takes part in a step of the whole's size."""
    span = slice(step.frame - 1, step.frame - 1 + step.width)
    weight = changes.weight[span].mean(0)
    moved = (changes.change[span] / np.maximum(changes.level[span], DARK)).sum(0)
    return float((weight * (moved / step.size > 0.5)).sum()) > 0.5 * float(weight.sum())


def _quick_part(expected: LightCurve | None, count: int, breaks: Sequence[int]) -> np.ndarray:
    """What the scene's own curve does too fast to be slow, in the logarithm of linear light [T]."""
    if expected is None:
        return np.zeros(count)
    course = _GAMMA * np.log(np.maximum(expected_luminance(expected, count), 0.02))
    return course - slow_part(course, breaks)


def _local_repair(changes: Changes, gains: np.ndarray, breaks: Sequence[int]) -> np.ndarray:
    """Corrections of single cells against the whole [T, 5, 8]: only what is fast, large and shared with neighbours."""
    of_cell = changes.gain @ _LUMINANCE - gains[:, None, None]
    of_cell = of_cell * (changes.gain_weight > 0.3)
    course = _course(of_cell)
    fast = course - slow_part(course, breaks, sigma=3.0)
    shared = np.stack([cv2.GaussianBlur(cells, (0, 0), 0.8) for cells in fast])
    return -_quieted(shared, _LOCAL_NOISE).clip(-_LARGEST_LOCAL, _LARGEST_LOCAL)


def _expected_color(expected: LightCurve | None, count: int, cuts: Sequence[int]) -> np.ndarray:
    """The scene's course of colour, logarithm of linear channels, luminance left out [T, 3]; 0 where it states none."""
    kelvin = None if expected is None else expected_temperature(expected, count)
    if kelvin is None:
        return np.zeros((count, 3))
    course = np.log(np.maximum([blackbody_rgb(k) for k in kelvin], 1e-3))
    course = course - (course @ _LUMINANCE)[:, None]
    return _restarted(course - course[0], cuts)


def _brightness_error(expected: LightCurve, pictures: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    """What is missing to the scene's luminance, logarithm of linear light [T]."""
    curve = np.log(np.maximum(expected_luminance(expected, len(pictures)), 0.02))
    if expected.source == "render":
        means = luminance(pictures).mean((1, 2))
        return _GAMMA * (curve - np.log(np.maximum(means, 0.02)))
    return _GAMMA * (curve - curve[0]) - brightness


def _offset(first: np.ndarray, frame: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """What frame 0 lacks against the picture it was made from, logarithm of linear channels [3]; 0 for another one."""
    height, width = frame.shape[:2]
    fitted = cv2.resize(as_rgb(first[None])[0], (width, height), interpolation=cv2.INTER_AREA)
    pair = np.stack([picture, reduced(fitted[None])[0]])
    between = compare_two(*pair)
    return np.zeros(3) if find_cuts(between, pair) else frame_gains(between, [])[0]


def _with_gains(clip: Frames, field: np.ndarray) -> Frames:
    """Linear light times exp(field), field [T, 5, 8, 3] spread smoothly over the picture."""
    return Changed(clip, lambda number, frame: _with_gain(frame, field[number]))


def _with_gain(frame: np.ndarray, field: np.ndarray) -> np.ndarray:
    if np.abs(field).max() <= _UNSEEN:
        return frame
    if np.ptp(field.reshape(-1, 3), axis=0).max() < 1e-6:  # even over the picture
        table = encode(to_linear(np.arange(256))[:, None] * np.exp(field[0, 0]))
        table = np.rint(255 * table.clip(0, 1)).astype(np.uint8)
        return np.stack([table[frame[..., c], c] for c in range(3)], -1)
    height, width = frame.shape[:2]
    wide = cv2.resize(field.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    light = to_linear(frame) * np.exp(wide)
    return np.rint(255 * encode(light).clip(0, 1)).astype(np.uint8)
