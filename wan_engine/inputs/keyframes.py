# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of frames between the first and the last, with which the segments of a clip begin."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from torch import Tensor

from ..checkpoint.model import Model
from ..checkpoint.sizes import Size
from ..errors import UsageError
from ..media.pictures import read_picture
from ..request import GenerationRequest
from ..windows import segment_borders
from . import images


@dataclass(frozen=True)
class KeyPicture:
    """What the clip shows at `frame`, which counts from 0: `pixels` [3, H, W] in -1..1 at the clip's size."""

    frame: int
    pixels: Tensor = field(repr=False)


def read_keyframes(
    request: GenerationRequest, model: Model, folder: Path, size: Size, shape: Size | None
) -> tuple[tuple[KeyPicture, ...], list[str]]:
    """The keyframes of a request in their order, fitted to the clip's `size` (width, height) as the model's first
    picture is, which has the `shape` (width, height); and what to tell of them. Raises UsageError.
    """
    given = sorted(request.keyframes, key=lambda keyframe: keyframe.frame)
    notes: list[str] = []
    if given and "first_last" not in model.modes:
        notes.append(f"{model.title} cannot hold a last picture, so the clip may jump to each keyframe.")
    read = [(keyframe.frame, read_picture(folder / keyframe.path, notes)) for keyframe in given]
    like = size if shape is None else shape
    return tuple(KeyPicture(frame, images.fitted(picture, model.fit, size, like)) for frame, picture in read), notes


def borders_of(request: GenerationRequest, model: Model, frames: int, longest: int) -> tuple[int, ...]:
    """The borders of the segments of a clip that starts from a picture, of `longest` frames at most; the first and the
    last frame alone where it is none, or made at once or in windows. Raises UsageError where keyframes are missing, or
    stand where none can.
    """
    _check_frames(request, frames)
    given = {keyframe.frame for keyframe in request.keyframes}
    borders = segment_borders(frames, longest, given)
    missing = [str(border) for border in borders[1:-1] if border not in given]
    if request.image is None or (missing and not given and "first" not in model.modes):
        return 0, frames - 1
    if missing and "first" not in model.modes:
        raise UsageError(
            f"{model.title} goes from one picture to another; give --keyframe for {', '.join(missing)} too, or give "
            "none at all."
        )
    return borders if len(borders) > 2 else (0, frames - 1)


def _check_frames(request: GenerationRequest, frames: int) -> None:
    given = sorted(request.keyframes, key=lambda keyframe: keyframe.frame)
    for keyframe in given:
        if keyframe.frame >= frames - 1:
            raise UsageError(
                f"The keyframe {keyframe.frame} is not between the first frame, 0, and the last, {frames - 1}; give "
                "these with --image and --last-image."
            )
        if keyframe.frame % 4:
            below = keyframe.frame // 4 * 4
            near = " or ".join(str(frame) for frame in (below, below + 4) if 0 < frame < frames - 1)
            raise UsageError(
                f"A keyframe cannot stand at frame {keyframe.frame}, for a segment begins at a multiple of 4; give one "
                f"for frame {near}."
            )
    for before, after in pairwise(given):
        if before.frame == after.frame:
            raise UsageError(f"Frame {after.frame} has two keyframes; give one.")
