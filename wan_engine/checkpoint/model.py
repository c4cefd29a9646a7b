# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model is: the inputs that its transformer reads, its extra modules, and the defaults it is sampled with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, reason_of

NEGATIVE = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，"
    "JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，"
    "手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走"
)
SIZES_720_480 = ((1280, 720), (720, 1280), (832, 480), (480, 832))
SIZES_480 = ((832, 480), (480, 832))

# What may be stacked along the transformer's input channels: as wide as the latents, or (a number) of its own width.
INPUTS: dict[str, int | None] = {"noise": None, "mask": 4, "picture": None, "start": None, "control": None}
# What a clip can be made from, in words.
MODES = {
    "control": "a control clip",
    "camera": "the path of a camera",
    "first_last": "a first and a last frame",
    "first": "a first frame",
    "text": "text alone",
    "motion": "a rough animation",
}
# What a request may hold a clip to besides: options, and in words what they give.
CONTROLS = {
    "control_video": "a control clip",
    "control_mask": "a control mask",
    "control_scale": "a strength of control",
    "control_share": "a share of steps with control",
    "reference": "reference pictures",
    "camera": "a camera",
}
_TASKS = {"first_last": "first and last frame", "first": "first frame", "text": "text"}


@dataclass(frozen=True)
class Module:
    """Tensors that some transformers have beside those of the text models. `shown_by` is the published name of one that
    the module always has, `needs` another one, `tensors` a pattern for the names of all. `context` is how many tokens
    the module adds to the prompt's for the cross attention to read, `frames` how many latent frames' tokens to the
    clip's.
    """

    shown_by: str
    tensors: str
    context: int = 0
    frames: int = 0
    needs: str = ""


BLOCK = r"\d+\.(?:modulation$|norm\d\.|(?:self|cross)_attn\.|ffn\.)"
MODULES: dict[str, Module] = {
    "clip": Module("img_emb.proj.1.weight", r"img_emb\.proj\.|blocks\.\d+\.cross_attn\.\w+_img\.", context=257),
    "clip_of_two": Module("img_emb.emb_pos", r"img_emb\.emb_pos$", context=257),  # of the last picture, too
    "reference": Module("ref_conv.weight", r"ref_conv\.(?:weight|bias)$", frames=1),
    "camera": Module("control_adapter.conv.weight", r"control_adapter\."),
    "vace": Module(
        "vace_patch_embedding.weight",
        rf"vace_patch_embedding\.|vace_blocks\.(?:{BLOCK}|\d+\.(?:before|after)_proj\.)",
        needs="vace_blocks.0.before_proj.weight",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model. `name` is what `download` calls it ("" where it cannot be downloaded), `repo` the hub's repository.

    What its tensors show: `inputs` are stacked along the transformer's input channels in this order (keys of INPUTS),
    `modules` are its extra tensors (keys of MODULES), `latent_channels` those of its autoencoder, `dim` the published
    width. `experts` is 2 for a high-noise and a low-noise transformer; `merged` tells that there are files in which
    both are merged into one. What no tensor shows is looked for in the names of files and folders, by the pattern
    `named`.

    `modes` are what a clip can be held to, the best first (keys of MODES), `controls` what else can be given (keys of
    CONTROLS). A first picture that is `held` has its latents put back after every step, and their tokens are told
    timestep 0. `fit` tells how size and picture come together: the clip's shape is the picture's, which is then
    `stretch`ed a little or made to `cover` the clip and cropped; or the clip has the size that was asked for and
    pictures are `resize`d to it, whatever their shape.

    Defaults of sampling: `guide` is (low-noise, high-noise); `boundary` a share of the 1000 training timesteps;
    `small_shift` takes the place of `shift` at 832x480 and below, `other_shift` with another solver than its own.
    `frame_counts` and `sizes`, (width, height), list
    what it was trained for, the default first; `only_listed` tells that it has seen no other sizes. No shot is made of
    less than the `fewest` frames, by default what a first and a last picture need. With a picture the product of `area`
    bounds the clip's size; None means that of the first of `sizes`. `upscale` is how much larger than the model makes
    it a clip is best shown, 2 or 4, 0 for not at all.
    """

    title: str
    name: str = ""
    repo: str = ""
    inputs: tuple[str, ...] = ("noise",)
    modules: frozenset[str] = frozenset()
    latent_channels: int = 16
    experts: int = 1
    merged: bool = False
    dim: int
    named: str = ""
    modes: tuple[str, ...] = ("first_last", "first")
    controls: tuple[str, ...] = ()
    fit: str = "stretch"
    held: bool = False
    shift: float
    small_shift: float | None = None
    other_shift: float | None = None
    steps: int
    guide: tuple[float, float]
    boundary: float | None = None
    frame_counts: tuple[int, ...] = (81,)
    fewest: int = 5
    fps: float = 16.0
    sizes: tuple[tuple[int, int], ...] = SIZES_720_480
    only_listed: bool = False
    area: tuple[int, int] | None = None
    negative: str = NEGATIVE
    solver: str = "unipc"
    upscale: int = 0

    @property
    def in_channels(self) -> int:
        """The transformer's input channels."""
        return sum(INPUTS[name] or self.latent_channels for name in self.inputs)

    @property
    def stride(self) -> tuple[int, int, int]:
        """Frames, rows and columns of pixels that one latent stands for."""
        return (4, 16, 16) if self.latent_channels == 48 else (4, 8, 8)

    @property
    def longest(self) -> int:
        """The most frames that it was trained to make at once."""
        return max(self.frame_counts)

    @property
    def takes_pictures(self) -> bool:
        """Whether a clip can be held to a picture."""
        return self.modes != ("text",)

    @property
    def clip_pictures(self) -> int:
        """How many pictures the cross attention reads through CLIP."""
        return len(self.modules & {"clip", "clip_of_two"})

    @property
    def task(self) -> str:
        """What it makes clips from, in words."""
        return f"{' or '.join(_TASKS[mode] for mode in self.modes)} to video"

    def shift_for(self, size: tuple[int, int], solver: str | None = None) -> float:
        """The default shift for a clip whose size, or area with a picture, was asked for as (width, height), with that
        solver; None is the model's own.
        """
        small = size[0] * size[1] <= 832 * 480
        if solver not in (None, self.solver) and self.other_shift is not None:
            return self.other_shift
        return self.small_shift if small and self.small_shift is not None else self.shift


def overridden(model: Model, extra: Mapping[str, Any], folder: Path) -> Model:
    """The model's defaults with those of `wan_previs.json` in `folder` put over them. Raises CheckpointError."""
    try:
        changes: dict[str, Any] = {key: str(extra[key]) for key in ("title", "negative") if key in extra}
        changes |= {key: float(extra[key]) for key in ("fps", "shift", "boundary") if key in extra}
        if "shift" in extra:
            changes["small_shift"] = changes["other_shift"] = None  # the stated one rules everywhere
        changes |= {key: int(extra[key]) for key in ("steps", "upscale") if key in extra}
        if "guide" in extra:
            low, high = extra["guide"]
            changes["guide"] = (float(low), float(high))
        if "frames" in extra:
            changes["frame_counts"] = tuple(int(count) for count in extra["frames"])
        if "sizes" in extra:
            changes["sizes"] = tuple((int(width), int(height)) for width, height in extra["sizes"])
            changes["only_listed"] = True
        if "area" in extra:
            width, height = extra["area"]
            changes["area"] = (int(width), int(height))
        if "per_token_times" in extra:
            changes["held"] = bool(extra["per_token_times"])
        if "text_to_video" in extra:
            pictures = tuple(mode for mode in model.modes if mode != "text")
            changes["modes"] = (*pictures, "text") if extra["text_to_video"] else pictures
        changed = replace(model, **changes)
        _check_defaults(changed)
    except (TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"{folder / 'wan_previs.json'} has a value of the wrong kind ({reason_of(error)}); mend it."
        ) from error
    return changed


def _check_defaults(model: Model) -> None:
    if not (model.shift > 0 and model.steps > 0 and 0.01 <= model.fps <= 1000):
        raise ValueError("shift and steps must be positive, fps from 0.01 to 1000")
    if model.boundary is not None and not 0 <= model.boundary <= 1:
        raise ValueError("boundary must be from 0 to 1")
    if not model.frame_counts or any(count < 1 or count % 4 != 1 for count in model.frame_counts):
        raise ValueError("frames must list counts of 4n+1")
    if not model.sizes or any(min(size) < 1 for size in (*model.sizes, model.area or (1, 1))):
        raise ValueError("sizes must list pairs of width and height, area be one")
    if model.upscale not in (0, 2, 4):
        raise ValueError("upscale must be 0, 2 or 4")
    if not model.modes:
        raise ValueError("without text_to_video there is nothing that this model makes a clip from")
