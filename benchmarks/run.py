# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: our networks and those of Diffusers, of equal dimensions with random weights, timed by turns.

    python -m benchmarks.run [OUT.md] [--threads N] [--rounds N]

Times depend on the machine; the ratios are what counts. Each figure is the median over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel

from training.autoencoder import vae22_shapes
from wan_engine.transformer import TransformerConfig, WanTransformer
from wan_engine.vae import WanVAE

DIM, LAYERS, HEADS, FFN, TEXT = 512, 8, 8, 2048, 512
LATENT = (5, 32, 32)  # 1,280 tokens
VAE_DIM, VAE_LATENT = 32, (9, 8, 8)


def by_turns(parts: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each part; one unmeasured round first."""
    times: dict[str, list[float]] = {name: [] for name in parts}
    for turn in range(rounds + 1):
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def transformer_parts(dtype: torch.dtype) -> dict[str, Callable[[], object]]:
    """One forward pass; text is embedded anew in both, as on the first step of a prompt."""
    ours = WanTransformer(TransformerConfig(DIM, FFN, HEADS, LAYERS, 16, 16, 64)).to(dtype).eval()
    theirs = WanTransformer3DModel(
        num_attention_heads=HEADS, attention_head_dim=DIM // HEADS, in_channels=16, out_channels=16, text_dim=64,
        freq_dim=256, ffn_dim=FFN, num_layers=LAYERS,
    ).to(dtype).eval()  # fmt: skip
    x, text, t = torch.randn(1, 16, *LATENT), torch.randn(TEXT, 64), torch.tensor([500.0])
    return {
        "ours": lambda: ours(x, t, ours.embed_text([text])),
        "Diffusers": lambda: theirs(x.to(dtype), t, text[None].to(dtype), return_dict=False),
    }


def vae_parts() -> dict[str, Callable[[], object]]:
    """Decoding of 33 frames by the 2.2 layout, float32."""
    ours = WanVAE(vae22_shapes(VAE_DIM, VAE_DIM, 48, 2)).eval()
    theirs = AutoencoderKLWan(
        base_dim=VAE_DIM, decoder_base_dim=VAE_DIM, z_dim=48, in_channels=12, out_channels=12, patch_size=2,
        is_residual=True, scale_factor_spatial=16,
    ).eval()  # fmt: skip
    z = torch.randn(1, 48, *VAE_LATENT)

    def stream() -> None:
        for _chunk in ours.decode_stream(z):
            pass

    return {"ours": stream, "Diffusers": lambda: theirs.decode(z, return_dict=False)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", help="also write the table here")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    rows = {
        "transformer forward, float32": transformer_parts(torch.float32),
        "transformer forward, bfloat16": transformer_parts(torch.bfloat16),
        "VAE decode, 33 frames of 128x128, float32": vae_parts(),
    }
    lines = ["| part | ours, s | Diffusers, s | ratio |", "| --- | --- | --- | --- |"]
    with torch.inference_mode():
        for name, parts in rows.items():
            t = by_turns(parts, args.rounds)
            lines.append(f"| {name} | {t['ours']:.3f} | {t['Diffusers']:.3f} | {t['ours'] / t['Diffusers']:.2f} |")
            print(lines[-1], flush=True)
    if args.out is not None:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
