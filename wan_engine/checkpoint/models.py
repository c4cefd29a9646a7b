# SPDX-License-Identifier: GPL-3.0-or-later
"""The published models as data, one row each: what the transformer reads, and the defaults its makers sample with.

Detection, planning, the memory plan, `inspect`, Blender's side and `download` read the row. A model that is published
later is one more row, and where it has tensors that no other has, one more module.

Values from `wan/configs/*.py` and `generate.py` of the original 2.1 and 2.2 implementations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import CheckpointError

_NEGATIVE = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，"
    "JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，"
    "手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走"
)
_SIZES_720_480 = ((1280, 720), (720, 1280), (832, 480), (480, 832))
_SIZES_480 = ((832, 480), (480, 832))

# What may be stacked along the transformer's input channels: as wide as the latents, or (a number) of its own width.
INPUTS: dict[str, int | None] = {"noise": None, "mask": 4, "picture": None, "start": None, "control": None}
# What a clip can be held to, in words.
MODES = {"first_last": "a first and a last frame", "first": "a first frame", "text": "text alone"}
# What a request may hold a clip to besides: options, and in words what they give.
CONTROLS = {
    "control_video": "a control clip",
    "control_mask": "a control mask",
    "control_scale": "a strength of control",
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


_BLOCK = r"\d+\.(?:modulation$|norm\d\.|(?:self|cross)_attn\.|ffn\.)"
MODULES: dict[str, Module] = {
    "clip": Module("img_emb.proj.1.weight", r"img_emb\.proj\.|blocks\.\d+\.cross_attn\.\w+_img\.", context=257),
    "clip_of_two": Module("img_emb.emb_pos", r"img_emb\.emb_pos$", context=257),  # of the last picture, too
    "reference": Module("ref_conv.weight", r"ref_conv\.(?:weight|bias)$", frames=1),
    "camera": Module("control_adapter.conv.weight", r"control_adapter\."),
    "vace": Module(
        "vace_patch_embedding.weight",
        rf"vace_patch_embedding\.|vace_blocks\.(?:{_BLOCK}|\d+\.(?:before|after)_proj\.)",
        needs="vace_blocks.0.before_proj.weight",
    ),
}
# The tensors of every transformer.
_COMMON = rf"(?:(?:patch|text|time)_embedding|time_projection|head)\.|blocks\.{_BLOCK}"
_KNOWN = re.compile("|".join([_COMMON, *(module.tensors for module in MODULES.values())]))


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
    `small_shift` takes the place of `shift` at 832x480 and below. `frame_counts` and `sizes`, (width, height), list
    what it was trained for, the default first; `only_listed` tells that it has seen no other sizes. With a picture the
    product of `area` bounds the clip's size; None means that of the first of `sizes`.
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
    steps: int
    guide: tuple[float, float]
    boundary: float | None = None
    frame_counts: tuple[int, ...] = (81,)
    fps: float = 16.0
    sizes: tuple[tuple[int, int], ...] = _SIZES_720_480
    only_listed: bool = False
    area: tuple[int, int] | None = None
    negative: str = _NEGATIVE
    solver: str = "unipc"

    @property
    def in_channels(self) -> int:
        """The transformer's input channels."""
        return sum(INPUTS[name] or self.latent_channels for name in self.inputs)

    @property
    def stride(self) -> tuple[int, int, int]:
        """Frames, rows and columns of pixels that one latent stands for."""
        return (4, 16, 16) if self.latent_channels == 48 else (4, 8, 8)

    @property
    def takes_pictures(self) -> bool:
        return self.modes != ("text",)

    @property
    def clip_pictures(self) -> int:
        """How many pictures the cross attention reads through CLIP."""
        return len(self.modules & {"clip", "clip_of_two"})

    @property
    def task(self) -> str:
        """What it makes clips from, in words."""
        return f"{' or '.join(_TASKS[mode] for mode in self.modes)} to video"

    def shift_for(self, size: tuple[int, int]) -> float:
        """The default shift for a clip whose size, or area with a picture, was asked for as (width, height)."""
        small = size[0] * size[1] <= 832 * 480
        return self.small_shift if small and self.small_shift is not None else self.shift


T2V_A14B = Model(
    title="Wan2.2 T2V-A14B",
    name="Wan2.2-T2V-A14B",
    repo="Wan-AI/Wan2.2-T2V-A14B",
    experts=2,
    dim=5120,
    modes=("text",),
    shift=12.0,
    steps=40,
    guide=(3.0, 4.0),
    boundary=0.875,
)
I2V_A14B = Model(
    title="Wan2.2 I2V-A14B",
    name="Wan2.2-I2V-A14B",
    repo="Wan-AI/Wan2.2-I2V-A14B",
    inputs=("noise", "mask", "picture"),
    experts=2,
    merged=True,
    dim=5120,
    shift=5.0,
    steps=40,
    guide=(3.5, 3.5),
    boundary=0.9,
)
TI2V_5B = Model(
    title="Wan2.2 TI2V-5B",
    name="Wan2.2-TI2V-5B",
    repo="Wan-AI/Wan2.2-TI2V-5B",
    latent_channels=48,
    dim=3072,
    modes=("first", "text"),
    fit="cover",
    held=True,
    shift=5.0,
    steps=50,
    guide=(5.0, 5.0),
    frame_counts=(121,),
    fps=24.0,
    sizes=((1280, 704), (704, 1280)),
)
T2V_1_3B_V21 = Model(
    title="Wan2.1 T2V-1.3B",
    name="Wan2.1-T2V-1.3B",
    repo="Wan-AI/Wan2.1-T2V-1.3B",
    dim=1536,
    modes=("text",),
    shift=5.0,
    steps=50,
    guide=(5.0, 5.0),
    sizes=_SIZES_480,
)
T2V_14B_V21 = replace(
    T2V_1_3B_V21,
    title="Wan2.1 T2V-14B",
    name="Wan2.1-T2V-14B",
    repo="Wan-AI/Wan2.1-T2V-14B",
    dim=5120,
    sizes=_SIZES_720_480,
)
I2V_14B_V21 = Model(
    title="Wan2.1 I2V-14B",
    name="Wan2.1-I2V-14B-720P",
    repo="Wan-AI/Wan2.1-I2V-14B-720P",
    inputs=("noise", "mask", "picture"),
    modules=frozenset({"clip"}),
    dim=5120,
    modes=("first", "first_last"),  # trained with a first picture only
    shift=5.0,
    small_shift=3.0,
    steps=40,
    guide=(5.0, 5.0),
    negative="镜头晃动，" + _NEGATIVE,
)
I2V_14B_480P_V21 = replace(
    I2V_14B_V21,
    title="Wan2.1 I2V-14B-480P",
    name="Wan2.1-I2V-14B-480P",
    repo="Wan-AI/Wan2.1-I2V-14B-480P",
    named="480p",
    sizes=_SIZES_480,
)
FLF2V_14B_V21 = Model(
    title="Wan2.1 FLF2V-14B",
    name="Wan2.1-FLF2V-14B",
    repo="Wan-AI/Wan2.1-FLF2V-14B-720P",
    inputs=("noise", "mask", "picture"),
    modules=frozenset({"clip", "clip_of_two"}),
    dim=5120,
    modes=("first_last",),
    shift=16.0,
    steps=50,
    guide=(5.0, 5.0),
    negative="镜头切换，镜头晃动，" + _NEGATIVE,
)
# The Fun models of VideoX-Fun: control by a clip or a camera, or pictures alone, whose tensors may be those of I2V.
_FUN_NAMED = r"fun.*inp|videox-fun"
FUN_A14B_INP = Model(
    title="Wan2.2 Fun-A14B-InP",
    name="Wan2.2-Fun-A14B-InP",
    repo="alibaba-pai/Wan2.2-Fun-A14B-InP",
    inputs=("noise", "mask", "picture"),
    experts=2,
    merged=True,
    dim=5120,
    named=_FUN_NAMED,
    modes=("first_last", "first", "text"),
    fit="resize",
    shift=5.0,
    steps=50,
    guide=(6.0, 6.0),
    boundary=0.9,
    sizes=_SIZES_480,
    solver="flow",
)
FUN_A14B_CONTROL = replace(
    FUN_A14B_INP,
    title="Wan2.2 Fun-A14B-Control",
    name="Wan2.2-Fun-A14B-Control",
    repo="alibaba-pai/Wan2.2-Fun-A14B-Control",
    inputs=("noise", "control", "mask", "picture"),
    modules=frozenset({"reference"}),
    named="",
    controls=("control_video", "reference"),
    sizes=((480, 832), (832, 480)),
)
FUN_A14B_CAMERA = replace(
    FUN_A14B_INP,
    title="Wan2.2 Fun-A14B-Control-Camera",
    name="Wan2.2-Fun-A14B-Control-Camera",
    repo="alibaba-pai/Wan2.2-Fun-A14B-Control-Camera",
    modules=frozenset({"camera"}),
    named="",
    controls=("camera",),
)
FUN_5B_INP = replace(
    FUN_A14B_INP,
    title="Wan2.2 Fun-5B-InP",
    name="Wan2.2-Fun-5B-InP",
    repo="alibaba-pai/Wan2.2-Fun-5B-InP",
    latent_channels=48,
    experts=1,
    merged=False,
    dim=3072,
    named="",
    held=True,
    boundary=None,
    frame_counts=(121,),
    fps=24.0,
    sizes=((1280, 704), (704, 1280)),
)
FUN_5B_CONTROL = replace(
    FUN_5B_INP,
    title="Wan2.2 Fun-5B-Control",
    name="Wan2.2-Fun-5B-Control",
    repo="alibaba-pai/Wan2.2-Fun-5B-Control",
    inputs=FUN_A14B_CONTROL.inputs,
    modules=FUN_A14B_CONTROL.modules,
    controls=FUN_A14B_CONTROL.controls,
    steps=40,
    sizes=((704, 1280), (1280, 704)),
)
FUN_5B_CAMERA = replace(
    FUN_5B_INP,
    title="Wan2.2 Fun-5B-Control-Camera",
    name="Wan2.2-Fun-5B-Control-Camera",
    repo="alibaba-pai/Wan2.2-Fun-5B-Control-Camera",
    modules=FUN_A14B_CAMERA.modules,
    controls=FUN_A14B_CAMERA.controls,
    frame_counts=(81,),
)
FUN_14B_INP_V21 = replace(
    FUN_A14B_INP,
    title="Wan2.1 Fun-V1.1-14B-InP",
    name="Wan2.1-Fun-V1.1-14B-InP",
    repo="alibaba-pai/Wan2.1-Fun-V1.1-14B-InP",
    modules=frozenset({"clip"}),
    experts=1,
    merged=False,
    boundary=None,
)
FUN_14B_CONTROL_V21 = replace(
    FUN_14B_INP_V21,
    title="Wan2.1 Fun-V1.1-14B-Control",
    name="Wan2.1-Fun-V1.1-14B-Control",
    repo="alibaba-pai/Wan2.1-Fun-V1.1-14B-Control",
    inputs=("noise", "control", "start"),
    modules=frozenset({"clip", "reference"}),
    named="",
    modes=("first", "text"),
    controls=FUN_A14B_CONTROL.controls,
    frame_counts=(49,),
    sizes=FUN_A14B_CONTROL.sizes,
)
FUN_14B_CONTROL_V10 = replace(
    FUN_14B_CONTROL_V21,
    title="Wan2.1 Fun-14B-Control",
    name="Wan2.1-Fun-14B-Control",
    repo="alibaba-pai/Wan2.1-Fun-14B-Control",
    modules=frozenset({"clip"}),
)
FUN_14B_CAMERA_V21 = replace(
    FUN_14B_CONTROL_V21,
    title="Wan2.1 Fun-V1.1-14B-Control-Camera",
    name="Wan2.1-Fun-V1.1-14B-Control-Camera",
    repo="alibaba-pai/Wan2.1-Fun-V1.1-14B-Control-Camera",
    inputs=("noise", "start"),
    modules=frozenset({"clip", "camera"}),
    controls=("camera", "reference"),
    frame_counts=(81,),
    sizes=_SIZES_480,
)


def _of_1_3b(row: Model) -> Model:
    """The small one of two 2.1 models that are alike in all but their width."""
    names = {key: getattr(row, key).replace("14B", "1.3B") for key in ("title", "name", "repo")}
    return replace(row, dim=1536, **names)


FUN_V21 = (FUN_14B_INP_V21, FUN_14B_CONTROL_V21, FUN_14B_CONTROL_V10, FUN_14B_CAMERA_V21)
VACE_1_3B_V21 = replace(
    T2V_1_3B_V21,
    title="Wan2.1 VACE-1.3B",
    name="Wan2.1-VACE-1.3B",
    repo="Wan-AI/Wan2.1-VACE-1.3B",
    modules=frozenset({"vace"}),
    controls=("control_video", "control_mask", "control_scale", "reference"),
    shift=16.0,
)
VACE_14B_V21 = replace(
    VACE_1_3B_V21,
    title="Wan2.1 VACE-14B",
    name="Wan2.1-VACE-14B",
    repo="Wan-AI/Wan2.1-VACE-14B",
    dim=5120,
    sizes=_SIZES_720_480,
)
VACE_FUN_A14B = replace(
    T2V_A14B,
    title="Wan2.2 VACE-Fun-A14B",
    name="Wan2.2-VACE-Fun-A14B",
    repo="alibaba-pai/Wan2.2-VACE-Fun-A14B",
    modules=VACE_1_3B_V21.modules,
    controls=VACE_1_3B_V21.controls,
    fit="resize",
    steps=50,
    guide=(5.0, 5.0),
    sizes=_SIZES_480,
)
# Two experts over the 2.2 autoencoder are nobody else's; `wan_previs.json` beside them states their defaults.
NANO = replace(I2V_A14B, title="Wan Previs nano", name="", repo="", latent_channels=48, merged=False, dim=256)
NANO_CONTROL, NANO_CAMERA = (
    replace(NANO, inputs=row.inputs, modules=row.modules, controls=row.controls, modes=row.modes, fit=row.fit)
    for row in (FUN_5B_CONTROL, FUN_5B_CAMERA)
)

ROWS = (
    T2V_A14B,
    I2V_A14B,
    TI2V_5B,
    T2V_1_3B_V21,
    T2V_14B_V21,
    I2V_14B_V21,
    I2V_14B_480P_V21,
    FLF2V_14B_V21,
    FUN_A14B_INP,
    FUN_A14B_CONTROL,
    FUN_A14B_CAMERA,
    FUN_5B_INP,
    FUN_5B_CONTROL,
    FUN_5B_CAMERA,
    *FUN_V21,
    *map(_of_1_3b, FUN_V21),
    VACE_1_3B_V21,
    VACE_14B_V21,
    VACE_FUN_A14B,
    NANO,
    NANO_CONTROL,
    NANO_CAMERA,
)


@dataclass(frozen=True)
class Evidence:
    """What headers and names tell of a transformer: its input and latent channels, its width, the number of experts,
    the modules it has, and the `names` of files and folders.
    """

    in_channels: int
    latent_channels: int
    dim: int
    experts: int
    modules: frozenset[str]
    names: str = ""

    def fits(self, row: Model) -> bool:
        """Whether this may be that model."""
        return (
            (row.in_channels, row.latent_channels, row.modules)
            == (self.in_channels, self.latent_channels, self.modules)
            and (self.experts == row.experts or (self.experts == 1 and row.merged))
            and re.search(row.named, self.names, re.IGNORECASE) is not None
        )


def identify(found: Evidence) -> Model | None:
    """The row that fits best, None where none does.

    Rows whose tensors differ in nothing but the width are told apart by it (a small checkpoint is taken for the
    smallest of them), those that differ in nothing at all by names.
    """

    def closeness(row: Model) -> tuple[bool, bool, int]:
        return row.experts == found.experts, bool(row.named), row.dim if row.dim <= found.dim else -row.dim

    return max(filter(found.fits, ROWS), key=closeness, default=None)


def half_of(row: Model, found: Evidence) -> Model | None:
    """The model of two experts each of which looks like the whole model `row`, at the published width; None without
    one."""
    pair = replace(found, experts=2)
    if row.experts == 2 or row.dim != found.dim:
        return None
    return next((other for other in ROWS if other.dim == row.dim and pair.fits(other)), None)


def modules_of(names: Mapping[str, object]) -> frozenset[str]:
    """The modules that a transformer with tensors of these published names has."""
    return frozenset(name for name, module in MODULES.items() if module.shown_by in names)


def lacking_tensor(names: Mapping[str, object]) -> str | None:
    """The published name of a tensor without which a module, of which others of these are, cannot be; None where every
    module is whole or not there."""
    for module in MODULES.values():
        lacking = [name for name in (module.shown_by, module.needs) if name and name not in names]
        if lacking and any(re.match(module.tensors, name) for name in names):
            return lacking[0]
    return None


def unknown_tensor(names: Mapping[str, object]) -> str | None:
    """The published name of a tensor that no model here has, such as those that follow sound; None without one."""
    return next((name for name in names if "." in name and not _KNOWN.match(name)), None)


def overridden(model: Model, extra: Mapping[str, Any], folder: Path) -> Model:
    """The model's defaults with those of `wan_previs.json` in `folder` put over them. Raises CheckpointError."""
    try:
        changes: dict[str, Any] = {key: str(extra[key]) for key in ("title", "negative") if key in extra}
        changes |= {key: float(extra[key]) for key in ("fps", "shift", "boundary") if key in extra}
        if "shift" in extra:
            changes["small_shift"] = None  # the stated one rules at every size
        if "steps" in extra:
            changes["steps"] = int(extra["steps"])
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
        raise CheckpointError(f"{folder / 'wan_previs.json'} has a value of the wrong kind ({error}).") from error
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
    if not model.modes:
        raise ValueError("without text_to_video there is nothing that this model makes a clip from")
