# SPDX-License-Identifier: GPL-3.0-or-later
"""The diffusion transformer of Wan 2.1 and 2.2, at any size, with the published parameter names.

After `wan/modules/model.py` of the original implementation. Three things are done otherwise, with equal results: rotary
tables are complex64 instead of complex128, time modulation is computed once per different timestep and indexed per
token instead of being held for every token, and without gradients the residual stream is changed in place, some
thousand tokens at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .attention import choose
from .camera_adapter import CameraAdapter
from .cpu_kernels import float_linear, linear
from .rotary import rotary_on
from .token_spans import Span, modulated, token_spans
from .transformer_blocks import Block, Context, Control, Pass, VaceBlock
from .transformer_config import TransformerConfig

if TYPE_CHECKING:
    from .token_parallel import TokenParallel

# Bytes of the feed-forward's inner layer that one span of tokens may take: what fills a card, and what suffices where
# memory is short and for a processor.
WIDE_SPANS, NARROW_SPANS = 2**29, 2**26


class Head(nn.Module):
    """Tokens to the patches that they stand for, shifted and scaled by the time."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        patch = config.patch_size[0] * config.patch_size[1] * config.patch_size[2]
        self.norm = nn.LayerNorm(config.dim, config.eps, elementwise_affine=False)
        self.head = nn.Linear(config.dim, patch * config.out_dim)
        self.modulation = nn.Parameter(torch.randn(1, 2, config.dim) / config.dim**0.5)

    def forward(self, x: Tensor, time: Tensor, spans: Sequence[Span]) -> Tensor:
        """x [B,L,dim], time [U,dim] -> patches [B,L,...] float32."""
        e = self.modulation.float() + time[:, None]
        parts = [modulated(x[:, s.tokens], e[:, 0][s.rows], e[:, 1][s.rows], self.norm.eps) for s in spans]
        return torch.cat([float_linear(self.head, part) for part in parts], dim=1)


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
        """[B,n,clip_dim] -> [B,n,dim]."""
        return self.proj(features if self.emb_pos is None else features + self.emb_pos)


class WanTransformer(nn.Module):
    """Predicts the flow velocity of noisy latents."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.attention = "auto"
        self.frugal = False  # work on fewer tokens at once, also where more would be quicker
        self.sequence: TokenParallel | None = None
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
        if config.reference is not None:
            self.ref_conv = nn.Conv2d(config.reference, config.dim, config.patch_size[1:], config.patch_size[1:])
        if config.camera is not None:
            self.control_adapter = CameraAdapter(config.dim, config.camera)
        if config.vace_layers:
            self.vace_patch_embedding = nn.Conv3d(config.vace_dim, config.dim, config.patch_size, config.patch_size)
            self.vace_blocks = nn.ModuleList(VaceBlock(config, first=layer == 0) for layer in config.vace_layers)

    @property
    def in_order(self) -> Mapping[str, Block]:
        """All blocks by the prefix of their tensors' names, in the order in which a pass runs them."""
        found: dict[str, Block] = {}
        for number, block in enumerate(self.blocks):
            if number in self.config.vace_layers:
                hint = self.config.vace_layers.index(number)
                found[f"vace_blocks.{hint}"] = self.vace_blocks[hint]
            found[f"blocks.{number}"] = block
        return found

    def embed_control(
        self,
        reference: Tensor | None = None,
        rays: Iterable[Tensor] | None = None,
        vace: Tensor | None = None,
        scale: float = 1.0,
    ) -> Control:
        """Latents [B,z,h,w] of a reference picture, the rays [B,24,H,W] of every latent frame, and what a VACE branch
        reads [B,96,t,h,w] with the weight of its hints -> Control.
        """

        def tokens(features: Tensor) -> Tensor:
            return features.flatten(2).transpose(1, 2)

        dtype = self.dtype
        return Control(
            None if reference is None else tokens(self.ref_conv(reference.to(dtype))),
            None if rays is None else torch.cat([tokens(self.control_adapter(frame.to(dtype))) for frame in rays], 1),
            None if vace is None else tokens(self.vace_patch_embedding(vace.to(dtype))),
            scale,
        )

    def embed_text(
        self, states: Sequence[Tensor], clip: Tensor | None = None, control: Control | None = None
    ) -> Context:
        """Text states, one [L,text_dim] per item with L <= text_len, and CLIP features [B,n,clip_dim] -> Context.

        States are zero-padded to text_len before the embedding, and the padding is attended, as in the original.
        """
        dtype = self.dtype
        length = self.config.text_len
        padded = torch.stack([F.pad(s, (0, 0, 0, length - s.shape[0])) for s in states])
        image = None if clip is None else self.img_emb(clip.to(dtype))
        text = linear(self.text_embedding[0], padded.to(dtype), gelu=True)
        return Context(linear(self.text_embedding[2], text), image, len(self.in_order), control or Control())

    def embed_time(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Timesteps [U] -> features [U,dim] and block modulation [U,6,dim], float32.

        Sinusoid in float64, cosines before sines (original: `sinusoidal_embedding_1d`); on the CPU, for not every
        device has float64.
        """
        half = self.config.freq_dim // 2
        rate = 10000.0 ** -(torch.arange(half, dtype=torch.float64) / half)
        angle = torch.outer(t.cpu().double(), rate)
        wave = torch.cat([angle.cos(), angle.sin()], dim=1).float().to(t.device)
        e = float_linear(self.time_embedding[2], F.silu(float_linear(self.time_embedding[0], wave)))
        return e, float_linear(self.time_projection[1], F.silu(e)).unflatten(1, (6, -1))

    def forward(self, x: Tensor, t: Tensor, context: Context, on_block: Callable[[int], None] | None = None) -> Tensor:
        """Velocity [B,out_dim,T,H,W] (float32) of x [B,in_dim,T,H,W]; T, H, W multiples of the patch.

        t holds timesteps in 0..1000: [B], or [B,tokens] for one per token. `on_block(k)` is called before block k and
        may raise to stop the pass. Raises UsageError when `attention` cannot be had here.
        """
        attend = choose(self.attention, x.device, self.dtype)
        patches = self.patch_embedding(x.to(self.dtype))
        grid = tuple(patches.shape[2:])
        x = rearrange(patches, "b c t h w -> b (t h w) c").float().contiguous()
        different, index = _different(t)
        x, index, tall = _controlled(x, index, grid, context.control)
        e, time = self.embed_time(different)
        rotary = rotary_on(x.device, self.config.dim // self.config.num_heads, tall)
        if self.sequence is not None:
            if index.shape[1] > 1:
                index = self.sequence.split(index, 1)
            x, rotary = self.sequence.split(x, 1), self.sequence.split(rotary, 0)
        spans = token_spans(index, x.shape[1], self._longest_span(x))
        shared = Pass(time, spans, context, rotary, attend, self.sequence)
        x = self._through_blocks(x, shared, on_block or (lambda number: None))
        x = self.head(x, e, spans)
        if self.sequence is not None:
            x = self.sequence.join(x, 1)
        x = x[:, x.shape[1] - math.prod(grid) :]
        p, q, r = self.config.patch_size
        return rearrange(
            x, "b (t h w) (p q r c) -> b c (t p) (h q) (w r)", t=grid[0], h=grid[1], w=grid[2], p=p, q=q, r=r
        )

    def _through_blocks(self, x: Tensor, shared: Pass, on_block: Callable[[int], None]) -> Tensor:
        """Tokens through all blocks; a hint of the VACE branch is made just before the block that it is for."""
        control, layers = shared.context.control, self.config.vace_layers
        c = control.vace
        if c is not None and self.sequence is not None:
            c = self.sequence.split(c, 1)
        for number, block in enumerate(self.blocks):
            on_block(number)
            hint = None
            if c is not None and number in layers:
                c, hint = self.vace_blocks[layers.index(number)](c, shared, x)
            x = block(x, shared)
            if hint is not None:
                x = x + hint * control.scale if torch.is_grad_enabled() else x.add_(hint, alpha=control.scale)
        return x

    def _longest_span(self, x: Tensor) -> int:
        per_token = x.shape[0] * self.config.ffn_dim * self.dtype.itemsize
        narrow = self.frugal or x.device.type == "cpu"
        return max(256, (NARROW_SPANS if narrow else WIDE_SPANS) // per_token)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the blocks compute in."""
        return self.patch_embedding.weight.dtype


def _controlled(
    x: Tensor, index: Tensor, grid: tuple[int, ...], control: Control
) -> tuple[Tensor, Tensor, tuple[int, int, int]]:
    """Tokens [B,L,dim], which timestep each has, and their grid (t, h, w), with the control's tokens before them; with
    a timestep per token these have that of the last.
    """
    frames, rows, columns = grid
    if control.camera is not None:
        x = x + control.camera
    if control.reference is None:
        return x, index, (frames, rows, columns)
    if index.shape[1] > 1:
        index = torch.cat([index[:, -1:].expand(-1, rows * columns), index], dim=1)
    return torch.cat([control.reference.to(x.dtype), x], dim=1), index, (frames + 1, rows, columns)


def _different(t: Tensor) -> tuple[Tensor, Tensor]:
    """Timesteps [B] or [B,L] -> the different ones [U] and, for each item or token, which it is: [B,1] or [B,L]."""
    if t.dim() == 1:
        return t, torch.arange(t.shape[0], device=t.device)[:, None]
    different, index = t.unique(return_inverse=True)
    return different, index
