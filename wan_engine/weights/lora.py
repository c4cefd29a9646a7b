# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRA: low-rank changes, W + strength * alpha / rank * (up @ down), merged into each weight as it is read.

arXiv 2106.09685; whole differences (`.diff`, `.diff_b`, `.diff_m`) are added as they are. Files are read tensor by
tensor, when the tensor that they change comes by.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError, UsageError, reason_of
from ..request_parts import Lora
from ..text_files import parsed, read_text
from .containers import Container, open_container
from .contents import Contents, read_contents
from .lora_names import LayerIndex, owners, refuse_other_kinds, role_of

Patch = Callable[[str, Tensor], Tensor]
Shape = tuple[int, ...]
_NAMES_TOLD = 4
_MOST_ALPHA = 1e6  # beyond it, no trainer's
_FOLDER_FILES = tuple(
    f"{stem}{end}" for stem in ("adapter_model", "pytorch_lora_weights") for end in (".safetensors", ".bin")
)
_LAYER_END = re.compile(r"\w+(?:\.\w+)*")  # a name or its end, not one of PEFT's regular expressions
_SECOND = "transformer_2."  # before Diffusers' settings of a file's part for the low-noise expert
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
            raise CheckpointError(f"{self.file.path}: {name} holds NaN or infinite values; use another LoRA.")
        return data


def lora_patch(loras: Sequence[Lora], expert: str, shapes: Mapping[str, Shape]) -> Patch | None:
    """What to do to each tensor of the expert's file (`high`, `low` or `dense`); None when no LoRA changes it.

    `shapes` are the transformer's tensors under their published names. The patch gives back the tensor it was handed
    when nothing changes, else the sum in float32. Every file is checked here, by names and shapes: what fits no layer
    is left out (`lora_notes`). Raises CheckpointError for a file that is missing, damaged, of another kind or fits
    nowhere, UsageError for one that is meant for an expert the model does not have.
    """
    changes: dict[str, list[_Change]] = {}
    for _, fit in _fits(loras, expert, shapes):
        for name, found in fit.changes.items():
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


def lora_notes(loras: Sequence[Lora], experts: Mapping[str, Mapping[str, Shape]]) -> list[str]:
    """What the user should know: which files fit in part only, and how much is left out. Raises as `lora_patch`."""
    notes: dict[str, None] = {}
    for expert, shapes in experts.items():
        for lora, fit in _fits(loras, expert, shapes):
            if fit.left:
                count = f"{len(fit.left)} of {fit.count} tensors"
                notes[
                    f"The LoRA {lora.path} is used in part: {count} have no place in this model "
                    f"({_some(fit.left)}){_made_for(fit.left)}."
                ] = None
    return list(notes)


def _fits(loras: Sequence[Lora], expert: str, shapes: Mapping[str, Shape]) -> Iterator[tuple[Lora, _Fit]]:
    index = LayerIndex(shapes)
    for lora in loras:
        if expert == "dense" and lora.expert != "both":
            raise UsageError(
                f"The model has a single expert, but the LoRA {lora.path} is stated or named to be for the "
                f"{lora.expert}-noise one; to use it all the same, give it as {lora.path}:both."
            )
        if lora.expert in ("both", expert):
            yield lora, _fit(lora, expert, index, shapes)


@dataclass(frozen=True)
class _Fit:
    """One file in one expert: the changes by the published name of the tensor they are for (none at strength 0), the
    tensors that fit nowhere, and how many of the file's are for this expert.
    """

    changes: dict[str, list[_Change]]
    left: list[str]
    count: int


def _fit(lora: Lora, expert: str, index: LayerIndex, shapes: Mapping[str, Shape]) -> _Fit:
    path = lora_file(Path(lora.path))
    header = read_contents(path)
    file = open_container(header)
    if not file.stored:
        raise CheckpointError(f"The LoRA {path} is empty; download it again.")
    refuse_other_kinds(path, file.stored)
    layers, left, count = _layers(file, expert, index, shapes)
    scaling = _Scaling.of(header, expert)
    changes: dict[str, list[_Change]] = {}
    misfits = []
    for layer, parts in layers.items():
        found = _layer_changes(file, layer, parts, lora.strength, scaling, shapes)
        misfit = next((words for target, change in found if (words := _misfit(change, target, shapes[target]))), None)
        if misfit is not None:
            misfits.append(misfit)
            left += parts.values()
            continue
        for target, change in found:
            changes.setdefault(target, []).append(change)
    if count and not changes:
        raise CheckpointError(misfits[0] if misfits else _fits_nothing(path, left))
    return _Fit(changes if lora.strength else {}, left, count)


def lora_file(path: Path) -> Path:
    """The weight file of a LoRA: itself, or that of a folder as PEFT or Diffusers saves one."""
    if path.is_file():
        return path
    found = next((file for name in _FOLDER_FILES if (file := path / name).is_file()), None)
    if found is None:
        inside = f"; a folder must hold {_FOLDER_FILES[0]}" if path.is_dir() else ""
        raise CheckpointError(f"The LoRA {path} does not exist; check the path{inside}.")
    return found


def _layers(
    file: Container, expert: str, index: LayerIndex, shapes: Mapping[str, Shape]
) -> tuple[dict[str, dict[str, str]], list[str], int]:
    """The file's tensors for this expert sorted: published layer -> role -> name in the file; those without a place;
    and how many they are. A layer with a tensor of an unknown role is left out whole, not changed by halves.
    """
    layers: dict[str, dict[str, str]] = {}
    left, unclear, count = [], set(), 0
    for name, (owner, plain) in owners(file.stored).items():
        if owner is not None and owner != expert and expert != "dense":
            continue
        count += 1
        found = role_of(plain)
        layer = index.find(found[0]) if found is not None else None
        if owner == "low" and expert == "dense":
            layer = None
        elif found is None:
            unclear.add(index.find_around(plain))
        if found is None or layer is None or _target(layer, found[1], shapes) is None:
            left.append(name)
            continue
        if file.stored[name].dtype not in _FLOATS and found[1] != "alpha":
            dtype = file.stored[name].dtype
            raise CheckpointError(f"{file.path}: {name} is stored as {dtype}, which is not supported.")
        parts = layers.setdefault(layer, {})
        if found[1] in parts:
            raise CheckpointError(f"{file.path} changes one layer twice: {parts[found[1]]} and {name}.")
        parts[found[1]] = name
    for layer in unclear & set(layers):
        left += layers.pop(str(layer)).values()
    return layers, left, count


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMES_TOLD]) + (", ..." if len(names) > _NAMES_TOLD else "")


def _made_for(names: Sequence[str]) -> str:
    """What model tensors without a place are for, where they tell."""
    if all("_img" in name or "img_emb" in name or "add_" in name or "image_embedder" in name for name in names):
        return "; it was made for a 2.1 image-to-video model, which looks at its picture through CLIP"
    return ""


def _fits_nothing(path: Path, names: Sequence[str]) -> str:
    return (
        f"The LoRA {path} fits no layer of this model, so it would do nothing; its names are {_some(names)}; use one "
        f"that was made for this model{_made_for(names)}."
    )


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
        scale = strength * scaling.factor(rank, alpha, parts["down"])
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
    try:
        return _checked_alpha(file.read(name).double().reshape(()).item())
    except ValueError as error:
        raise CheckpointError(f"{file.path}: {name} is no alpha ({error}); download it again.") from None


def _checked_alpha(value: Any) -> float:
    """A number in -1e6..1e6. Raises ValueError for anything else, TypeError for what is none at all."""
    number = float(value)
    if isinstance(value, bool) or not abs(number) <= _MOST_ALPHA:
        raise ValueError(f"it is {value!r:.20}")
    return number


def _misfit(change: _Change, target: str, shape: Shape) -> str | None:
    """In words what is wrong, None where all fits: the factors' outer sides and a convolution's kernel must be those of
    the weight, give or take axes of one.
    """
    stored = change.file.stored
    up = stored[change.up].shape
    if change.down is None:
        fits, told = _no_ones(up) == _no_ones(shape), change.up
    else:
        down, told = stored[change.down].shape, f"{change.up} with {change.down}"
        fits = (
            min(len(shape), len(up), len(down)) >= 2
            and up[0] == shape[0]
            and math.prod(up[1:]) == up[1] == down[0] > 0
            and _no_ones(down[1:]) == _no_ones(shape[1:])
        )
    if fits:
        return None
    sides = [list(stored[name].shape) for name in (change.up, change.down) if name is not None]
    return (
        f"The LoRA {change.file.path}: {told} has shape {' and '.join(map(str, sides))}, which does not fit "
        f"{target} of shape {list(shape)}; it is for a model of another size."
    )


def _no_ones(shape: Shape) -> Shape:
    return tuple(side for side in shape if side != 1)


@dataclass(frozen=True)
class _Scaling:
    """What a whole file says about alpha, for layers without a number of their own; `single` holds that of layers by
    the ends of their names in the file.
    """

    alpha: float | None = None
    root: bool = False
    single: Mapping[str, float] = field(default_factory=dict)

    def factor(self, rank: int, alpha: float | None, name: str) -> float:
        """alpha / rank of the layer with the tensor `name`, or 1 when nothing tells alpha; rank-stabilised files (arXiv
        2312.03732) divide by its root.
        """
        if alpha is not None:
            return alpha / rank
        layer = f".{(role_of(name) or ('', ''))[0]}"
        told = next((value for end, value in self.single.items() if layer.endswith(f".{end}")), self.alpha)
        if told is None:
            return 1.0
        return told / (math.sqrt(rank) if self.root else rank)

    @classmethod
    def of(cls, header: Contents, expert: str) -> _Scaling:
        """Diffusers writes the trainer's settings into the file, PEFT beside it."""
        path, settings = header.path, _settings(header)
        values = {key.rpartition(".")[2]: value for key, value in settings.items() if not key.startswith(_SECOND)}
        if expert == "low":
            values |= {key.removeprefix(_SECOND): value for key, value in settings.items() if key.startswith(_SECOND)}
        try:
            alpha = None if values.get("lora_alpha") is None else _checked_alpha(values["lora_alpha"])
            single = {str(key): _checked_alpha(value) for key, value in dict(values.get("alpha_pattern") or {}).items()}
        except (TypeError, ValueError, OverflowError) as error:
            raise CheckpointError(
                f"The settings of the LoRA {path} are damaged ({reason_of(error)}); download it again."
            ) from error
        kind = values.get("peft_type")
        if kind not in (None, "LORA"):
            raise CheckpointError(
                f"The LoRA {path} is a {kind} by its settings, which is not supported; use a plain LoRA."
            )
        if values.get("use_dora"):
            raise CheckpointError(
                f"The LoRA {path} is a DoRA by its settings, which is not supported; use a plain LoRA."
            )
        if any(not _LAYER_END.fullmatch(key) for key in single):
            raise CheckpointError(
                f"The LoRA {path} has an alpha for layers by a pattern ({next(iter(single))}), which is not supported; "
                "use one with an alpha for each layer."
            )
        return cls(alpha, bool(values.get("use_rslora")), single)


def _settings(header: Contents) -> dict[str, Any]:
    path = header.path
    beside = path.with_name("adapter_config.json")
    try:
        text = header.metadata.get("lora_adapter_metadata")
        if text is None and path.stem == "adapter_model" and beside.is_file():
            text = read_text(beside)
        settings = {} if text is None else parsed(text)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"The settings of the LoRA {path} cannot be read ({reason_of(error)}); download it again."
        ) from error
    return settings if isinstance(settings, dict) else {}
