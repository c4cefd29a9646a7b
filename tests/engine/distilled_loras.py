# SPDX-License-Identifier: GPL-3.0-or-later
"""Small LoRAs for the small checkpoints, named and laid out as the published four-step ones; `python distilled_loras.py
CHECKPOINT NAME` serves those of the row of that name as a hub, tells its address, and ends with its stdin.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from hub_server import Hub, serving
from safetensors.torch import save

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.checkpoint.distilled import BY_NAME

RANK, ALPHA = 4, 0.5
_LAYERS = (*(f"{kind}_attn.{side}" for kind in ("self", "cross") for side in "qkvo"), "ffn.0", "ffn.2")


def made_lora(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
    """float32 factors of every attention's and FFN's layer of tensors of these shapes, with an alpha beside them."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, shape in shapes.items():
        layer = name.removesuffix(".weight")
        if name.endswith(".weight") and layer.startswith("blocks.") and layer.endswith(_LAYERS):
            key = f"diffusion_model.{layer}"
            made[f"{key}.lora_down.weight"] = torch.randn(RANK, shape[1], generator=generator)
            made[f"{key}.lora_up.weight"] = torch.randn(shape[0], RANK, generator=generator) / 10
            made[f"{key}.alpha"] = torch.tensor(ALPHA)
    return made


def made_files(checkpoint: Path, row: str) -> dict[str, bytes]:
    """The files of a row by their names in its repository, fitting a checkpoint."""
    shapes = next(iter(open_checkpoint(checkpoint).experts.values())).shapes
    return {name: save(made_lora(shapes, seed)) for seed, name in enumerate(BY_NAME[row].files.values())}


if __name__ == "__main__":
    with serving(Hub(sys.argv[2], made_files(Path(sys.argv[1]), sys.argv[2]))) as address:
        print(address, flush=True)
        sys.stdin.read()
