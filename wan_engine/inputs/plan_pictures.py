# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip's size and the pictures in it: read, brought to that size by the model's own way, and told where changed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from ..checkpoint.checkpoint import Checkpoint
from ..checkpoint.model import Model
from ..checkpoint.sizes import SAME_AREA, Size, check_size, size_for_cover, size_for_picture
from ..errors import UsageError
from ..media.pictures import read_picture, sides
from ..request import GenerationRequest
from . import images
from .vace import VaceClip, read_vace


def either(asked, default):
    """What is asked for; where nothing is, the default."""
    return default if asked is None else asked


@dataclass(frozen=True)
class Pictures:
    """The clip's size and the pictures in it; `area` is the size that the shift goes by, `shape` that of the first
    picture as it was given, `notes` tell what was done."""

    size: Size
    area: Size
    first: Tensor | None = None
    last: Tensor | None = None
    clip: tuple[Tensor, ...] = ()
    notes: tuple[str, ...] = ()
    references: tuple[Tensor, ...] = ()
    vace: VaceClip | None = None
    shape: Size | None = None


def pictures_of(
    request: GenerationRequest, checkpoint: Checkpoint, stride: tuple[int, int, int], folder: Path, frames: int
) -> Pictures:
    """The output size and the prepared pictures, by the way this checkpoint is conditioned."""
    model, config = checkpoint.model, checkpoint.config
    multiple = stride[1] * config.patch_size[1]
    asked = request.size or model.sizes[0]
    if model.modes == ("first_last",) and (request.image is None or request.last_image is None):
        raise UsageError(f"{model.title} goes from one picture to another; give --image and --last-image.")
    if request.image is None and request.motion_video is not None:
        raise UsageError(
            "A clip that follows a motion clip starts from its first picture; give that with --image, to a model that "
            "takes one."
        )
    if "vace" in model.modules:
        return _for_vace(request, model, asked, multiple, folder, frames)
    if model.fit == "resize":
        return _resized(request, model, asked, multiple, folder)
    if request.image is None:
        if "text" not in model.modes:
            raise UsageError(f"{model.title} starts from a picture; give one with --image.")
        check_size(asked, multiple)
        return Pictures(asked, asked)
    if request.exact_size:
        check_size(asked, multiple)
    read_notes: list[str] = []
    _check_pictures_are_possible(request, model)
    if model.fit == "cover":
        picture = read_picture(folder / request.image, read_notes)
        size = asked if request.exact_size else size_for_cover(picture.size, asked[0] * asked[1], multiple)
        return Pictures(
            size,
            _trained_area(request, model, asked),
            images.covered(picture, size),
            notes=(*read_notes, *_cover_notes(picture.size, size)),
            shape=picture.size,
        )
    picture = read_picture(folder / request.image, read_notes)
    area = _trained_area(request, model, request.size or model.area or asked)
    size = (
        asked
        if request.exact_size
        else _trained_size(picture.size, area, model.sizes if model.only_listed else ())
        or size_for_picture(picture.size, area[0] * area[1], stride[1])
    )
    first, last, notes = images.as_tensor(picture), None, _stretch_notes(picture.size, size)
    if request.last_image is not None:
        last_picture = read_picture(folder / request.last_image, read_notes)
        last, more = _last_picture(last_picture, picture.size, model)
        notes += more
    looked_at = (first, last)[: model.clip_pictures]
    return Pictures(
        size,
        area,
        images.stretched(first, size),
        None if last is None else images.stretched(last, size),
        tuple(picture for picture in looked_at if picture is not None),
        (*read_notes, *notes),
        shape=picture.size,
    )


def _for_vace(
    request: GenerationRequest, model: Model, size: Size, multiple: int, folder: Path, frames: int
) -> Pictures:
    """What is given to a VACE branch; with a control clip only the area of the size counts for the original models."""
    if request.image is not None:
        raise UsageError(
            f"{model.title} takes pictures by --reference, or as frames of --control-video that --control-mask keeps. "
            "Give them so, without --image."
        )
    stretched = model.fit == "resize"
    if stretched or request.control_video is None:
        check_size(size, multiple)
    fps = either(request.fps, model.fps)
    given = read_vace(request, folder, size, frames, fps, stretched=stretched)
    return Pictures(given.clip.size, size, references=given.references, notes=given.notes, vace=given.clip)


def _resized(request: GenerationRequest, model: Model, size: Size, multiple: int, folder: Path) -> Pictures:
    """Pictures of a model that makes exactly the size that is asked for."""
    check_size(size, multiple)
    if len(request.reference) > 1:
        raise UsageError(f"{model.title} takes one reference picture; give --reference once.")
    if request.image is not None:
        _check_pictures_are_possible(request, model)
    notes: list[str] = []

    def read(name: str | None) -> Image.Image | None:
        return None if name is None else read_picture(folder / name, notes)

    image, last = read(request.image), read(request.last_image)
    reference = read(next(iter(request.reference), None))
    given = [picture for picture in (image, last, reference) if picture is not None]
    for picture in given:
        notes += _stretch_notes(picture.size, size)
    first = None if image is None else images.resized(image, size)
    # Where only the start is a channel, CLIP looks at the reference first, at its own size.
    seen = reference or image
    looked_at = first if "start" not in model.inputs else None if seen is None else images.as_tensor(seen)
    return Pictures(
        size,
        size,
        first,
        None if last is None else images.resized(last, size),
        (looked_at,) if model.clip_pictures and looked_at is not None else (),
        tuple(notes),
        () if reference is None else (images.resized(reference, size),),
        shape=None if image is None else image.size,
    )


def _check_pictures_are_possible(request: GenerationRequest, model: Model) -> None:
    if not model.takes_pictures:
        raise UsageError(
            f"{model.title} makes video from text only; leave out the picture or use an image-to-video checkpoint."
        )
    if request.last_image is not None and "first_last" not in model.modes:
        raise UsageError(f"{model.title} cannot hold a last picture; leave it out or use an I2V-A14B checkpoint.")


def _trained_size(picture: Size, asked: Size, trained: tuple[Size, ...]) -> Size | None:
    """The trained size of exactly the picture's aspect ratio and the asked area.

    The published rounding can land below a size that fits exactly (832x480 becomes 832x464).
    """
    for width, height in trained:
        if width * height == asked[0] * asked[1] and width * picture[1] == height * picture[0]:
            return width, height
    return None


def _trained_area(request: GenerationRequest, model: Model, asked: Size) -> Size:
    """The size whose area the clip stands for. An exact one on the grid differs a little from the area that it was
    chosen for, which must not change the shift: it counts as the nearest trained one.
    """
    if not request.exact_size:
        return asked

    def change(size: Size) -> float:
        return abs(math.log(size[0] * size[1] / (asked[0] * asked[1])))

    nearest = min(model.sizes, key=change)
    return nearest if change(nearest) <= SAME_AREA else asked


def _last_picture(last: Image.Image, first: Size, model: Model) -> tuple[Tensor, tuple[str, ...]]:
    """The last picture in the first one's shape, and what to tell about it."""
    notes: tuple[str, ...] = ()
    if model.clip_pictures == 1:
        notes = (f"{model.title} was trained with a first picture only; it may miss the last one.",)
    if last.size == first:
        return images.as_tensor(last), notes
    if model.clip_pictures < 2:
        return images.as_tensor(images.cropped_to_aspect(last, first)), notes
    told = (
        f"The last picture is {sides(last.size)}, the first {sides(first)}; as in the original it is cut or "
        "bordered with grey instead of scaled. Give both in one size."
    )
    return images.cut_like_original(images.as_tensor(last), first), (*notes, told)


def _cover_notes(picture: Size, size: Size) -> tuple[str, ...]:
    scaled = images.covering(picture, size)
    if scaled == size:
        return ()
    return (
        f"The picture of {sides(picture)} is scaled to {sides(scaled)}, of which the middle {sides(size)} is used.",
    )


def _stretch_notes(picture: Size, size: Size) -> tuple[str, ...]:
    change = abs(size[0] * picture[1] / (size[1] * picture[0]) - 1)
    if change < 0.005:
        return ()
    return (f"The picture of {sides(picture)} is stretched to {sides(size)}, which changes its shape by {change:.1%}.",)
