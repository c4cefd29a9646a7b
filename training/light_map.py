# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits what the light guide reads latents by to what the finished checkpoint makes, and puts it beside its weights.

    python -m training.light_map DATA CHECKPOINT [--count N]

The experts' latents are not quite those of real clips, and it is the decoder's picture of them that counts: so both are
taken from clips that the checkpoint makes of training scenes, by turns from two pictures, from one and from text alone,
each with noise of its own.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from wan_engine.checkpoint.checkpoint import LIGHT_MAP
from wan_engine.media.atomic_write import write_whole
from wan_engine.networks.latent_rgb import FrameMap, LightMap, fit_clips, seen_by_latents
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest

from .plans import FRAMES
from .score import PICTURES, generated, pixels_of

_SEED = 1000  # noise that the score does not know, for a map learns a little of the noise's own


def pairs(data: Path, checkpoint: Path, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Latents [z,t,h,w] of clips that the checkpoint makes of `count` scenes, and the colours [3,t,h,w] they show."""
    pipeline, modes = load(checkpoint), list(PICTURES.values())
    prompts = sorted((data / "prompts").glob("*.json"))
    scenes = [path for path in prompts if (data / "clips" / path.stem / f"{FRAMES:04d}.png").exists()]
    for number, path in enumerate(random.Random(0).sample(scenes, min(count, len(scenes)))):
        prompt = json.loads(path.read_text(encoding="utf-8"))["mirror=0 reverse=0"]
        first, last = modes[number % len(modes)]
        request = GenerationRequest(str(checkpoint), prompt, image=first, last_image=last, seed=_SEED + number)
        frames, latents = generated(pipeline, request, pixels_of(data / "clips" / path.stem))
        video = torch.from_numpy(np.moveaxis(frames, 3, 0)).float() / 255
        yield latents, seen_by_latents(video, (latents.shape[2], latents.shape[3]))
        if number % 20 == 0:
            print(f"clips for the light map {number + 1}/{count}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--threads", type=int, help="left out: as many as torch takes")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    latents, seen = (torch.stack(part) for part in zip(*pairs(args.data, args.checkpoint, args.count), strict=True))
    save_light_map(fit_clips(latents, seen, latents.shape[2]), args.checkpoint / LIGHT_MAP)


if __name__ == "__main__":
    main()


def save_light_map(light_map: LightMap, path: Path) -> None:
    """As a safetensors file: the fields of `FrameMap`, those of all frames stacked."""
    tensors = {
        name: torch.stack([vars(one)[name] for one in light_map.frames]) for name in FrameMap.__dataclass_fields__
    }
    write_whole(path, lambda partial: partial.write_bytes(save(tensors)))
