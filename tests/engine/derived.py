# SPDX-License-Identifier: GPL-3.0-or-later
"""Small checkpoints of models that no reference case has, in the published layout, by the tensors of one that has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import golden
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

OF_2_1, OF_5B = "Wan2.1-Fun-V1.1-14B-Control", "Wan2.2-Fun-5B-Control"
# Model, the one that it is made from, its input channels, and what it has beside the text model's tensors.
DERIVED = {
    "Wan2.1-Fun-V1.1-1.3B-Control-Camera": (OF_2_1, 32, "camera"),
    "Wan2.1-Fun-V1.1-1.3B-InP": (OF_2_1, 36, ""),
    "Wan2.1-Fun-1.3B-Control": (OF_2_1, 48, ""),
    "Wan2.2-Fun-5B-InP": (OF_5B, 100, ""),
}
_FILE = "diffusion_pytorch_model.safetensors"


def checkpoint(folder: Path, model: str) -> Path:
    """The folder of a small `model` below `folder`."""
    source, channels, module = DERIVED[model]
    made = shutil.copytree(golden.path(f"control/fullstack/{source}/checkpoint"), folder / model)
    state = {name: data for name, data in load_file(made / _FILE).items() if not name.startswith("ref_conv.")}
    state["patch_embedding.weight"] = state["patch_embedding.weight"][:, :channels].contiguous()
    if module == "camera":
        state |= _adapter(len(state["patch_embedding.weight"]))
    for name in (_FILE, "config.json"):
        (made / name).chmod(0o644)
        (made / name).unlink()
    save_file(state, made / _FILE)
    heads = {"num_heads": 4, "in_dim_control_adapter": 24}
    (made / "config.json").write_text(json.dumps(heads), encoding="utf-8")
    return made


def _adapter(dim: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(8)
    shapes = {"conv.weight": (dim, 24 * 64, 2, 2), "conv.bias": (dim,)}
    for conv in ("conv1", "conv2"):
        shapes |= {f"residual_blocks.0.{conv}.weight": (dim, dim, 3, 3), f"residual_blocks.0.{conv}.bias": (dim,)}
    return {f"control_adapter.{n}": 0.02 * torch.randn(shape, generator=generator) for n, shape in shapes.items()}
