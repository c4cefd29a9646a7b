# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRA: low-rank changes, W + strength * alpha / rank * (up @ down), merged into each weight as it is read.

arXiv 2106.09685; whole differences (`.diff`, `.diff_b`, `.diff_m`) are added as they are. Files are read tensor by
tensor, when the tensor that they change comes by.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .headers import kind_of
from .lora_names import LayerIndex, refuse_other_kinds, role_of
from .request import CheckpointError, Lora, UsageError
from .storage import Container, open_container

Patch = Callable[[str, Tensor], Tensor]
Shape = tuple[int, ...]
_NAMES_TOLD = 4
_FLOATS = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}


@dataclass(frozen=True)
class _Change:
    """What one file adds to one tensor: `scale` times a difference, or times the product of `up` and `down`."""

    file: Container
    scale: float
    up: str
    down: str | None = None

    def add_to(self, weight: Tensor) -> None:
        """Add in place; `weight` is float32 and contiguous."""
        up = self._read(self.up, weight.device)
        if self.down is None:
            weight.add_(up.reshape(weight.shape), alpha=self.scale)
        else:
            down = self._read(self.down, weight.device)
            weight.flatten(1).addmm_(up.flatten(1), down.flatten(1), alpha=self.scale)

    def _read(self, name: str, device: torch.device) -> Tensor:
        data = self.file.read(name).to(device).float()
        if not torch.isfinite(data).all():
            raise CheckpointError(f"{self.file.path}: {name} holds values that are no numbers; use another LoRA.")
        return data


def lora_patch(loras: Sequence[Lora], expert: str, shapes: Mapping[str, Shape]) -> Patch | None:
    """What to do to each tensor of the expert's file (`high`, `low` or `dense`); None when no LoRA changes it.

    `shapes` are the transformer's tensors under their published names. The patch gives back the tensor it was handed
    when nothing changes, else the sum in float32. Every file is checked here, by names and shapes; raises
    CheckpointError for one that is missing, damaged, of another kind or for another model, UsageError for one that is
    meant for an expert the model does not have.
    """
    index = LayerIndex(shapes)
    changes: dict[str, list[_Change]] = {}
    for lora in loras:
        if expert == "dense" and lora.expert != "both":
            raise UsageError(f"The model has a single expert; give the LoRA {lora.path} without {lora.expert!r}.")
        if lora.expert in ("both", expert):
            for name, found in _changes_of(lora, index, shapes).items():
                changes.setdefault(name, []).extend(found)
    if not changes:
        return None

    def patch(name: str, tensor: Tensor) -> Tensor:
        if name not in changes:
            return tensor
        merged = tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        for change in changes[name]:
            change.add_to(merged)
        return merged

    return patch


def _changes_of(lora: Lora, index: LayerIndex, shapes: Mapping[str, Shape]) -> dict[str, list[_Change]]:
    """The changes by the published name of the tensor they are for; none at strength 0."""
    path = Path(lora.path)
    if not path.is_file():
        raise CheckpointError(f"The LoRA {path} does not exist; check the path.")
    file = open_container(path)
    refuse_other_kinds(path, file.stored)
    layers = _layers(file, index, shapes)
    scaling = _Scaling.of(path)
    changes: dict[str, list[_Change]] = {}
    for layer, parts in layers.items():
        for target, change in _layer_changes(file, layer, parts, lora.strength, scaling, shapes):
            _check_shape(change, target, shapes[target])
            changes.setdefault(target, []).append(change)
    return changes if lora.strength else {}


def _layers(file: Container, index: LayerIndex, shapes: Mapping[str, Shape]) -> dict[str, dict[str, str]]:
    """The file's tensors sorted: published layer -> role -> name in the file. Every name must find its place."""
    layers: dict[str, dict[str, str]] = {}
    strange = []
    for name, entry in file.stored.items():
        found = role_of(name)
        layer = None if found is None else index.find(found[0])
        if found is None or layer is None or _target(layer, found[1], shapes) is None:
            strange.append(name)
            continue
        if entry.dtype not in _FLOATS and found[1] != "alpha":
            raise CheckpointError(f"{file.path}: {name} is stored as {entry.dtype}, which is not supported.")
        parts = layers.setdefault(layer, {})
        if found[1] in parts:
            raise CheckpointError(f"{file.path} changes one layer twice: {parts[found[1]]} and {name}.")
        parts[found[1]] = name
    if strange:
        raise CheckpointError(_strange_names(file, strange))
    if not layers:
        raise CheckpointError(f"The LoRA {file.path} is empty; download it again.")
    return layers


def _strange_names(file: Container, strange: Sequence[str]) -> str:
    names = ", ".join(strange[:_NAMES_TOLD]) + (", ..." if len(strange) > _NAMES_TOLD else "")
    if len(strange) == len(file.stored):
        return f"The LoRA {file.path} fits no layer of this model, so it would do nothing; its names are {names}."
    hint = "use one that was made for this model."
    if all("_img" in name or "img_emb" in name or "add_" in name or "image_embedder" in name for name in strange):
        hint = "it was made for a 2.1 image-to-video model, which looks at its picture through CLIP."
    count = f"{len(strange)} of {len(file.stored)} tensors"
    return f"The LoRA {file.path} has {count} that this model has no place for ({names}); {hint}"


def _target(layer: str, role: str, shapes: Mapping[str, Shape]) -> str | None:
    """The tensor that a part of this role changes."""
    if role in ("diff_b", "up_bias"):
        names = [f"{layer}.bias"]
    elif role == "diff_m":
        names = [f"{layer}.modulation"]
    else:
        names = [f"{layer}.weight", layer]
    return next((name for name in names if name in shapes), None)


def _layer_changes(
    file: Container,
    layer: str,
    parts: Mapping[str, str],
    strength: float,
    scaling: _Scaling,
    shapes: Mapping[str, Shape],
) -> list[tuple[str, _Change]]:
    """(tensor, change) of every part of one layer."""
    changes = []

    def add(role: str, change: _Change) -> None:
        target = _target(layer, role, shapes)
        assert target is not None  # `_layers` has looked
        changes.append((target, change))

    for role in ("diff", "diff_b", "diff_m"):
        if role in parts:
            add(role, _Change(file, strength, parts[role]))
    factors = [role for role in ("down", "up", "up_bias", "alpha") if role in parts]
    if "down" in parts and "up" in parts:
        rank = max(1, (file.stored[parts["down"]].shape or (1,))[0])
        alpha = _alpha(file, parts["alpha"]) if "alpha" in parts else None
        scale = strength * scaling.factor(rank, alpha)
        add("up", _Change(file, scale, parts["up"], parts["down"]))
        if "up_bias" in parts:
            add("up_bias", _Change(file, scale, parts["up_bias"]))
    elif factors and not (factors == ["alpha"] and "diff" in parts):
        raise CheckpointError(
            f"The LoRA {file.path} has {parts[factors[0]]}, but not the factors that belong to it; download it again."
        )
    return changes


def _alpha(file: Container, name: str) -> float:
    if math.prod(file.stored[name].shape) != 1:
        raise CheckpointError(f"{file.path}: {name} must be a single number; download it again.")
    value = float(file.read(name).float().reshape(()))
    if not math.isfinite(value):
        raise CheckpointError(f"{file.path}: {name} is no number; download it again.")
    return value


def _check_shape(change: _Change, target: str, shape: Shape) -> None:
    """The factors' outer sides and a convolution's kernel must be those of the weight, give or take axes of one."""
    stored = change.file.stored
    up = stored[change.up].shape
    if change.down is None:
        fits, told = _no_ones(up) == _no_ones(shape), change.up
    else:
        down, told = stored[change.down].shape, f"{change.up} with {change.down}"
        fits = (
            min(len(shape), len(up), len(down)) >= 2
            and up[0] == shape[0]
            and math.prod(up[1:]) == up[1] == down[0]
            and _no_ones(down[1:]) == _no_ones(shape[1:])
        )
    if not fits:
        sides = [list(stored[name].shape) for name in (change.up, change.down) if name is not None]
        raise CheckpointError(
            f"The LoRA {change.file.path}: {told} has shape {' and '.join(map(str, sides))}, which does not fit "
            f"{target} of shape {list(shape)}; it is for a model of another size."
        )


def _no_ones(shape: Shape) -> Shape:
    return tuple(side for side in shape if side != 1)


@dataclass(frozen=True)
class _Scaling:
    """What a whole file says about alpha, for layers without a number of their own."""

    alpha: float | None = None
    root: bool = False

    def factor(self, rank: int, alpha: float | None) -> float:
        """alpha / rank, or 1 when nothing tells alpha; rank-stabilised files (arXiv 2312.03732) divide by its root."""
        if alpha is None:
            alpha = rank if self.alpha is None else self.alpha
            if self.root and self.alpha is not None:
                return alpha / math.sqrt(rank)
        return alpha / rank

    @classmethod
    def of(cls, path: Path) -> _Scaling:
        """Diffusers writes the trainer's settings into the file, PEFT beside it."""
        settings = _settings(path)
        values = {key.rpartition(".")[2]: value for key, value in settings.items()}
        try:
            alpha = None if values.get("lora_alpha") is None else float(values["lora_alpha"])
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"The settings of the LoRA {path} are damaged: {error}.") from error
        if values.get("alpha_pattern") or values.get("use_dora"):
            what = "is a DoRA" if values.get("use_dora") else "has an alpha of its own for single layers"
            raise CheckpointError(f"The LoRA {path} {what} by its settings, which is not supported; use a plain LoRA.")
        return cls(alpha, bool(values.get("use_rslora")))


def _settings(path: Path) -> dict[str, Any]:
    beside = path.with_name("adapter_config.json")
    try:
        text = None
        if kind_of(path) == "safetensors":
            with safe_open(path, framework="pt") as file:
                text = (file.metadata() or {}).get("lora_adapter_metadata")
        if text is None and path.stem == "adapter_model" and beside.is_file():
            text = beside.read_text(encoding="utf-8")
        settings = {} if text is None else json.loads(text)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"The settings of the LoRA {path} cannot be read: {error}.") from error
    return settings if isinstance(settings, dict) else {}
