# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LoRAs that distil a model to four steps, one row each: their files, sampling and experts; and what
speaks against sampling a model as a request asks for.

A LoRA that is published later is one more row. Facts are read off the makers' own code:
`Wan2.2-Lightning` (`wan/configs/wan_{t2v,i2v}_A14B.py`, `wan/utils/fm_solvers_euler.py`, README) and LightX2V
(`configs/distill/wan2{1,2}/*lora*.json`, `models/schedulers/wan/step_distill/scheduler.py`), whose scheduler for two
experts takes Euler's steps and the one for a single transformer adds fresh noise after each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any

from ..options import PRESETS
from ..request import GenerationRequest
from ..request_parts import Lora
from .model import Model

PRESET = "lightning"
_FEW = 8  # steps that need distilled weights
_MANY = 20  # steps of models that were not distilled, at least
_DISTILLED = re.compile(r"(?i)lightning|lightx2v|(?<![\da-z])4[-_ ]?steps?(?![a-z])|step[-_ ]?distill")
_KINDS = {"t2v": "text", "i2v": "a picture"}
_KIND = re.compile(r"(?i)(?<![a-z])(t2v|i2v)(?![a-z])")
_VERSION = re.compile(r"(?i)wan[-_ ]?(2)[._-]?([12])(?!\d)")


@dataclass(frozen=True, kw_only=True)
class Distilled:
    """One published LoRA. `name` is what `download` calls it, `repo` the hub's repository, `files` its file for each
    expert (`high` and `low`, or `both` where there is but one transformer), each at strength 1.

    `models` are names of rows of `models.py` that it was distilled from, `also` of those with the same layers with
    which others use it. `size` is how many bytes are downloaded, about. `guide` is (low-noise, high-noise).
    """

    name: str
    repo: str
    files: Mapping[str, str]
    models: tuple[str, ...]
    also: tuple[str, ...] = ()
    size: int
    steps: int = 4
    shift: float = 5.0
    guide: tuple[float, float] = (1.0, 1.0)
    solver: str = "euler"
    license: str = "Apache-2.0"

    @property
    def sampling(self) -> dict[str, Any]:
        """The fields of a request that it is sampled with."""
        return {"steps": self.steps, "shift": self.shift, "guide": self.guide, "solver": self.solver}


def _lightning(folder: str) -> dict[str, str]:
    return {expert: f"{folder}/{expert}_noise_model.safetensors" for expert in ("high", "low")}


def _distill_loras(kind: str, date: str) -> dict[str, str]:
    name = f"wan2.2_{kind}_A14b_{{}}_noise_lora_rank64_lightx2v_4step_{date}.safetensors"
    return {expert: name.format(expert) for expert in ("high", "low")}


_RANK_64 = 306_708_480  # numbers of a LoRA of rank 64 for the attentions' and the FFN's layers of 40 blocks, computed
_FUN_A14B = tuple(f"Wan2.2-Fun-A14B-{kind}" for kind in ("InP", "Control", "Control-Camera"))
# The first row of a model is the one that its preset takes.
ROWS = (
    Distilled(
        name="Wan2.2-T2V-A14B-4steps",
        repo="lightx2v/Wan2.2-Lightning",
        files=_lightning("Wan2.2-T2V-A14B-4steps-lora-rank64-Seko-V1.1"),
        models=("Wan2.2-T2V-A14B",),
        size=2 * 4 * _RANK_64,
    ),
    Distilled(
        name="Wan2.2-I2V-A14B-4steps",
        repo="lightx2v/Wan2.2-Lightning",
        files=_lightning("Wan2.2-I2V-A14B-4steps-lora-rank64-Seko-V1"),
        models=("Wan2.2-I2V-A14B",),
        also=_FUN_A14B,
        size=2 * 4 * _RANK_64,
    ),
    Distilled(
        name="Wan2.2-T2V-A14B-4steps-1217",
        repo="lightx2v/Wan2.2-Distill-Loras",
        files=_distill_loras("t2v", "1217"),
        models=("Wan2.2-T2V-A14B",),
        size=2 * 2 * _RANK_64,
    ),
    Distilled(
        name="Wan2.2-I2V-A14B-4steps-1022",
        repo="lightx2v/Wan2.2-Distill-Loras",
        files=_distill_loras("i2v", "1022"),
        models=("Wan2.2-I2V-A14B",),
        also=_FUN_A14B,
        size=2 * 2 * _RANK_64,
    ),
    Distilled(
        name="Wan2.1-T2V-14B-4steps",
        repo="lightx2v/Wan2.1-Distill-Loras",
        files={"both": "wan2.1_t2v_14b_lora_rank64_lightx2v_4step.safetensors"},
        models=("Wan2.1-T2V-14B",),
        also=("Wan2.1-VACE-14B",),
        size=2 * _RANK_64,
        solver="lcm",
    ),
    Distilled(
        name="Wan2.1-I2V-14B-4steps",
        repo="lightx2v/Wan2.1-Distill-Loras",
        files={"both": "wan2.1_i2v_lora_rank64_lightx2v_4step.safetensors"},
        models=("Wan2.1-I2V-14B-480P", "Wan2.1-I2V-14B-720P"),
        size=739_472_104,
        solver="lcm",
    ),
)
BY_NAME: Mapping[str, Distilled] = MappingProxyType({row.name: row for row in ROWS})


def distilled_for(model: Model) -> Distilled | None:
    """The LoRA that brings this model to four steps; None without one."""
    return next((row for row in ROWS if model.name and model.name in (*row.models, *row.also)), None)


def sampling_of(model: Model, preset: str | None) -> Mapping[str, Any]:
    """The fields of a request that a preset sets for this model; none without a preset."""
    if preset is None:
        return {}
    row = distilled_for(model)
    return PRESETS[preset] if row is None else row.sampling


def is_distilled(path: str) -> bool:
    """Whether the name of a file or folder, or of the folder around it, says that it is distilled."""
    return _DISTILLED.search(_names(path)) is not None


def sampling_notes(request: GenerationRequest, model: Model) -> list[str]:
    """What speaks against sampling `model` as `request` asks for, by the names of its LoRAs and checkpoint: weights
    and steps that do not belong together, an expert without its file, a LoRA of another kind of model.
    """
    asked = request.with_preset(sampling_of(model, request.preset))
    steps = model.steps if asked.steps is None else asked.steps
    guide = model.guide if asked.guide is None else asked.guide
    distilled = [lora for lora in request.loras if lora.strength and is_distilled(lora.path)]
    if not distilled:
        return list(_undistilled(request, model, steps))
    return [
        *_oversampled(distilled, steps, guide),
        *_otherwise(distilled, asked, model),
        *_lacking_expert(distilled, model),
        *_of_other_models(distilled, model),
    ]


def _undistilled(request: GenerationRequest, model: Model, steps: int) -> Iterator[str]:
    if steps > _FEW or model.steps < _MANY or is_distilled(request.checkpoint):
        return
    row = distilled_for(model)
    where = "" if row is None else f" ({row.name} can be downloaded)"
    yield (
        f"{_count(steps)} enough for distilled weights only; give their LoRA{where} unless the checkpoint has it, or "
        f"take more steps: {model.title} was made for {model.steps}."
    )


def _oversampled(distilled: Sequence[Lora], steps: int, guide: tuple[float, float]) -> Iterator[str]:
    wrong = [f"{steps} steps"] if steps > _FEW else []
    wrong += [f"guidance {max(guide):g}"] if guide != (1.0, 1.0) else []
    if wrong:
        yield (
            f"The LoRA {_name(distilled[0])} was distilled for 4 steps at guidance 1; with {' and '.join(wrong)} clips "
            f"come out overdone, and take longer. Choose the preset {PRESET}, or leave out the LoRA."
        )


def _otherwise(distilled: Sequence[Lora], asked: GenerationRequest, model: Model) -> Iterator[str]:
    row = distilled_for(model)
    if row is None or asked.steps is None or asked.steps > _FEW:
        return
    solver = asked.solver or model.solver
    shift = model.shift if asked.shift is None else asked.shift
    if (solver, shift) != (row.solver, row.shift):
        yield (
            f"The LoRA {_name(distilled[0])} was distilled for {row.solver} at shift {row.shift:g}, and the clip is "
            f"sampled with {solver} at shift {shift:g}. Choose the preset {PRESET}."
        )


def _lacking_expert(distilled: Sequence[Lora], model: Model) -> Iterator[str]:
    told = {lora.expert for lora in distilled}
    if model.experts == 2 and len(told) == 1 and "both" not in told:
        lacking = "low" if told == {"high"} else "high"
        yield (
            f"The {lacking}-noise expert lacks its half of the distilled LoRA {_name(distilled[0])}, and four steps "
            f"are too few for it without. Give the {lacking}-noise file too."
        )


def _of_other_models(distilled: Sequence[Lora], model: Model) -> Iterator[str]:
    """A LoRA of text to video on a model that reads a picture, or the other way round; of 2.1 on 2.2 likewise."""
    reads = "i2v" if "picture" in model.inputs else "t2v"
    version = _VERSION.search(model.name)
    for lora in distilled:
        kind, other = _KIND.search(_names(lora.path)), _VERSION.search(_names(lora.path))
        made_for = kind[1].lower() if kind and "start" not in model.inputs else reads
        if made_for != reads:
            yield (
                f"The LoRA {_name(lora)} was distilled for models that start from {_KINDS[made_for]} "
                f"({made_for.upper()}), and {model.title} starts from {_KINDS[reads]}. Use the one made for it."
            )
        elif other and version and other[2] != version[2]:
            yield (
                f"The LoRA {_name(lora)} was distilled from Wan2.{other[2]}, and this is {model.title}. Use the one "
                "made for it."
            )


def _count(steps: int) -> str:
    return "Four steps are" if steps == 4 else "One step is" if steps == 1 else f"{steps} steps are"


def _name(lora: Lora) -> str:
    return PureWindowsPath(lora.path).name


def _names(path: str) -> str:
    """The names in a path that tell what a file is: its own and that of the folder around it, on any system."""
    return PurePosixPath(*PureWindowsPath(path).parts[-2:]).as_posix()
