# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights stored as 8-bit floats with scales beside them, as ComfyUI's files have them.

Files without any scale hold the numbers themselves; where there are scales, or a marker of them, every weight of 8
bits needs its own. Two dialects: `X.scale_weight` with one marker tensor `scaled_fp8` for the file, and
`X.weight_scale` with a description `X.comfy_quant` per layer. Scales of activations (`input_scale`, `scale_input`)
serve 8-bit products, which are not computed here; weights are multiplied out when read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..text_files import parsed
from .containers import Container
from .safetensors_header import Stored

FP8 = ("F8_E4M3", "F8_E5M2")
_SCALES = (".scale_weight", ".weight_scale")
_UNUSED = (".scale_input", ".input_scale")
_FORMATS = ("float8_e4m3fn", "float8_e5m2")
_MAGNITUDE = 0x7F
_LARGEST = {torch.float8_e4m3fn: 0x7E, torch.float8_e5m2: 0x7B}  # bits of the largest finite number
_MARKER, _TOKENIZER = "scaled_fp8", "spiece_model"


def companions(containers: Mapping[str, Container], label: str) -> tuple[dict[str, str], set[str]]:
    """From the name of a scaled weight to that of its scale, and every name that is no weight.

    `containers` maps each stored name to its file. Raises CheckpointError for a scale without a weight and for formats
    that are no plain 8-bit floats.
    """
    scales: dict[str, str] = {}
    others: set[str] = set()
    for name, container in containers.items():
        ending = next((ending for ending in (*_SCALES, *_UNUSED, ".comfy_quant") if name.endswith(ending)), None)
        if name.rpartition(".")[2] in (_TOKENIZER, _MARKER):
            others.add(name)
        elif ending is not None:
            weight = name.removesuffix(ending) + ".weight"
            if weight not in containers:
                raise CheckpointError(f"{label} holds {name} without {weight}; download it again.")
            others.add(name)
            if ending in _SCALES:
                scales[weight] = name
            elif ending == ".comfy_quant":
                _check_format(container, name)
    for weight, scale in scales.items():
        _check_scale(containers[weight].stored[weight], containers[scale].stored[scale], scale, label)
    return scales, others


def check_scales(weights: Mapping[str, Stored], scales: Mapping[str, str], others: Iterable[str], label: str) -> None:
    """Raises CheckpointError when `weights`, those of one network, are scaled but a scale is missing.

    That they are scaled is told by any scale of a weight or an activation, a description, or the file's marker.
    """
    told = any(name in weights for name in scales)
    for name in others:
        stem, _, kind = name.rpartition(".")
        if kind == _MARKER:
            told |= any(weight.startswith(f"{stem}." if stem else "") for weight in weights)
        else:
            told |= f"{stem}.weight" in weights
    bare = [
        name
        for name, entry in weights.items()
        if told and entry.dtype in FP8 and len(entry.shape) > 1 and name.endswith(".weight") and name not in scales
    ]
    if bare:
        stem = bare[0].removesuffix(".weight")
        more = f" (and those of {len(bare) - 1} more)" if len(bare) > 1 else ""
        raise CheckpointError(
            f"{label} lacks the scale of {bare[0]}{more}: its weights are scaled 8-bit floats, and without "
            f"{stem}.scale_weight or {stem}.weight_scale they are far too large; download it again."
        )


def check_unscaled(data: Tensor, name: str, label: str) -> None:
    """Raises CheckpointError for a matrix of 8-bit floats without a scale that needs one.

    Scaling makes a matrix' largest number the format's largest (448 or 57344); the weights of a transformer are far
    smaller by themselves.
    """
    largest = int((data.reshape(-1).view(torch.uint8) & _MAGNITUDE).max()) if data.numel() else 0
    if data.dim() > 1 and largest == _LARGEST[data.dtype]:
        raise CheckpointError(
            f"{label} lacks the scale of {name}: its 8-bit floats fill the format's whole range, as scaled ones do; "
            "download it again."
        )


def _check_format(container: Container, name: str) -> None:
    try:
        described = parsed(container.read(name).numpy().tobytes())["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{container.path}: the tensor {name} is damaged; download it again.") from error
    if described not in _FORMATS:
        raise CheckpointError(
            f"{container.path}: {name.removesuffix('.comfy_quant')} is stored as {described}, which is not supported; "
            f"use {' or '.join(_FORMATS)}, fp16, bf16 or GGUF."
        )


def _check_scale(weight: Stored, scale: Stored, name: str, label: str) -> None:
    """One factor for the tensor, or one for each of its rows."""
    count = torch.Size(scale.shape).numel()
    if count not in (1, weight.shape[0] if weight.shape else 1):
        raise CheckpointError(
            f"{label}: the tensor {name} has shape {list(scale.shape)}, but one factor, or one for each of the "
            f"{weight.shape[0]} rows, is needed."
        )


def check_factors(weight: Tensor, scale: Tensor, name: str, label: str) -> None:
    """Raises CheckpointError for a scale that is no number, negative, or zero where the weight is not."""
    factor = scale.float().reshape(-1)
    wrong = ~(torch.isfinite(factor) & (factor >= 0))
    if (factor == 0).any():
        wrong |= (factor == 0) & weight.float().reshape(len(factor), -1).any(1)
    if wrong.any():
        raise CheckpointError(
            f"{label}: the scale of {name} is {float(factor[wrong][0]):g}, which makes no weights; the file is "
            "damaged, download it again."
        )


def multiplied_out(weight: Tensor, scale: Tensor | None) -> Tensor:
    """The numbers that an 8-bit `weight` stands for: float32 with a scale, else bfloat16, which holds them exactly."""
    if scale is None:
        return weight.to(torch.bfloat16)
    factor = scale.float().reshape(-1)
    if factor.numel() > 1:
        factor = factor.view(-1, *[1] * (weight.dim() - 1))
    return weight.float().mul_(factor)
