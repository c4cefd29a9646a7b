# SPDX-License-Identifier: GPL-3.0-or-later
"""Shot size, camera angle, composition, and how subjects move: from what is seen. No bpy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..brief import Angle, Composition, Motion, ScreenDirection, ShotSize, settled
from ..geometry import Pose
from .seen import Seen

Box = tuple[float, float, float, float]

SIZES: tuple[tuple[float, ShotSize], ...] = (
    (0.15, "extreme_wide"), (0.95, "wide"), (1.4, "medium_wide"), (2.1, "medium"), (3.3, "medium_close_up"),
    (8.0, "close_up"),
)  # fmt: skip
LEVEL = 12.0
DUTCH = 8.0
OVERHEAD = 70.0
AERIAL_HEIGHT = 15.0
STILL_SPEED = 0.02  # metres per second
STILL_TRAVEL = 0.02  # metres over the shot
NEAR_FIGURE = 3.0  # metres
LEAST_LEAVING = 0.3  # of its size, that something deforming or turning goes before it is said to move
STILL_TURN = 5.0  # degrees over the shot


def shot_size(height: float) -> ShotSize:
    """By the main subject's height in picture heights, cut off or not."""
    return next((size for limit, size in SIZES if settled(height) < limit), "extreme_close_up")


def camera_angle(pose: Pose, height_above: float | None) -> Angle:
    """By the camera's pitch and roll; `height_above`: metres above what is seen, None where nothing is."""
    pitch = settled(pose.pitch_deg)
    if pitch <= -OVERHEAD:
        return "overhead"
    if abs(pitch) < OVERHEAD and abs(settled(pose.roll_deg)) >= DUTCH:
        return "dutch"
    if pitch < -LEVEL:
        return "aerial" if height_above is not None and settled(height_above) >= AERIAL_HEIGHT else "high"
    return "low" if pitch > LEVEL else "eye_level"


def shoulder(pose: Pose, things: Sequence[Seen]) -> Seen | None:
    """The figure at the picture's edge past which it looks at something farther off, None without one: a figure is
    what is as tall and slim as a person, with the camera about as high as its head."""
    figures = [thing for thing in things if thing.distance < NEAR_FIGURE and _cut_figure(pose, thing)]
    for figure in figures:
        if any(thing.distance > 1.5 * figure.distance and _inside(thing) for thing in things):
            return figure
    return None


def _inside(thing: Seen) -> bool:
    return 0.2 < (thing.box[0] + thing.box[2]) / 2.0 < 0.8


def _cut_figure(pose: Pose, thing: Seen) -> bool:
    """Whether a thing is a figure that stands at one side of the picture and reaches below it."""
    size = thing.corners[1] - thing.corners[0]
    eyes = (float(pose.position[2]) - float(thing.corners[0][2])) / max(float(size[2]), 1e-6)
    person = 1.2 <= float(size[2]) <= 2.4 and float(size[2]) > 1.8 * float(size[:2].max()) and 0.6 < eyes < 1.3
    x0, y0, x1, _ = thing.whole
    at_a_side = (x0 < 0.02) != (x1 > 0.98) and (x1 < 0.6 or x0 > 0.4)
    return person and at_a_side and y0 < 0.0 and thing.box[3] - thing.box[1] > 0.4


def composition(boxes: Sequence[Box]) -> Composition | None:
    """How the boxes in the picture, the main subject's first, are spread; None for an empty picture."""
    if not boxes:
        return None
    areas = np.array([(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes])
    middles = np.array([(x0 + x1) / 2.0 for x0, _, x1, _ in boxes])
    if len(boxes) > 1 and all(_mirrored(box, boxes) for box in boxes):
        return "symmetrical"
    off, off_main = settled(areas @ middles / areas.sum() - 0.5), settled(middles[0] - 0.5)
    if abs(off) <= 0.1:
        return "center" if abs(off_main) <= 0.1 else "balanced"
    return "left_heavy" if off < 0.0 else "right_heavy"


def _mirrored(box: Box, boxes: Sequence[Box]) -> bool:
    """Whether some box is the mirror image of this one, about the picture's upright middle."""
    twin = np.array((1.0 - box[2], box[1], 1.0 - box[0], box[3]))
    return any(settled(np.abs(twin - np.array(other)).max()) < 0.04 for other in boxes)


def motion(
    centres: np.ndarray,
    turn_deg: float,
    deforms: bool,
    seconds: float,
    pose: Pose,
    size: float = 0.0,
) -> Motion:
    """What a subject does: `centres` [N, 3] in metres over the shot, `turn_deg` how far it turns, `deforms` whether its
    shape changes, `pose` the camera that says what left, up and toward are, `size` its longest side in metres. The
    middle of what deforms or turns sways with its shape: only what leaves its place moves."""
    way = float(np.linalg.norm(np.diff(centres, axis=0), axis=1).sum())
    speed = way / seconds if seconds > 0.0 else 0.0
    turns = turn_deg >= STILL_TURN
    stays = (deforms or turns) and float(np.linalg.norm(centres - centres[0], axis=1).max()) < LEAST_LEAVING * size
    if way < STILL_TRAVEL or speed < STILL_SPEED or stays:
        if deforms:
            return Motion("deforming", 0.0, None)
        return Motion("turning" if turns else "static", 0.0, None)
    return Motion("moving", speed, screen_direction(centres[-1] - centres[0], pose))


def screen_direction(move: np.ndarray, pose: Pose) -> ScreenDirection | None:
    """Where a world move goes as the camera sees it, by its largest part; None for a move that ends where it began."""
    parts = [float(move @ pose.right), float(move @ pose.up), float(move @ pose.forward)]
    largest = max(range(3), key=lambda axis: abs(parts[axis]))
    if math.sqrt(sum(part * part for part in parts)) < STILL_TRAVEL:
        return None
    words: tuple[tuple[ScreenDirection, ScreenDirection], ...] = (("right", "left"), ("up", "down"), ("away", "toward"))
    return words[largest][0 if parts[largest] > 0.0 else 1]
