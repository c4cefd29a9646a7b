# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VACE branch reads: a clip split by a mask into what is kept and what is made anew, and reference pictures.

After `wan/vace.py` and `wan/utils/vace_processor.py` of the original Wan 2.1, and VideoX-Fun's pipeline where its
models do otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from PIL import Image
from torch import Tensor

from ..checkpoint.sizes import Size
from ..errors import UsageError
from ..media.pictures import read_picture, sides
from ..media.sequences import Sequence, counted, read_sequence
from ..request import GenerationRequest
from .images import as_tensor
from .lengths import check_count, rate_notes
from .redo import RedoClip

CELL = 8  # pixels along a latent: the mask of each has a channel of its own
_GRID = 16  # pixels along a token
_TRAINED_FRAMES = 21  # latent frames that a clip of the asked area may have
_HALF = 127.5
_WHITE = 255

Encode = Callable[[Iterable[Tensor]], Tensor]


@dataclass(frozen=True)
class VaceClip:
    """What was given for a clip of `size`: the pictures `numbers` of `video` and of `mask`, either None where it was
    not. `stretched` tells that pictures are brought to the size as VideoX-Fun does it, and masks cut to black and
    white. What stays of a clip to `redo` is given in place of all that.
    """

    size: Size
    numbers: tuple[int, ...]
    video: Sequence | None = None
    mask: Sequence | None = None
    stretched: bool = False
    redo: RedoClip | None = None

    def pixels(self, number: int) -> Tensor:
        """[3, H, W] in -1..1; mid grey without a clip."""
        if self.video is None:
            return torch.zeros(3, self.size[1], self.size[0])
        return self._fitted(self.video[number]).float().div(_HALF).sub(1)

    def softness(self, number: int) -> Tensor:
        """The mask [1, H, W] in 0..1, 1 where the clip is made anew; 1 everywhere without one."""
        if self.video is None or self.mask is None:
            return torch.ones(1, self.size[1], self.size[0])
        width, height = self.video.size
        levels = (
            self._fitted(self.mask[number][:height, :width])[:1].float().div(_HALF).sub(1).add(1).div(2).clamp(0, 1)
        )
        return (levels >= 0.5).float() if self.stretched else levels

    def half(self, *, made: bool) -> Iterator[Tensor]:
        """Frame by frame, [3, 1, H, W], what is to be `made` anew or what is kept, the rest mid grey."""
        for frame, number in enumerate(self.numbers):
            hole = (self._softness_at(frame) > 0.5).float()
            picture = self.pixels(number)
            picture = picture if self.redo is None else self.redo.over(frame, picture)
            yield (picture * (hole if made else 1 - hole))[:, None]

    def _softness_at(self, frame: int) -> Tensor:
        """The mask of a frame of the clip, as `softness`."""
        softness = self.softness(self.numbers[frame])
        return softness if self.redo is None else softness * torch.from_numpy(self.redo.anew(frame))

    def mask_channels(self) -> Tensor:
        """[64, t, h, w]: the mask's value at each of the 8x8 pixels of a latent, row by row; in time the frame nearest
        to the middle of what a latent frame stands for, which is never the first or the last of a clip.
        """
        count = len(self.numbers)
        places = torch.arange(count, dtype=torch.float32)[None, None]
        nearest = F.interpolate(places, size=(count + 3) // 4, mode="nearest-exact")[0, 0].int().tolist()
        frames = [self._softness_at(place)[0] for place in nearest]
        return rearrange(torch.stack(frames), "t (h p) (w q) -> (p q) t h w", p=CELL, q=CELL)

    def _fitted(self, picture: np.ndarray) -> Tensor:
        """uint8 [H, W, 3] to uint8 [3, H, W] at the clip's size."""
        width, height = self.size
        if self.stretched and picture.shape[:2] != (height, width):
            picture = cv2.resize(picture, self.size, interpolation=cv2.INTER_LINEAR)
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)
        return pixels if pixels.shape[1:] == (height, width) else _covered(pixels, self.size)


def _covered(pixels: Tensor, size: Size) -> Tensor:
    """uint8 [3, H, W] scaled to cover `size`, in 8 bits with antialiasing, the middle cut out."""
    width, height = size
    rows, columns = pixels.shape[1:]
    scale = max(width / columns, height / rows)
    sides = round(scale * rows), round(scale * columns)
    scaled = F.interpolate(pixels[None], size=sides, mode="bicubic", antialias=True)[0]
    top, left = (sides[0] - height) // 2, (sides[1] - width) // 2
    return scaled[:, top : top + height, left : left + width]


def on_white(picture: Image.Image, size: Size, *, stretched: bool = False) -> Tensor:
    """A reference picture [3, H, W] in -1..1, as large as `size` lets it be, in the middle of white. `stretched` scales
    it as VideoX-Fun does: Pillow's bicubic on 8 bits.
    """
    width, height = size
    scale = min(height / picture.height, width / picture.width)
    columns, rows = max(1, int(picture.width * scale)), max(1, int(picture.height * scale))
    if picture.size == size:
        return as_tensor(picture)
    if stretched:
        scaled = as_tensor(picture.resize((columns, rows), Image.Resampling.BICUBIC))
    else:
        scaled = F.interpolate(as_tensor(picture)[None], size=(rows, columns), mode="bilinear", align_corners=False)[0]
    canvas = torch.ones(3, height, width)
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas[:, top : top + rows, left : left + columns] = scaled
    return canvas


def vace_context(clip: VaceClip, references: Iterable[Tensor], encode: Encode) -> Tensor:
    """[96, n + t, h, w]: 16 channels of what is kept, 16 of what is made anew, 64 of mask; the n references
    ([3, H, W] in -1..1), each a frame of its own that is kept, in front.

    `encode` turns frames [3, 1, H, W] into normalised latents [16, t, h, w].
    """
    kept = [encode([reference[:, None]]) for reference in references]
    front = [torch.cat([frame, torch.zeros(16 + CELL**2, *frame.shape[1:]).to(frame)]) for frame in kept]
    halves = [encode(clip.half(made=made)) for made in (False, True)]
    return torch.cat([*front, torch.cat([*halves, clip.mask_channels().to(halves[0])])], 1)


def size_and_length(source: Size, count: int, area: int, tokens: int | None = None) -> tuple[Size, int]:
    """Size and frames of the clip that is made of a control clip of `count` pictures of the size `source`: as many
    pixels as in `area`, never more than the source has, and no more frames than `tokens` allow, by default the trained
    21 latent frames at that area.

    Raises UsageError where nothing is left.
    """
    width, height = source
    tokens = int(_TRAINED_FRAMES * area / _GRID**2) if tokens is None else tokens
    cells = min(tokens, area / _GRID**2, (height // _GRID) * (width // _GRID))
    if cells < 1 or count < 1:
        raise UsageError(
            f"A control clip of {width}x{height} at an area of {area} pixels leaves less than {_GRID}x{_GRID}; give a "
            "larger clip or --size."
        )
    latents = min((count - 1) // 4 + 1, int(tokens / cells))
    cells = min(cells, tokens // latents)
    rows = max(1, round(math.sqrt(cells * height / width)))
    columns = int(cells / rows)
    if columns < 1:
        raise UsageError(f"A control clip of {width}x{height} is too elongated; give one nearer to a square.")
    return (columns * _GRID, rows * _GRID), 4 * latents - 3


def spread(starts: Collection[float], wanted: int) -> tuple[int, ...]:
    """The numbers of `wanted` of the frames that begin at `starts`, at even times from the first one's beginning to the
    last one's middle; at a border of two the earlier.
    """
    begins = np.array(starts, dtype=float)
    lasting = np.diff(begins).mean() if len(begins) > 1 else 1.0
    return tuple(np.searchsorted(begins[1:], np.linspace(begins[0], begins[-1] + lasting / 2, wanted)).tolist())


@dataclass(frozen=True)
class VaceInputs:
    """What a VACE branch is given: the clip, which settles size and frames, and `references` [3, H, W] in -1..1 at that
    size. `notes` tell what was done.
    """

    clip: VaceClip
    references: tuple[Tensor, ...]
    notes: tuple[str, ...]


def read_vace(
    request: GenerationRequest, folder: Path, size: Size, frames: int, fps: float, *, stretched: bool = False
) -> VaceInputs:
    """What a request gives to a VACE branch, every picture looked at once, for a clip of `fps` frames per second.

    With a control clip size and frames are the clip's, and the area of `size` bounds them; `stretched` models make
    exactly `size` and `frames`. Raises UsageError for pictures that cannot be read and for too few of them.
    """
    notes: list[str] = []
    video, mask = (
        None if name is None else read_sequence(folder / name, notes)
        for name in (request.control_video, request.control_mask)
    )
    if stretched:
        video, mask = (None if given is None else given.at_rate(fps) for given in (video, mask))
    numbers = tuple(range(frames))
    if video is not None:
        count = len(video) if mask is None else min(len(video), len(mask))
        if stretched:
            check_count("The control clip", video, frames)
            if mask is not None:
                check_count("The control mask", mask, frames)
        else:
            latents = max(_TRAINED_FRAMES, (frames - 1) // 4 + 1 if request.frames is not None else 0)
            area = size[0] * size[1]
            size, length = size_and_length(video.size, count, area, int(latents * area / _GRID**2))
            numbers = spread(video.starts[:count], length)
        notes += _fitting_notes(video, mask, size, numbers, frames)
        notes += rate_notes("control clip", video, frames if stretched else count, len(numbers), fps)
    pictures = [read_picture(folder / name, notes, behind="white") for name in request.reference]
    notes += [
        f"The reference picture of {sides(picture.size)} is fitted into {sides(size)}, with white around it."
        for picture in pictures
        if picture.size != size
    ]
    references = tuple(on_white(picture, size, stretched=stretched) for picture in pictures)
    return VaceInputs(VaceClip(size, numbers, video, mask, stretched), references, tuple(dict.fromkeys(notes)))


def _fitting_notes(
    video: Sequence, mask: Sequence | None, size: Size, numbers: tuple[int, ...], frames: int
) -> list[str]:
    notes = []
    if video.size != size:
        notes.append(f"The control clip of {sides(video.size)} is brought to {sides(size)}.")
    if mask is not None and mask.size != video.size:
        notes.append(
            f"The control mask of {sides(mask.size)} is not of the control clip's size; its top left part is used."
        )
    if mask is not None and len(mask) != len(video):
        notes.append(
            f"The control clip has {len(video)} frames and its mask {len(mask)}; the longer one's rest is left out."
        )
    if len(numbers) != len(video):
        notes.append(f"Of the control clip's {len(video)} frames {len(numbers)} are used.")
    if len(numbers) != frames:
        notes.append(f"The control clip settles the length: {counted(len(numbers))} instead of {frames}.")
    return notes
