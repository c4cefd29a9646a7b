# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the sun's shadows fall as the camera sees it, and how they turn and lengthen over a shot."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..brief import Extent, ShadowChange, ShadowFall, Shadows, ShadowSlide, StartEnd
from ..geometry import TOP_ELEVATION, Pose, azimuth_deg, elevation_deg

FALLS: tuple[ShadowFall, ...] = (
    "away", "away_right", "right", "toward_right", "toward", "toward_left", "left", "away_left",
)  # fmt: skip  # clockwise from straight ahead of the camera
LONGEST = 20.0  # shadow lengths, in heights of what casts them, beyond which nothing more is seen
SEEN_SLIDE = 5.0  # degrees that shadows turn against the camera
ACROSS = 0.95  # of the way ahead: about as far across the picture is seen first
HALF_TURN = 135.0  # from here on left and right lose their sense
SEEN_CHANGE = 1.15


def shadow_tip(direction: np.ndarray) -> np.ndarray | None:
    """Where the shadow of the top of a post of height 1 falls on level ground, [2]; None with the sun below it."""
    if direction[2] <= 0.0:
        return None
    flat = -np.asarray(direction[:2], dtype=float)
    length = float(np.linalg.norm(flat))
    reach = min(length / float(direction[2]), LONGEST)
    return flat / length * reach if length > 1e-9 else np.zeros(2)


def shadow_fall(direction: np.ndarray, pose: Pose) -> ShadowFall | None:
    """The sector shadows fall into, against the camera's heading; `under` with the sun at the top."""
    if direction[2] <= 0.0:
        return None
    if elevation_deg(direction) >= TOP_ELEVATION:
        return "under"
    turn = azimuth_deg(-np.asarray(direction)) - azimuth_deg(pose.heading)
    return FALLS[math.floor((turn + 22.5) / 45.0) % 8]


def cast_shadows(directions: Sequence[np.ndarray], poses: Sequence[Pose]) -> Shadows | None:
    """The shadows of a sun that takes these directions; `poses` are the camera's. None for a sun that is down all
    the time."""
    ends = directions[0], directions[-1]
    tips = [shadow_tip(direction) for direction in ends]
    if all(shadow_tip(direction) is None for direction in directions):
        return None
    falls = [shadow_fall(directions[end], poses[end]) for end in (0, -1)]
    ratios = [None if tip is None else float(np.linalg.norm(tip)) for tip in tips]
    azimuths = np.unwrap([azimuth_deg(direction) for direction in directions], period=360.0)
    headings = np.unwrap([azimuth_deg(pose.heading) for pose in poses], period=360.0)
    change: ShadowChange | None = None
    if tips[0] is not None and tips[1] is not None:
        change = _change(*(max(float(np.linalg.norm(tip)), 0.05) for tip in tips if tip is not None))
    return Shadows(
        fall=StartEnd(*falls),
        turn_deg=float(azimuths[-1] - azimuths[0]),
        length_ratio=Extent(*ratios),
        slide=None if "under" in falls else _slide(azimuths - headings),
        change=change,
    )


def _slide(bearings: np.ndarray) -> ShadowSlide | None:
    """Where shadows go on the ground while the sun wanders through these bearings (degrees against the camera's
    heading, clockwise)."""
    travel = float(bearings[-1] - bearings[0])
    if abs(travel) < SEEN_SLIDE:
        return None
    if abs(travel) >= HALF_TURN:
        return "clockwise" if travel > 0.0 else "counterclockwise"
    begin, end = math.radians(float(bearings[0])), math.radians(float(bearings[-1]))
    right, ahead = round(math.sin(begin) - math.sin(end), 6), round(math.cos(begin) - math.cos(end), 6)
    if abs(right) >= ACROSS * abs(ahead):
        return "right" if right > 0.0 else "left"
    return "away" if ahead > 0.0 else "toward"


def _change(start: float, end: float) -> ShadowChange | None:
    if end > start * SEEN_CHANGE:
        return "lengthen"
    return "shorten" if start > end * SEEN_CHANGE else None
