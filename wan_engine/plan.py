# SPDX-License-Identifier: GPL-3.0-or-later
"""A request together with a checkpoint's defaults: every open choice settled, or a UsageError that says why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from . import images
from .checkpoint import Checkpoint
from .request import GenerationRequest, UsageError, check_frames
from .sizes import Size, check_size, size_for_cover, size_for_picture


@dataclass(frozen=True)
class Plan:
    """What will be made. `size` is (width, height), `latent_shape` [z, t, h, w].

    `first` and `last` are the pictures, [3, H, W] in -1..1 at that size, ready for the autoencoder.
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

    def expert(self, timestep: float) -> str:
        """high from the boundary up, low below it, dense when there is but one."""
        if self.boundary is None:
            return "dense"
        return "high" if timestep >= self.boundary * 1000 else "low"

    def guidance(self, expert: str) -> float:
        return self.guide[expert == "high"]


def make_plan(request: GenerationRequest, checkpoint: Checkpoint, stride: tuple[int, int, int], folder: Path) -> Plan:
    """Settle size, pictures and sampling. `stride` is the VAE's (t, h, w); pictures are read from `folder`."""
    model = checkpoint.model
    frames = _either(request.frames, model.frame_counts[0])
    check_frames(frames)
    size, first, last = _pictures(request, checkpoint, stride, folder)
    if last is not None and frames < 5:
        raise UsageError("A first and a last picture need at least 5 frames; ask for 5 or more.")
    two_experts = len(checkpoint.experts) == 2
    return Plan(
        prompt=request.prompt,
        negative=_either(request.negative, model.negative),
        size=size,
        frames=frames,
        latent_shape=(
            checkpoint.config.out_dim,
            (frames - 1) // stride[0] + 1,
            size[1] // stride[1],
            size[0] // stride[2],
        ),
        fps=_either(request.fps, model.fps),
        steps=_either(request.steps, model.steps),
        shift=_either(request.shift, model.shift),
        guide=_either(request.guide, model.guide),
        boundary=_either(request.boundary, model.boundary) if two_experts else None,
        solver=request.solver,
        seed=request.seed,
        first=first,
        last=last,
        warnings=tuple(_warnings(request, checkpoint, size, frames)),
    )


def _either(asked, default):
    return default if asked is None else asked


def _pictures(
    request: GenerationRequest, checkpoint: Checkpoint, stride: tuple[int, int, int], folder: Path
) -> tuple[Size, Tensor | None, Tensor | None]:
    """The output size and the prepared pictures, by the way this checkpoint is conditioned."""
    multiple = stride[1] * checkpoint.config.patch_size[1]
    asked = request.size or checkpoint.model.sizes[0]
    if request.image is None:
        if not checkpoint.text_to_video:
            raise UsageError(f"{checkpoint.model.title} starts from a picture; give one with --image.")
        check_size(asked, multiple)
        return asked, None, None
    if not checkpoint.channel_conditioned:
        _check_picture_is_possible(request, checkpoint, stride)
        picture = images.read_picture(folder / request.image)
        size = size_for_cover(picture.size, asked[0] * asked[1], multiple)
        return size, images.covered(picture, size), None
    picture = images.read_picture(folder / request.image)
    asked = request.size or checkpoint.model.area or asked
    size = _trained_size(picture.size, asked, checkpoint.trained_sizes) or size_for_picture(
        picture.size, asked[0] * asked[1], stride[1]
    )
    last = None
    if request.last_image is not None:
        last_picture = images.read_picture(folder / request.last_image)
        last = images.stretched(_same_aspect(last_picture, picture.size), size)
    return size, images.stretched(picture, size), last


def _check_picture_is_possible(
    request: GenerationRequest, checkpoint: Checkpoint, stride: tuple[int, int, int]
) -> None:
    """Without condition channels a picture is held by replacing latents, which only the 16-fold VAE's models learnt."""
    title = checkpoint.model.title
    if stride[1] != 16:
        raise UsageError(
            f"{title} makes video from text only; leave out the picture or use an image-to-video checkpoint."
        )
    if request.last_image is not None:
        raise UsageError(f"{title} cannot hold a last picture; leave it out or use an I2V-A14B checkpoint.")


def _trained_size(picture: Size, asked: Size, trained: tuple[Size, ...]) -> Size | None:
    """The trained size of exactly the picture's aspect ratio and the asked area.

    The published rounding can land below a size that fits exactly (832x480 becomes 832x464).
    """
    for width, height in trained:
        if width * height == asked[0] * asked[1] and width * picture[1] == height * picture[0]:
            return width, height
    return None


def _same_aspect(last: Image.Image, first: Size) -> Image.Image:
    return last if last.size == first else images.cropped_to_aspect(last, first)


def _warnings(request: GenerationRequest, checkpoint: Checkpoint, size: Size, frames: int) -> list[str]:
    model = checkpoint.model
    found = []
    if frames not in model.frame_counts:
        counts = ", ".join(map(str, model.frame_counts))
        found.append(f"{model.title} was made for {counts} frames; {frames} may look worse.")
    if checkpoint.trained_sizes and size not in checkpoint.trained_sizes:
        sizes = ", ".join(f"{width}x{height}" for width, height in checkpoint.trained_sizes)
        found.append(f"{model.title} was made for {sizes}; {size[0]}x{size[1]} may look worse.")
    if request.boundary is not None and len(checkpoint.experts) == 1:
        found.append(f"{model.title} has a single expert; the boundary has no effect.")
    return found


def noise(seed: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32 from a CPU generator: one seed is one clip on every machine."""
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed), dtype=torch.float32)
