# SPDX-License-Identifier: GPL-3.0-or-later
"""Light that changes at once: when, how much, and where in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .curves import DARK, Step, excess, find_steps, flicker_level
from .meant import Event, Intent, meant_events
from .motion import ANOTHER_PICTURE, Changes

# A whole-frame step of 5 % of display luminance (a sixth of a stop) within a few frames is plainly seen; what the flow
# leaves of motion and noise in rendered clips stays under 3 %.
SMALLEST_JUMP = 0.05
# Part of the picture: a lamp that goes off takes a quarter of the light where it shone; a shadow's moving edge takes
# that from fewer cells.
_SMALLEST_LOCAL_JUMP, _SMALLEST_LOCAL_AREA = 0.25, 0.1


@dataclass(frozen=True)
class Jump:
    """An abrupt change of light. `frame`: the first that shows it; `size`: relative change of display luminance beyond
    the slow change around it, where it is seen; `kind`: "step", or "flash" when the light comes back within four
    frames; `box`: where, [x0, y0, x1, y1] in 0..1 with y up, and of the picture this `share`; `meant`: the scene itself
    changes light here."""

    frame: int
    size: float
    box: tuple[float, float, float, float]
    kind: str
    meant: bool
    share: float = 1.0


def find_jumps(changes: Changes, relative: np.ndarray, cuts: list[int], intent: Intent) -> list[Jump]:
    """The jumps of a clip, of the whole picture and of parts of it, in order of time.

    `relative` [T-1] is the whole picture's relative change, frame t against t-1; `cuts` are left out.
    """
    cells = changes.change / np.maximum(changes.level, DARK) * (changes.weight > 0.3)
    cells[[cut - 1 for cut in cuts]] = 0
    cells[changes.alike < ANOTHER_PICTURE] = 0  # the flow is lost there: parts cannot be told
    found = [(event, _box(cells, event[0]), 1.0) for event in events_of_the_whole(relative, intent)]
    known = {event[0].frame + k for event, _, _ in found for k in range(-1, event[0].width + 2)}
    found += [((step,), box, share) for step, box, share in _local_steps(cells) if step.frame not in known]
    found.sort(key=lambda item: item[0][0].frame)
    meant = meant_events([event for event, _, _ in found], intent, [share for _, _, share in found])
    return [
        Jump(event[0].frame, round(event[0].size, 4), box, "flash" if len(event) == 2 else "step", k in meant, share)
        for k, (event, box, share) in enumerate(found)
    ]


def events_of_the_whole(relative: np.ndarray, intent: Intent) -> list[Event]:
    """The steps of the whole picture's light [T-1]; two that undo each other within four frames are one flash, unless
    the scene means one of them alone."""
    steps = find_steps(relative, SMALLEST_JUMP)
    meant = meant_events([(step,) for step in steps], intent)
    result: list[Event] = []
    k = 0
    while k < len(steps):
        pair = steps[k : k + 2]
        undone = (
            len(pair) == 2
            and (k in meant) == (k + 1 in meant)
            and pair[1].frame - pair[0].frame <= 4
            and abs(pair[0].size + pair[1].size) < 0.4 * abs(pair[0].size)
        )
        result.append(tuple(pair) if undone else (pair[0],))
        k += 2 if undone else 1
    return result


def _local_steps(cells: np.ndarray) -> list[tuple[Step, tuple[float, float, float, float], float]]:
    """Steps of a part of the picture: cells side by side that change together within a frame; where, and its share."""
    beyond = excess(cells, 1)
    bound = np.maximum(_SMALLEST_LOCAL_JUMP, 5 * flicker_level(cells)) if len(cells) else 0
    result = []
    for t, frame in enumerate(beyond):
        for sign in (1, -1):
            labels_count, labels = cv2.connectedComponents((sign * frame > bound).astype(np.uint8), connectivity=4)
            for label in range(1, labels_count):
                mask = labels == label
                if mask.mean() >= _SMALLEST_LOCAL_AREA:
                    result.append((Step(t + 1, 1, float(np.median(frame[mask]))), _box_of(mask), float(mask.mean())))
    by_frame = {}
    for found in sorted(result, key=lambda item: abs(item[0].size)):
        by_frame[found[0].frame] = found
    return list(by_frame.values())


def _box(cells: np.ndarray, step: Step) -> tuple[float, float, float, float]:
    """The cells that take part in a step of the whole: those that change at least half as much as the typical one."""
    first = step.frame - 1
    total = cells[first : first + step.width].sum(0) * np.sign(step.size)
    strong = np.median(total[total > abs(step.size) / 2]) if (total > abs(step.size) / 2).any() else 0.0
    return _box_of(total > strong / 2)


def _box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return 0.0, 0.0, 1.0, 1.0
    height, width = mask.shape
    box = columns[0] / width, 1 - (rows[-1] + 1) / height, (columns[-1] + 1) / width, 1 - rows[0] / height
    x0, y0, x1, y1 = (round(float(edge), 3) for edge in box)
    return x0, y0, x1, y1
