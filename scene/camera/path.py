# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera path taken apart: how far it pushes, trucks, rises, pans, tilts, rolls and zooms at every frame. No bpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from ..geometry import Pose, azimuth_deg, flat_heading, unit

CHANNELS = ("push", "truck", "pedestal", "slide", "pan", "tilt", "roll", "zoom")
STEEP = 0.985  # vertical part of the view axis (80 degrees) from which heading and roll mean nothing
OVERHEAD = 0.94  # the same (70 degrees) from which up and down are seen as coming nearer and going away
STEEP_ALWAYS = -1.0
LEAST_VOLUME = 0.03  # that three ways span, below which two of them are taken for one (about 2 degrees)
STILL_SHARE = 0.02  # of the whole way: less of a rise or of a way ahead is swaying
WAYS = ("axis", "heading", "right", "level right", "vertical")
LEVEL = (1, 3, 4)  # of them, those that level travel is made of
VERTICAL = np.array([0.0, 0.0, 1.0])


@dataclass
class Path:
    """A camera at every frame of a shot. `position`, `forward`: [N, 3], metres and unit vectors; `curves`: name ->
    [N], what the camera has done in that channel since the first frame: metres (push along the view axis or its
    heading on the ground, truck to its right, pedestal up, slide over the ground seen from above), degrees (pan right,
    tilt up, roll clockwise) and mm (zoom). `width`, `height`: the picture's extent at distance 1."""

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
    turns = [_turn(a, b, STEEP_ALWAYS if overhead else STEEP) for a, b in pairwise(poses)]
    steps = np.hstack([_travel(poses), np.array(turns).reshape(-1, 3)])
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


def _middle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    total = a + b
    return unit(total) if float(np.linalg.norm(total)) > 1e-6 else b


def _travel(poses: Sequence[Pose]) -> np.ndarray:
    """Push, truck, pedestal and slide of every step between poses, [N, 4] in metres.

    A step is put together from five ways: along the view axis, along its heading on the ground, along the camera's
    right, along that on the ground, and along the vertical. Of all threes of them that make it up, the one with the
    shortest way in all is taken: forward at a constant height is then a push and no rise, and a rise is told only of a
    camera that rises. One three serves each stretch in which height and distance go one way, so that swaying does not
    add up.
    """
    steps = np.diff([pose.position for pose in poses], axis=0)
    ways, channels = _ways(poses)
    threes = list(combinations(range(len(WAYS)), 3))
    bases = np.swapaxes(ways[:, threes], 2, 3)
    first, second, third = np.moveaxis(ways[:, threes], 2, 0)
    usable = np.abs(np.einsum("nti,nti->nt", first, np.cross(second, third))) > LEAST_VOLUME
    bases[~usable] = np.eye(3)
    parts = np.linalg.solve(bases, steps[:, None, :, None])[..., 0]
    parts[~usable] = np.inf  # one three is usable at least: heading, right on the ground and vertical are square
    result = np.empty((len(steps), 4))
    for first, last in _one_way_stretches(steps, ways[:, WAYS.index("heading")]):
        way = steps[first:last].sum(axis=0)
        shortest = int(np.abs(parts[first:last].sum(axis=0)).sum(axis=1).argmin())
        if abs(way[2]) <= STILL_SHARE * math.hypot(way[0], way[1]):
            shortest = threes.index(LEVEL)
        named = channels[first:last, threes[shortest], :]
        result[first:last] = np.einsum("nk,nkc->nc", parts[first:last, shortest], named)
    return result


def _ways(poses: Sequence[Pose]) -> tuple[np.ndarray, np.ndarray]:
    """For every step the unit vectors of WAYS, [N, 5, 3], and what one metre along each is called, [N, 5, 4] (push,
    truck, pedestal, slide). Seen from above, over the ground is a slide and up and down are nearer and away."""
    ways, channels = np.empty((len(poses) - 1, 5, 3)), np.zeros((len(poses) - 1, 5, 4))
    for index, (a, b) in enumerate(pairwise(poses)):
        forward, right, up = (_middle(getattr(a, axis), getattr(b, axis)) for axis in ("forward", "right", "up"))
        heading = flat_heading(forward, up)
        level = np.array([heading[1], -heading[0], 0.0])
        ways[index] = forward, heading, right, level if float(right @ level) >= 0.0 else -level, VERTICAL
        steep = abs(forward[2]) > OVERHEAD
        channels[index, (0, 2, 3), (0, 1, 1)] = 1.0
        channels[index, 1, 3 if steep else 0] = 1.0
        channels[index, 4, 0 if steep else 2] = math.copysign(1.0, forward[2]) if steep else 1.0
    return ways, channels


def _one_way_stretches(steps: np.ndarray, heading: np.ndarray) -> list[tuple[int, int]]:
    """Stretches (first step, step after the last) between turns of the height and of the way ahead over the ground."""
    if not len(steps):
        return []
    extent = float(np.ptp(np.cumsum(steps, axis=0), axis=0).max())
    cuts = {0, len(steps)}
    for part in (steps[:, 2], np.einsum("ni,ni->n", steps, heading)):
        curve = np.concatenate([[0.0], np.cumsum(part)])
        cuts |= {index for stretch in turning_points(curve, max(STILL_SHARE * extent, 1e-9)) for index in stretch}
    return list(pairwise(sorted(cuts)))


def _turn(a: Pose, b: Pose, steep: float) -> tuple[float, float, float]:
    """The rotation from one pose to the next as pan, tilt and roll in degrees: differences of heading, pitch and roll,
    or, where the view axis is steeper than `steep` and these mean nothing, the turn about the camera's own axes."""
    forward, right, up = (_middle(getattr(a, axis), getattr(b, axis)) for axis in ("forward", "right", "up"))
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
