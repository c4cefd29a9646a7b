# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of brightness from frame to frame, with motion compensated: cuts, relative changes, gains."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .curves import DARK, plain_changes
from .motion import ANOTHER_PICTURE, Changes, compare_two

# With a camera too fast for the flow pairs within a shot fall as low, but many together: a cut stands out from those
# beside it.
_STANDS_OUT = 0.25
_LONGEST_FLASH = 4  # frames


def find_cuts(changes: Changes, pictures: np.ndarray) -> list[int]:
    """First frames of another picture, of reduced `pictures` [T, h, w, 3]. A clip that is nothing but change (noise)
    has none: it cannot be compared. A picture that is back after a flash is no other one."""
    alike = changes.alike
    cuts = [int(t) + 1 for t in np.flatnonzero(alike < ANOTHER_PICTURE) if _stands_out(alike, t)]
    for a, b in pairwise(tuple(cuts)):
        if b - a <= _LONGEST_FLASH and compare_two(pictures[a - 1], pictures[b]).alike[0] >= ANOTHER_PICTURE:
            cuts = [cut for cut in cuts if cut not in (a, b)]
    return cuts if len(cuts) <= max(3, len(alike) // 4) else []


def _stands_out(alike: np.ndarray, t: int) -> bool:
    beside = [*alike[max(0, t - 2) : t], *alike[t + 1 : t + 3]]
    return not beside or alike[t] < float(np.median(beside)) - _STANDS_OUT


def relative_changes(changes: Changes, cuts: list[int], means: np.ndarray) -> np.ndarray:
    """Motion-compensated change of display luminance over its level, whole frame, t against t-1 [T-1]; 0 at a cut.

    Where hardly anything can be followed the plain means [T] tell, and where that is doubtful the smaller change does.
    """
    followed = _over_cells(changes.change / np.maximum(changes.level, DARK), changes.weight)
    plain = plain_changes(means, [])
    doubtful = (changes.alike < ANOTHER_PICTURE) & (np.abs(plain) < np.abs(followed))
    relative = np.where((changes.weight.mean((1, 2)) < 0.1) | doubtful, plain, followed)
    relative[[cut - 1 for cut in cuts]] = 0
    return relative


def frame_gains(changes: Changes, cuts: list[int]) -> np.ndarray:
    """Motion-compensated logarithmic gain of linear light per channel, whole frame, t against t-1 [T-1, 3]; 0 at a cut
    and where nothing can be compared (black frames)."""
    gains = np.stack([_over_cells(changes.gain[..., c], changes.gain_weight) for c in range(3)], -1)
    gains[[cut - 1 for cut in cuts]] = 0
    return gains


def _over_cells(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted mean of the middle half of the cells, [T-1, 5, 8] -> [T-1]; 0 without weight.

    The rest is left to the few cells in which the flow errs and to light that changes in a part of the picture only.
    """
    result = np.zeros(len(values))
    for t, (cells, weights) in enumerate(zip(values, weight, strict=True)):
        order = np.argsort(cells, axis=None)
        value, share = cells.ravel()[order].astype(np.float64), weights.ravel()[order].astype(np.float64)
        if share.sum() < 1e-3:
            continue
        upper = np.cumsum(share) / share.sum()
        middle = np.clip(upper, 0.25, 0.75) - np.clip(upper - share / share.sum(), 0.25, 0.75)
        result[t] = (value * middle).sum() / middle.sum()
    return result


def _compensated_change(changes: Changes, cuts: list[int]) -> np.ndarray:
    change = _over_cells(changes.change, changes.weight)
    change[[cut - 1 for cut in cuts]] = 0
    return change
