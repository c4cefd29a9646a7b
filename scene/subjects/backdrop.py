# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the things in a picture is no subject: ground, walls behind the rest, and what surrounds the camera."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import numpy as np

from ..geometry import Pose
from .names import is_ground_name
from .seen import Seen

Hit = Callable[["Seen", np.ndarray, np.ndarray], float | None]
"""How far (metres) a thing's own surface lies from a point along a unit vector, None where it is not met."""

WALLS = {"wall", "walls", "墙", "墙壁", "墙面"}
HUGE = 4.0  # metres, and times the usual size of the rest
BEYOND = 3.0  # picture widths: what is wider goes on outside the picture as ground does
FILLS = 0.85  # of the picture's height
MOST_WIDE = 0.6  # of the picture's width


def things_of(found: Sequence[Seen], pose: Pose, hit: Hit, in_room: bool = False) -> list[Seen]:
    """Those that can be subjects, of all that is seen by a camera in that pose; `in_room`: under a ceiling."""
    solid = [item for item in found if not item.flat and not is_ground_name(item.noun)]
    sizes = {id(item): item.extent for item in solid}

    def usual(item: Seen) -> float | None:
        others = [size for key, size in sizes.items() if key != id(item)]
        return statistics.median(others) if others else None

    standing = [item for item in found if not _is_ground(item, usual(item), pose, hit)]
    for around in (_goes_past, _is_wall) if in_room else (_goes_past,):
        if not all(map(around, standing)):
            standing = [item for item in standing if not around(item)]
    return [item for item in standing if not _is_behind_all(item, standing, usual(item), pose, hit)]


def _is_ground(item: Seen, usual: float | None, pose: Pose, hit: Hit) -> bool:
    """Ground under the rest, or a room around the camera."""
    if is_ground_name(item.noun):
        return True
    low, high = item.corners
    size = high - low
    wide, tall = float(max(size[0], size[1])), float(size[2])
    if item.flat:
        return wide > 1.5 * usual if usual else wide >= HUGE
    over = bool((pose.position[:2] > low[:2]).all() and (pose.position[:2] < high[:2]).all())
    if not over or not _spans(item):
        return False
    if low[2] < pose.position[2] < high[2]:
        return _surrounds(item, pose, hit) or wide > HUGE * (usual or 2.5)
    return tall < 0.3 * wide and (
        wide > 1.5 * usual if usual else wide >= HUGE and item.whole[2] - item.whole[0] > BEYOND
    )


def _goes_past(item: Seen) -> bool:
    """Whether it is a standing sheet that goes on beside the camera: a wall of a corridor, an alley or a room."""
    return item.thin and item.depths[0] <= 0.0


def _is_wall(item: Seen) -> bool:
    """Whether its name says that it is a wall, or a piece of one."""
    return any(word in WALLS for word in item.noun.split())


def _is_behind_all(item: Seen, standing: Sequence[Seen], usual: float | None, pose: Pose, hit: Hit) -> bool:
    """A wall, a sweep or a house front before which something smaller stands. A thing whose own parts stick out of it
    (a face with eyes), or past which one looks at something, is none."""
    if usual is None or not _spans(item):
        return False
    wide = float((item.corners[1] - item.corners[0])[:2].max())
    if item.box[3] - item.box[1] <= FILLS and wide <= HUGE * usual:
        return False
    front = [o for o in standing if o is not item and o.distance < item.distance and o.area < 0.95 * item.area]
    if not front:
        return False
    before = any(o.depths[1] <= item.depths[0] for o in front)
    return item.thin or _is_hollow(item, pose, hit) or (wide >= HUGE and before)


def _spans(item: Seen) -> bool:
    """Whether it goes from one side of the picture to the other, or from below to above over most of it."""
    if item.whole[1] <= 0.02 and item.whole[3] >= 0.98 and item.thin:
        return item.box[2] - item.box[0] >= MOST_WIDE
    return item.whole[0] <= 0.02 and item.whole[2] >= 0.98


def _is_hollow(item: Seen, pose: Pose, hit: Hit) -> bool:
    """Whether its middle is empty and open to the camera, as that of a sweep or a niche is."""
    way = item.centre - pose.position
    distance = float(np.linalg.norm(way))
    met = hit(item, pose.position, way / max(distance, 1e-9))
    return met is not None and met > 1.02 * distance


def _surrounds(item: Seen, pose: Pose, hit: Hit) -> bool:
    """Whether it stands around the camera as a room does, not before it alone."""
    ways = (-pose.forward, pose.right, -pose.right, pose.up)
    return sum(hit(item, pose.position, way) is not None for way in ways) >= 2
