# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what was trained as a checkpoint folder in the published layout.

python -m training.export vae DATA STATE.pt VAE.pth
python -m training.export checkpoint DATA STATE VAE.pth OUT
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from wan_engine.networks.vae import WanVAE

from . import autoencoder, experts
from .dataset import read_clip
from .plans import FRAMES, SIZE

FACTS = {
    "schema": "wan_previs.checkpoint/1",
    "title": "Wan Previs nano",
    "fps": 8.0,
    "frames": [FRAMES],
    "sizes": [list(SIZE)],
    # A little above the trained size: the published rounding to whole patches then still gives it for 16:9 scenes.
    "area": [SIZE[0] * 171 // 160, SIZE[1]],
    "steps": 12,
    "upscale": 4,
    "shift": experts.SHIFT,
    "guide": [1.0, 1.0],
    "boundary": experts.BOUNDARY,
    "text_to_video": True,
    "negative": "",
}
CONFIG = {
    "_class_name": "WanModel",
    "dim": experts.TRANSFORMER.dim,
    "eps": experts.TRANSFORMER.eps,
    "ffn_dim": experts.TRANSFORMER.ffn_dim,
    "freq_dim": experts.TRANSFORMER.freq_dim,
    "in_dim": experts.TRANSFORMER.in_dim,
    "model_type": "i2v",
    "num_heads": experts.TRANSFORMER.num_heads,
    "num_layers": experts.TRANSFORMER.num_layers,
    "out_dim": experts.TRANSFORMER.out_dim,
    "text_len": experts.TRANSFORMER.text_len,
}


def export_vae(data: Path, state_path: Path, out: Path) -> None:
    """The averaged autoencoder with the published latent statistics folded in, in float16."""
    vae = WanVAE(autoencoder.vae22_shapes(autoencoder.DIM, autoencoder.DEC_DIM, autoencoder.Z_DIM, autoencoder.BLOCKS))
    vae.load_state_dict(torch.load(state_path, weights_only=True)["average"])
    folders = sorted(f for f in (data / "clips").iterdir() if (f / f"{FRAMES:04d}.png").exists())
    videos = [read_clip(f) for f in random.Random(0).sample(folders, min(48, len(folders)))]
    state = autoencoder.folded_state(vae.eval(), videos)
    torch.save({k: v.half() for k, v in state.items()}, out)


def export_checkpoint(data: Path, folder: Path, vae: Path, out: Path) -> None:
    """Both experts and the text encoder in bfloat16, tokenizer, configuration and facts."""
    nets = {name: torch.load(folder / f"{name}.pt", weights_only=True)["average"] for name in ("high", "low")}
    for name, target in (("high", "high_noise_model"), ("low", "low_noise_model")):
        (out / target).mkdir(parents=True, exist_ok=True)
        weights = {k[4:]: v.bfloat16().contiguous() for k, v in nets[name].items() if k.startswith("dit.")}
        save_file(weights, out / target / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
        (out / target / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")
    text = {k[3:]: v.bfloat16().contiguous() for k, v in nets["high"].items() if k.startswith("t5.")}
    torch.save(text, out / "models_t5_umt5-xxl-enc-bf16.pth")
    shutil.copyfile(vae, out / "Wan2.2_VAE.pth")
    (out / "google" / "umt5-xxl").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(data / "tokenizer.json", out / "google" / "umt5-xxl" / "tokenizer.json")
    (out / "wan_previs.json").write_text(json.dumps(FACTS, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_subparsers(dest="what", required=True)
    vae = what.add_parser("vae")
    checkpoint = what.add_parser("checkpoint")
    for part in (vae, checkpoint):
        part.add_argument("data", type=Path)
        part.add_argument("state", type=Path)
        part.add_argument("vae", type=Path)
    checkpoint.add_argument("out", type=Path)
    args = parser.parse_args()
    if args.what == "vae":
        export_vae(args.data, args.state, args.vae)
    else:
        export_checkpoint(args.data, args.state, args.vae, args.out)


if __name__ == "__main__":
    main()
