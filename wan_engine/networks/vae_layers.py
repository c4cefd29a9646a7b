# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of the video autoencoders; after `wan/modules/vae2_1.py` and `vae2_2.py` of the original implementation.

Every layer is causal in time and may be fed a few frames at a time: what a layer must remember of earlier frames lives
in a `Past`. Without one (`None`) the layer sees the whole clip at once, with gradients if wanted; with one, a clip fed
frame by frame gives the same result with memory constant in the clip's length. Tensors of a stream lie in memory
with the channels last: frames are then whole blocks, and oneDNN's convolutions are at their fastest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

Shapes = Mapping[str, Sequence[int]]
TOGETHER = 2**17  # numbers in a frame up to which the decoder takes a latent frame's four on together


class Past:
    """What the layers of one stream remember of the frames before.

    A convolution's earlier frames lie in a tensor of their own that is overwritten in place; frames to be convolved
    are put together in one piece of scratch memory that all layers share, since fresh memory costs more than the
    copy.
    """

    def __init__(self) -> None:
        self._before: dict[nn.Module, Tensor] = {}
        self._passed: set[nn.Module] = set()
        self._scratch = torch.empty(0)

    def first(self, layer: nn.Module) -> bool:
        """Whether this is the first call for `layer`: the clip's first frame is at hand."""
        new = layer not in self._passed
        self._passed.add(layer)
        return new

    def swap(self, layer: nn.Module, frames: Tensor) -> Tensor | None:
        """Remember `frames` and return those remembered before, None at first."""
        before = self._before.get(layer)
        self._before[layer] = frames.clone()
        return before

    def room(self, layer: nn.Module, like: Tensor, reach: int) -> Tensor:
        """Scratch memory [B,C,reach+n,H,W] for n frames `like` these, the `reach` earlier ones in front of them."""
        b, c, n, h, w = like.shape
        size = b * (reach + n) * h * w * c
        if self._scratch.numel() < size or self._scratch.dtype != like.dtype or self._scratch.device != like.device:
            self._scratch = like.new_empty(0)  # let go of the old memory first
            self._scratch = like.new_empty(size)
        room = self._scratch[:size].view(b, reach + n, h, w, c).permute(0, 4, 1, 2, 3)
        if layer in self._before:
            room[:, :, :reach] = self._before[layer]
        else:
            room[:, :, :reach] = 0
        return room

    def keep(self, layer: nn.Module, room: Tensor, reach: int) -> None:
        """Remember the last `reach` frames of the room for the next call."""
        last = room[:, :, -reach:]
        if layer in self._before:
            self._before[layer].copy_(last)
        else:
            self._before[layer] = last.clone()


def _convolve(layer: nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    """The layer's convolution by oneDNN on the CPU: left to choose, torch runs small 3D inputs many times slower."""
    plain = x.device.type != "cpu" or not x.dtype == layer.weight.dtype == torch.float32
    if plain or not torch.backends.mkldnn.is_available():
        return nn.Conv3d.forward(layer, x) if isinstance(layer, nn.Conv3d) else layer(x)
    return torch.ops.aten.mkldnn_convolution(
        x, layer.weight, layer.bias, layer.padding, layer.stride, layer.dilation, layer.groups
    )


class CausalConv3d(nn.Conv3d):
    """A 3D convolution that sees only present and past frames; [B,C,T,H,W] -> [B,C',T,H,W]."""

    def __init__(self, shape: Sequence[int]) -> None:
        out_dim, in_dim, *kernel = shape
        super().__init__(in_dim, out_dim, tuple(kernel), padding=(0, kernel[1] // 2, kernel[2] // 2))
        self.reach = kernel[0] - 1

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        if not self.reach:
            return _convolve(self, x)
        if past is None:
            return _convolve(self, F.pad(x, (0, 0, 0, 0, self.reach, 0)))
        room = past.room(self, x, self.reach)
        room[:, :, self.reach :] = x
        return self.filled(room, past)

    def filled(self, room: Tensor, past: Past) -> Tensor:
        """The convolution of a room whose new frames have been filled in."""
        past.keep(self, room, self.reach)
        return _convolve(self, room)


class RMSNorm(nn.Module):
    """Divides by the root mean square over channels: [B,C,...] -> the same, into `out` where it is given."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(*shape))

    def forward(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        if out is None:
            return F.normalize(x, dim=1) * x.shape[1] ** 0.5 * self.gamma
        length = torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_min_(1e-12)
        return torch.mul(x, length.reciprocal_().mul_(x.shape[1] ** 0.5), out=out).mul_(self.gamma)


def _activated(norm: RMSNorm, conv: CausalConv3d, x: Tensor, past: Past | None) -> Tensor:
    """Norm, SiLU and convolution; in a stream computed within the room that the convolution reads."""
    if past is None:
        return conv(F.silu(norm(x)))
    room = past.room(conv, x, conv.reach)
    F.silu(norm(x, out=room[:, :, conv.reach :]), inplace=True)
    return conv.filled(room, past)


class ResidualBlock(nn.Module):
    """Two causal convolutions beside a shortcut: [B,C,T,H,W] -> [B,C',T,H,W]."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.residual = nn.ModuleDict(
            {
                "0": RMSNorm(shapes["residual.0.gamma"]),
                "2": CausalConv3d(shapes["residual.2.weight"]),
                "3": RMSNorm(shapes["residual.3.gamma"]),
                "6": CausalConv3d(shapes["residual.6.weight"]),
            }
        )
        self.shortcut = CausalConv3d(shapes["shortcut.weight"]) if "shortcut.weight" in shapes else None

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        y = _activated(self.residual["0"], self.residual["2"], x, past)
        y = _activated(self.residual["3"], self.residual["6"], y, past)
        beside = x if self.shortcut is None else self.shortcut(x)
        return y + beside if past is None else y.add_(beside)


class AttentionBlock(nn.Module):
    """Single-head self-attention within each frame: [B,C,T,H,W] -> the same shape."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        dim = shapes["proj.weight"][0]
        self.norm = RMSNorm(shapes["norm.gamma"])
        self.to_qkv = nn.Conv2d(dim, dim * 3, 1)
        self.proj = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        frames, (h, w) = x.shape[2], x.shape[3:]
        y = rearrange(x, "b c t h w -> (b t) c h w")
        qkv = _convolve(self.to_qkv, self.norm(y))
        q, k, v = rearrange(qkv, "n (three c) h w -> three n 1 (h w) c", three=3)
        y = rearrange(F.scaled_dot_product_attention(q, k, v), "n 1 (h w) c -> n c h w", h=h, w=w)
        return x + rearrange(_convolve(self.proj, y), "(b t) c h w -> b c t h w", t=frames)


class Downsample(nn.Module):
    """Halves height and width, and time too where there is a `time_conv`; the clip's first frame stays alone.

    [B,C,T,H,W] -> [B,C',T,H/2,W/2]; with `time_conv` 1+(T-1)/2 frames of a whole clip or its first frames (T = 1+2k),
    T/2 of later ones (T even).
    """

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        out_dim, in_dim = shapes["resample.1.weight"][:2]
        self.resample = nn.ModuleDict({"1": nn.Conv2d(in_dim, out_dim, 3, stride=2)})
        self.time_conv = None
        if "time_conv.weight" in shapes:
            out_dim, in_dim = shapes["time_conv.weight"][:2]
            self.time_conv = nn.Conv3d(in_dim, out_dim, (3, 1, 1), stride=(2, 1, 1))

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        frames = x.shape[2]
        x = F.pad(rearrange(x, "b c t h w -> (b t) c h w"), (0, 1, 0, 1))
        x = rearrange(_convolve(self.resample["1"], x), "(b t) c h w -> b c t h w", t=frames)
        if self.time_conv is None:
            return x
        before = None if past is None else past.swap(self, x[:, :, -1:])
        if before is not None:
            return _convolve(self.time_conv, torch.cat([before, x], dim=2))
        return x if frames < 3 else torch.cat([x[:, :, :1], _convolve(self.time_conv, x)], dim=2)


class Upsample(nn.Module):
    """Doubles height and width, and time too where there is a `time_conv`; the clip's first frame stays alone.

    [B,C,T,H,W] -> [B,C',T,2H,2W], with `time_conv` 1+2(T-1) frames where the first is among them, else 2T.
    """

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        out_dim, in_dim = shapes["resample.1.weight"][:2]
        self.resample = nn.ModuleDict({"1": nn.Conv2d(in_dim, out_dim, 3, padding=1)})
        self.time_conv = CausalConv3d(shapes["time_conv.weight"]) if "time_conv.weight" in shapes else None

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        if self.time_conv is not None:
            x = self._double_time(x, past)
        if past is None:
            return self._double_space(x)
        frames = [self._double_space(frame) for frame in x.split(1, dim=2)]  # one at a time: less memory
        return frames[0] if len(frames) == 1 else torch.cat(frames, dim=2)

    def _double_space(self, x: Tensor) -> Tensor:
        frames = x.shape[2]
        x = F.interpolate(rearrange(x, "b c t h w -> (b t) c h w"), scale_factor=2.0, mode="nearest-exact")
        return rearrange(_convolve(self.resample["1"], x), "(b t) c h w -> b c t h w", t=frames)

    def _double_time(self, x: Tensor, past: Past | None) -> Tensor:
        """Every frame becomes two, but the clip's first, which the time convolution never sees."""
        first = past is None or past.first(self)
        head, rest = (x[:, :, :1], x[:, :, 1:]) if first else (x[:, :, :0], x)
        if rest.shape[2] == 0 or self.time_conv is None:
            return head
        rest = rearrange(self.time_conv(rest, past), "b (two c) t h w -> b c (t two) h w", two=2)
        return torch.cat([head, rest], dim=2) if first else rest


class Level(nn.Module):
    """A level of the 2.2 autoencoder: residual blocks and a resampling, beside a shortcut without parameters; shapes as
    `Downsample` and `Upsample` have them.
    """

    def __init__(self, shapes: Shapes, kind: str) -> None:
        super().__init__()
        self.kind = kind
        chain = _chain(below(shapes, kind), Downsample if kind == "downsamples" else Upsample)
        self.add_module(kind, chain)
        resample = next((m for m in chain.values() if isinstance(m, Downsample | Upsample)), None)
        self.space = 1 if resample is None else 2
        self.time = 1 if resample is None or resample.time_conv is None else 2
        first = next(iter(chain.values()))
        self.out_dim = first.residual["2"].out_channels

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        down = self.kind == "downsamples"
        shortcut = None
        if down:
            shortcut = self._average(x)
        elif self.space == 2:
            shortcut = self._duplicate(x, first=past is None or past.first(self))
        for block in getattr(self, self.kind).values():
            x = block(x, past)
        if shortcut is None:
            return x
        return x + shortcut if past is None else x.add_(shortcut)

    def _average(self, x: Tensor) -> Tensor:
        """Space-time to channels, then the mean over channel groups; a lone first frame is padded in front."""
        x = F.pad(x, (0, 0, 0, 0, -x.shape[2] % self.time, 0))
        x = rearrange(x, "b c (t p) (h q) (w r) -> b (c p q r) t h w", p=self.time, q=self.space, r=self.space)
        return x.unflatten(1, (self.out_dim, -1)).mean(dim=2)

    def _duplicate(self, x: Tensor, first: bool) -> Tensor:
        """Channels repeated and spread over space and time; the clip's first frame gives one frame only."""
        count = self.out_dim * self.time * self.space**2 // x.shape[1]
        x = x.repeat_interleave(count, dim=1)
        x = rearrange(x, "b (c p q r) t h w -> b c (t p) (h q) (w r)", p=self.time, q=self.space, r=self.space)
        return x[:, :, self.time - 1 :] if first else x


def below(shapes: Shapes, prefix: str) -> dict[str, Sequence[int]]:
    """The shapes of the tensors below a prefix, by the rest of their names."""
    return {k[len(prefix) + 1 :]: v for k, v in shapes.items() if k.startswith(prefix + ".")}


def _chain(shapes: Shapes, resample: type[nn.Module]) -> nn.ModuleDict:
    """The numbered blocks below a prefix, each told by the tensors it has."""
    blocks: dict[str, nn.Module] = {}
    for number in sorted({int(k.split(".")[0]) for k in shapes}):
        own = below(shapes, str(number))
        if "residual.2.weight" in own:
            blocks[str(number)] = ResidualBlock(own)
        elif "to_qkv.weight" in own:
            blocks[str(number)] = AttentionBlock(own)
        elif "resample.1.weight" in own:
            blocks[str(number)] = resample(own)
        else:
            kind = "downsamples" if resample is Downsample else "upsamples"
            blocks[str(number)] = Level(own, kind)
    return nn.ModuleDict(blocks)


class Half(nn.Module):
    """Encoder or decoder: a stem, resampling levels and a middle (in the half's own order), a head.

    The encoder takes pixels [B,C,T,H,W] (T = 1+4k, in -1..1) to what becomes mean and log-variance [B,2z,1+k,h,w], the
    decoder latents [B,z,1+k,h,w] to pixels. Layers are told by the tensors in `shapes`; KeyError names one that lacks.
    """

    def __init__(self, shapes: Shapes, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv1 = CausalConv3d(shapes["conv1.weight"])
        self.add_module(kind, _chain(below(shapes, kind), Downsample if kind == "downsamples" else Upsample))
        self.middle = _chain(below(shapes, "middle"), Downsample)
        self.head = nn.ModuleDict({"0": RMSNorm(shapes["head.0.gamma"]), "2": CausalConv3d(shapes["head.2.weight"])})
        timed = [any("time_conv" in name for name, _ in block.named_parameters()) for block in self._blocks()]
        self._apart = timed.index(True) if True in timed else len(timed)  # blocks before the first that joins frames

    def forward(self, x: Tensor) -> Tensor:
        """The whole clip at once."""
        x = self.conv1(x)
        for block in self._blocks():
            x = block(x)
        return _activated(self.head["0"], self.head["2"], x, None)

    def _blocks(self) -> list[nn.Module]:
        levels, middle = list(getattr(self, self.kind).values()), list(self.middle.values())
        return levels + middle if self.kind == "downsamples" else middle + levels

    def stream(self, x: Tensor, past: Past) -> Iterator[Tensor]:
        """The decoder: one latent frame to pixel frames; large ones are taken to the end one by one, which holds the
        least, small ones together, for there the calls cost more than the arithmetic."""
        yield from self._finish(self.conv1(x, past), past, self._blocks())

    def _finish(self, x: Tensor, past: Past, blocks: Sequence[nn.Module]) -> Iterator[Tensor]:
        for i, block in enumerate(blocks):
            x = block(x, past)
            if x.shape[2] > 1 and x[:, :, 0].numel() > TOGETHER:
                for frame in x.split(1, dim=2):
                    yield from self._finish(frame, past, blocks[i + 1 :])
                return
        yield from _activated(self.head["0"], self.head["2"], x, past).split(1, dim=2)

    def begin(self, x: Tensor, past: Past) -> Tensor:
        """The encoder up to the first block that joins frames, to be fed one pixel frame at a time."""
        x = self.conv1(x, past)
        for block in self._blocks()[: self._apart]:
            x = block(x, past)
        return x

    def end(self, x: Tensor, past: Past) -> Tensor:
        """The rest of the encoder: `begin`'s first frame, then four of them at a time, to one latent frame."""
        for block in self._blocks()[self._apart :]:
            x = block(x, past)
        return _activated(self.head["0"], self.head["2"], x, past)
