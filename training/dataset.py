# SPDX-License-Identifier: GPL-3.0-or-later
"""From rendered clips and prompts to what the experts train on: a tokenizer, and latents of clips and their conditions.

python -m training.dataset DATA VAE.pth        # DATA/latents/SEED-VARIANT.safetensors, DATA/tokenizer.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

from wan_engine.networks.vae import WanVAE, load_vae

from .plans import FRAMES

VARIANTS = [(m, r) for m in (0, 1) for r in (0, 1)]
VOCABULARY = 1600


def read_clip(folder: Path) -> Tensor:
    """A rendered clip as [1,3,FRAMES,H,W] in -1..1."""
    frames = [cv2.imread(str(folder / f"{i + 1:04d}.png")) for i in range(FRAMES)]
    return torch.from_numpy(np.stack(frames)[..., ::-1].copy()).permute(3, 0, 1, 2)[None].float() / 127.5 - 1


def conditions(video: Tensor) -> tuple[Tensor, Tensor]:
    """The condition videos of image-to-video: first frame only, and first and last; mid grey elsewhere."""
    first, both = torch.zeros_like(video), torch.zeros_like(video)
    first[:, :, 0] = both[:, :, 0] = video[:, :, 0]
    both[:, :, -1] = video[:, :, -1]
    return first, both


def encode(vae: WanVAE, video: Tensor) -> dict[str, Tensor]:
    """Normalised latents [z,t,h,w] (float16) of a clip, of its first-frame and of its first+last-frame condition."""
    mean, inverse_std = vae._statistics(video)
    mu, _ = vae.moments(torch.cat([video, *conditions(video)]))
    names = ("clip", "first", "both")
    return {n: v.half().contiguous() for n, v in zip(names, (mu - mean) * inverse_std, strict=True)}


@torch.no_grad()
def write_latents(data: Path, vae: WanVAE, variants: list[tuple[int, int]]) -> None:
    """Every rendered clip that has prompts, in the given variants; what is there is left alone."""
    out = data / "latents"
    out.mkdir(exist_ok=True)
    folders = [f for f in sorted((data / "clips").iterdir()) if (f / f"{FRAMES:04d}.png").exists()]
    for number, folder in enumerate(folders):
        # A clip's two variants: as rendered, and one of the other three by turns.
        for mirror, reverse in (variants[0], variants[1 + int(folder.name) % (len(variants) - 1)]):
            path = out / f"{folder.name}-{mirror}{reverse}.safetensors"
            if path.exists():
                continue
            video = read_clip(folder)
            video = video.flip(4) if mirror else video
            part = path.with_suffix(".part")
            save_file(encode(vae, video.flip(2) if reverse else video), part)
            part.replace(path)
        if number % 20 == 0:
            print(f"latents {number + 1}/{len(folders)}", flush=True)


def prompts_of(data: Path) -> dict[str, str]:
    """Prompt by `SEED-MR`, the name that the latents have."""
    prompts = {}
    for path in sorted((data / "prompts").glob("*.json")):
        texts = json.loads(path.read_text(encoding="utf-8"))
        for m, r in VARIANTS:
            prompts[f"{path.stem}-{m}{r}"] = texts[f"mirror={m} reverse={r}"]
    return prompts


def train_tokenizer(texts: list[str], path: Path) -> None:
    """A small lower-case tokenizer that ends every text with `</s>`, in the published file's format.

    Byte-pair merges, because the few different words of our prompts become whole tokens that way.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(behavior="isolated")]
    )
    tokenizer.decoder = decoders.Metaspace()
    alphabet = list("abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()-%")
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<pad>", "</s>", "<unk>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("vae", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if not (args.data / "tokenizer.json").exists():
        train_tokenizer(list(prompts_of(args.data).values()), args.data / "tokenizer.json")
    state = torch.load(args.vae, weights_only=True)
    write_latents(args.data, load_vae({k: v.float() for k, v in state.items()}), VARIANTS)


if __name__ == "__main__":
    main()
