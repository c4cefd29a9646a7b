# SPDX-License-Identifier: GPL-3.0-or-later
"""How many frames a model makes of a shot. Standard library only: the side that renders what it is given asks too."""

from __future__ import annotations

import math

STEP = 4  # frames that a latent frame stands for, the first one for one


def frames_for(count: int, fps: float, rate: float, fewest: int = 1) -> int:
    """The frames, 4n+1 and `fewest` (4n+1) or more, of a clip at `rate` per second that show a shot of `count` frames
    at `fps` in its true time.

    The first and the last frame of both are the same moments, so what counts is the time between these; the nearest
    count is taken, and of two the larger one.
    """
    span = (count - 1) / fps * rate
    return max(fewest, STEP * math.floor(span / STEP + 0.5) + 1)


def speed_of(frames: int, rate: float, count: int, fps: float) -> float:
    """How many times as fast as at its own `rate` the motion of `frames` is, played as a shot of `count` frames at
    `fps`; infinite for a single one."""
    return (frames - 1) / rate * fps / (count - 1) if count > 1 else math.inf
