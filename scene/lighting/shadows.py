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
SEEN_SLIDE = 0.15  # the same unit: how far a shadow's tip must go across the picture to be worth a word
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


def cast_shadows(directions: Sequence[np.ndarray], poses: tuple[Pose, Pose]) -> Shadows | None:
    """The shadows of a sun that takes these directions; `poses` are the camera's at both ends. None for a sun that is
    down all through the shot."""
    ends = directions[0], directions[-1]
    tips = [shadow_tip(direction) for direction in ends]
    if all(shadow_tip(direction) is None for direction in directions):
        return None
    falls = [shadow_fall(direction, pose) for direction, pose in zip(ends, poses, strict=True)]
    ratios = [None if tip is None else float(np.linalg.norm(tip)) for tip in tips]
    azimuths = np.unwrap([azimuth_deg(direction) for direction in directions], period=360.0)
    slide: ShadowSlide | None = None
    change: ShadowChange | None = None
    if tips[0] is not None and tips[1] is not None:
        across = float((tips[1] - tips[0]) @ poses[0].right[:2])
        slide = None if abs(across) < SEEN_SLIDE else "right" if across > 0.0 else "left"
        change = _change(*(max(float(np.linalg.norm(tip)), 0.05) for tip in tips if tip is not None))
    return Shadows(
        fall=StartEnd(*falls),
        turn_deg=float(azimuths[-1] - azimuths[0]),
        length_ratio=Extent(*ratios),
        slide=slide,
        change=change,
    )


def _change(start: float, end: float) -> ShadowChange | None:
    if end > start * SEEN_CHANGE:
        return "lengthen"
    return "shorten" if start > end * SEEN_CHANGE else None
