# SPDX-License-Identifier: GPL-3.0-or-later
"""The diffusion transformer of Wan 2.1 and 2.2, at any size, with the published parameter names.

After `wan/modules/model.py` of the original implementation. Two things are done otherwise, with equal results: rotary
tables are real cosines and sines instead of complex numbers, and time modulation is computed once per different
timestep and indexed per token, instead of being held for every token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


@dataclass(frozen=True)
class TransformerConfig:
    """Dimensions; `clip_dim` is the width of CLIP image features (2.1 image models), `flf` tells first+last frame of
    those.
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
        if heads < 1 or dim % heads or (dim // heads) % 2:
            raise ValueError(f"config.json: num_heads {heads} does not divide the width {dim} into even heads")
        return cls(
            dim=dim,
            ffn_dim=ffn_dim,
            num_heads=heads,
            num_layers=1 + max(int(k.split(".")[1]) for k in shapes if k.startswith("blocks.")),
            in_dim=in_dim,
            out_dim=out // (patch[0] * patch[1] * patch[2]),
            text_dim=text_dim,
            freq_dim=freq_dim,
            text_len=int(config.get("text_len", 512)),
            patch_size=patch,
            eps=float(config.get("eps", 1e-6)),
            clip_dim=shapes["img_emb.proj.1.weight"][1] if "img_emb.proj.1.weight" in shapes else None,
            flf="img_emb.emb_pos" in shapes,
        )


KeysValues = list[tuple[Tensor, Tensor]]


@dataclass
class Context:
    """What the cross attention reads: embedded text [B,text_len,dim], image tokens [B,n,dim] or None.

    Without gradients each block's keys and values are computed once and kept in `cache`: they do not depend on the
    step.
    """

    text: Tensor
    image: Tensor | None = None
    cache: dict[nn.Module, KeysValues] = field(default_factory=dict)


def _float_linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """The layer computed in float32 whatever the dtype of its weights."""
    return F.linear(x.float(), layer.weight.float(), layer.bias.float())


class RMSNorm(nn.Module):
    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x: Tensor) -> Tensor:
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(dim=-1, keepdim=True) + self.eps)
        return y.to(x.dtype) * self.weight


@lru_cache(maxsize=4)
def rotary_tables(head_dim: int, grid: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the 3D rotary embedding, each [tokens, head_dim/2] float32, tokens in (t, h, w) order.

    The pairs of a head are split over time, height and width as d-4(d//6), 2(d//6), 2(d//6) channels, each with base
    10000.
    """
    sixth = head_dim // 6
    angles = []
    for axis, width in enumerate((head_dim - 4 * sixth, 2 * sixth, 2 * sixth)):
        frequency = 10000.0 ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
        shape = [1, 1, 1, -1]
        shape[axis] = grid[axis]
        angle = torch.outer(torch.arange(grid[axis], dtype=torch.float64), frequency)
        angles.append(angle.view(shape).expand(*grid, -1))
    table = torch.cat(angles, dim=-1).flatten(0, 2)
    return table.cos().float(), table.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns neighbouring channel pairs of x [B,L,heads,d] by the table's angles [L,d/2]."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = cos[:, None], sin[:, None]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2).to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of [B,L,heads,d] tensors, heads joined: [B,L,heads*d]."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """Projections of an attention; queries and keys are normalised over the full width, before the split into heads."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.q, self.k, self.v, self.o = (nn.Linear(config.dim, config.dim) for _ in range(4))
        self.norm_q, self.norm_k = RMSNorm(config.dim, config.eps), RMSNorm(config.dim, config.eps)

    def heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1))


class SelfAttention(Attention):
    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        q = rotate(self.heads(self.norm_q(self.q(x))), *rotary)
        k = rotate(self.heads(self.norm_k(self.k(x))), *rotary)
        return self.o(attend(q, k, self.heads(self.v(x))))


class CrossAttention(Attention):
    """Reads the text and, in 2.1 image models, the image tokens with keys and values of their own."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        if config.clip_dim is not None:
            self.k_img, self.v_img = nn.Linear(config.dim, config.dim), nn.Linear(config.dim, config.dim)
            self.norm_k_img = RMSNorm(config.dim, config.eps)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        q = self.heads(self.norm_q(self.q(x)))
        return self.o(sum(attend(q, k, v) for k, v in self._keys_values(context)))

    def _keys_values(self, context: Context) -> KeysValues:
        if self in context.cache:
            return context.cache[self]
        pairs: KeysValues = [(self.heads(self.norm_k(self.k(context.text))), self.heads(self.v(context.text)))]
        if context.image is not None:
            pairs.append(
                (self.heads(self.norm_k_img(self.k_img(context.image))), self.heads(self.v_img(context.image)))
            )
        if not torch.is_grad_enabled():
            context.cache[self] = pairs
        return pairs


class Block(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.dim, config.eps, elementwise_affine=False)
        self.self_attn = SelfAttention(config)
        self.norm3 = nn.LayerNorm(config.dim, config.eps)
        self.cross_attn = CrossAttention(config)
        self.norm2 = nn.LayerNorm(config.dim, config.eps, elementwise_affine=False)
        self.ffn = nn.Sequential(
            nn.Linear(config.dim, config.ffn_dim), nn.GELU(approximate="tanh"), nn.Linear(config.ffn_dim, config.dim)
        )
        self.modulation = nn.Parameter(torch.randn(1, 6, config.dim) / config.dim**0.5)

    def forward(
        self, x: Tensor, time: Tensor, index: Tensor, context: Context, rotary: tuple[Tensor, Tensor]
    ) -> Tensor:
        """x [B,L,dim] float32; time [U,6,dim] per different timestep; index [B,1] or [B,L] into U."""
        dtype = self.ffn[0].weight.dtype
        e = self.modulation.float() + time
        y = self.norm1(x) * (1 + e[:, 1][index]) + e[:, 0][index]
        x = x + self.self_attn(y.to(dtype), rotary) * e[:, 2][index]
        y = F.layer_norm(
            x, self.norm3.normalized_shape, self.norm3.weight.float(), self.norm3.bias.float(), self.norm3.eps
        )
        x = x + self.cross_attn(y.to(dtype), context)
        y = self.norm2(x) * (1 + e[:, 4][index]) + e[:, 3][index]
        return x + self.ffn(y.to(dtype)) * e[:, 5][index]


class Head(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        patch = config.patch_size[0] * config.patch_size[1] * config.patch_size[2]
        self.norm = nn.LayerNorm(config.dim, config.eps, elementwise_affine=False)
        self.head = nn.Linear(config.dim, patch * config.out_dim)
        self.modulation = nn.Parameter(torch.randn(1, 2, config.dim) / config.dim**0.5)

    def forward(self, x: Tensor, time: Tensor, index: Tensor) -> Tensor:
        e = self.modulation.float() + time[:, None]
        return _float_linear(self.head, self.norm(x) * (1 + e[:, 1][index]) + e[:, 0][index])


class ImageEmbedding(nn.Module):
    """Projects CLIP features [B,n,clip_dim] to image tokens [B,n,dim]; in first+last frame models n holds both
    pictures.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        c = config.clip_dim
        self.proj = nn.Sequential(
            nn.LayerNorm(c), nn.Linear(c, c), nn.GELU(), nn.Linear(c, config.dim), nn.LayerNorm(config.dim)
        )
        self.emb_pos = nn.Parameter(torch.zeros(1, 514, c)) if config.flf else None

    def forward(self, features: Tensor) -> Tensor:
        return self.proj(features if self.emb_pos is None else features + self.emb_pos)


class WanTransformer(nn.Module):
    """Predicts the flow velocity of noisy latents."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embedding = nn.Conv3d(config.in_dim, config.dim, config.patch_size, config.patch_size)
        self.text_embedding = nn.Sequential(
            nn.Linear(config.text_dim, config.dim), nn.GELU(approximate="tanh"), nn.Linear(config.dim, config.dim)
        )
        self.time_embedding = nn.Sequential(
            nn.Linear(config.freq_dim, config.dim), nn.SiLU(), nn.Linear(config.dim, config.dim)
        )
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(config.dim, config.dim * 6))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.head = Head(config)
        if config.clip_dim is not None:
            self.img_emb = ImageEmbedding(config)

    def embed_text(self, states: Sequence[Tensor], clip: Tensor | None = None) -> Context:
        """Text states, one [L,text_dim] per item with L <= text_len, and CLIP features [B,n,clip_dim] -> Context.

        States are zero-padded to text_len before the embedding, and the padding is attended, as in the original.
        """
        dtype = self.text_embedding[0].weight.dtype
        length = self.config.text_len
        padded = torch.stack([F.pad(s, (0, 0, 0, length - s.shape[0])) for s in states])
        image = None if clip is None else self.img_emb(clip.to(dtype))
        return Context(self.text_embedding(padded.to(dtype)), image)

    def embed_time(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Timesteps [U] -> features [U,dim] and block modulation [U,6,dim], float32.

        Sinusoid in float64, cosines before sines (original: `sinusoidal_embedding_1d`).
        """
        half = self.config.freq_dim // 2
        rate = 10000.0 ** -(torch.arange(half, dtype=torch.float64, device=t.device) / half)
        angle = torch.outer(t.double(), rate)
        wave = torch.cat([angle.cos(), angle.sin()], dim=1).float()
        e = _float_linear(self.time_embedding[2], F.silu(_float_linear(self.time_embedding[0], wave)))
        return e, _float_linear(self.time_projection[1], F.silu(e)).unflatten(1, (6, -1))

    def forward(self, x: Tensor, t: Tensor, context: Context) -> Tensor:
        """Velocity [B,out_dim,T,H,W] (float32) of x [B,in_dim,T,H,W]; T, H, W multiples of the patch.

        t holds timesteps in 0..1000: [B], or [B,tokens] for one per token.
        """
        dtype = self.dtype
        patches = self.patch_embedding(x.to(dtype))
        grid = tuple(patches.shape[2:])
        x = rearrange(patches, "b c t h w -> b (t h w) c").float()
        different, index = t.unique(return_inverse=True)
        index = index.view(t.shape[0], -1)
        e, time = self.embed_time(different)
        cos, sin = rotary_tables(self.config.dim // self.config.num_heads, grid)
        rotary = (cos.to(x.device), sin.to(x.device))
        for block in self.blocks:
            x = block(x, time, index, context, rotary)
        x = self.head(x, e, index)
        p, q, r = self.config.patch_size
        return rearrange(
            x, "b (t h w) (p q r c) -> b c (t p) (h q) (w r)", t=grid[0], h=grid[1], w=grid[2], p=p, q=q, r=r
        )

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the blocks compute in."""
        return self.patch_embedding.weight.dtype
