# SPDX-License-Identifier: GPL-3.0-or-later
"""The causal video autoencoders of Wan 2.1 (stride 4x8x8) and Wan 2.2 (stride 4x16x16).

Both are one network here: which blocks there are, how many and how wide, is read off the tensor names and shapes, so
that the published weights and a small checkpoint load alike. Parameter names are the published ones. After
`wan/modules/vae2_1.py` and `vae2_2.py` of the original implementation.

Layouts: video [B,3,T,H,W] in -1..1, T = 4k+1; latents [B,z,t,h,w] with t = k+1, normalised per channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from einops import rearrange
from torch import Tensor, nn

from .vae_layers import CausalConv3d, Half, Past, Shapes, below

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
        self.encoder = Half(below(shapes, "encoder"), "downsamples")
        self.decoder = Half(below(shapes, "decoder"), "upsamples")
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
