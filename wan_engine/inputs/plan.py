# SPDX-License-Identifier: GPL-3.0-or-later
"""A request together with a checkpoint's defaults: every open choice settled, or a UsageError that says why not."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoint.checkpoint import Checkpoint
from ..checkpoint.distilled import sampling_notes, sampling_of
from ..checkpoint.model import CONTROLS, Model
from ..checkpoint.models import ROWS
from ..checkpoint.sizes import Size
from ..errors import UsageError
from ..media.pictures import sides
from ..request import GenerationRequest, check_frames
from ..request_parts import PromptPart
from ..windows import Window, latents_of, noise_order, usual_overlap, windows
from .camera_rays import CameraPath, read_camera
from .control_video import ControlClip, read_control
from .images import as_picture
from .keyframes import KeyPicture, borders_of, read_keyframes
from .motion import MotionClip, read_motion
from .plan_pictures import Pictures, either, pictures_of
from .redo import RedoClip, read_redo
from .vace import VaceClip


@dataclass(frozen=True)
class Plan:
    """What will be made. `size` is (width, height), `latent_shape` [z, t, h, w].

    `first` and `last` are the pictures, [3, H, W] in -1..1 at that size, ready for the autoencoder. `clip_pictures`
    are those that the CLIP encoder looks at, [3, H, W] in -1..1 at sizes of their own, () where the model has none.
    `references` are pictures of what the clip shows, [3, H, W] in -1..1 at its size. `control` is the clip, `camera`
    the camera and `motion` the animation that it follows; `vace` the clip that a VACE branch reads, which counts
    `control_scale` times and has the references as latent frames of their own, `lead` in number, before the clip's.
    `control` counts in the first `control_share` of the steps. `redo` is a clip of which a part is made anew.
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
    redo: RedoClip | None = None
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
        if self.redo is not None and self.redo.keeps(frame):
            return as_picture(self.redo.old(frame))
        keyed = {key.frame: key.pixels for key in self.keyframes}
        return {**keyed, self.frames - 1: self.last, 0: self.first}.get(frame)

    def windows(self, step: int) -> tuple[Window, ...]:
        """What is made at once in a step, in latent frames of a segment without its references; one for most clips."""
        return windows(latents_of(self.frames), latents_of(self.window), self.overlap // 4, step)

    @property
    def lead(self) -> int:
        """How many latent frames go before the clip's own."""
        return 0 if self.vace is None else len(self.references)

    @property
    def encodes(self) -> bool:
        """Whether anything that is given goes through the autoencoder."""
        given = (self.first, self.control, self.vace, self.redo)
        return bool(self.references) or any(part is not None for part in given)

    def expert(self, timestep: float) -> str:
        """high from the boundary up, low below it, dense when there is but one."""
        if self.boundary is None:
            return "dense"
        return "high" if timestep >= self.boundary * 1000 else "low"

    def guidance(self, expert: str) -> float:
        """How strongly the prompt counts while that expert works; 1 is without guidance."""
        return self.guide[expert == "high"]


def make_plan(request: GenerationRequest, checkpoint: Checkpoint, stride: tuple[int, int, int], folder: Path) -> Plan:
    """Settle size, pictures and sampling. `stride` is the VAE's (t, h, w); pictures are read from `folder`.

    What the request states goes before its preset, that before the model's defaults.
    """
    model = checkpoint.model
    unsuited = sampling_notes(request, model)
    request = request.with_preset(sampling_of(model, request.preset))
    frames = either(request.frames, model.frame_counts[0])
    check_frames(frames)
    _check_controls(request, model)
    fps = either(request.fps, model.fps)
    pictures = pictures_of(request, checkpoint, stride, folder, frames)
    if pictures.vace is not None:
        frames = len(pictures.vace.numbers)
    if pictures.last is not None and frames < 5:
        raise UsageError("A first and a last picture need at least 5 frames; ask for 5 or more.")
    control, camera, told = _controls(request, model, folder, pictures.size, frames, fps)
    window, overlap = _window(request, model)
    borders = borders_of(request, model, frames, window)
    keyframes, keyframe_notes = read_keyframes(request, model, folder, pictures.size, pictures.shape)
    steps = either(request.steps, model.steps)
    solver = either(request.solver, model.solver)
    motion, motion_notes = read_motion(request, folder, pictures.size, frames, steps, fps)
    redo, redo_notes = read_redo(request, folder, pictures.size, frames)
    return Plan(
        prompt=request.prompt,
        negative=either(request.negative, model.negative),
        size=pictures.size,
        frames=frames,
        latent_shape=_latent_shape(checkpoint.config.out_dim, stride, pictures, frames),
        fps=fps,
        steps=steps,
        shift=either(request.shift, model.shift_for(pictures.area, solver)),
        guide=either(request.guide, model.guide),
        boundary=either(request.boundary, model.boundary) if len(checkpoint.experts) == 2 else None,
        solver=solver,
        seed=request.seed,
        first=pictures.first,
        last=pictures.last,
        clip_pictures=pictures.clip,
        prompt_parts=request.prompt_parts,
        references=pictures.references,
        control=control,
        camera=camera,
        motion=motion,
        vace=None if pictures.vace is None else replace(pictures.vace, redo=redo),
        redo=redo,
        control_scale=either(request.control_scale, 1.0),
        control_share=either(request.control_share, 1.0),
        window=window,
        overlap=overlap,
        borders=borders,
        keyframes=keyframes,
        holds_ends="first_last" in model.modes,
        warnings=(
            *_length_notes(request, model, frames, window, overlap, borders),
            *_warnings(request, checkpoint, pictures),
            *unsuited,
            *pictures.notes,
            *told,
            *motion_notes,
            *keyframe_notes,
            *redo_notes,
        ),
    )


def _latent_shape(
    channels: int, stride: tuple[int, int, int], pictures: Pictures, frames: int
) -> tuple[int, int, int, int]:
    """[z, t, h, w]; the references that a VACE branch reads are latent frames of their own."""
    lead = 0 if pictures.vace is None else len(pictures.references)
    width, height = pictures.size
    return channels, (frames - 1) // stride[0] + 1 + lead, height // stride[1], width // stride[2]


def _window(request: GenerationRequest, model: Model) -> tuple[int, int]:
    """Frames of a window, by default as many as the model was trained for, and those that two have in common, by
    default a quarter. Raises UsageError where nothing is left between."""
    window = either(request.window, model.longest)
    overlap = either(request.overlap, usual_overlap(window))
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
        camera = read_camera(folder / request.camera).scaled(either(request.camera_scale, 1.0))
        if len(camera) < frames:
            raise UsageError(
                f"{request.camera} holds {len(camera)} frames of the camera, but the clip has {frames}; write one for "
                "each, or ask for fewer with --frames."
            )
        if len(camera) > frames:
            notes.append(f"The camera has {len(camera)} frames; the first {frames} are used.")
    return control, camera, notes


def _warnings(request: GenerationRequest, checkpoint: Checkpoint, pictures: Pictures) -> list[str]:
    model = checkpoint.model
    found = []
    if not _size_is_trained(checkpoint, pictures):
        sizes = ", ".join(map(sides, model.sizes))
        found.append(f"{model.title} was made for {sizes}; {sides(pictures.size)} may look worse.")
    if request.boundary is not None and len(checkpoint.experts) == 1:
        found.append(f"{model.title} has a single expert; the boundary has no effect.")
    if "camera" in model.modules and request.camera is None:
        found.append(f"{model.title} was made to follow a camera and is given none; give one with --camera.")
    return found


def _size_is_trained(checkpoint: Checkpoint, pictures: Pictures) -> bool:
    """Published image models take any shape of a trained area; checkpoints of our own only the sizes they list."""
    sizes = checkpoint.model.sizes
    if pictures.first is None or checkpoint.model.only_listed:
        return pictures.size in sizes
    return pictures.area[0] * pictures.area[1] in {width * height for width, height in sizes}


def beginning_noise(plan: Plan, before: int = 0) -> Tensor:
    """The noise [z, t, h, w] that the clip begins with, or with draws `before` it another; in windows, later frames
    have that of earlier ones.
    """
    drawn = noise(plan.seed, plan.latent_shape, before)
    order = noise_order(latents_of(plan.frames), latents_of(plan.window), plan.overlap // 4)
    return drawn[:, [*range(plan.lead), *(plan.lead + place for place in order)]]


def noise(seed: int, shape: tuple[int, ...], before: int = 0) -> Tensor:
    """Standard normal float32 from a CPU generator: one seed is one clip on every machine. `before` counts the draws of
    that shape that go before this one.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    draws = (torch.randn(shape, generator=generator, dtype=torch.float32) for _ in range(before + 1))
    return deque(draws, 1).pop()
