# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains nano's text encoder and its two experts by flow matching on precomputed latents.

    python -m training.experts coarse DATA STATE --steps N    # text encoder and one transformer over all timesteps
    python -m training.experts base DATA STATE --steps N      # the same with four times the tokens
    python -m training.experts high DATA STATE --steps N      # the base goes on above the boundary, text encoder frozen
    python -m training.experts low  DATA STATE --steps N      # and below it

STATE is a folder; each stage saves its state there every few minutes and continues from it. A clip is conditioned on
its first frame, on first and last, or on none, drawn at random, so that one checkpoint serves all three; now and then
the prompt is left out, for guidance.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.networks.umt5 import T5Config, T5Encoder

from .dataset import prompts_of
from .muon import optimizers, set_rates

Z = 48
TEXT_DIM = 128
TEXT_LEN = 192
SHIFT, BOUNDARY = 3.0, 0.85
T5 = dict(dim=TEXT_DIM, dim_attn=TEXT_DIM, dim_ffn=256, num_heads=4, num_layers=3, num_buckets=32)
COARSE = TransformerConfig(
    dim=256, ffn_dim=704, num_heads=4, num_layers=6, in_dim=2 * Z + 4, out_dim=Z, text_dim=TEXT_DIM, freq_dim=256,
    text_len=TEXT_LEN,
)  # fmt: skip
TRANSFORMER = replace(COARSE, patch_size=(1, 1, 1))  # a token per latent: with 2x2 objects in fast motion dissolve
CONDITIONS = ("none", "first", "both")
CONDITION_ODDS = (0.1, 0.4, 0.5)
NO_PROMPT = 0.1


def condition_mask(frames: int, kind: str) -> Tensor:
    """The four mask channels [4,frames] of a condition: pixel frames folded by four, the first fourfold."""
    mask = torch.zeros(4, frames)
    if kind != "none":
        mask[:, 0] = 1
    if kind == "both":
        mask[3, -1] = 1
    return mask


class Data:
    """All latents and token ids in memory."""

    def __init__(self, data: Path) -> None:
        tokenizer = Tokenizer.from_file(str(data / "tokenizer.json"))
        prompts = prompts_of(data)
        paths = [p for p in sorted((data / "latents").glob("*.safetensors")) if p.stem in prompts]
        if not paths:
            raise SystemExit(f"no latents with prompts under {data}: run training.dataset first")
        parts = [load_file(p) for p in paths]
        self.clip, self.first, self.both = (torch.stack([p[k] for p in parts]) for k in ("clip", "first", "both"))
        encodings = [tokenizer.encode(prompts[p.stem]).ids for p in paths]
        longest = max(map(len, encodings))
        if longest > TEXT_LEN:
            raise SystemExit(f"a prompt has {longest} tokens, more than text_len {TEXT_LEN}")
        self.ids = torch.zeros(len(paths), longest, dtype=torch.long)
        for row, ids in zip(self.ids, encodings, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        self.lengths = torch.tensor([len(e) for e in encodings])
        self.empty = tokenizer.encode("").ids

    def batch(self, generator: torch.Generator, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x0 [B,z,t,h,w], condition [B,4+z,t,h,w], token ids [B,L] and their lengths [B]."""
        pick = torch.randint(len(self.clip), (count,), generator=generator)
        x0 = self.clip[pick].float()
        kinds = torch.multinomial(torch.tensor(CONDITION_ODDS), count, replacement=True, generator=generator)
        masks = torch.stack([condition_mask(x0.shape[2], k) for k in CONDITIONS])[kinds][..., None, None]
        frames = torch.stack([torch.zeros_like(x0), self.first[pick].float(), self.both[pick].float()], dim=1)
        condition = frames[torch.arange(count), kinds]
        y = torch.cat([masks.expand(-1, -1, -1, *x0.shape[3:]), condition], dim=1)
        ids, lengths = self.ids[pick].clone(), self.lengths[pick].clone()
        dropped = torch.rand(count, generator=generator) < NO_PROMPT
        ids[dropped] = 0
        ids[dropped, : len(self.empty)] = torch.tensor(self.empty)
        lengths[dropped] = len(self.empty)
        longest = int(lengths.max())
        return x0, y, ids[:, :longest], lengths


def draw_sigmas(generator: torch.Generator, count: int, low: float, high: float) -> Tensor:
    """Noise levels as sampling meets them: uniform, then shifted, within low..high."""
    ends = [s / (SHIFT - (SHIFT - 1) * s) for s in (low, high)]
    u = ends[0] + (ends[1] - ends[0]) * torch.rand(count, generator=generator)
    return SHIFT * u / (1 + (SHIFT - 1) * u)


def encode_text(encoder: T5Encoder, ids: Tensor, lengths: Tensor) -> list[Tensor]:
    mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()
    states = encoder(ids, mask)
    return [row[:n] for row, n in zip(states, lengths.tolist(), strict=True)]


def flow_loss(
    model: WanTransformer, encoder: T5Encoder, batch: tuple[Tensor, ...], sigma: Tensor, noise: Tensor
) -> Tensor:
    """Mean squared error of the velocity noise - x0 at x = (1-sigma) x0 + sigma noise."""
    x0, y, ids, lengths = batch
    s = sigma.view(-1, 1, 1, 1, 1)
    x = torch.cat([(1 - s) * x0 + s * noise, y], dim=1)
    with torch.autocast("cpu", torch.bfloat16):
        context = model.embed_text(encode_text(encoder, ids, lengths))
        velocity = model(x, (sigma * 1000).float(), context)
    return F.mse_loss(velocity.float(), noise - x0)


def refined(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The coarse stage's weights as a start for one token per latent: what a patch summed, each of its latents has
    alone; what the head said of four latents, it says in the mean."""
    state = dict(state)
    state["dit.patch_embedding.weight"] = state["dit.patch_embedding.weight"].sum((3, 4), keepdim=True)
    for name in ("dit.head.head.weight", "dit.head.head.bias"):
        state[name] = state[name].unflatten(0, (-1, Z)).mean(0)
    return state


class Stage:
    """Model, text encoder, their running averages and the optimizer of one stage; saved and continued."""

    RANGES: ClassVar = {"coarse": (0.0, 1.0), "base": (0.0, 1.0), "high": (BOUNDARY, 1.0), "low": (0.0, BOUNDARY)}

    def __init__(self, name: str, folder: Path, vocab: int, rate: float) -> None:
        torch.manual_seed({"coarse": 0, "base": 1, "high": 2, "low": 3}[name])
        self.name, self.path, self.step = name, folder / f"{name}.pt", 0
        size = COARSE if name == "coarse" else TRANSFORMER
        self.net = nn.ModuleDict({"t5": T5Encoder(T5Config(vocab=vocab, **T5)), "dit": WanTransformer(size)})
        nn.init.zeros_(self.net["dit"].head.head.weight)
        nn.init.normal_(self.net["t5"].token_embedding.weight, std=1.0)
        for block in self.net["t5"].blocks:  # no attention scaling: queries start small (T5's initialisation)
            nn.init.normal_(block.attn.q.weight, std=(TEXT_DIM * TEXT_DIM // 4) ** -0.5)
        if name == "base":
            coarse = torch.load(folder / "coarse.pt", weights_only=True)
            self.net.load_state_dict(refined(coarse["average"]))
        elif name != "coarse":
            base = torch.load(folder / "base.pt", weights_only=True)
            self.net.load_state_dict(base["average"])
            self.net["t5"].requires_grad_(False)
        decay = torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
        self.average = torch.optim.swa_utils.AveragedModel(self.net, multi_avg_fn=decay)
        inner = [p for p in self.net["dit"].blocks.parameters() if p.dim() == 2]
        self.optimizers = optimizers(self.net, inner, 20 * rate, rate)
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.average.module.load_state_dict(state["average"])
            for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(own)
            self.step = state["step"]

    def save(self) -> None:
        part = self.path.with_suffix(".part")
        state = {"net": self.net.state_dict(), "average": self.average.module.state_dict()}
        torch.save({**state, "optimizers": [o.state_dict() for o in self.optimizers], "step": self.step}, part)
        part.replace(self.path)


def train(name: str, data_path: Path, folder: Path, steps: int, batch: int, rate: float, threads: int) -> None:
    torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    data = Data(data_path)
    vocab = Tokenizer.from_file(str(data_path / "tokenizer.json")).get_vocab_size()
    stage = Stage(name, folder, vocab, rate)
    generator = torch.Generator().manual_seed(1000 + stage.step)
    saved, smooth = time.monotonic(), None
    print(f"{name}: {len(data.clip)} clips, from step {stage.step}", flush=True)
    while stage.step < steps:
        warm = min(1.0, (stage.step + 1) / 50)
        set_rates(stage.optimizers, warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * stage.step / steps))))
        part = data.batch(generator, batch)
        sigma = draw_sigmas(generator, batch, *Stage.RANGES[name])
        noise = torch.randn(part[0].shape, generator=generator)
        loss = flow_loss(stage.net["dit"], stage.net["t5"], part, sigma, noise)
        stage.net.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(stage.net.parameters(), 1.0)
        for optimizer in stage.optimizers:
            optimizer.step()
        stage.average.update_parameters(stage.net)
        stage.step += 1
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        if stage.step % 50 == 0:
            print(f"{name} step {stage.step} loss {smooth:.4f}", flush=True)
        if time.monotonic() - saved > 120 or stage.step == steps:
            stage.save()
            saved = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=tuple(Stage.RANGES))
    parser.add_argument("data", type=Path)
    parser.add_argument("state", type=Path)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    train(args.stage, args.data, args.state, args.steps, args.batch, args.rate, args.threads)


if __name__ == "__main__":
    main()
