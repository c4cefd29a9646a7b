# SPDX-License-Identifier: GPL-3.0-or-later
"""The UMT5 text encoder (encoder half only), with the parameter names of the published
`models_t5_umt5-xxl-enc-bf16.pth`.

After `wan/modules/t5.py` of the original implementation: relative-position biases per block, no attention scaling,
gated GELU (tanh form), root-mean-square norms computed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_DISTANCE = 128  # tokens farther apart than this share the last bucket


@dataclass(frozen=True)
class T5Config:
    """Dimensions of the encoder, all told by tensor shapes."""

    vocab: int
    dim: int
    dim_attn: int
    dim_ffn: int
    num_heads: int
    num_layers: int
    num_buckets: int

    @classmethod
    def from_state(cls, shapes: Mapping[str, Sequence[int]]) -> T5Config:
        """Reads the dimensions off tensor shapes; ValueError names the tensor that is missing."""
        try:
            vocab, dim = shapes["token_embedding.weight"]
            buckets, heads = shapes["blocks.0.pos_embedding.embedding.weight"]
            dim_attn = shapes["blocks.0.attn.q.weight"][0]
            dim_ffn = shapes["blocks.0.ffn.fc1.weight"][0]
        except KeyError as error:
            raise ValueError(f"not a UMT5 encoder: tensor {error} is missing") from error
        layers = 1 + max(int(k.split(".")[1]) for k in shapes if k.startswith("blocks."))
        return cls(vocab, dim, dim_attn, dim_ffn, heads, layers, buckets)


class RMSNorm(nn.Module):
    """Divides by the root mean square over the last dimension, in float32: [...,dim] -> [...,dim] in the weight's dtype
    (arXiv 1910.07467).
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(dim=-1, keepdim=True) + 1e-6)
        return y.to(self.weight.dtype) * self.weight


class Attention(nn.Module):
    """Self attention without scaling: states [B,L,dim] and `bias` [1 or B,heads,L,L], which is added to the logits ->
    [B,L,dim].
    """

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.q, self.k, self.v = (nn.Linear(config.dim, config.dim_attn, bias=False) for _ in range(3))
        self.o = nn.Linear(config.dim_attn, config.dim, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype), scale=1.0)
        return self.o(y.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Gated by GELU in its tanh form (arXiv 2002.05202): [B,L,dim] -> [B,L,dim]."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(config.dim, config.dim_ffn, bias=False), nn.GELU(approximate="tanh"))
        self.fc1 = nn.Linear(config.dim, config.dim_ffn, bias=False)
        self.fc2 = nn.Linear(config.dim_ffn, config.dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.fc1(x) * self.gate(x))


class RelativePositions(nn.Module):
    """A learned bias per head and bucket of distance."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.num_buckets, config.num_heads)

    def forward(self, length: int) -> Tensor:
        """[heads, length, length], queries before keys."""
        buckets = relative_buckets(length, self.embedding.num_embeddings, self.embedding.weight.device)
        return self.embedding(buckets).permute(2, 0, 1)


def relative_buckets(length: int, num_buckets: int, device: torch.device | str = "cpu") -> Tensor:
    """Bucket of each (query, key) pair, [length, length] int64.

    Half of the buckets for keys after the query; of each half, one half exact and one logarithmic up to MAX_DISTANCE
    (Raffel et al. 2020, section 2.1, bidirectional).
    """
    place = torch.arange(length, device=device)
    distance = place[None, :] - place[:, None]
    half = num_buckets // 2
    exact = half // 2
    far = distance.abs()
    log = torch.log(far.clamp(min=1).float() / exact) / math.log(MAX_DISTANCE / exact) * (half - exact)
    log = (exact + log.long()).clamp(max=half - 1)
    return (distance > 0).long() * half + torch.where(far < exact, far, log)


class Block(nn.Module):
    """Attention and feed-forward, normalised before, with relative positions of its own: states [B,L,dim] and `mask`
    [B,L] (1 = real token; None = all real) -> [B,L,dim].
    """

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(config.dim), RMSNorm(config.dim)
        self.attn, self.ffn = Attention(config), FeedForward(config)
        self.pos_embedding = RelativePositions(config)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        bias = self.pos_embedding(x.shape[1])[None]
        if mask is not None:
            bias = bias.masked_fill(mask[:, None, None, :] == 0, torch.finfo(x.dtype).min)
        x = x + self.attn(self.norm1(x), bias)
        return x + self.ffn(self.norm2(x))


class T5Encoder(nn.Module):
    """Token ids to text states, one of width dim for each token (arXiv 2304.09151: UMT5)."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = RMSNorm(config.dim)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Token ids [B,L] and mask [B,L] (1 = real token; None = all real) -> states [B,L,dim]."""
        x = self.token_embedding(ids)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)
