# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip of which a part is made anew: from a frame on, or inside a mask; the rest of it stays.

What stays is put back into the sampling as latents, so that any model draws the new part to fit, and is given to those
models that read masks in their own way. In the finished clip its pixels are the old ones; at the border old and new are
faded into each other, over the last `SEAM_FRAMES` frames before the new ones and `SEAM_PIXELS` pixels around a mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoint.sizes import Size
from ..errors import UsageError
from ..media.pictures import sides
from ..media.sequences import Sequence, read_sequence
from ..request import GenerationRequest
from .images import as_picture

SEAM_FRAMES = 4  # those of a latent frame
SEAM_PIXELS = 8
_HALF = 127


@dataclass(frozen=True)
class RedoClip:
    """The pictures `numbers` of `video` are the old clip's frames, of the new one's size. It is made anew from frame
    `start` (4k+1, or 0) on, where the `mask`'s frame is white; everywhere without one. Frame 0 of it is that of the
    clip or, of a segment, the one numbered `first`.
    """

    video: Sequence
    numbers: tuple[int, ...]
    mask: Sequence | None
    start: int
    first: int = 0

    def cut(self, start: int, stop: int) -> RedoClip:
        """Frames `start` to `stop` (behind the last) alone."""
        return replace(self, numbers=self.numbers[start:stop], first=self.first + start)

    def old(self, frame: int) -> np.ndarray:
        """uint8 [H, W, 3]."""
        return self.video[self.numbers[frame]]

    def anew(self, frame: int) -> np.ndarray:
        """bool [H, W]: what is made anew of a frame."""
        if self.first + frame < self.start:
            return np.zeros(self.video.size[::-1], bool)
        return self._marked(frame)

    def _marked(self, frame: int) -> np.ndarray:
        """bool [H, W]: what the mask marks."""
        if self.mask is None:
            return np.ones(self.video.size[::-1], bool)
        return self.mask[self.first + frame].max(axis=2) > _HALF

    def keeps(self, frame: int) -> bool:
        """Whether the whole frame stays."""
        return not self.anew(frame).any()

    @property
    def keeps_all(self) -> bool:
        """Whether every frame stays, as in a segment before the new part."""
        return all(map(self.keeps, range(len(self.numbers))))

    def joined(self, frame: int, made: np.ndarray) -> np.ndarray:
        """A frame of the clip, of the one that was `made`, both uint8 [H, W, 3]: the old one's very pixels but in the
        new part and its seam."""
        share = self._share(frame)[:, :, None]
        if not share.any():
            return self.old(frame)
        mixed = share * made + (1 - share) * self.old(frame)
        return np.round(mixed).astype(np.uint8)

    def _share(self, frame: int) -> np.ndarray:
        """float32 [H, W] in 0..1: how much of the new picture is seen."""
        number = self.first + frame
        before = self.start - number
        share = 1.0 if before <= 0 else max(0, SEAM_FRAMES + 1 - before) / (SEAM_FRAMES + 1) if number else 0.0
        marked = self._marked(frame)
        if not marked.any():
            return np.zeros(marked.shape, np.float32)
        distance = cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.clip(1 - distance / (SEAM_PIXELS + 1), 0, 1) * share

    def over(self, frame: int, picture: Tensor) -> Tensor:
        """What is given for a frame, [3, H, W] in -1..1, with the old clip's where that stays."""
        return torch.where(torch.from_numpy(self.anew(frame)), picture, as_picture(self.old(frame)))

    def pixels(self) -> Iterator[Tensor]:
        """The old clip frame by frame, [3, 1, H, W] in -1..1, as far as anything of it stays."""
        for frame in range(self._kept_frames):
            yield as_picture(self.old(frame))[:, None]

    def kept_cells(self, rows: int, columns: int) -> Tensor:
        """[frames, rows, columns], 1 for cells of which nothing is made anew."""
        anew = torch.stack([torch.from_numpy(self.anew(frame)) for frame in range(len(self.numbers))]).float()
        return 1 - F.adaptive_max_pool2d(anew[None], (rows, columns))[0]

    @property
    def _kept_frames(self) -> int:
        """Frames up to the last of which anything stays: 4k+1."""
        if self.mask is not None:
            return len(self.numbers)
        return max(0, min(len(self.numbers), self.start - self.first))

    @property
    def words(self) -> str:
        """What is made anew and what of the clip stays, a sentence of it each."""
        place = "inside its mask" if self.mask is not None else ""
        when = f"from frame {self.start} on" if self.start else ""
        seam = []
        if self.start > 1:
            seam.append(f"its frames {max(1, self.start - SEAM_FRAMES)} to {self.start - 1}")
        if self.mask is not None:
            seam.append(f"{SEAM_PIXELS} pixels around the mask")
        faded = f" Over {' and '.join(seam)} old and new are faded into each other." if seam else ""
        return f"The clip is made anew {' '.join(filter(None, (when, place)))}; the rest of it stays.{faded}"


def read_redo(request: GenerationRequest, folder: Path, size: Size, frames: int) -> tuple[RedoClip | None, list[str]]:
    """The clip of which a request makes a part anew, for one of `size` (width, height) and `frames`; None without one;
    and what to tell of it. Raises UsageError for what cannot be read, is of another size or length, or leaves nothing
    as it is, or nothing to be made.
    """
    if request.redo is None:
        return None, []
    notes: list[str] = []
    begin = request.redo_from or 0
    if begin >= frames:
        raise UsageError(
            f"The clip has the frames 0 to {frames - 1}, so none of it can be made anew from frame {begin} on; give a "
            "smaller --redo-from."
        )
    video = read_sequence(folder / request.redo, notes)
    mask = None if request.redo_mask is None else read_sequence(folder / request.redo_mask, notes)
    _check_fits("clip to redo", video, size, None if video.fps is not None else frames)
    if mask is not None:
        _check_fits("redo mask", mask, size, frames)
    if len(video) != frames:
        notes.append(f"The clip to redo has {video.counted}; of these the {frames} nearest in time are used.")
    numbers = tuple(np.round(np.linspace(0, len(video) - 1, frames)).astype(int).tolist())
    clip = RedoClip(video, numbers, mask, max(0, begin - 1) // 4 * 4 + 1 if begin else 0)
    if not any(clip.anew(frame).any() for frame in range(clip.start, frames)):
        raise UsageError("The redo mask is black wherever it counts, so nothing would be made anew; paint it white.")
    if all(clip.anew(frame).all() for frame in range(frames)):
        raise UsageError("The redo mask is white everywhere, so nothing would stay; leave out --redo.")
    if clip.start != begin:
        notes.append(
            f"The model makes four frames at once, so the clip is made anew from frame {clip.start} on, not {begin}."
        )
    return clip, [*notes, clip.words]


def _check_fits(words: str, given: Sequence, size: Size, frames: int | None) -> None:
    if given.size != size:
        raise UsageError(
            f"The {words} is {sides(given.size)}, but the clip is made at {sides(size)}; both must have one size. Give "
            f"it as the model made it, and --size {sides(given.size)}."
        )
    if frames is not None and len(given) != frames:
        raise UsageError(
            f"The {words} has {given.counted}, but the clip has {frames} frames; give as many pictures, or ask for "
            f"{(len(given) - 1) // 4 * 4 + 1} with --frames."
        )
