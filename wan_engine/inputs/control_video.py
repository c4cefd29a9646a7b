# SPDX-License-Identifier: GPL-3.0-or-later
"""The clip that a control model follows, such as depth or lines, one picture for each frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch
from torch import Tensor

from ..checkpoint.sizes import Size
from ..media.sequences import Sequence, read_sequence
from .lengths import check_count, fitting_notes


@dataclass(frozen=True)
class ControlClip:
    """The pictures, and which of them are for the clip: `frames` from `start` on."""

    video: Sequence
    frames: int
    start: int = 0

    def cut(self, start: int, stop: int) -> ControlClip:
        """Frames `start` to `stop` (behind the last) alone."""
        return replace(self, start=self.start + start, frames=stop - start)

    def pixels(self, size: Size) -> Iterator[Tensor]:
        """Frame by frame, [3, 1, H, W] in -1..1, stretched to `size` (width, height) as VideoX-Fun does it: bilinear on
        8 bits, without antialiasing. Memory does not grow with the clip.
        """
        for number in range(self.start, self.start + self.frames):
            frame = self.video[number]
            if self.video.size != size:
                frame = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
            yield torch.from_numpy(frame.copy()).permute(2, 0, 1)[:, None].float().div(255).mul(2).sub(1)


def read_control(place: Path, size: Size, frames: int, fps: float) -> tuple[ControlClip, list[str]]:
    """The control clip, a movie or a folder of pictures, for a clip of `size` and `frames` at `fps`, and what to tell
    of it; every picture is looked at once. Raises UsageError for what cannot be read and for too few pictures.
    """
    notes: list[str] = []
    video = read_sequence(place, notes).at_rate(fps)
    check_count(str(place), video, frames)
    return ControlClip(video, frames), notes + fitting_notes("control clip", video, size, frames, fps)
