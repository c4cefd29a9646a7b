# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the table: sides, how often they are run, and what must hold for the comparison to be honest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from . import sides, vace
from .sides import LATENT, PIXELS, Side
from .weights import DIM, FFN, LAYERS, TEXT

STEPS, VACE_STEPS = 20, 10
_TOKENS = LATENT[0] * LATENT[1] * LATENT[2] // 4
# Multiplications and additions of the blocks in one pass, in billions; and the text's share, done once per prompt.
_TEXT_GFLOP = LAYERS * 4 * TEXT * DIM * DIM / 1e9
_PASS_GFLOP = LAYERS * (12 * _TOKENS * DIM**2 + 4 * _TOKENS * DIM * (FFN + _TOKENS + TEXT)) / 1e9


@dataclass(frozen=True)
class Part:
    """`gflop` is the work of our side's matrix products where it is counted by hand; the relative L2 difference of the
    results must stay below `agreement`. `light` is a shorter stand-in of equal memory for the memory measurement.
    """

    title: str
    dtype: torch.dtype
    ours: Side
    theirs: Side
    agreement: float
    rounds: int = 3
    gflop: float = 0.0
    light: tuple[Side, Side] | None = None
    against: str = "Diffusers"


def _transformer(dtype: torch.dtype) -> dict[str, Part]:
    short, close = ("fp32", 1e-4) if dtype == torch.float32 else ("bf16", 0.03)
    ours, theirs = (sides.whole(side, dtype, STEPS) for side in (sides.our_sampling, sides.their_sampling))
    light = tuple(sides.whole(side, dtype, 4) for side in (sides.our_sampling, sides.their_sampling))
    sampling = 2 * (STEPS * _PASS_GFLOP + 2 * _TEXT_GFLOP)
    return {
        f"forward_{short}": Part(
            "transformer forward",
            dtype,
            partial(sides.our_forward, dtype),
            partial(sides.their_forward, dtype),
            close,
            rounds=6,
            gflop=_PASS_GFLOP + _TEXT_GFLOP,
        ),
        f"sampling_{short}": Part(
            f"{STEPS}-step sampling, two experts, guidance",
            dtype,
            ours,
            theirs,
            close * 10,
            rounds=1,
            gflop=sampling,
            light=(light[0], light[1]),
        ),
    }


def _autoencoder(name: str) -> dict[str, Part]:
    title = f"VAE {name[3]}.{name[4]}"
    many = (partial(sides.our_decode, name, 129), partial(sides.their_decode, name, 129))
    parts = {
        f"{name}_encode": (f"{title} encode, 33 frames of {PIXELS}x{PIXELS}", sides.our_encode, sides.their_encode, 33),
        f"{name}_decode": (f"{title} decode, 33 frames of {PIXELS}x{PIXELS}", sides.our_decode, sides.their_decode, 33),
    }
    rows = {
        key: Part(title, torch.float32, partial(ours, name, n), partial(theirs, name, n), 1e-3, rounds=2)
        for key, (title, ours, theirs, n) in parts.items()
    }
    return rows | {f"{name}_decode_129": Part(f"{title} decode, 129 frames", torch.float32, *many, 1e-3, rounds=0)}


def _vace() -> Part:
    sizes = f"{vace.FRAMES} frames of {vace.SIDE}x{vace.SIDE}, {VACE_STEPS} steps"
    ours, theirs = (sides.whole(side, VACE_STEPS) for side in (vace.ours, vace.theirs))
    light = (sides.whole(vace.ours, 2), sides.whole(vace.theirs, 2))
    title = f"VACE clip, files to movie, {sizes}"
    return Part(title, torch.float32, ours, theirs, 1e-3, rounds=1, light=light)


def _text(dtype: torch.dtype) -> Part:
    ours, theirs = sides.whole(sides.our_text, dtype), sides.whole(sides.their_text, dtype)
    close = 1e-4 if dtype == torch.float32 else 0.05
    return Part("text encoder, file to states, 512 tokens", dtype, ours, theirs, close, against="transformers")


PARTS: dict[str, Part] = {
    **_transformer(torch.float32),
    **_transformer(torch.bfloat16),
    **_autoencoder("vae21"),
    **_autoencoder("vae22"),
    "vace_fp32": _vace(),
    "text_fp32": _text(torch.float32),
    "text_bf16": _text(torch.bfloat16),
    "load": Part(
        "float32 shards to the first step",
        torch.bfloat16,
        sides.whole(sides.our_load),
        sides.whole(sides.their_load),
        0.03,
    ),
}
