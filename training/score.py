# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores the checkpoint on unseen scenes, beside what needs no model: a cross-fade, and a frozen frame.

    python -m training.score DATA CHECKPOINT [--count N] [--noises N] [--guides off,gentle,strict]

DATA/held_out/clips and /prompts must be there; `training.generator` makes them, with seeds from 900000 on. Prints PSNR,
and the error of the luminance curve: the mean absolute difference, in 0..1, of the frames' mean luminance.

Guided runs are given the true clip's luminance as the curve of a render; where the generator left the curves that the
scene's brief predicts, they are made with those as well. Every clip has noise of its own: one noise for all leans
their light one way.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from wan_engine.light_curve import LightCurve
from wan_engine.options import GUIDE
from wan_engine.pipeline import Pipeline, load
from wan_engine.request import GenerationRequest

from .dataset import read_clip
from .plans import FRAMES

LUMA = np.array([0.299, 0.587, 0.114])
PICTURES = {"first+last": ("first.png", "last.png"), "first": ("first.png", None), "text": (None, None)}


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a - b) ** 2)))


def luminance_curve(frames: np.ndarray) -> np.ndarray:
    """Mean luminance of frames [T,H,W,3] in 0..255, [T] in 0..1."""
    return (frames @ LUMA).mean(axis=(1, 2)) / 255


def curve_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(luminance_curve(a) - luminance_curve(b)).mean())


def pixels_of(folder: Path) -> np.ndarray:
    """A rendered clip as [T,H,W,3] in 0..255."""
    return ((read_clip(folder)[0].permute(1, 2, 3, 0).numpy() + 1) * 127.5).round()


def curves_of(truth: np.ndarray, brief: Path) -> dict[str, dict[str, LightCurve]]:
    """What a guided run may be given, by PICTURES and source: the true clip's curve, and the brief's where it is."""
    times = tuple(np.linspace(0, 1, len(truth)).tolist())
    true = LightCurve("render", times, tuple(luminance_curve(truth).tolist()))
    predicted = json.loads(brief.read_text(encoding="utf-8")) if brief.exists() else {}
    return {
        mode: {"render": true} | ({"brief": LightCurve.from_json(predicted[mode])} if predicted else {})
        for mode in PICTURES
    }


def generated(pipeline: Pipeline, request: GenerationRequest, frames: np.ndarray) -> tuple[np.ndarray, Tensor]:
    """What the engine makes of the request, whose pictures are the clip's first and last frame: [T,H,W,3] in 0..255,
    and the latents [z,t,h,w] of that."""
    request = replace(request, frames_out="frames", latents="latents.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in (("first", frames[0]), ("last", frames[-1])):
            cv2.imwrite(f"{folder}/{name}.png", np.ascontiguousarray(frame[..., ::-1]).astype(np.uint8))
        pipeline.generate(request, Path(folder))
        files = sorted((Path(folder) / "frames").glob("*.png"))
        made = np.stack([cv2.imread(str(f))[..., ::-1] for f in files]).astype(float)
        return made, load_file(Path(folder) / "latents.safetensors")["latents"]


def made_of(
    pipeline: Pipeline,
    truth: np.ndarray,
    prompt: str,
    curves: dict[str, dict[str, LightCurve]],
    guides: list[str],
    seed: int,
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and frames of every clip to score: by pictures, guide and curve."""
    checkpoint = str(pipeline.checkpoint.folder)
    for mode, (first, last) in PICTURES.items():
        request = {"checkpoint": checkpoint, "prompt": prompt, "image": first, "last_image": last, "seed": seed}
        for guide in guides:
            for source, curve in curves[mode].items() if guide != "off" else [("", None)]:
                asked = GenerationRequest(**request, light=curve, guide_light=guide)
                yield f"{mode}: {guide} {source}".rstrip(), generated(pipeline, asked, truth)[0]


def score(data: Path, checkpoint: Path, count: int, noises: int, guides: list[str], sheet: Path | None) -> None:
    pipeline = load(checkpoint)
    rows: dict[str, list[tuple[float, float]]] = {}
    pictures = []
    for number, folder in enumerate(sorted((data / "held_out" / "clips").iterdir())[:count]):
        prompts = json.loads((data / "held_out" / "prompts" / f"{folder.name}.json").read_text(encoding="utf-8"))
        truth = pixels_of(folder)
        share = np.linspace(0, 1, FRAMES)[:, None, None, None]
        curves = curves_of(truth, data / "held_out" / "light" / f"{folder.name}.json")
        prompt = prompts["mirror=0 reverse=0"]
        clips = [c for k in range(noises) for c in made_of(pipeline, truth, prompt, curves, guides, number + k * count)]
        clips.append(("first+last: cross-fade", truth[:1] * (1 - share) + truth[-1:] * share))
        clips.append(("first: frozen", np.repeat(truth[:1], FRAMES, axis=0)))
        made = dict(clips)
        for name, frames in clips:
            rows.setdefault(name, []).append((psnr(frames[1:], truth[1:]), curve_error(frames, truth)))
        for frames in (truth, *(made[f"{mode}: {guides[0]}"] for mode in PICTURES if guides[0] == "off")):
            pictures.append(np.hstack([frames[i] for i in (0, 4, 8, 12, 16)]))
    for name, values in rows.items():
        mean = np.mean(values, axis=0)
        print(f"{name:26} PSNR {mean[0]:5.2f} dB   luminance curve error {mean[1]:.4f}")
    if sheet is not None:
        cv2.imwrite(str(sheet), np.vstack(pictures)[..., ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--noises", type=int, default=3, help="clips of every scene, each from other noise")
    parser.add_argument(
        "--guides", default="off", help=f"how the light is guided, several by commas: {', '.join(GUIDE.names)}"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sheet", type=Path, help="draw truth, first+last, first-only and text under each other")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    score(args.data, args.checkpoint, args.count, args.noises, args.guides.split(","), args.sheet)


if __name__ == "__main__":
    main()
