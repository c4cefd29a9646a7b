# SPDX-License-Identifier: GPL-3.0-or-later
"""`inspect`: what a checkpoint folder is, in lines a person reads."""

from __future__ import annotations

from pathlib import Path

from .checkpoint import Checkpoint, open_checkpoint

_BYTES = {"float32": 4, "bfloat16": 2}


def describe(folder: Path) -> str:
    """Model, task, layout, sizes, parameters and memory plan; raises CheckpointError like loading does."""
    checkpoint = open_checkpoint(folder)
    checkpoint.verify()
    vae = checkpoint.load_vae("cpu")
    return "\n".join(
        f"{name + ':':<13}{value}" if name else value
        for name, value in [
            *_model_lines(checkpoint),
            *_network_lines(checkpoint, vae.stride),
            *_memory_lines(checkpoint),
        ]
    )


def _model_lines(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    model = checkpoint.model
    low, high = model.guide
    experts = "high-noise and low-noise expert" if len(checkpoint.experts) == 2 else "one dense transformer"
    boundary = f", boundary {model.boundary:g}" if model.boundary is not None else ""
    task = model.task
    if checkpoint.channel_conditioned:
        task = "first, or first and last, frame to video" + (", or text to video" if checkpoint.text_to_video else "")
    return [
        ("model", model.title),
        ("task", task),
        ("layout", f"original folder, {experts}"),
        ("sizes", ", ".join(f"{width}x{height}" for width, height in model.sizes)),
        ("frames", f"{', '.join(map(str, model.frame_counts))} at {model.fps:g} fps"),
        (
            "defaults",
            f"{model.steps} steps, {model.solver}, shift {model.shift:g}, guidance {low:g},{high:g}{boundary}",
        ),
    ]


def _network_lines(checkpoint: Checkpoint, stride: tuple[int, int, int]) -> list[tuple[str, str]]:
    config = checkpoint.config
    transformer = (
        f"dim {config.dim}, {config.num_heads} heads, {config.num_layers} layers, ffn {config.ffn_dim}, "
        f"channels {config.in_dim} in, {config.out_dim} out"
    )
    vae = f"{config.out_dim} channels, stride {stride[0]}x{stride[1]}x{stride[2]}"
    return [("transformer", transformer), ("autoencoder", vae), ("text", f"{config.text_dim} channels")]


def _memory_lines(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    parts = {f"expert {name}": file.parameters for name, file in checkpoint.experts.items()}
    parts |= {"text encoder": checkpoint.text_encoder.parameters, "autoencoder": checkpoint.vae.parameters}
    lines = [("parameters", ", ".join(f"{name} {_short(count)}" for name, count in parts.items()))]
    expert = max(file.parameters for file in checkpoint.experts.values())
    text, vae = checkpoint.text_encoder.parameters, checkpoint.vae.parameters
    for dtype, size in _BYTES.items():
        kept = _gigabytes((expert + text) * size + vae * 4)
        least = _gigabytes(max(expert * size, text * size, vae * 4))
        lines.append(
            ("memory", f"estimate for weights in {dtype}: {kept} with --offload none, {least} with --offload expert")
        )
    lines.append(("", "             (one expert at a time; latents, activations and frames come on top)"))
    return lines


def _short(count: int) -> str:
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return str(count)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 5e8 else f"{count / 1e6:.1f} MB"
