# SPDX-License-Identifier: GPL-3.0-or-later
"""`inspect`: what a checkpoint folder is, in lines a person reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..checkpoint.checkpoint import Checkpoint, open_checkpoint
from ..checkpoint.model import CONTROLS, Model
from ..checkpoint.sizes import Size, check_size
from ..devices import choose
from ..options import AUTO
from ..runtime.automatic import automatic_dtype, best_of, choices, nearest_that_fits
from ..runtime.memory_plan import MemorySettings, plan_memory


def describe(
    folder: Path,
    size: Size | None = None,
    frames: int | None = None,
    dtype: str | None = None,
    offload: str | None = None,
) -> str:
    """Model, task, layout, sizes, parameters and memory plan, from headers alone; raises CheckpointError like loading
    and UsageError for a size that the model cannot make.

    The plan is for `size` (width, height), `frames`, `dtype` and `offload`, None for the model's default size and
    length, float32 and none; when it does not fit this machine, the nearest settings that do follow.
    """
    checkpoint = open_checkpoint(folder)
    checkpoint.verify()
    vae = checkpoint.outline_vae()
    if size is not None:
        check_size(size, vae.stride[1] * checkpoint.config.patch_size[1])
    plan = _memory_lines(checkpoint, size, frames, dtype or "float32", offload or "none")
    return "\n".join(
        f"{name + ':':<13}{value}" if name else value
        for name, value in [
            *_model_lines(checkpoint),
            *_network_lines(checkpoint, vae.stride),
            *_parameters(checkpoint),
            ("", plan),
        ]
    )


def _model_lines(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    model = checkpoint.model
    low, high = model.guide
    experts = "high-noise and low-noise expert" if len(checkpoint.experts) == 2 else "one dense transformer"
    boundary = f", boundary {model.boundary:g}" if model.boundary is not None else ""
    return [
        ("model", model.title),
        ("task", model.task),
        *([("control", ", ".join(map(_control, model.controls)))] if model.controls else []),
        ("layout", f"{checkpoint.layout}, {experts}"),
        ("sizes", ", ".join(f"{width}x{height}" for width, height in model.sizes)),
        ("frames", f"{', '.join(map(str, model.frame_counts))} at {model.fps:g} fps"),
        ("longer", _longer(model)),
        (
            "defaults",
            f"{model.steps} steps, {model.solver}, shift {model.shift:g}, guidance {low:g},{high:g}{boundary}",
        ),
        *(("note", note) for note in checkpoint.notes),
    ]


def _longer(model: Model) -> str:
    """How more frames than it was trained for are made, and how well."""
    follows = bool({"control_video", "camera"} & set(model.controls))
    held = "each under its part of what it follows" if follows else "between which the scene may wander"
    windows = f"in overlapping windows of {model.longest} frames, {held}"
    if model.modes == ("text",):
        return windows
    if "first" not in model.modes:
        return f"in segments of up to {model.longest} frames between keyframes (--keyframe), else {windows}"
    segments = (
        f"from a picture in segments of up to {model.longest} frames, steady with a --keyframe where two meet, else "
        "what goes wrong in one stays"
    )
    return f"{segments}; without, {windows}" if "text" in model.modes else segments


def _control(name: str) -> str:
    return f"{CONTROLS[name]} (--{name.replace('_', '-')})"


def _network_lines(checkpoint: Checkpoint, stride: tuple[int, int, int]) -> list[tuple[str, str]]:
    config, model = checkpoint.config, checkpoint.model
    transformer = (
        f"dim {config.dim}, {config.num_heads} heads, {config.num_layers} layers, ffn {config.ffn_dim}, "
        f"channels {config.in_dim} in ({', '.join(model.inputs)}), {config.out_dim} out"
    )
    vae = f"{config.out_dim} channels, stride {stride[0]}x{stride[1]}x{stride[2]}"
    return [("transformer", transformer), ("autoencoder", vae), ("text", f"{config.text_dim} channels")]


def _parameters(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    files = {f"expert {name}": file for name, file in checkpoint.experts.items()}
    files |= {"text encoder": checkpoint.text_encoder, "autoencoder": checkpoint.vae}
    if checkpoint.clip is not None:
        files["image encoder"] = checkpoint.clip
    told = [
        f"{name} {_short(file.parameters)} ({_short(file.bytes)}B on disk, {file.stored_as}): "
        f"{_inside(checkpoint.folder, Path(file.label))}"
        for name, file in files.items()
    ]
    return [("parameters", told[0]), *(("", f"{'':<13}{line}") for line in told[1:])]


def _inside(folder: Path, path: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _memory_lines(checkpoint: Checkpoint, size: Size | None, frames: int | None, dtype: str, offload: str) -> str:
    device = choose()
    asked = MemorySettings(
        size=size or checkpoint.model.sizes[0],
        frames=frames or checkpoint.model.frame_counts[0],
        dtype=automatic_dtype(checkpoint) if dtype == AUTO else dtype,
        offload=offload,
        guided=any(guide != 1 for guide in checkpoint.model.guide),
        window=checkpoint.model.longest,
        device=device,
    )
    tiles = None if offload == AUTO else 0
    settled = (replace(asked, offload=kept, vae_tiles=side) for kept, side in choices(offload, tiles, asked.size))
    plan = best_of(plan_memory(checkpoint, settings) for settings in settled)
    if plan.fits:
        return plan.text()
    nearest = nearest_that_fits(checkpoint, plan)
    told = "nothing smaller fits either" if nearest is None else f"nearest that fits:\n{nearest.text()}"
    return f"{plan.text()}\n{told}"


def _short(count: int) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return str(count)
