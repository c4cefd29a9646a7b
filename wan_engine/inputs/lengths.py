# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what is given frame by frame fits the clip, and what to tell where it does not quite."""

from __future__ import annotations

from ..checkpoint.sizes import Size
from ..errors import UsageError
from ..media.pictures import sides
from ..media.sequences import Sequence


def check_count(words: str, count: int, frames: int) -> None:
    """Raise UsageError where `words`, such as a folder's name, holds fewer pictures than the clip has frames."""
    if count < frames:
        raise UsageError(
            f"{words} holds {count} pictures, but the clip has {frames} frames and each needs one; give more pictures, "
            f"or ask for {(count - 1) // 4 * 4 + 1} frames with --frames."
        )


def fitting_notes(words: str, given: Sequence, size: Size, frames: int) -> list[str]:
    """What is done to pictures of another size (width, height) and to those beyond the clip's end."""
    notes = []
    if given.size != size:
        notes.append(f"The {words} of {sides(given.size)} is stretched to the clip's {sides(size)}.")
    if len(given) > frames:
        notes.append(f"The {words} has {len(given)} frames; the first {frames} are used.")
    return notes
