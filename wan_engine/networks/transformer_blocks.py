# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks of a Wan transformer, their attentions, and what the blocks of one pass share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Attend
from .cpu_kernels import linear
from .rotary import rotate
from .token_spans import Span, added, modulated
from .transformer_config import TransformerConfig

if TYPE_CHECKING:
    from .token_parallel import TokenParallel

KeysValues = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Control:
    """What the clip's tokens are given beside the prompt, the same under every prompt and at every step: tokens of a
    reference picture [B,h*w,dim], which go before them as a frame of their own, and the camera [B,tokens,dim], which is
    added to them. A VACE branch starts from `vace` [B,tokens,dim]; its hints count `scale` times.
    """

    reference: Tensor | None = None
    camera: Tensor | None = None
    vace: Tensor | None = None
    scale: float = 1.0


@dataclass
class Context:
    """What the network reads besides: embedded text [B,text_len,dim], image tokens [B,n,dim] or None, and control.

    Without gradients each block's keys and values are computed once and kept: they do not depend on the step.
    """

    text: Tensor
    image: Tensor | None
    blocks: int
    control: Control = Control()
    known: dict[nn.Module, KeysValues] = field(default_factory=dict)
    memory: Tensor | None = None

    def keep(self, owner: nn.Module, pairs: KeysValues) -> None:
        """Copies the pairs of one block into one piece of memory for all blocks: many small ones, lying between what
        each pass frees, would keep the allocator from using that again.
        """
        parts = [part for pair in pairs for part in pair]
        sizes = [part.numel() for part in parts]
        if self.memory is None:
            self.memory = parts[0].new_empty(self.blocks, sum(sizes))
        rooms = self.memory[len(self.known)].split(sizes)
        kept = [room.view(part.shape).copy_(part) for room, part in zip(rooms, parts, strict=True)]
        self.known[owner] = list(zip(kept[::2], kept[1::2], strict=True))


@dataclass(frozen=True)
class Pass:
    """What the blocks of one forward pass share: time modulation [U,6,dim], spans of tokens, context, rotary table
    (see `rotary`), attention, and who else works on the same clip.
    """

    time: Tensor
    spans: Sequence[Span]
    context: Context
    rotary: Tensor
    attend: Attend
    sequence: TokenParallel | None = None


class RMSNorm(nn.Module):
    """Divides by the root mean square over the last dimension, with a learned weight; arXiv 1910.07467."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x: Tensor) -> Tensor:
        """[...,dim] -> the same, float32 whatever the dtype of x."""
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        return x * self.weight.float() * torch.rsqrt(length.square() / x.shape[-1] + self.eps)


class Attention(nn.Module):
    """Projections of an attention; queries and keys are normalised over the full width, before the split into heads."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.q, self.k, self.v, self.o = (nn.Linear(config.dim, config.dim) for _ in range(4))
        self.norm_q, self.norm_k = RMSNorm(config.dim, config.eps), RMSNorm(config.dim, config.eps)

    def heads(self, x: Tensor) -> Tensor:
        """[B,L,dim] -> [B,L,heads,d]."""
        return x.unflatten(-1, (self.num_heads, -1))


class SelfAttention(Attention):
    """Attention among the clip's tokens, which know their places by rotation (arXiv 2104.09864)."""

    def project(self, x: Tensor, rotary: Tensor) -> Iterator[Tensor]:
        """Queries and keys, turned to their places, and values of tokens x: each [B,L,heads,d], one after the other,
        for their float32 in between is larger than they are.
        """
        for layer, norm in ((self.q, self.norm_q), (self.k, self.norm_k)):
            yield rotate(self.heads(norm(linear(layer, x))), rotary).to(x.dtype)
        yield self.heads(linear(self.v, x))

    def room(self, part: Tensor, length: int) -> Tensor:
        """Memory for `length` tokens like those of `part` [B,n,heads,d], with the tokens of a head side by side."""
        batch, _, heads, width = part.shape
        return part.new_empty(batch, heads, length, width).transpose(1, 2)


class CrossAttention(Attention):
    """Reads the text and, in 2.1 image models, the image tokens with keys and values of their own."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        if config.clip_dim is not None:
            self.k_img, self.v_img = nn.Linear(config.dim, config.dim), nn.Linear(config.dim, config.dim)
            self.norm_k_img = RMSNorm(config.dim, config.eps)

    def forward(self, x: Tensor, context: Context, attend: Attend) -> Tensor:
        """Tokens [B,n,dim] -> what they read, [B,n,dim]."""
        q = linear(self.q, x)
        q = self.heads(self.norm_q(q).to(q.dtype))
        first, *others = self._keys_values(context)
        y = attend(q, *first)
        for pair in others:
            y = y + attend(q, *pair)
        return linear(self.o, y.flatten(2))

    def _keys_values(self, context: Context) -> KeysValues:
        if self in context.known:
            return context.known[self]
        pairs = [self._pair(context.text, self.k, self.norm_k, self.v)]
        if context.image is not None:
            pairs.append(self._pair(context.image, self.k_img, self.norm_k_img, self.v_img))
        if not torch.is_grad_enabled():
            context.keep(self, pairs)
            return context.known[self]
        return pairs

    def _pair(self, tokens: Tensor, key: nn.Linear, norm: RMSNorm, value: nn.Linear) -> tuple[Tensor, Tensor]:
        v = linear(value, tokens)
        return self.heads(norm(linear(key, tokens)).to(v.dtype)), self.heads(v)


class Block(nn.Module):
    """Self attention, cross attention and feed-forward; the first and last are shifted, scaled and gated by the time
    (arXiv 2212.09748).
    """

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

    def forward(self, x: Tensor, shared: Pass) -> Tensor:
        """Tokens x [B,L,dim] float32 through the block; without gradients x itself is changed.

        Only self attention needs all tokens at once; everything else runs span by span, so that its intermediate
        results stay small.
        """
        e = self.modulation.float() + shared.time
        q, k, v = self._read(x, e, shared)
        if shared.sequence is not None:
            k, v = shared.sequence.join(k, 1), shared.sequence.join(v, 1)
        y = shared.attend(q, k, v).flatten(2)
        del q, k, v
        for span in shared.spans:
            part = x[:, span.tokens]
            part = added(part, linear(self.self_attn.o, y[:, span.tokens]), e[:, 2][span.rows])
            part = self._respond(part, e, span.rows, shared)
        return part if len(shared.spans) == 1 else x

    def _read(self, x: Tensor, e: Tensor, shared: Pass) -> list[Tensor]:
        """Queries, keys and values of all tokens."""
        qkv: list[Tensor] = []
        for tokens, rows in ((s.tokens, s.rows) for s in shared.spans):
            y = modulated(x[:, tokens], e[:, 0][rows], e[:, 1][rows], self.norm1.eps).to(self.dtype)
            for number, part in enumerate(self.self_attn.project(y, shared.rotary[tokens])):
                if number == len(qkv):
                    qkv.append(self.self_attn.room(part, x.shape[1]))
                qkv[number][:, tokens] = part
        return qkv

    def _respond(self, x: Tensor, e: Tensor, rows: Tensor, shared: Pass) -> Tensor:
        """Cross attention and feed-forward of some tokens."""
        norm = self.norm3
        y = F.layer_norm(x, norm.normalized_shape, norm.weight.float(), norm.bias.float(), norm.eps).to(self.dtype)
        x = added(x, self.cross_attn(y, shared.context, shared.attend))
        y = modulated(x, e[:, 3][rows], e[:, 4][rows], self.norm2.eps).to(self.dtype)
        return added(x, linear(self.ffn[2], linear(self.ffn[0], y, gelu=True)), e[:, 5][rows])

    @property
    def dtype(self) -> torch.dtype:
        """That of the weights, in which everything but the residual stream is computed."""
        return self.ffn[0].weight.dtype


class VaceBlock(Block):
    """A block of the VACE branch: it runs beside the main ones and hints at what they are to make."""

    def __init__(self, config: TransformerConfig, *, first: bool) -> None:
        super().__init__(config)
        if first:
            self.before_proj = nn.Linear(config.dim, config.dim)
        self.first = first
        self.after_proj = nn.Linear(config.dim, config.dim)

    def forward(self, c: Tensor, shared: Pass, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """The branch's tokens [B,L,dim] float32 through the block, and the hint in the dtype of the weights. The first
        block adds them to the main tokens x, through which no block has gone yet.
        """
        if self.first:
            c = linear(self.before_proj, c.to(self.dtype)) + x
        c = super().forward(c, shared)
        return c, linear(self.after_proj, c.to(self.dtype))
