# SPDX-License-Identifier: GPL-3.0-or-later
"""Names for what a camera does: simple moves from the path's channels, and the moves that stand for several of them
(arc, tracking, dolly zoom, handheld). No bpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..brief import Move, MoveKind, MoveUnit
from ..geometry import azimuth_deg
from .path import Path, turning_points

WORDS: dict[str, tuple[MoveKind, MoveKind, MoveUnit]] = {
    "push": ("push_in", "pull_back", "m"),
    "truck": ("truck_right", "truck_left", "m"),
    "pedestal": ("pedestal_up", "pedestal_down", "m"),
    "slide": ("tracking", "tracking", "m"),  # over the ground of a picture from above: no other word fits
    "pan": ("pan_right", "pan_left", "deg"),
    "tilt": ("tilt_up", "tilt_down", "deg"),
    "roll": ("roll_clockwise", "roll_counterclockwise", "deg"),
    "zoom": ("zoom_in", "zoom_out", "mm"),
}
LEAST_TURN = 1.0  # degrees
LEAST_TRAVEL = 0.1  # metres that always count; less does when it is seen
LEAST_SEEN = 0.015  # of the picture
LEAST_SHARE = 0.05  # of the strongest move
LEAST_ARC = 8.0  # degrees around the subject
LEAST_SWAY, LONGEST_SWAY = 0.15, 0.4  # of a hand's widest swing, and of the shot
TURNS = ("pan", "tilt", "roll")
DEFAULT_DISTANCE = 5.0  # metres to what is seen, where nothing is


@dataclass(frozen=True)
class Found:
    """A move with its strength: about how much of the picture changes by it."""

    move: Move
    strength: float


def classify(path: Path, fps: float, targets: Sequence[np.ndarray] = ()) -> tuple[Move, ...]:
    """The moves of a camera path, strongest first; `static` when there are none.

    `targets`: centres of what is seen, [N, 3] in metres at the path's frames, the main subject first.
    """
    distance = _distance(path, targets)
    found = []
    shake = _handheld(path, fps)
    if shake is not None:
        found.append(shake)
    found += _tracking(path, targets, distance)
    found += _arcs(path, targets)
    found += _simple(path, distance, 3.0 if shake else 1.0)
    found = _dolly_zooms(path, found, targets)
    strongest = max((item.strength for item in found), default=0.0)
    # A shaking camera is told beside however large a move: it is a manner, not an amount.
    kept = [item for item in found if item.strength >= LEAST_SHARE * strongest or item is shake]
    if not kept:
        return (Move("static", int(path.frames[0]), int(path.frames[-1])),)
    return tuple(item.move for item in sorted(kept, key=lambda item: -item.strength))


def _distance(path: Path, targets: Sequence[np.ndarray]) -> float:
    """To the main subject along the view axis, in the middle of all that the path gives: the same in both directions
    of time."""
    if not targets:
        return DEFAULT_DISTANCE
    ahead = np.einsum("ni,ni->n", targets[0] - path.position, path.forward)
    return max(float(np.median(ahead[ahead > 0.0])), 0.1) if (ahead > 0.0).any() else DEFAULT_DISTANCE


def _move(path: Path, kind: MoveKind, first: int, last: int, amount: float, unit: MoveUnit, strength: float) -> Found:
    return Found(Move(kind, int(path.frames[first]), int(path.frames[last]), abs(amount), unit), strength)


# Simple moves


def _simple(path: Path, distance: float, slack: float) -> list[Found]:
    """Every stretch of a channel in one direction; `slack` raises what is too little to tell."""
    found = []
    for name, (forth, back, unit) in WORDS.items():
        curve = path.curves[name]
        stretches = turning_points(curve, _least(path, name, distance) * slack)
        lasting = _lasting_share(curve, stretches)
        for first, last in stretches:
            amount = float(curve[last] - curve[first])
            strength = lasting * _strength(path, name, amount, distance, first, last)
            found.append(_move(path, forth if amount > 0.0 else back, first, last, amount, unit, strength))
    return found


def _lasting_share(curve: np.ndarray, stretches: list[tuple[int, int]]) -> float:
    """What part of a channel's way counts for its strength: what is undone again leaves the picture as it was. All of
    it for one stretch, half for there and back, less for more of it."""
    way = sum(abs(float(curve[last] - curve[first])) for first, last in stretches)
    ends = [float(curve[index]) for stretch in stretches for index in stretch]
    return (abs(ends[-1] - ends[0]) + max(ends) - min(ends)) / (2.0 * way) if way > 0.0 else 1.0


def _least(path: Path, name: str, distance: float) -> float:
    if name in TURNS:
        return LEAST_TURN
    if name == "zoom":
        return 0.02 * (float(path.lens_mm.min()) if path.lens_mm is not None else 1.0)
    return min(LEAST_TRAVEL, LEAST_SEEN * distance * {"truck": path.width, "pedestal": path.height}.get(name, 1.0))


def _strength(path: Path, name: str, amount: float, distance: float, first: int, last: int) -> float:
    """How much of the picture a move changes: what it shifts by, in picture sizes, or grows by."""
    size = abs(amount)
    if name == "zoom" and path.lens_mm is not None:
        return abs(math.log(float(path.lens_mm[last] / path.lens_mm[first])))
    if name == "roll":
        return size / 45.0
    if name in ("pan", "tilt"):
        across = path.width if name == "pan" else path.height
        return size / math.degrees(2.0 * math.atan(across / 2.0))
    return size / (distance * {"truck": path.width, "pedestal": path.height, "slide": path.height}.get(name, 1.0))


# Handheld


def _handheld(path: Path, fps: float) -> Found | None:
    """Small uneven swaying in several channels at once, found against a line through each second; the path goes on
    without it."""
    if len(path.frames) < 12:
        return None
    smooth, swaying, turn = {}, 0, 0.0
    seconds = len(path.frames) / fps
    for name in ("push", "truck", "pedestal", "pan", "tilt", "roll"):
        smooth[name] = _smooth(path.curves[name], max(3, round(fps / 2.0)))
        extent = _sway(path.curves[name] - smooth[name], *((0.05, 8.0) if name in TURNS else (0.002, 0.5)), seconds)
        if extent:
            swaying += 1
            turn = max(turn, extent if name in TURNS else 0.0)
    if swaying < 2:
        return None
    path.curves.update(smooth)
    across = math.degrees(2.0 * math.atan(path.width / 2.0))
    return _move(path, "handheld", 0, len(path.frames) - 1, turn, "deg", max(turn / across, LEAST_SEEN))


def _sway(rest: np.ndarray, least: float, most: float, seconds: float) -> float:
    """How far a channel sways about its smooth course, 0 where that is no hand's work: keyed moves leave about one
    wobble a second behind, ripples between close keys, and edges where they start and stop."""
    extent = float(rest.max() - rest.min())
    stretches = turning_points(rest, max(least, LEAST_SWAY * extent))
    longest = max((last - first for first, last in stretches), default=0)
    lasts = len(stretches) >= max(5.0, 1.2 * seconds) and longest < LONGEST_SWAY * len(rest)
    return extent if lasts and extent < most else 0.0


def _smooth(curve: np.ndarray, reach: int) -> np.ndarray:
    """Local straight-line fit over `reach` frames to each side (least squares, from running sums)."""
    index = np.arange(len(curve), dtype=float)
    low, high = np.maximum(index - reach, 0).astype(int), np.minimum(index + reach + 1, len(curve)).astype(int)

    def total(values: np.ndarray) -> np.ndarray:
        sums = np.concatenate([[0.0], np.cumsum(values)])
        return sums[high] - sums[low]

    count = (high - low).astype(float)
    centre, level = total(index) / count, total(curve) / count
    spread = total(index * index) / count - centre * centre
    slope = (total(index * curve) / count - centre * level) / np.maximum(spread, 1e-12)
    return level + slope * (index - centre)


# Tracking


def _tracking(path: Path, targets: Sequence[np.ndarray], distance: float) -> list[Found]:
    """Travel that keeps up with something that moves."""
    steps = np.linalg.norm(np.diff(path.position, axis=0), axis=1)
    travelled = float(steps.sum())
    if travelled < LEAST_TRAVEL:
        return []
    moving = np.flatnonzero(steps > 0.02 * steps.max())
    first, last = int(moving[0]), int(moving[-1]) + 1
    for target in targets:
        if not _keeps_up(path.position[first : last + 1], target[first : last + 1]):
            continue
        _drop_following_turns(path, target, first, last)
        path.without(("push", "truck", "pedestal", "slide"), first, last)
        return [_move(path, "tracking", first, last, travelled, "m", travelled / (distance * path.width))]
    return []


def _keeps_up(camera: np.ndarray, target: np.ndarray) -> bool:
    """Whether both go the same way, about as far, at about the same distance from each other."""
    marks = np.unique(np.linspace(0, len(camera) - 1, min(len(camera), 9)).round().astype(int))
    a, b = np.diff(camera[marks], axis=0), np.diff(target[marks], axis=0)
    lengths = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    ways = lengths[0].sum(), lengths[1].sum()
    if min(ways) < LEAST_TRAVEL or not 0.6 < ways[0] / ways[1] < 1.6:
        return False
    alike = float((a * b).sum() / max(float((lengths[0] * lengths[1]).sum()), 1e-12))
    apart = np.linalg.norm(camera - target, axis=1)
    return alike > 0.85 and float(apart.max()) < 1.35 * float(apart.min())


def _drop_following_turns(path: Path, target: np.ndarray, first: int, last: int) -> None:
    """Pan and tilt that hold the followed subject in its place of the picture belong to the tracking."""
    pan = path.curves["pan"][last] - path.curves["pan"][first]
    bearing = [azimuth_deg(target[i] - path.position[i]) - azimuth_deg(path.forward[i]) for i in (first, last)]
    drift = (bearing[1] - bearing[0] + 180.0) % 360.0 - 180.0
    if abs(drift) < 0.4 * abs(pan):
        path.without(("pan", "tilt"), first, last)


# Arcs


def _arcs(path: Path, targets: Sequence[np.ndarray]) -> list[Found]:
    """Stretches that travel to one side and turn to the other, around one point in view. Of the path they take out
    truck and pan, and leave of push what changes the distance."""
    found = []
    truck, pan = np.diff(path.curves["truck"]), np.diff(path.curves["pan"])
    for first, last in _opposite_runs(truck, pan):
        centre = _arc_centre(path, first, last, targets)
        if centre is None:
            continue
        out = path.position[first : last + 1, :2] - centre
        sweep = _sweep(out)
        path.without(("truck", "pan"), first, last)
        path.replace("push", first, last, -np.diff(np.linalg.norm(out, axis=1)))
        kind: MoveKind = "arc_left" if sweep > 0.0 else "arc_right"
        a, b = _moving_part(out)
        found.append(_move(path, kind, first + a, first + b, sweep, "deg", abs(sweep) / 30.0))
    return found


def _opposite_runs(truck: np.ndarray, pan: np.ndarray) -> list[tuple[int, int]]:
    """Index ranges in which the camera goes one way and pans the other; a rest of two steps does not end one."""
    if not len(truck) or np.abs(truck).max() < 1e-5 or np.abs(pan).max() < 1e-3:
        return []
    sign = np.where((truck * pan < 0.0) & (np.abs(truck) > 1e-3 * np.abs(truck).max()), np.sign(pan), 0.0)
    runs: list[tuple[int, int]] = []
    for index in np.flatnonzero(sign):
        if runs and index - runs[-1][1] <= 2 and sign[index] == sign[runs[-1][0]]:
            runs[-1] = (runs[-1][0], int(index) + 1)
        else:
            runs.append((int(index), int(index) + 1))
    return [(first, last) for first, last in runs if last - first >= 2]


def _arc_centre(path: Path, first: int, last: int, targets: Sequence[np.ndarray]) -> np.ndarray | None:
    """The point (x, y) that a stretch travels around: where the view axes meet, the middle of the circle through the
    positions, or a subject that stands still; whichever holds first."""
    place = path.position[first : last + 1, :2]
    axes = path.forward[first : last + 1, :2]
    candidates = [_meeting(place, axes), _circle(place)]
    for target in targets:
        part = target[first : last + 1, :2]
        if float(np.ptp(part, axis=0).max()) < 0.05 * float(np.linalg.norm(place[0] - part[0])):
            candidates.append(part.mean(axis=0))
    pan = float(path.curves["pan"][last] - path.curves["pan"][first])
    view = max(35.0, math.degrees(math.atan(path.width / 2.0)))
    return next((c for c in candidates if c is not None and _goes_around(place, axes, c, pan, view)), None)


def _meeting(place: np.ndarray, axes: np.ndarray) -> np.ndarray | None:
    """Point nearest to all view axes in plan (least squares), None when they do not meet there."""
    flat = axes / np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-9)
    across = np.eye(2)[None] - flat[:, :, None] * flat[:, None, :]
    total = across.sum(axis=0)
    if np.linalg.cond(total) > 1e6:
        return None
    centre = np.linalg.solve(total, np.einsum("nij,nj->i", across, place))
    miss = np.linalg.norm(np.einsum("nij,nj->ni", across, place - centre), axis=1)
    return centre if miss.max() < 0.05 * float(np.linalg.norm(place - centre, axis=1).mean()) else None


def _circle(place: np.ndarray) -> np.ndarray | None:
    """Centre of the circle through points (algebraic least squares, Kasa 1976), None when they are not on one."""
    origin = place.mean(axis=0)
    local = place - origin
    system = np.column_stack([2.0 * local, np.ones(len(local))])
    if np.linalg.cond(system) > 1e8:
        return None
    answer = np.linalg.lstsq(system, (local**2).sum(axis=1), rcond=None)[0]
    radius = np.linalg.norm(local - answer[:2], axis=1)
    return answer[:2] + origin if np.ptp(radius) < 0.03 * radius.mean() else None


def _goes_around(place: np.ndarray, axes: np.ndarray, centre: np.ndarray, pan: float, view_deg: float) -> bool:
    """Whether a stretch travels around the centre (bulging outward, unlike passing by on a line), turning as far as it
    travels, with the centre in view."""
    out = place - centre
    radius = np.linalg.norm(out, axis=1)
    sweep = _sweep(out)
    if radius.min() < 1e-3 or abs(sweep) < LEAST_ARC or abs(pan - sweep) > 0.25 * abs(sweep) + 3.0:
        return False
    ahead = -(out * axes).sum(axis=1) / (radius * np.maximum(np.linalg.norm(axes, axis=1), 1e-9))
    if ahead.min() < math.cos(math.radians(view_deg)):
        return False
    if abs(sweep) > 120.0:
        return True
    chord = place[-1] - place[0]
    side = np.array([-chord[1], chord[0]]) / max(float(np.linalg.norm(chord)), 1e-9)
    bulge = float(np.max(np.sign(side @ (out[0] + out[-1])) * ((place - place[0]) @ side)))
    return bulge > 0.5 * float(radius.mean()) * (1.0 - math.cos(math.radians(sweep) / 2.0))


def _sweep(out: np.ndarray) -> float:
    """Degrees travelled around the centre, clockwise seen from above positive."""
    angles = np.unwrap(np.arctan2(out[:, 0], out[:, 1]))
    return math.degrees(float(angles[-1] - angles[0]))


def _moving_part(out: np.ndarray) -> tuple[int, int]:
    angles = np.unwrap(np.arctan2(out[:, 0], out[:, 1]))
    parts = turning_points(angles, abs(float(angles[-1] - angles[0])) * 0.5)
    return (parts[0][0], parts[-1][1]) if parts else (0, len(out) - 1)


# Dolly zoom


def _dolly_zooms(path: Path, found: list[Found], targets: Sequence[np.ndarray]) -> list[Found]:
    """Push and zoom against each other at the same time, so that the subject keeps its size, become one move."""
    result = list(found)
    for push in [item for item in found if item.move.kind in ("push_in", "pull_back")]:
        against = "zoom_out" if push.move.kind == "push_in" else "zoom_in"
        for zoom in [item for item in result if item.move.kind == against]:
            first = max(push.move.frame_start, zoom.move.frame_start)
            last = min(push.move.frame_end, zoom.move.frame_end)
            shorter = min(item.move.frame_end - item.move.frame_start for item in (push, zoom))
            if last - first < 0.7 * shorter or not _keeps_size(path, first, last, targets):
                continue
            result = [item for item in result if item is not push and item is not zoom]
            move = Move("dolly_zoom", first, last, push.move.amount, "m")
            result.append(Found(move, push.strength + zoom.strength))
            break
    return result


def _keeps_size(path: Path, first: int, last: int, targets: Sequence[np.ndarray]) -> bool:
    """Whether the lens changes with the distance to some subject; without subjects, whether it changes well."""
    if path.lens_mm is None:
        return False
    a, b = first - int(path.frames[0]), last - int(path.frames[0])
    zoom = math.log(float(path.lens_mm[b] / path.lens_mm[a]))
    if not targets:
        return abs(zoom) > 0.1
    for target in targets:
        near = [float((target[i] - path.position[i]) @ path.forward[i]) for i in (a, b)]
        if min(near) > 0.0 and abs(zoom - math.log(near[1] / near[0])) < 0.35 * abs(zoom) + 0.05 < abs(zoom):
            return True
    return False
