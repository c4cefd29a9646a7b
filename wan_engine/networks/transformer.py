# SPDX-License-Identifier: GPL-3.0-or-later
"""The diffusion transformer of Wan 2.1 and 2.2, at any size, with the published parameter names.

After `wan/modules/model.py` of the original implementation. Three things are done otherwise, with equal results: rotary
tables are complex64 instead of complex128, time modulation is computed once per different timestep and indexed per
token instead of being held for every token, and without gradients the residual stream is changed in place, some
thousand tokens at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .attention import Attend, choose
from .camera_adapter import CameraAdapter
from .cpu_kernels import float_linear, linear
from .token_spans import Span, added, modulated, token_spans
from .vace_layers import VACE_PATCH, vace_layers

if TYPE_CHECKING:
    from .token_parallel import TokenParallel

# Bytes of the feed-forward's inner layer that one span of tokens may take.
SPAN_BYTES = {"cpu": 2**26, "cuda": 2**29}


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
    [L,head_dim/2] complex, attention, and who else works on the same clip.
    """

    time: Tensor
    spans: Sequence[Span]
    context: Context
    rotary: Tensor
    attend: Attend
    sequence: TokenParallel | None = None


class RMSNorm(nn.Module):
    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x: Tensor) -> Tensor:
        """float32 whatever the dtype of x."""
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        return x * self.weight.float() * torch.rsqrt(length.square() / x.shape[-1] + self.eps)


@lru_cache(maxsize=4)
def rotary_table(head_dim: int, grid: tuple[int, int, int]) -> Tensor:
    """The turns of the 3D rotary embedding as complex numbers [tokens, head_dim/2] (complex64), tokens in (t, h, w)
    order.

    The pairs of a head are split over time, height and width as d-4(d//6), 2(d//6), 2(d//6) channels, each with base
    10000. Angles are computed in float64.
    """
    sixth = head_dim // 6
    angles = []
    with torch.inference_mode(False):  # the table outlives this pass and may meet gradients in the next
        for axis, width in enumerate((head_dim - 4 * sixth, 2 * sixth, 2 * sixth)):
            frequency = 10000.0 ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
            shape = [1, 1, 1, -1]
            shape[axis] = grid[axis]
            angle = torch.outer(torch.arange(grid[axis], dtype=torch.float64), frequency)
            angles.append(angle.view(shape).expand(*grid, -1))
        table = torch.cat(angles, dim=-1).flatten(0, 2)
        return torch.complex(table.cos().float(), table.sin().float())


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turns neighbouring channel pairs of x [B,L,heads,d] float32 by the table [L,d/2]."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * table[:, None]).flatten(-2)


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


class Head(nn.Module):
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
        return self.proj(features if self.emb_pos is None else features + self.emb_pos)


class WanTransformer(nn.Module):
    """Predicts the flow velocity of noisy latents."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.attention = "auto"
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

    def embed_text(self, states: Sequence[Tensor], clip: Tensor | None = None, control: Control = Control()) -> Context:
        """Text states, one [L,text_dim] per item with L <= text_len, and CLIP features [B,n,clip_dim] -> Context.

        States are zero-padded to text_len before the embedding, and the padding is attended, as in the original.
        """
        dtype = self.dtype
        length = self.config.text_len
        padded = torch.stack([F.pad(s, (0, 0, 0, length - s.shape[0])) for s in states])
        image = None if clip is None else self.img_emb(clip.to(dtype))
        text = linear(self.text_embedding[0], padded.to(dtype), gelu=True)
        return Context(linear(self.text_embedding[2], text), image, len(self.in_order), control)

    def embed_time(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Timesteps [U] -> features [U,dim] and block modulation [U,6,dim], float32.

        Sinusoid in float64, cosines before sines (original: `sinusoidal_embedding_1d`).
        """
        half = self.config.freq_dim // 2
        rate = 10000.0 ** -(torch.arange(half, dtype=torch.float64, device=t.device) / half)
        angle = torch.outer(t.double(), rate)
        wave = torch.cat([angle.cos(), angle.sin()], dim=1).float()
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
        rotary = rotary_table(self.config.dim // self.config.num_heads, tall).to(x.device)
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
        return max(256, SPAN_BYTES.get(x.device.type, SPAN_BYTES["cuda"]) // per_token)

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
