# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what is given frame by frame fits the clip, and what to tell where it does not quite."""

from __future__ import annotations

from ..checkpoint.sizes import Size
from ..errors import UsageError
from ..media.pictures import sides
from ..media.sequences import Sequence

_SAME_SPEED = 0.01


def check_count(words: str, given: Sequence, frames: int) -> None:
    """Raise UsageError where `words`, such as a folder's name, holds fewer pictures than the clip has frames."""
    if len(given) < frames:
        raise UsageError(
            f"{words} holds {given.counted}, but the clip has {frames} frames and each needs one; give more pictures, "
            f"or ask for {(len(given) - 1) // 4 * 4 + 1} with --frames."
        )


def fitting_notes(words: str, given: Sequence, size: Size, frames: int, fps: float) -> list[str]:
    """What is done to pictures of another size (width, height) or rate and to those beyond the clip's end."""
    notes = []
    if given.size != size:
        notes.append(f"The {words} of {sides(given.size)} is stretched to the clip's {sides(size)}.")
    if len(given) > frames:
        notes.append(f"The {words} has {len(given)} frames; the first {frames} are used.")
    return notes + rate_notes(words, given, frames, frames, fps)


def rate_notes(words: str, given: Sequence, span: int, frames: int, fps: float) -> list[str]:
    """What to tell of a movie that has not the clip's rate, `fps`, where `span` of its pictures become `frames`."""
    if given.fps is None:
        return []
    speed = span * given.step / frames * fps / given.fps
    told = f"Of every {given.step} frames of the {words} one is used." if given.step > 1 else ""
    if abs(speed - 1) > _SAME_SPEED:
        told += (
            f" The {words} plays at {given.fps:.4g} frames per second, the clip at {fps:.4g}: motion has {speed:.3g} "
            "times its speed."
        )
    return [told.strip()] if told else []
