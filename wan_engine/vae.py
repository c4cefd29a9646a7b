# SPDX-License-Identifier: GPL-3.0-or-later
"""The causal video autoencoders of Wan 2.1 (stride 4x8x8) and Wan 2.2 (stride 4x16x16).

Both are one network here: which blocks there are, how many and how wide, is read off the tensor names and shapes, so
that the published weights and a small checkpoint load alike. Parameter names are the published ones. After
`wan/modules/vae2_1.py` and `vae2_2.py` of the original implementation.

Every layer is causal in time and may be fed in chunks: what a layer must remember of earlier frames lives in a
`Past`, a plain dict from layer to tensor. Without a past (`None`) the layer sees the whole clip at once; with one, a
clip fed as 1, 4, 4, ... frames gives the same result with memory constant in the clip's length.

Layouts: video [B,3,T,H,W] in -1..1, T = 4k+1; latents [B,z,t,h,w] with t = k+1, normalised per channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

Past = dict[nn.Module, Tensor]
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


class CausalConv3d(nn.Conv3d):
    """A 3D convolution that sees only present and past frames; [B,C,T,H,W] -> [B,C',T,H,W]."""

    def __init__(self, shape: Sequence[int]) -> None:
        out_dim, in_dim, *kernel = shape
        super().__init__(in_dim, out_dim, tuple(kernel), padding=(0, kernel[1] // 2, kernel[2] // 2))

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        reach = self.kernel_size[0] - 1
        if reach:
            before = None if past is None else past.get(self)
            if before is None:
                before = x.new_zeros(*x.shape[:2], reach, *x.shape[3:])
            x = torch.cat([before, x], dim=2)
            if past is not None:
                past[self] = x[:, :, -reach:]
        return super().forward(x)


class RMSNorm(nn.Module):
    """Normalises over channels (dimension 1)."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(*shape))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1) * x.shape[1] ** 0.5 * self.gamma


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
        y = self.residual["2"](F.silu(self.residual["0"](x)), past)
        y = self.residual["6"](F.silu(self.residual["3"](y)), past)
        return y + (x if self.shortcut is None else self.shortcut(x))


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
        qkv = rearrange(self.to_qkv(self.norm(y)), "n (three c) h w -> three n 1 (h w) c", three=3)
        y = rearrange(F.scaled_dot_product_attention(*qkv), "n 1 (h w) c -> n c h w", h=h, w=w)
        return x + rearrange(self.proj(y), "(b t) c h w -> b c t h w", t=frames)


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
        x = rearrange(self.resample["1"](x), "(b t) c h w -> b c t h w", t=frames)
        if self.time_conv is None:
            return x
        before = None if past is None else past.get(self)
        if past is not None:
            past[self] = x[:, :, -1:]
        if before is not None:
            return self.time_conv(torch.cat([before, x], dim=2))
        return x if frames < 3 else torch.cat([x[:, :, :1], self.time_conv(x)], dim=2)


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
        frames = x.shape[2]
        x = F.interpolate(rearrange(x, "b c t h w -> (b t) c h w"), scale_factor=2.0, mode="nearest-exact")
        return rearrange(self.resample["1"](x), "(b t) c h w -> b c t h w", t=frames)

    def _double_time(self, x: Tensor, past: Past | None) -> Tensor:
        """Every frame becomes two, but the clip's first, which the time convolution never sees."""
        first = past is None or self not in past
        head, rest = (x[:, :, :1], x[:, :, 1:]) if first else (x[:, :, :0], x)
        if past is not None:
            past[self] = x[:, :, :0]  # remembers only that the first frame has passed
        if rest.shape[2] == 0 or self.time_conv is None:
            return head
        rest = rearrange(self.time_conv(rest, past), "b (two c) t h w -> b c (t two) h w", two=2)
        return torch.cat([head, rest], dim=2)


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
            shortcut = self._duplicate(x, first=past is None or self not in past)
            if past is not None:
                past[self] = x[:, :, :0]
        for block in getattr(self, self.kind).values():
            x = block(x, past)
        return x if shortcut is None else x + shortcut

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

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        x = self.conv1(x, past)
        levels, middle = list(getattr(self, self.kind).values()), list(self.middle.values())
        for block in levels + middle if self.kind == "downsamples" else middle + levels:
            x = block(x, past)
        return self.head["2"](F.silu(self.head["0"](x)), past)


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

    @torch.no_grad()
    def encode(self, video: Tensor) -> Tensor:
        """[B,3,T,H,W] in -1..1 -> normalised latents [B,z,(T-1)//4+1,H/s,W/s]; T = 4k+1, H and W multiples of s.

        Fed to the encoder in chunks of 1, 4, 4, ... frames.
        """
        if (video.shape[2] - 1) % 4:
            raise ValueError(f"the autoencoder takes 4k+1 frames, not {video.shape[2]}")
        past: Past = {}
        folded = self._fold(video)
        sizes = [1] + [4] * ((video.shape[2] - 1) // 4)
        mu = torch.cat([self.conv1(self.encoder(part, past)) for part in folded.split(sizes, dim=2)], dim=2)
        mean, inverse_std = self._statistics(mu)
        return (mu[:, : self.z_dim] - mean) * inverse_std

    @torch.no_grad()
    def decode_stream(self, latents: Tensor) -> Iterator[Tensor]:
        """Normalised latents [B,z,t,h,w] -> video chunks [B,3,n,H,W], n = 1, 4, 4, ...; not clamped."""
        mean, inverse_std = self._statistics(latents)
        z = self.conv2(latents / inverse_std + mean)
        past: Past = {}
        for i in range(z.shape[2]):
            yield self._unfold(self.decoder(z[:, :, i : i + 1], past))

    def decode(self, latents: Tensor) -> Tensor:
        """Normalised latents [B,z,t,h,w] -> video [B,3,4t-3,H,W], not clamped."""
        return torch.cat(list(self.decode_stream(latents)), dim=2)


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
        vae.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ValueError("not a Wan autoencoder: " + " ".join(str(error).split())) from error
    return vae.eval().requires_grad_(False)
