# SPDX-License-Identifier: GPL-3.0-or-later
"""A VACE clip from files to a movie: our engine as it is, and Diffusers' pipeline, on the same folder, control clip,
mask, reference, noise and schedule (Diffusers' own).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedTokenizerFast, UMT5EncoderModel

from wan_engine.media.video_writer import write_clip
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest

from .sides import their_transformer
from .weights import DIM, FFN, HEADS, LAYERS, TEXT_WIDTH, text_encoder

SIDE, FRAMES, FPS, SEED, SHIFT, GUIDE = 256, 17, 16, 6, 5.0, 5.0  # 1,280 tokens, and 256 of the reference
PROMPT, NEGATIVE = "A tin robot walks along a quay at dusk.", "blurred"
_TOKENIZER = Path(__file__).parents[1] / "checkpoints" / "nano" / "google" / "umt5-xxl" / "tokenizer.json"


def write(folder: Path) -> None:
    """A folder in Diffusers' layout below `folder`, with the autoencoder that lies there, and what is given."""
    place = folder / "vace"
    WanVACETransformer3DModel(
        num_attention_heads=HEADS,
        attention_head_dim=DIM // HEADS,
        text_dim=TEXT_WIDTH,
        ffn_dim=FFN,
        num_layers=LAYERS,
        vace_layers=list(range(0, LAYERS, 2)),
    ).save_pretrained(place / "transformer")
    shutil.copytree(folder / "vae21", place / "vae")
    text_encoder(_tokenizer(_TOKENIZER).vocab_size).save_pretrained(place / "text_encoder")
    (place / "tokenizer").mkdir()
    shutil.copy(_TOKENIZER, place / "tokenizer")
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number in range(FRAMES):
        ramp = ((columns + 4 * number) % 256).astype(np.uint8)
        _save(np.stack([ramp, rows.astype(np.uint8), ramp[::-1]], -1), folder / "control" / f"{number:04}.png")
        _save(np.where(columns > 8 * number, 255, 0).astype(np.uint8), folder / "mask" / f"{number:04}.png")
    _save(np.stack([rows, columns, 255 - rows], -1).astype(np.uint8), folder / "reference.png")


def _tokenizer(path: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_file=str(path), pad_token="<pad>")


def _save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


def ours(steps: int, folder: Path) -> Tensor:
    """Final latents [z, t, h, w]; the movie lies beside them."""
    asked = GenerationRequest(
        str(folder / "vace"),
        PROMPT,
        negative=NEGATIVE,
        size=(SIDE, SIDE),
        frames=FRAMES,
        steps=steps,
        seed=SEED,
        solver="flow",
        shift=SHIFT,
        guide=(GUIDE, GUIDE),
        control_video="control",
        control_mask="mask",
        reference=("reference.png",),
        out="ours.mp4",
        latents="latents.safetensors",
    )
    load(folder / "vace").generate(asked, folder)
    return load_file(folder / "latents.safetensors")["latents"]


def theirs(steps: int, folder: Path) -> Tensor:
    place, last = folder / "vace", {}
    pipeline = WanVACEPipeline(
        _tokenizer(place / "tokenizer" / "tokenizer.json"),
        UMT5EncoderModel.from_pretrained(place / "text_encoder", dtype=torch.float32).eval(),
        AutoencoderKLWan.from_pretrained(place / "vae").eval(),
        FlowMatchEulerDiscreteScheduler(shift=SHIFT),
        their_transformer(place / "transformer", torch.float32, WanVACETransformer3DModel),
    )
    pipeline.set_progress_bar_config(disable=True)
    shown = pipeline(
        video=[Image.open(path) for path in sorted((folder / "control").iterdir())],
        mask=[Image.open(path) for path in sorted((folder / "mask").iterdir())],
        reference_images=[Image.open(folder / "reference.png")],
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        width=SIDE,
        height=SIDE,
        num_frames=FRAMES,
        num_inference_steps=steps,
        guidance_scale=GUIDE,
        generator=torch.Generator("cpu").manual_seed(SEED),
        output_type="np",
        callback_on_step_end=lambda _, step, t, state: last.update(state) or {},
    ).frames[0]
    write_clip((shown * 255).astype(np.uint8), FPS, folder / "theirs.mp4", "h264")
    return last["latents"][0, :, 1:]
