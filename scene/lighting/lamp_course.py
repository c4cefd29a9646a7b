# SPDX-License-Identifier: GPL-3.0-or-later
"""How a lamp's power goes over a shot: on, off, brighter, dimmer. No bpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from ..brief import LightChange, LightChangeKind
from .course import zigzag

LEAST_RATIO = 1.5  # of powers, that makes a change
DARK = 0.02  # of the greatest power: a lamp that is off
SUDDEN = 0.25  # seconds
MOST = 3  # changes; more of them flicker
HELD = 0.15  # of LEAST_RATIO's logarithm: a power that stays


def changes(frames: Sequence[int], powers: Sequence[float], fps: float) -> tuple[LightChange, ...]:
    """The changes of a lamp whose power (at least one not 0) is known at these frames, rising."""
    most = max(powers)
    levels = [math.log(max(power / most, DARK)) / math.log(LEAST_RATIO) for power in powers]
    turns = sorted(index for _, index in zigzag(levels))
    found = [
        change for a, b in pairwise([0, *turns, len(levels) - 1]) if (change := _change(frames, levels, a, b, fps))
    ]
    if len(found) > MOST:
        return (LightChange("flickers", found[0].frame_start, found[-1].frame_end),)
    return tuple(found)


def _change(frames: Sequence[int], levels: Sequence[float], a: int, b: int, fps: float) -> LightChange | None:
    """What happens from one turn to the next, without the time before and after it."""
    if abs(levels[b] - levels[a]) < 1.0:
        return None
    start = max(i for i in range(a, b) if all(abs(level - levels[a]) < HELD for level in levels[a : i + 1]))
    end = min(i for i in range(start + 1, b + 1) if all(abs(level - levels[b]) < HELD for level in levels[i : b + 1]))
    sudden = frames[end] - frames[start] <= max(1.0, SUDDEN * fps)
    dark = math.log(2.0 * DARK) / math.log(LEAST_RATIO)
    kind: LightChangeKind
    if levels[b] > levels[a]:
        kind = "brightens" if levels[a] > dark else "comes_on" if sudden else "fades_in"
    else:
        kind = "dims" if levels[b] > dark else "goes_out" if sudden else "fades_out"
    return LightChange(kind, frames[start], frames[end])
