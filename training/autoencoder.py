# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains nano's autoencoder (the 2.2 layout, small) on rendered clips.

    python -m training.autoencoder DATA STATE.pt --steps N
    python -m training.autoencoder DATA STATE.pt --steps N --decoder BEFORE.pt

Saves its state to STATE.pt every few minutes and continues from it. With --decoder it starts from the result in
BEFORE.pt and trains the decoder alone, on whole clips and for the light, which after shorter clips drifts behind their
length: latents stay what they were. `folded_state` turns the result into the published form: the latents' own
statistics are folded into the two 1x1 convolutions, so that the published normalisation constants hold.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wan_engine.networks.vae import LATENT_STATISTICS, WanVAE
from wan_engine.networks.vae_layers import Downsample, ResidualBlock, Upsample

from .muon import optimizers, set_rates
from .plans import FRAMES

DIM, DEC_DIM, Z_DIM, BLOCKS = 16, 24, 48, 1
MULTIPLIERS = (1, 2, 4, 4)
TIME = (False, True, True)
OUTER = ("encoder.conv1.weight", "decoder.head.2.weight")  # first and last layer: Adam's


def vae22_shapes(dim: int, dec_dim: int, z_dim: int, blocks: int) -> dict[str, tuple[int, ...]]:
    """Tensor names and shapes of a 2.2 autoencoder of these dimensions."""
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(name: str, out_dim: int, in_dim: int, *kernel: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out_dim, in_dim, *kernel), (out_dim,)

    def residual(name: str, in_dim: int, out_dim: int) -> None:
        shapes[f"{name}.residual.0.gamma"] = (in_dim, 1, 1, 1)
        conv(f"{name}.residual.2", out_dim, in_dim, 3, 3, 3)
        shapes[f"{name}.residual.3.gamma"] = (out_dim, 1, 1, 1)
        conv(f"{name}.residual.6", out_dim, out_dim, 3, 3, 3)
        if in_dim != out_dim:
            conv(f"{name}.shortcut", out_dim, in_dim, 1, 1, 1)

    def middle(name: str, width: int) -> None:
        residual(f"{name}.0", width, width)
        shapes[f"{name}.1.norm.gamma"] = (width, 1, 1)
        conv(f"{name}.1.to_qkv", 3 * width, width, 1, 1)
        conv(f"{name}.1.proj", width, width, 1, 1)
        residual(f"{name}.2", width, width)

    def half(name: str, kind: str, widths: list[int], count: int, time: tuple[bool, ...], out_dim: int) -> None:
        for i, (a, b) in enumerate(pairwise(widths)):
            level = f"{name}.{kind}.{i}.{kind}"
            for j in range(count):
                residual(f"{level}.{j}", a if j == 0 else b, b)
            if i < len(widths) - 2:
                conv(f"{level}.{count}.resample.1", b, b, 3, 3)
                if time[i]:
                    conv(f"{level}.{count}.time_conv", b if kind == "downsamples" else 2 * b, b, 3, 1, 1)
        last = widths[-1]
        middle(f"{name}.middle", last if kind == "downsamples" else widths[0])
        shapes[f"{name}.head.0.gamma"] = (last, 1, 1, 1)
        conv(f"{name}.head.2", out_dim, last, 3, 3, 3)

    enc = [dim * m for m in (1, *MULTIPLIERS)]
    dec = [dec_dim * m for m in (MULTIPLIERS[-1], *MULTIPLIERS[::-1])]
    conv("encoder.conv1", enc[0], 12, 3, 3, 3)
    half("encoder", "downsamples", enc, blocks, TIME, 2 * z_dim)
    conv("conv1", 2 * z_dim, 2 * z_dim, 1, 1, 1)
    conv("conv2", z_dim, z_dim, 1, 1, 1)
    conv("decoder.conv1", dec[0], z_dim, 3, 3, 3)
    half("decoder", "upsamples", dec, blocks + 1, TIME[::-1], 12)
    return shapes


class Clips:
    """Rendered clips in memory, uint8 [FRAMES,H,W,3]."""

    def __init__(self, data: Path) -> None:
        self.clips: dict[str, np.ndarray] = {}
        for folder in sorted((data / "clips").iterdir()):
            if not (folder / f"{FRAMES:04d}.png").exists():
                continue
            frames = [cv2.imread(str(folder / f"{i + 1:04d}.png")) for i in range(FRAMES)]
            if all(f is not None for f in frames):
                self.clips[folder.name] = np.stack(frames)[..., ::-1]

    def batch(self, rng: random.Random, count: int, frames: int, side: int) -> Tensor:
        """Random crops, mirrored and reversed at random: [count,3,frames,side,side] in -1..1."""
        names, parts = list(self.clips), []
        for _ in range(count):
            clip = self.clips[rng.choice(names)]
            t, y, x = (rng.randint(0, n - m) for n, m in zip(clip.shape, (frames, side, side), strict=False))
            part = clip[t : t + frames, y : y + side, x : x + side]
            part = part[:: rng.choice((1, -1)), :, :: rng.choice((1, -1))]
            parts.append(torch.from_numpy(np.ascontiguousarray(part)))
        return torch.stack(parts).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


LATENT_NOISE = 0.05  # added in training, so that the decoder forgives what the experts get slightly wrong


def initialise(vae: WanVAE) -> None:
    """Starts the network as an autoencoder of single frames: every kernel sees the present frame alone, every change
    of frame rate copies. So what is learnt on single frames, which is where the variety is, holds for clips at once.
    """
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Conv3d):
            torch.nn.init.zeros_(module.weight)
            present = module.weight.data[:, :, -1] if isinstance(module, torch.nn.Conv3d) else module.weight.data
            torch.nn.init.kaiming_normal_(present, nonlinearity="linear")
            torch.nn.init.zeros_(module.bias)
    for module in vae.modules():
        if isinstance(module, ResidualBlock):
            module.residual["6"].weight.data.mul_(0.1)
        if isinstance(module, Downsample | Upsample) and module.time_conv is not None:
            weight = module.time_conv.weight.data.zero_()
            for part in weight.split(weight.shape[1]):
                part[:, :, -1, 0, 0] = torch.eye(weight.shape[1])


def diet(progress: float) -> tuple[int, int]:
    """Frames per clip and clips per batch at a share of the training."""
    return (1, 24) if progress < 0.35 else (5, 5) if progress < 0.85 else (9, 3)


def picture_loss(difference: Tensor) -> tuple[Tensor, Tensor]:
    """Of pixels and edges, and the plain mean squared error in -1..1."""
    edges = sum(difference.diff(dim=d).abs().mean() for d in (3, 4))
    mse = difference.square().mean()
    return difference.abs().mean() + mse + 0.25 * edges, mse.detach()


def loss_of(vae: WanVAE, video: Tensor) -> tuple[Tensor, Tensor]:
    """Training loss, and the plain mean squared error in -1..1. Deterministic; latents are kept small."""
    mu, _ = vae.moments(video)
    difference = vae.pixels(mu + LATENT_NOISE * torch.randn_like(mu)) - video
    loss, mse = picture_loss(difference)
    return loss + 1e-4 * mu.square().mean(), mse


DECODER_RATE = 0.2  # of the rates from nothing: the decoder is good already
LIGHT_CELL = 16  # pixels along a side of the fields whose mean light counts


def light_loss(difference: Tensor) -> Tensor:
    """How far the light is off, in fields and over the picture: what pixels are off by is larger and hides it."""
    fields = F.avg_pool3d(difference, (1, LIGHT_CELL, LIGHT_CELL))
    return fields.abs().mean() + 4 * difference.mean((1, 3, 4)).abs().mean()


def relit(video: Tensor) -> Tensor:
    """Half of the clips [B,3,T,H,W] in -1..1, with light that changes in strength and colour as they play."""
    ends = 0.6 + 0.7 * torch.rand(video.shape[0], 3, 2)
    ends = 0.5 * (ends + ends.mean(1, keepdim=True))
    way = torch.linspace(0, 1, video.shape[2])
    gain = ends[..., :1] * (1 - way) + ends[..., 1:] * way
    gain[torch.rand(len(gain)) < 0.5] = 1.0
    return ((video + 1) * gain[..., None, None] - 1).clamp(-1, 1)


def decoder_loss(vae: WanVAE, video: Tensor) -> tuple[Tensor, Tensor]:
    """As `loss_of`, with the light, and the encoder as it is."""
    video = relit(video)
    with torch.no_grad():
        mu, _ = vae.moments(video)
    difference = vae.pixels(mu + LATENT_NOISE * torch.randn_like(mu)) - video
    loss, mse = picture_loss(difference)
    return loss + light_loss(difference), mse


def train(data: Path, state_path: Path, steps: int, side: int, threads: int, before: Path | None) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    vae = WanVAE(vae22_shapes(DIM, DEC_DIM, Z_DIM, BLOCKS))
    if before is None:
        initialise(vae)
    else:
        vae.load_state_dict(torch.load(before, weights_only=True)["average"])
        for part in (vae.encoder, vae.conv1):
            part.requires_grad_(False)
    inner = [
        p for n, p in vae.named_parameters() if p.requires_grad and p.dim() >= 4 and "gamma" not in n and n not in OUTER
    ]
    average = torch.optim.swa_utils.AveragedModel(vae, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    pair, step = optimizers(vae, inner, 0.02, 1e-3), 0
    if state_path.exists():
        state = torch.load(state_path, weights_only=True)
        vae.load_state_dict(state["vae"])
        average.module.load_state_dict(state["average"])
        for optimizer, own in zip(pair, state["optimizers"], strict=True):
            optimizer.load_state_dict(own)
        step = state["step"]
    clips, rng, saved, smooth = Clips(data), random.Random(step), time.monotonic(), None
    while step < steps:
        gentle = 1.0 if before is None else DECODER_RATE
        set_rates(
            pair, gentle * min(1.0, (step + 1) / 20) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        )
        frames, batch = diet(step / steps) if before is None else (FRAMES, 2)
        loss, mse = (loss_of if before is None else decoder_loss)(vae, clips.batch(rng, batch, frames, side))
        vae.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        for optimizer in pair:
            optimizer.step()
        average.update_parameters(vae)
        step += 1
        smooth = mse.item() if smooth is None else 0.96 * smooth + 0.04 * mse.item()
        if step % 25 == 0:
            print(
                f"step {step} frames {frames} loss {loss.item():.4f} psnr {10 * math.log10(4 / smooth):.2f}", flush=True
            )
        if time.monotonic() - saved > 120 or step == steps:
            part = state_path.with_suffix(".part")
            torch.save(
                {"vae": vae.state_dict(), "average": average.module.state_dict(), "step": step,
                 "optimizers": [o.state_dict() for o in pair]}, part,
            )  # fmt: skip
            part.replace(state_path)
            saved = time.monotonic()


@torch.no_grad()
def folded_state(vae: WanVAE, videos: list[Tensor]) -> dict[str, Tensor]:
    """The state dict with latents scaled so that the published statistics normalise them to zero mean and unit spread.

    `videos` [1,3,T,H,W] are what the statistics are measured on.
    """
    means = torch.cat([vae.moments(v)[0].flatten(2).transpose(1, 2).flatten(0, 1) for v in videos])
    own_mean, own_std = means.mean(0), means.std(0)
    mean, std = (torch.tensor(v) for v in LATENT_STATISTICS[vae.z_dim])
    scale = std / own_std
    state = {k: v.clone() for k, v in vae.state_dict().items()}
    z = vae.z_dim
    state["conv1.weight"][:z] *= scale.view(-1, 1, 1, 1, 1)
    state["conv1.bias"][:z] = (state["conv1.bias"][:z] - own_mean) * scale + mean
    state["conv1.bias"][z:] += 2 * scale.log()
    state["conv2.bias"] += (state["conv2.weight"].flatten(1) * (own_mean - mean / scale)).sum(1)
    state["conv2.weight"] /= scale.view(1, -1, 1, 1, 1)
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("state", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--decoder", type=Path, metavar="BEFORE", help="train the decoder alone, from this state")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    train(args.data, args.state, args.steps, args.side, args.threads, args.decoder)


if __name__ == "__main__":
    main()
