# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores the checkpoint on unseen scenes, beside what needs no model: a cross-fade, and a frozen frame.

    python -m training.score DATA CHECKPOINT [--count N]     # DATA/held_out/clips and /prompts must be there

`training.generator` makes the held-out clips, with seeds from 900000 on. Prints PSNR, and the error of the luminance
curve: the mean absolute difference, in 0..1, of the frames' mean luminance.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch

from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest

from .dataset import read_clip
from .plans import FRAMES

LUMA = np.array([0.299, 0.587, 0.114])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a - b) ** 2)))


def curve_error(a: np.ndarray, b: np.ndarray) -> float:
    curves = [(x @ LUMA).mean(axis=(1, 2)) / 255 for x in (a, b)]
    return float(np.abs(curves[0] - curves[1]).mean())


def generated(pipeline, checkpoint: Path, frames: np.ndarray, prompt: str, last: bool) -> np.ndarray:
    """What the engine makes of the clip's first (and last) frame, [FRAMES,H,W,3] in 0..255."""
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in (("first", frames[0]), ("last", frames[-1])):
            cv2.imwrite(f"{folder}/{name}.png", np.ascontiguousarray(frame[..., ::-1]).astype(np.uint8))
        request = GenerationRequest(
            checkpoint=str(checkpoint), prompt=prompt, image="first.png", last_image="last.png" if last else None,
            frames_out="frames", seed=1,
        )  # fmt: skip
        pipeline.generate(request, Path(folder))
        files = sorted((Path(folder) / "frames").glob("*.png"))
        return np.stack([cv2.imread(str(f))[..., ::-1] for f in files]).astype(float)


def score(data: Path, checkpoint: Path, count: int, sheet: Path | None) -> None:
    torch.set_num_threads(2)
    pipeline = load(checkpoint)
    rows: dict[str, list[tuple[float, float]]] = {}
    pictures = []
    for folder in sorted((data / "held_out" / "clips").iterdir())[:count]:
        prompts = json.loads((data / "held_out" / "prompts" / f"{folder.name}.json").read_text(encoding="utf-8"))
        prompt = prompts["mirror=0 reverse=0"]
        truth = ((read_clip(folder)[0].permute(1, 2, 3, 0).numpy() + 1) * 127.5).round()
        share = np.linspace(0, 1, FRAMES)[:, None, None, None]
        made = {
            "first+last: model": generated(pipeline, checkpoint, truth, prompt, last=True),
            "first+last: cross-fade": truth[:1] * (1 - share) + truth[-1:] * share,
            "first: model": generated(pipeline, checkpoint, truth, prompt, last=False),
            "first: frozen": np.repeat(truth[:1], FRAMES, axis=0),
        }
        for name, frames in made.items():
            rows.setdefault(name, []).append((psnr(frames[1:], truth[1:]), curve_error(frames, truth)))
        pick = [0, 4, 8, 12, 16]
        for frames in (truth, made["first+last: model"], made["first: model"]):
            pictures.append(np.hstack([frames[i] for i in pick]))
    for name, values in rows.items():
        mean = np.mean(values, axis=0)
        print(f"{name:24} PSNR {mean[0]:5.2f} dB   luminance curve error {mean[1]:.4f}")
    if sheet is not None:
        cv2.imwrite(str(sheet), np.vstack(pictures)[..., ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--sheet", type=Path, help="draw truth, first+last and first-only under each other")
    args = parser.parse_args()
    score(args.data, args.checkpoint, args.count, args.sheet)


if __name__ == "__main__":
    main()
