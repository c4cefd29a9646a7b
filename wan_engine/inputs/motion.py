# SPDX-License-Identifier: GPL-3.0-or-later
"""Time-to-Move: a clip follows the motion of a rough animation inside a mask (arXiv 2511.08633).

Sampling begins with the whole animation, noised to the level of one step: outside the mask that is all that binds the
clip. Inside it the animation is put back after each step, at the noise level reached, until a later step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoint.sizes import Size
from ..errors import UsageError
from ..media.sequences import Sequence, read_sequence
from ..request import GenerationRequest
from .kept_latents import KeptLatents
from .lengths import check_count, fitting_notes

# Noise levels at which the method's authors begin and end by default: steps 3 and 6 of 50 at shift 3.
_BEGIN, _END = 0.9791667, 0.9565217


@dataclass(frozen=True)
class MotionClip:
    """What was given: animation and mask (white where the clip follows), and the steps at which the whole animation and
    the masked part let go. A negative `start` begins with pure noise; None stands for the authors' noise level. The
    clip's first frame is number `frame` of the pictures.
    """

    video: Sequence
    mask: Sequence
    start: int | None
    end: int | None
    frame: int = 0

    def cut(self, start: int) -> MotionClip:
        """What is given from frame `start` of the clip on."""
        return replace(self, frame=self.frame + start)

    def pixels(self, size: Size, frames: int) -> Iterator[Tensor]:
        """The animation frame by frame, [3, 1, H, W] in -1..1 at `size`, stretched as the original does it."""
        for number in range(frames):
            frame = torch.from_numpy(self.video[self.frame + number]).permute(2, 0, 1).float().div(127.5).sub(1)
            if self.video.size != size:
                frame = F.interpolate(frame[None], size[::-1], mode="bicubic", align_corners=True)[0]
            yield frame[:, None]

    def mask_of(self, size: Size, latent_shape: tuple[int, int, int, int]) -> Tensor:
        """[1, t, h, w], 1 where the clip follows: of the frames of a latent the first, of its pixels the top left."""
        _, count, rows, columns = latent_shape
        cells = []
        for number in (0, *range(1, 4 * (count - 1), 4)):
            frame = torch.from_numpy(self.mask[self.frame + number]).permute(2, 0, 1).amax(0).float()
            full = F.interpolate(frame[None, None], size[::-1], mode="nearest")[0, 0]
            cells.append(full[:: size[1] // rows, :: size[0] // columns] > 127.5)
        return torch.stack(cells)[None].float()


@dataclass(frozen=True)
class Motion(KeptLatents):
    """What enters the sampling: the animation, put back in its mask. On a schedule `first_step` is where sampling
    begins, at the noise level `begin`.
    """

    start: int | None = None
    end: int | None = None
    first_step: int = 0

    def scheduled(self, sigmas: Tensor) -> Motion:
        """On the schedule `sigmas` [steps + 1]; steps that were left open are those nearest in noise level."""

        def nearest(sigma: float) -> int:
            return int((sigmas[:-1] - sigma).abs().argmin())

        start = self.start
        if start is None:
            start = nearest(_BEGIN) if self.end is None else min(nearest(_BEGIN), self.end)
        end = max(nearest(_END), start, 0) if self.end is None else self.end
        first = max(start, 0)
        return replace(
            self, start=start, end=end, first_step=first, begin=float(sigmas[first]), until=float(sigmas[end])
        )

    def beginning(self, pure: Tensor) -> Tensor:
        """The latents [z, t, h, w] to begin with: the animation under noise, or `pure` noise with a negative start."""
        assert self.start is not None
        return pure if self.start < 0 else self.noised(self.begin)


def read_motion(
    request: GenerationRequest, folder: Path, size: Size, frames: int, steps: int, fps: float
) -> tuple[MotionClip | None, list[str]]:
    """The animation that a request names, None without one, and what to tell of it. Raises UsageError for one that
    cannot be read or is too short or too long, and for steps that the sampling does not have.
    """
    if request.motion_video is None or request.motion_mask is None:
        return None, []
    start, end = request.motion_start, request.motion_end
    if not (0 if start is None else start) <= (steps - 1 if end is None else end) < steps:
        raise UsageError(
            f"The motion's steps must be motion_start <= motion_end < {steps}, the number of steps; give smaller ones."
        )
    notes: list[str] = []
    video, mask = (read_sequence(folder / name, notes) for name in (request.motion_video, request.motion_mask))
    check_count(request.motion_video, video, frames)
    check_count(request.motion_mask, mask, frames)
    if len(video) >= frames + 4:
        raise UsageError(
            f"{request.motion_video} holds {video.counted}, but the clip has {frames} frames; give as many "
            "pictures as frames, or ask for another number with --frames."
        )
    for words, given in (("motion clip", video), ("motion mask", mask)):
        notes += fitting_notes(words, given, size, frames, fps)
    return MotionClip(video, mask, start, end), notes
