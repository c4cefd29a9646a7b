# SPDX-License-Identifier: GPL-3.0-or-later
"""A request together with a checkpoint's defaults: every open choice settled, or a UsageError that says why not."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..checkpoint.checkpoint import Checkpoint
from ..checkpoint.model import CONTROLS, Model
from ..checkpoint.models import ROWS
from ..checkpoint.sizes import SAME_AREA, Size, check_size, size_for_cover, size_for_picture
from ..errors import UsageError
from ..media.pictures import read_picture, sides
from ..request import GenerationRequest, check_frames
from ..request_parts import PromptPart
from ..windows import Window, latents_of, usual_overlap, windows
from . import images
from .camera_rays import CameraPath, read_camera
from .control_video import ControlClip, read_control
from .keyframes import KeyPicture, borders_of, read_keyframes
from .motion import MotionClip, read_motion
from .vace import VaceClip, read_vace


@dataclass(frozen=True)
class Plan:
    """What will be made. `size` is (width, height), `latent_shape` [z, t, h, w].

    `first` and `last` are the pictures, [3, H, W] in -1..1 at that size, ready for the autoencoder. `clip_pictures`
    are those that the CLIP encoder looks at, [3, H, W] in -1..1 at sizes of their own, () where the model has none.
    `references` are pictures of what the clip shows, [3, H, W] in -1..1 at its size. `control` is the clip, `camera`
    the camera and `motion` the animation that it follows; `vace` the clip that a VACE branch reads, which counts
    `control_scale` times and has the references as latent frames of their own, `lead` in number, before the clip's.
    `control` counts in the first `control_share` of the steps.
    A clip of more frames than `window` is made in windows of so many, which have `overlap` or more in common; or, where
    it starts from a picture, in segments from one of its `borders` to the next, which begin with `keyframes` where
    there are such, and end with them where `holds_ends`.
    """

    prompt: str
    negative: str
    size: Size
    frames: int
    latent_shape: tuple[int, int, int, int]
    fps: float
    steps: int
    shift: float
    guide: tuple[float, float]
    boundary: float | None
    solver: str
    seed: int
    first: Tensor | None
    last: Tensor | None
    warnings: tuple[str, ...]
    clip_pictures: tuple[Tensor, ...] = ()
    prompt_parts: tuple[PromptPart, ...] = ()
    references: tuple[Tensor, ...] = ()
    control: ControlClip | None = None
    camera: CameraPath | None = None
    motion: MotionClip | None = None
    vace: VaceClip | None = None
    control_scale: float = 1.0
    control_share: float = 1.0
    window: int = 81
    overlap: int = 0
    borders: tuple[int, ...] = (0, 0)
    keyframes: tuple[KeyPicture, ...] = ()
    holds_ends: bool = False

    @property
    def segments(self) -> int:
        """How many are made one after the other; one for most clips."""
        return len(self.borders) - 1

    @property
    def longest(self) -> int:
        """Frames of the longest segment."""
        return 1 + max(stop - start for start, stop in pairwise(self.borders))

    def picture_at(self, frame: int) -> Tensor | None:
        """What is given for a frame of the clip, [3, H, W] in -1..1."""
        keyed = {key.frame: key.pixels for key in self.keyframes}
        return {**keyed, self.frames - 1: self.last, 0: self.first}.get(frame)

    @property
    def windows(self) -> tuple[Window, ...]:
        """What is made at once, in latent frames of a segment without its references; one for most clips."""
        return windows(latents_of(self.frames), latents_of(self.window), self.overlap // 4)

    @property
    def lead(self) -> int:
        """How many latent frames go before the clip's own."""
        return 0 if self.vace is None else len(self.references)

    @property
    def encodes(self) -> bool:
        """Whether anything that is given goes through the autoencoder."""
        given = (self.first, self.control, self.vace)
        return bool(self.references) or any(part is not None for part in given)

    def expert(self, timestep: float) -> str:
        """high from the boundary up, low below it, dense when there is but one."""
        if self.boundary is None:
            return "dense"
        return "high" if timestep >= self.boundary * 1000 else "low"

    def guidance(self, expert: str) -> float:
        """How strongly the prompt counts while that expert works; 1 is without guidance."""
        return self.guide[expert == "high"]


@dataclass(frozen=True)
class _Pictures:
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


def make_plan(request: GenerationRequest, checkpoint: Checkpoint, stride: tuple[int, int, int], folder: Path) -> Plan:
    """Settle size, pictures and sampling. `stride` is the VAE's (t, h, w); pictures are read from `folder`.

    What the request states goes before its preset, that before the model's defaults.
    """
    request = request.with_preset()
    model = checkpoint.model
    frames = _either(request.frames, model.frame_counts[0])
    check_frames(frames)
    _check_controls(request, model)
    fps = _either(request.fps, model.fps)
    pictures = _pictures(request, checkpoint, stride, folder, frames)
    if pictures.vace is not None:
        frames = len(pictures.vace.numbers)
    if pictures.last is not None and frames < 5:
        raise UsageError("A first and a last picture need at least 5 frames; ask for 5 or more.")
    control, camera, told = _controls(request, model, folder, pictures.size, frames, fps)
    window, overlap = _window(request, model)
    borders = borders_of(request, model, frames, window)
    keyframes, keyframe_notes = read_keyframes(request, model, folder, pictures.size, pictures.shape, frames)
    two_experts = len(checkpoint.experts) == 2
    steps = _either(request.steps, model.steps)
    motion, motion_notes = read_motion(request, folder, pictures.size, frames, steps, fps)
    return Plan(
        prompt=request.prompt,
        negative=_either(request.negative, model.negative),
        size=pictures.size,
        frames=frames,
        latent_shape=(
            checkpoint.config.out_dim,
            (frames - 1) // stride[0] + 1 + (0 if pictures.vace is None else len(pictures.references)),
            pictures.size[1] // stride[1],
            pictures.size[0] // stride[2],
        ),
        fps=fps,
        steps=steps,
        shift=_either(request.shift, model.shift_for(pictures.area)),
        guide=_either(request.guide, model.guide),
        boundary=_either(request.boundary, model.boundary) if two_experts else None,
        solver=_either(request.solver, model.solver),
        seed=request.seed,
        first=pictures.first,
        last=pictures.last,
        clip_pictures=pictures.clip,
        prompt_parts=request.prompt_parts,
        references=pictures.references,
        control=control,
        camera=camera,
        motion=motion,
        vace=pictures.vace,
        control_scale=_either(request.control_scale, 1.0),
        control_share=_either(request.control_share, 1.0),
        window=window,
        overlap=overlap,
        borders=borders,
        keyframes=keyframes,
        holds_ends="first_last" in model.modes,
        warnings=(
            *_length_notes(request, model, frames, window, overlap, borders),
            *_warnings(request, checkpoint, pictures),
            *pictures.notes,
            *told,
            *motion_notes,
            *keyframe_notes,
        ),
    )


def _window(request: GenerationRequest, model: Model) -> tuple[int, int]:
    """Frames of a window, by default as many as the model was trained for, and those that two have in common, by
    default a quarter. Raises UsageError where nothing is left between."""
    window = _either(request.window, model.longest)
    overlap = _either(request.overlap, usual_overlap(window))
    if overlap >= window:
        raise UsageError(
            f"Windows of {window} frames cannot have {overlap} in common; ask for at most {window - 1} with --overlap, "
            "or for longer windows with --window."
        )
    return window, overlap


def _length_notes(
    request: GenerationRequest, model: Model, frames: int, window: int, overlap: int, borders: tuple[int, ...]
) -> list[str]:
    """What to tell of a clip's length where it is not what the model was trained for."""
    counts = ", ".join(map(str, model.frame_counts))
    if len(borders) > 2:
        longest = 1 + max(stop - start for start, stop in pairwise(borders))
        unused = ["Segments have one frame in common; --overlap has no effect."] if request.overlap else []
        return [
            f"{frames} frames are made in {len(borders) - 1} segments of up to {longest}; each begins with its "
            f"keyframe or with the last frame of the one before, so that what goes wrong in one may stay. "
            f"{model.title} was made for {counts} frames.",
            *unused,
        ]
    parts = windows(latents_of(frames), latents_of(window), overlap // 4)
    if len(parts) > 1:
        common = min(4 * (before.stop - after.start) for before, after in pairwise(parts))
        return [
            f"{frames} frames are made in {len(parts)} windows of {window} with {common} or more in common; "
            f"{model.title} was made for {counts} frames, and where windows meet the clip may look worse."
        ]
    if frames in model.frame_counts:
        return []
    return [f"{model.title} was made for {counts} frames; {frames} may look worse."]


def _check_controls(request: GenerationRequest, model: Model) -> None:
    """Raise UsageError for a control that the model was not trained with, which it would pass over in silence."""
    asked = [name for name in CONTROLS if getattr(request, name) not in (None, ())]
    for name in (name for name in asked if name not in model.controls):
        able = ", ".join(dict.fromkeys(row.title for row in ROWS if name in row.controls))
        use = f" or use a model that does ({able})" if able else ""
        raise UsageError(
            f"{model.title} takes no {CONTROLS[name].removeprefix('a ')}; leave out --{name.replace('_', '-')}{use}."
        )


def _controls(
    request: GenerationRequest, model: Model, folder: Path, size: Size, frames: int, fps: float
) -> tuple[ControlClip | None, CameraPath | None, list[str]]:
    """The clip and the camera that are to be followed, read and looked at, and what to tell of them."""
    control, camera, notes = None, None, list[str]()
    if request.control_video is not None and "control" in model.inputs:
        control, notes = read_control(folder / request.control_video, size, frames, fps)
    if request.camera is not None:
        camera = read_camera(folder / request.camera)
        if len(camera) < frames:
            raise UsageError(
                f"{request.camera} holds {len(camera)} frames of the camera, but the clip has {frames}; write one for "
                "each, or ask for fewer with --frames."
            )
        if len(camera) > frames:
            notes.append(f"The camera has {len(camera)} frames; the first {frames} are used.")
    return control, camera, notes


def _either(asked, default):
    return default if asked is None else asked


def _pictures(
    request: GenerationRequest, checkpoint: Checkpoint, stride: tuple[int, int, int], folder: Path, frames: int
) -> _Pictures:
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
        return _Pictures(asked, asked)
    if request.exact_size:
        check_size(asked, multiple)
    read_notes: list[str] = []
    _check_pictures_are_possible(request, model)
    if model.fit == "cover":
        picture = read_picture(folder / request.image, read_notes)
        size = asked if request.exact_size else size_for_cover(picture.size, asked[0] * asked[1], multiple)
        return _Pictures(
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
    return _Pictures(
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
) -> _Pictures:
    """What is given to a VACE branch; with a control clip only the area of the size counts for the original models."""
    if request.image is not None:
        raise UsageError(
            f"{model.title} takes pictures by --reference, or as frames of --control-video that --control-mask keeps. "
            "Give them so, without --image."
        )
    stretched = model.fit == "resize"
    if stretched or request.control_video is None:
        check_size(size, multiple)
    fps = _either(request.fps, model.fps)
    given = read_vace(request, folder, size, frames, fps, stretched=stretched)
    return _Pictures(given.clip.size, size, references=given.references, notes=given.notes, vace=given.clip)


def _resized(request: GenerationRequest, model: Model, size: Size, multiple: int, folder: Path) -> _Pictures:
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
    return _Pictures(
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


def _warnings(request: GenerationRequest, checkpoint: Checkpoint, pictures: _Pictures) -> list[str]:
    model = checkpoint.model
    found = []
    if not _size_is_trained(checkpoint, pictures):
        sizes = ", ".join(map(sides, model.sizes))
        found.append(f"{model.title} was made for {sizes}; {sides(pictures.size)} may look worse.")
    if request.boundary is not None and len(checkpoint.experts) == 1:
        found.append(f"{model.title} has a single expert; the boundary has no effect.")
    if "camera" in model.modules and request.camera is None:
        found.append(f"{model.title} was made to follow a camera and is given none; give one with --camera.")
    if request.preset == "lightning" and not request.loras:
        found.append("Four steps are enough for distilled weights only; give their LoRA unless the checkpoint has it.")
    return found


def _size_is_trained(checkpoint: Checkpoint, pictures: _Pictures) -> bool:
    """Published image models take any shape of a trained area; checkpoints of our own only the sizes they list."""
    sizes = checkpoint.model.sizes
    if pictures.first is None or checkpoint.model.only_listed:
        return pictures.size in sizes
    return pictures.area[0] * pictures.area[1] in {width * height for width, height in sizes}


def noise(seed: int, shape: tuple[int, ...], before: int = 0) -> Tensor:
    """Standard normal float32 from a CPU generator: one seed is one clip on every machine. `before` counts the draws of
    that shape that go before this one.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    draws = (torch.randn(shape, generator=generator, dtype=torch.float32) for _ in range(before + 1))
    return deque(draws, 1).pop()
