# SPDX-License-Identifier: GPL-3.0-or-later
"""The published models as data: one row each, with the defaults its makers sample with.

Values from `wan/configs/*.py` and `generate.py` of the original 2.1 and 2.2 implementations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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


@dataclass(frozen=True)
class Model:
    """Defaults of one model. `guide` is (low-noise, high-noise); `boundary` a share of the 1000 training timesteps.

    `frame_counts` and `sizes` list what it was trained for, the default first; sizes are (width, height). With a
    picture the product of `area` bounds the clip's size; None means that of the first of `sizes`. `small_shift` takes
    the place of `shift` at 832x480 and below. `modes` are what a clip can be held to, the best first: `first_last` and
    `first` picture, or the `text` alone.
    """

    title: str
    task: str
    shift: float
    steps: int
    guide: tuple[float, float]
    boundary: float | None
    frame_counts: tuple[int, ...]
    fps: float
    sizes: tuple[tuple[int, int], ...]
    negative: str = _NEGATIVE
    solver: str = "unipc"
    area: tuple[int, int] | None = None
    small_shift: float | None = None
    modes: tuple[str, ...] = ("first_last", "first")

    def shift_for(self, size: tuple[int, int]) -> float:
        """The default shift for a clip whose size, or area with a picture, was asked for as (width, height)."""
        small = size[0] * size[1] <= 832 * 480
        return self.small_shift if small and self.small_shift is not None else self.shift


T2V_A14B = Model(
    "Wan2.2 T2V-A14B", "text to video", 12.0, 40, (3.0, 4.0), 0.875, (81,), 16.0, _SIZES_720_480, modes=("text",)
)
I2V_A14B = Model("Wan2.2 I2V-A14B", "image to video", 5.0, 40, (3.5, 3.5), 0.9, (81,), 16.0, _SIZES_720_480)
TI2V_5B = Model(
    "Wan2.2 TI2V-5B",
    "text or image to video",
    5.0,
    50,
    (5.0, 5.0),
    None,
    (121,),
    24.0,
    ((1280, 704), (704, 1280)),
    modes=("first", "text"),
)
T2V_1_3B_V21 = Model(
    "Wan2.1 T2V-1.3B",
    "text to video",
    5.0,
    50,
    (5.0, 5.0),
    None,
    (81,),
    16.0,
    ((832, 480), (480, 832)),
    modes=("text",),
)
T2V_14B_V21 = replace(T2V_1_3B_V21, title="Wan2.1 T2V-14B", sizes=_SIZES_720_480)
I2V_14B_V21 = Model(
    "Wan2.1 I2V-14B",
    "image to video",
    5.0,
    40,
    (5.0, 5.0),
    None,
    (81,),
    16.0,
    _SIZES_720_480,
    negative="镜头晃动，" + _NEGATIVE,
    small_shift=3.0,
    modes=("first", "first_last"),  # trained with a first picture only
)
I2V_14B_480P_V21 = replace(I2V_14B_V21, title="Wan2.1 I2V-14B-480P", sizes=((832, 480), (480, 832)))
FLF2V_14B_V21 = Model(
    "Wan2.1 FLF2V-14B",
    "first and last frame to video",
    16.0,
    50,
    (5.0, 5.0),
    None,
    (81,),
    16.0,
    _SIZES_720_480,
    negative="镜头切换，镜头晃动，" + _NEGATIVE,
    modes=("first_last",),
)


def identify(
    experts: Collection[str],
    *,
    channel_conditioned: bool,
    latent_channels: int,
    dim: int,
    clip: bool,
    flf: bool,
    hints: str = "",
) -> Model:
    """The published model whose way of working the tensors show.

    `clip` and `flf` tell whether the transformer reads CLIP tokens of one or of two pictures; `dim` only separates
    the two 2.1 text models, so small checkpoints get the row of the larger or smaller one alike. `hints`, names of
    files and folders, tell the 480P image model from the 720P one, whose tensors look the same.
    """
    if clip:
        if flf:
            return FLF2V_14B_V21
        return I2V_14B_480P_V21 if "480p" in hints.lower() else I2V_14B_V21
    if channel_conditioned:
        return I2V_A14B
    if len(experts) == 2:
        return T2V_A14B
    if latent_channels != 16:
        return TI2V_5B
    return T2V_14B_V21 if dim >= 5120 else T2V_1_3B_V21


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
        if "area" in extra:
            width, height = extra["area"]
            changes["area"] = (int(width), int(height))
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
