# SPDX-License-Identifier: GPL-3.0-or-later
"""How a clip of more frames than its model was trained for is divided. Standard library only.

All is counted in latent frames, of which the first stands for one frame and each later one for four.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Latent frames `start` to `stop` (behind the last) of a clip, and how much each counts: `weights`
    [stop - start], which add up to 1 over all windows that a latent frame lies in.
    """

    start: int
    stop: int
    weights: tuple[float, ...]


def windows(count: int, length: int, overlap: int) -> tuple[Window, ...]:
    """Windows of `length` latent frames that cover `count`, evenly spread, each with `overlap` (below `length`) or more
    in common with the next; a single one where all fit in. Where they overlap, one fades into the other.
    """
    length = min(length, count)
    number = 1 + -(-(count - length) // max(1, length - overlap))
    starts = [i * (count - length) // max(1, number - 1) for i in range(number)]
    inner = [min(place + 1, length - place) for place in range(length)]
    total = [0] * count
    for start in starts:
        for place, share in enumerate(inner, start):
            total[place] += share
    return tuple(
        Window(start, start + length, tuple(share / total[place] for place, share in enumerate(inner, start)))
        for start in starts
    )


def latents_of(frames: int) -> int:
    """How many latent frames stand for 4n+1 `frames`."""
    return (frames - 1) // 4 + 1


def frames_of(latents: int) -> int:
    """How many frames so many latent frames stand for."""
    return 4 * latents - 3
