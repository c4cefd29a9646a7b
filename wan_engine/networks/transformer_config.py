# SPDX-License-Identifier: GPL-3.0-or-later
"""The dimensions of a Wan transformer, read off its tensors and config.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .camera_adapter import CameraAdapter
from .vace_layers import VACE_PATCH, vace_layers


@dataclass(frozen=True)
class TransformerConfig:
    """Dimensions; `clip_dim` is the width of CLIP image features (2.1 image models), `flf` tells first+last frame of
    those. `reference` is the latent channels of a reference picture, `camera` the pixels per latent of its rays.
    `vace_layers` are the blocks that a VACE branch gives hints to, `vace_dim` the channels that it reads.
    """

    dim: int
    ffn_dim: int
    num_heads: int
    num_layers: int
    in_dim: int
    out_dim: int
    text_dim: int
    freq_dim: int = 256
    text_len: int = 512
    patch_size: tuple[int, int, int] = (1, 2, 2)
    eps: float = 1e-6
    clip_dim: int | None = None
    flf: bool = False
    reference: int | None = None
    camera: int | None = None
    vace_layers: tuple[int, ...] = ()
    vace_dim: int = 0

    @classmethod
    def from_state(cls, shapes: Mapping[str, Sequence[int]], config: Mapping[str, Any]) -> TransformerConfig:
        """Dimensions off tensor shapes; `num_heads`, `text_len` and `eps` off config.json, which alone tells them.

        Raises ValueError naming the tensor or key that is missing or does not fit.
        """
        try:
            dim, in_dim, *sides = shapes["patch_embedding.weight"]
            patch = (sides[0], sides[1], sides[2])
            ffn_dim = shapes["blocks.0.ffn.0.weight"][0]
            out = shapes["head.head.weight"][0]
            text_dim = shapes["text_embedding.0.weight"][1]
            freq_dim = shapes["time_embedding.0.weight"][1]
        except KeyError as error:
            raise ValueError(f"not a Wan transformer: tensor {error} is missing") from error
        if "num_heads" not in config:
            raise ValueError("config.json lacks 'num_heads', which no tensor tells")
        heads = int(config["num_heads"])
        camera = shapes.get("control_adapter.conv.weight")
        if heads < 1 or dim % heads or (dim // heads) % 2:
            raise ValueError(f"config.json: num_heads {heads} does not divide the width {dim} into even heads")
        layers = 1 + max(int(k.split(".")[1]) for k in shapes if k.startswith("blocks."))
        return cls(
            dim=dim,
            ffn_dim=ffn_dim,
            num_heads=heads,
            num_layers=layers,
            in_dim=in_dim,
            out_dim=out // (patch[0] * patch[1] * patch[2]),
            text_dim=text_dim,
            freq_dim=freq_dim,
            text_len=int(config.get("text_len", 512)),
            patch_size=patch,
            eps=float(config.get("eps", 1e-6)),
            clip_dim=shapes["img_emb.proj.1.weight"][1] if "img_emb.proj.1.weight" in shapes else None,
            flf="img_emb.emb_pos" in shapes,
            reference=shapes["ref_conv.weight"][1] if "ref_conv.weight" in shapes else None,
            camera=None if camera is None else CameraAdapter.factor_of(camera[1]),
            vace_layers=vace_layers(shapes, layers, config.get("vace_layers")),
            vace_dim=shapes[VACE_PATCH][1] if VACE_PATCH in shapes else 0,
        )
