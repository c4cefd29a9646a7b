# SPDX-License-Identifier: GPL-3.0-or-later
"""The CLIP image encoder (ViT) that the 2.1 image models look at their pictures with, published parameter names.

After `wan/modules/clip.py` of the original implementation (there below `visual.`): class token first, positions added,
norm before the blocks, and the states in front of the last block as the result. The last block, the norm behind it and
the projection are part of the published file and not used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-5
PUBLISHED_HEADS = {1280: 16}
# Of the pictures CLIP was trained on, per channel in 0..1 (arXiv 2103.00020).
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ClipConfig:
    """Dimensions; `projection` is the width of the unused head, None when the file has none."""

    dim: int
    mlp_dim: int
    num_heads: int
    num_layers: int
    patch: int
    image_size: int
    projection: int | None = None

    @classmethod
    def from_state(cls, shapes: Mapping[str, Sequence[int]], num_heads: int | None = None) -> ClipConfig:
        """Dimensions off tensor shapes, names without `visual.`; the head count, which no tensor tells, is given.

        None stands for the published count of that width. Raises ValueError that names the tensor which is missing or
        does not fit, or says where the head count belongs.
        """
        try:
            dim, channels, patch, _ = shapes["patch_embedding.weight"]
            tokens = shapes["pos_embedding"][1]
            mlp_dim = shapes["transformer.0.mlp.0.weight"][0]
        except KeyError as error:
            raise ValueError(f"not a CLIP image encoder: tensor {error} is missing") from error
        side = math.isqrt(max(0, tokens - 1))
        if channels != 3 or side == 0 or side * side != tokens - 1:
            raise ValueError(
                f"not a CLIP image encoder: pos_embedding has {tokens} rows, which are no square and a class token, "
                f"or patch_embedding.weight reads {channels} channels instead of 3"
            )
        head = shapes.get("head")
        return cls(
            dim=dim,
            mlp_dim=mlp_dim,
            num_heads=_checked_heads(num_heads, dim),
            num_layers=1 + max(int(name.split(".")[1]) for name in shapes if name.startswith("transformer.")),
            patch=patch,
            image_size=side * patch,
            projection=None if head is None else head[1],
        )


def _checked_heads(asked: int | None, dim: int) -> int:
    heads = PUBLISHED_HEADS.get(dim) if asked is None else asked
    if heads is None or heads < 1 or dim % heads:
        what = "its head count is not known" if heads is None else f"{heads} heads do not divide it"
        raise ValueError(
            f"a CLIP image encoder of width {dim}: {what}; put "
            '{"schema": "wan_previs.checkpoint/1", "clip": {"num_heads": N}} into wan_previs.json in the folder'
        )
    return heads


class Attention(nn.Module):
    """Self attention over all tokens: [N,L,dim] -> [N,L,dim]."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.to_qkv = nn.Linear(config.dim, 3 * config.dim)
        self.proj = nn.Linear(config.dim, config.dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and feed-forward, normalised before: [N,L,dim] -> [N,L,dim]."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(config.dim, EPS), nn.LayerNorm(config.dim, EPS)
        self.attn = Attention(config)
        self.mlp = nn.Sequential(
            nn.Linear(config.dim, config.mlp_dim), nn.GELU(), nn.Linear(config.mlp_dim, config.dim)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ClipVision(nn.Module):
    """Pictures to one token for the whole and one per patch."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.config = config
        tokens = 1 + (config.image_size // config.patch) ** 2
        self.patch_embedding = nn.Conv2d(3, config.dim, config.patch, config.patch, bias=False)
        self.cls_embedding = nn.Parameter(torch.zeros(1, 1, config.dim))
        self.pos_embedding = nn.Parameter(torch.zeros(1, tokens, config.dim))
        self.pre_norm = nn.LayerNorm(config.dim, EPS)
        self.transformer = nn.Sequential(*(Block(config) for _ in range(config.num_layers)))
        self.post_norm = nn.LayerNorm(config.dim, EPS)
        if config.projection is not None:
            self.head = nn.Parameter(torch.zeros(config.dim, config.projection))

    def forward(self, pixels: Tensor) -> Tensor:
        """Prepared pictures [N,3,S,S] -> states [N,1+patches,dim] in front of the last block."""
        patches = self.patch_embedding(pixels.to(self.pos_embedding.dtype)).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_embedding.expand(len(pixels), -1, -1), patches], 1) + self.pos_embedding
        return self.transformer[:-1](self.pre_norm(x))

    def prepare(self, picture: Tensor) -> Tensor:
        """A picture [3,H,W] in -1..1 -> [3,S,S] float32: bicubic without antialiasing, aspect ratio not kept."""
        size = self.config.image_size
        x = F.interpolate(picture[None].float(), size=(size, size), mode="bicubic")[0]
        mean, std = (torch.tensor(values, device=x.device)[:, None, None] for values in (MEAN, STD))
        return (x * 0.5 + 0.5 - mean) / std
