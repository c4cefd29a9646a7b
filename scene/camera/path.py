# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera path taken apart: how far it pushes, trucks, rises, pans, tilts, rolls and zooms at every frame. No bpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..geometry import Pose, azimuth_deg, unit

CHANNELS = ("push", "truck", "pedestal", "slide", "pan", "tilt", "roll", "zoom")
STEEP = 0.985  # vertical part of the view axis (80 degrees) from which heading and roll mean nothing
STEEP_TRAVEL = 0.87  # the same (60 degrees) from which forward over ground and up can no longer be told apart
OVERHEAD = 0.94  # the same (70 degrees) from which up and down are seen as coming nearer and going away
STEEP_ALWAYS = -1.0
PARALLEL = math.cos(math.radians(3.0))
VERTICAL = np.array([0.0, 0.0, 1.0])


@dataclass
class Path:
    """A camera at every frame of a shot. `position`, `forward`: [N, 3], metres and unit vectors; `curves`: name ->
    [N], what the camera has done in that channel since the first frame: metres (push along the view axis, truck to
    its right, pedestal up, slide toward the top of a steep picture), degrees (pan right, tilt up, roll clockwise) and
    mm (zoom). `width`, `height`: the picture's extent at distance 1."""

    frames: np.ndarray
    position: np.ndarray
    forward: np.ndarray
    curves: dict[str, np.ndarray]
    lens_mm: np.ndarray | None
    width: float
    height: float

    def without(self, names: Sequence[str], first: int, last: int) -> None:
        """Takes out what the named channels do between two indices."""
        for name in names:
            self.replace(name, first, last, np.zeros(last - first))

    def replace(self, name: str, first: int, last: int, steps: np.ndarray) -> None:
        """Puts `steps` [last - first] in the place of what a channel does between two indices."""
        change = np.diff(self.curves[name])
        change[first:last] = steps
        self.curves[name] = np.concatenate([[0.0], np.cumsum(change)])


def take_apart(
    frames: Sequence[int],
    poses: Sequence[Pose],
    lenses: Sequence[float | None],
    width: float,
    height: float,
) -> Path:
    """The path through poses at some frames, straight between them; lens lengths in mm, None without one."""
    known = np.asarray(frames, dtype=float)
    every = np.arange(frames[0], frames[-1] + 1, dtype=float)
    overhead = float(np.median([abs(pose.forward[2]) for pose in poses])) > OVERHEAD
    steps = np.array([_step(a, b, STEEP_ALWAYS if overhead else STEEP) for a, b in pairwise(poses)]).reshape(-1, 7)
    sums = np.concatenate([np.zeros((1, 7)), np.cumsum(steps, axis=0)])
    curves = {name: np.interp(every, known, sums[:, i]) for i, name in enumerate(CHANNELS[:7])}
    lens_mm = None
    if all(lens is not None for lens in lenses):
        lens_mm = np.interp(every, known, np.array(lenses, dtype=float))
    curves["zoom"] = np.zeros_like(every) if lens_mm is None else lens_mm - lens_mm[0]
    position = _between(every, known, np.array([pose.position for pose in poses]))
    forward = _between(every, known, np.array([pose.forward for pose in poses]))
    return Path(every.astype(int), position, forward, curves, lens_mm, width, height)


def _between(every: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(every, known, values[:, axis]) for axis in range(3)], axis=1)


def _step(a: Pose, b: Pose, steep: float) -> tuple[float, ...]:
    """(push, truck, pedestal, slide, pan, tilt, roll) from one pose to the next."""
    forward, right, up = (_middle(getattr(a, axis), getattr(b, axis)) for axis in ("forward", "right", "up"))
    return (*_travel(b.position - a.position, forward, right, up), *_turn(a, b, (forward, right, up), steep))


def _middle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    total = a + b
    return unit(total) if float(np.linalg.norm(total)) > 1e-6 else b


def _travel(
    move: np.ndarray, forward: np.ndarray, right: np.ndarray, up: np.ndarray
) -> tuple[float, float, float, float]:
    """A translation as push, truck, pedestal and slide. A move along one of the axes is that alone; forward over the
    ground counts as a push too. The axes are not square to each other when the camera is tilted, so what lies between
    them is solved for; for a steep camera the picture's own axes are taken."""
    length = float(np.linalg.norm(move))
    if length < 1e-9:
        return (0.0, 0.0, 0.0, 0.0)
    if abs(forward[2]) > OVERHEAD and abs(move[2]) >= PARALLEL * length:
        return (math.copysign(length, float(move @ forward)), 0.0, 0.0, 0.0)
    for index, axis in enumerate((forward, right, VERTICAL)):
        along = float(move @ axis)
        if abs(along) >= PARALLEL * length:
            return (along * (index == 0), along * (index == 1), along * (index == 2), 0.0)
    if abs(forward[2]) > STEEP_TRAVEL:
        return (float(move @ forward), float(move @ right), 0.0, float(move @ up))
    ground = unit([forward[0], forward[1], 0.0])
    if abs(float(move @ ground)) >= PARALLEL * length:
        return (float(move @ ground), 0.0, 0.0, 0.0)
    push, truck, pedestal = np.linalg.solve(np.stack([forward, right, VERTICAL], axis=1), move)
    return (float(push), float(truck), float(pedestal), 0.0)


def _turn(
    a: Pose, b: Pose, axes: tuple[np.ndarray, np.ndarray, np.ndarray], steep: float
) -> tuple[float, float, float]:
    """A rotation as pan, tilt and roll in degrees: differences of heading, pitch and roll, or, where the view axis is
    steeper than `steep` and these mean nothing, the turn about the camera's own axes (forward, right, up)."""
    forward, right, up = axes
    if max(abs(a.forward[2]), abs(b.forward[2])) < steep:
        pan = azimuth_deg(b.forward) - azimuth_deg(a.forward)
        return (_wrap(pan), b.pitch_deg - a.pitch_deg, _wrap(b.roll_deg - a.roll_deg))
    before, after = (np.stack([pose.right, pose.up, pose.forward], axis=1) for pose in (a, b))
    turn = _rotation_vector(after @ before.T)
    return (-float(turn @ up), float(turn @ right), float(turn @ forward))


def _wrap(angle: float) -> float:
    return (angle + 180.0) % 360.0 - 180.0


def _rotation_vector(matrix: np.ndarray) -> np.ndarray:
    """Axis times angle in degrees of a rotation matrix, right-handed (Rodrigues)."""
    axis = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    sine = float(np.linalg.norm(axis)) / 2.0
    angle = math.degrees(math.atan2(sine, (float(np.trace(matrix)) - 1.0) / 2.0))
    return axis / (2.0 * sine) * angle if sine > 1e-9 else np.zeros(3)


def turning_points(curve: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Stretches (first index, last index) in which a curve goes one way by at least `least`, smaller wobbles passed
    over; each without the rest at its ends."""
    pivots: list[int] = []
    low = high = extreme = way = 0
    for index, value in enumerate(curve):
        if way == 0:
            low = index if value < curve[low] else low
            high = index if value > curve[high] else high
            if curve[high] - curve[low] >= least:
                way = 1 if high > low else -1
                pivots, extreme = [min(low, high)], index
        elif (value - curve[extreme]) * way >= 0.0:
            extreme = index
        elif (curve[extreme] - value) * way >= least:
            pivots.append(extreme)
            way, extreme = -way, index
    if way:
        pivots.append(extreme)
    return [_trim(curve, a, b) for a, b in pairwise(pivots)]


def _trim(curve: np.ndarray, first: int, last: int) -> tuple[int, int]:
    """The stretch without the frames at its ends where next to nothing happens."""
    slack = 2e-5 * abs(curve[last] - curve[first])
    moving = np.flatnonzero(np.abs(curve[first : last + 1] - curve[first]) <= slack)
    arrived = np.flatnonzero(np.abs(curve[first : last + 1] - curve[last]) <= slack)
    still = 0
    while still + 1 < len(moving) and moving[still + 1] == still + 1:
        still += 1
    return first + still, first + int(arrived[0])
