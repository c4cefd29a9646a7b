# SPDX-License-Identifier: GPL-3.0-or-later
"""How a clip of more frames than its model was trained for is divided. Standard library only.

Either into windows, which overlap and are made together, counted in latent frames, of which the first stands for one
frame and each later one for four; or into segments, made one after the other, of which each begins with the picture
that the one before ends with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

_GOLDEN = (5**0.5 - 1) / 2  # multiples of it lie the most evenly between whole numbers


@dataclass(frozen=True)
class Window:
    """Latent frames `start` to `stop` (behind the last) of a clip, and how much each counts: `weights`
    [stop - start], which add up to 1 over all windows that a latent frame lies in.
    """

    start: int
    stop: int
    weights: tuple[float, ...]


def windows(count: int, length: int, overlap: int, turn: int = 0) -> tuple[Window, ...]:
    """Windows of `length` latent frames that cover `count`, each with `overlap` (below `length`) or more in common with
    the next; a single one where all fit in. Where they overlap, one fades into the other.

    All but the first and the last lie elsewhere in each `turn`, a step of the sampling, evenly over the turns: where
    two meet in one step there is none in the next, so that no place of the clip shows it.
    """
    length = min(length, count)
    stride, last = max(1, length - overlap), count - length
    moved = int(turn * _GOLDEN % 1 * stride)
    starts = [0]
    for start, after in pairwise([*range(moved or stride, last, stride), last]):
        if starts[-1] + length - after < 1.5 * overlap or after - starts[-1] > stride:
            starts.append(start)  # without it, its neighbours would have little in common
    starts += [last] if last else []
    inner = [min(place + 1, length - place) for place in range(length)]
    total = [0] * count
    for start in starts:
        for place, share in enumerate(inner, start):
            total[place] += share
    return tuple(
        Window(start, start + length, tuple(share / total[place] for place, share in enumerate(inner, start)))
        for start in starts
    )


def noise_order(count: int, length: int, overlap: int) -> tuple[int, ...]:
    """For each of `count` latent frames of a clip in windows the latent frame whose noise it begins with.

    Behind the first `length` they take over that of the frames a window before, in another order, so that windows that
    see each other's edges alone still show one scene (FreeNoise, arXiv 2310.15169).
    """
    order = list(range(min(count, length)))
    stride = max(1, length - overlap)
    while len(order) < count:
        turn = len(order)
        places = sorted(range(stride), key=lambda place: (place + turn) * _GOLDEN % 1)
        order += [order[turn - length + place] for place in places]
    return tuple(order[:count])


def segment_borders(frames: int, longest: int, keyframes: Iterable[int] = ()) -> tuple[int, ...]:
    """The frames at which the segments of a clip of 4n+1 `frames` begin and end, from 0 to its last one, rising.

    A segment goes from one border to the next, both included, and has `longest` (4n+1) frames at most. `keyframes`,
    multiples of 4 inside the clip, are borders; between them the fewest segments are laid, of like length.
    """
    fixed = sorted({0, frames - 1, *keyframes})
    borders = [0]
    for start, stop in pairwise(fixed):
        steps = (stop - start) // 4
        number = -(-steps // max(1, (longest - 1) // 4))
        borders += [start + 4 * (i * steps // number) for i in range(1, number + 1)]
    return tuple(borders)


def latents_of(frames: int) -> int:
    """How many latent frames stand for 4n+1 `frames`."""
    return (frames - 1) // 4 + 1


def frames_of(latents: int) -> int:
    """How many frames so many latent frames stand for."""
    return 4 * latents - 3


def usual_overlap(window: int) -> int:
    """Frames that windows of `window` frames have in common where nothing is asked for: about a quarter."""
    return max(4, window // 16 * 4)
