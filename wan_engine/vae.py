# SPDX-License-Identifier: GPL-3.0-or-later
"""The causal video autoencoders of Wan 2.1 (stride 4x8x8) and Wan 2.2 (stride 4x16x16).

Both are one network here: which blocks there are, how many and how wide, is read off the tensor names and shapes, so
that the published weights and a small checkpoint load alike. Parameter names are the published ones. After
`wan/modules/vae2_1.py` and `vae2_2.py` of the original implementation.

Every layer is causal in time and may be fed a few frames at a time: what a layer must remember of earlier frames lives
in a `Past`. Without one (`None`) the layer sees the whole clip at once, with gradients if wanted; with one, a clip fed
frame by frame gives the same result with memory constant in the clip's length. Tensors of a stream lie in memory
with the channels last: frames are then whole blocks, and oneDNN's convolutions are at their fastest.

Layouts: video [B,3,T,H,W] in -1..1, T = 4k+1; latents [B,z,t,h,w] with t = k+1, normalised per channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

Shapes = Mapping[str, Sequence[int]]

# Per-channel statistics of the published latents, `wan/modules/vae2_1.py` (16) and `vae2_2.py` (48).
LATENT_STATISTICS: dict[int, tuple[tuple[float, ...], tuple[float, ...]]] = {
    16: (
        (-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632, -0.1922,
         -0.9497, 0.2503, -0.2921),
        (2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253,
         2.8251, 1.9160),
    ),
    48: (
        (-0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542, 0.2813, 0.0891, 0.1570,
         -0.0098, 0.0375, -0.1825, -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502, -0.2055,
         -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230, -0.0313, -0.1649, 0.0117, 0.0723, -0.2839,
         -0.2083, -0.0520, 0.3748, 0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667),
        (0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894, 1.0901, 0.6885, 0.6165,
         0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659, 0.7069, 0.5338, 0.4889, 0.4917,
         0.4069, 0.4999, 0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887, 0.3971, 1.0600,
         0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744),
    ),
}  # fmt: skip


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
    """Normalises over channels (dimension 1)."""

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
    """Two causal convolutions around a shortcut."""

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
    """Single-head self-attention within each frame."""

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
    """Halves height and width, and time too where there is a `time_conv`; the clip's first frame stays alone."""

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
    """Doubles height and width, and time too where there is a `time_conv`; the clip's first frame stays alone."""

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
    """A level of the 2.2 autoencoder: residual blocks and a resampling, beside a parameter-free shortcut."""

    def __init__(self, shapes: Shapes, kind: str) -> None:
        super().__init__()
        self.kind = kind
        chain = _chain(_below(shapes, kind), Downsample if kind == "downsamples" else Upsample)
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


def _below(shapes: Shapes, prefix: str) -> dict[str, Sequence[int]]:
    return {k[len(prefix) + 1 :]: v for k, v in shapes.items() if k.startswith(prefix + ".")}


def _chain(shapes: Shapes, resample: type[nn.Module]) -> nn.ModuleDict:
    """The numbered blocks below a prefix, each told by the tensors it has."""
    blocks: dict[str, nn.Module] = {}
    for number in sorted({int(k.split(".")[0]) for k in shapes}):
        own = _below(shapes, str(number))
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
    """Encoder or decoder: a stem, resampling levels and a middle (in the half's own order), a head."""

    def __init__(self, shapes: Shapes, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv1 = CausalConv3d(shapes["conv1.weight"])
        self.add_module(kind, _chain(_below(shapes, kind), Downsample if kind == "downsamples" else Upsample))
        self.middle = _chain(_below(shapes, "middle"), Downsample)
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
        """The decoder: one latent frame to pixel frames, each taken to the end before the next is begun."""
        yield from self._finish(self.conv1(x, past), past, self._blocks())

    def _finish(self, x: Tensor, past: Past, blocks: Sequence[nn.Module]) -> Iterator[Tensor]:
        for i, block in enumerate(blocks):
            x = block(x, past)
            if x.shape[2] > 1:
                for frame in x.split(1, dim=2):
                    yield from self._finish(frame, past, blocks[i + 1 :])
                return
        yield _activated(self.head["0"], self.head["2"], x, past)

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


class WanVAE(nn.Module):
    """Encoder and decoder with the latent normalisation.

    `z_dim` is the number of latent channels, `stride` (4, s, s) pixels per latent, `patch` the side of the pixel
    blocks that the 2.2 layout folds into channels (1 in the 2.1 layout).
    """

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.z_dim = shapes["conv2.weight"][0]
        if self.z_dim not in LATENT_STATISTICS:
            raise ValueError(f"an autoencoder with {self.z_dim} latent channels is unknown (known: 16 and 48)")
        self.patch = 2 if shapes["encoder.conv1.weight"][1] == 12 else 1
        self.stride = (4, 8 * self.patch, 8 * self.patch)
        self.encoder = Half(_below(shapes, "encoder"), "downsamples")
        self.decoder = Half(_below(shapes, "decoder"), "upsamples")
        self.conv1 = CausalConv3d(shapes["conv1.weight"])
        self.conv2 = CausalConv3d(shapes["conv2.weight"])

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = (torch.tensor(v, device=like.device).view(1, -1, 1, 1, 1) for v in LATENT_STATISTICS[self.z_dim])
        return mean, 1.0 / std

    def moments(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the posterior before normalisation, whole clip at once; used in training."""
        return tuple(self.conv1(self.encoder(self._fold(video))).chunk(2, dim=1))

    def pixels(self, z: Tensor) -> Tensor:
        """Video [B,3,T,H,W] of latents before normalisation, whole clip at once; used in training."""
        return self._unfold(self.decoder(self.conv2(z)))

    def _fold(self, video: Tensor) -> Tensor:
        return rearrange(video, "b c t (h q) (w r) -> b (c r q) t h w", q=self.patch, r=self.patch)

    def _unfold(self, x: Tensor) -> Tensor:
        return rearrange(x, "b (c r q) t h w -> b c t (h q) (w r)", q=self.patch, r=self.patch)

    def encode(self, video: Tensor) -> Tensor:
        """[B,3,T,H,W] in -1..1 -> normalised latents [B,z,(T-1)//4+1,H/s,W/s]; T = 4k+1, H and W multiples of s."""
        return torch.cat(list(self.encode_stream(video.split(1, dim=2))), dim=2)

    @torch.no_grad()
    def encode_stream(self, video: Iterable[Tensor]) -> Iterator[Tensor]:
        """Video chunks [B,3,n,H,W] of any lengths, 4k+1 frames in all -> normalised latents [B,z,1,h,w], one by one.

        The memory needed does not depend on the number of frames. Raises ValueError for another number of frames.
        """
        past, frames, count = Past(), [], 0
        for frame in (frame for chunk in video for frame in chunk.split(1, dim=2)):
            frames.append(self.encoder.begin(_channels_last(self._fold(frame)), past))
            count += 1
            if count % 4 == 1:
                mu = self.conv1(self.encoder.end(torch.cat(frames, dim=2), past))
                frames.clear()
                mean, inverse_std = self._statistics(mu)
                yield (mu[:, : self.z_dim] - mean) * inverse_std
        if count % 4 != 1:
            raise ValueError(f"the autoencoder takes 4k+1 frames, not {count}")

    @torch.no_grad()
    def decode_stream(self, latents: Tensor, tile: int = 0) -> Iterator[Tensor]:
        """Normalised latents [B,z,t,h,w] -> 4t-3 video frames [B,3,1,H,W], one by one; not clamped.

        The memory needed does not depend on the number of frames. With `tile`, the side in pixels of overlapping
        squares that are decoded one after the other and blended, working memory is that of one square, but the whole
        video is held; the result is no longer exact, for a square sees nothing of what lies outside it.
        """
        if tile and max(latents.shape[3] * self.stride[1], latents.shape[4] * self.stride[2]) > tile:
            yield from self._blend(latents, tile).split(1, dim=2)
            return
        mean, inverse_std = self._statistics(latents)
        past = Past()
        for latent in latents.split(1, dim=2):
            z = self.conv2(_channels_last(latent / inverse_std + mean))
            for frame in self.decoder.stream(z, past):
                yield self._unfold(frame)

    def decode(self, latents: Tensor, tile: int = 0) -> Tensor:
        """Normalised latents [B,z,t,h,w] -> video [B,3,4t-3,H,W], not clamped; `tile` as in `decode_stream`."""
        b, _, t, h, w = latents.shape
        video = latents.new_empty(b, 3, 4 * t - 3, h * self.stride[1], w * self.stride[2])
        for i, frame in enumerate(self.decode_stream(latents, tile)):
            video[:, :, i : i + 1] = frame
        return video

    def _blend(self, latents: Tensor, tile: int) -> Tensor:
        """The whole video from squares of `tile` pixels, a quarter of each shared with its neighbour and faded over."""
        b, _, t, h, w = latents.shape
        side = self.stride[1]
        video = latents.new_zeros(b, 3, 4 * t - 3, h * side, w * side)
        for top, bottom, fade_y in _spans(h, tile // side, side):
            for left, right, fade_x in _spans(w, tile // side, side):
                weight = (fade_y[:, None] * fade_x).to(latents)
                place = video[..., top * side : bottom * side, left * side : right * side]
                for i, frame in enumerate(self.decode_stream(latents[..., top:bottom, left:right])):
                    place[:, :, i : i + 1] += frame * weight
        return video


def _spans(length: int, tile: int, side: int) -> list[tuple[int, int, Tensor]]:
    """Latent ranges of at most `tile` that cover `length`, each sharing a quarter or more with the next.

    With each the weights of its pixels, `side` per latent: ramps where ranges overlap, in sum 1 everywhere.
    """
    tile = min(max(tile, 2), length)
    count = 1 + -(-(length - tile) // max(tile - max(tile // 4, 1), 1))
    starts = [round(i * (length - tile) / max(count - 1, 1)) for i in range(count)]
    place = torch.arange(tile * side) + 0.5
    ramp = torch.minimum(place, tile * side - place)
    total = torch.zeros(length * side)
    for start in starts:
        total[start * side : (start + tile) * side] += ramp
    return [(start, start + tile, ramp / total[start * side : (start + tile) * side]) for start in starts]


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d)


def kernel_last(tensor: Tensor) -> Tensor:
    """A convolution's weights in the order that channels-last convolutions read, which saves a copy per call."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return tensor.contiguous(memory_format=formats[tensor.dim()]) if tensor.dim() in formats else tensor


def load_vae(state: Mapping[str, Tensor]) -> WanVAE:
    """The autoencoder of a state dict with the published names, in the dtype of its tensors.

    Raises ValueError when the tensors do not make a Wan autoencoder; the message names those missing, extra or
    misshapen.
    """
    with torch.device("meta"):
        try:
            vae = WanVAE({k: tuple(v.shape) for k, v in state.items()})
        except (KeyError, IndexError) as error:
            raise ValueError(f"not a Wan autoencoder: tensor {error} is missing") from error
    try:
        vae.load_state_dict({name: kernel_last(tensor) for name, tensor in state.items()}, assign=True)
    except RuntimeError as error:
        raise ValueError("not a Wan autoencoder: " + " ".join(str(error).split())) from error
    return vae.eval().requires_grad_(False)
