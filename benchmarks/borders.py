# SPDX-License-Identifier: GPL-3.0-or-later
"""How much more a long clip changes from frame to frame where its windows or segments meet than elsewhere.

python -m benchmarks.borders --checkpoint checkpoints/nano --overlap 4 --noises 4
python -m benchmarks.borders --checkpoint checkpoints/nano --image first.png --noises 4
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from wan_engine.light_curve import read_light
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.windows import latents_of, segment_borders, windows

FRAMES = 65
LUMA = (0.299, 0.587, 0.114)


def changes(frames: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """What changes from each frame, uint8 [H, W, 3], to the next [T-1]: the mean luminance, the picture (mean
    difference of its pixels' luminance, both in 0..255), and how far it moves (mean length of the optical flow, in
    pixels)."""
    lumas = [(frame @ np.array(LUMA)).astype(np.float32) for frame in frames]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [luma.round().astype(np.uint8) for luma in lumas]
    return {
        "luminance": np.array([abs(float(b.mean() - a.mean())) for a, b in pairwise(lumas)]),
        "picture": np.array([float(np.abs(b - a).mean()) for a, b in pairwise(lumas)]),
        "motion": np.array([float(np.hypot(*flow.calc(a, b, None).T).mean()) for a, b in pairwise(grey)]),
    }


def borders(frames: int, window: int, overlap: int | None) -> set[int]:
    """The changes (of frame N to N + 1) that lie at a border: of windows those inside and around what two have in
    common, of segments (`overlap` None) the one into and the one out of the frame that they share."""
    if overlap is None:
        return {number for border in segment_borders(frames, window)[1:-1] for number in (border - 1, border)}
    found = set()
    for before, after in pairwise(windows(latents_of(frames), latents_of(window), overlap // 4)):
        found |= set(range(4 * after.start - 4, 4 * before.stop - 3))
    return found & set(range(frames - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--image")
    parser.add_argument("--light")
    parser.add_argument("--overlap", type=int)
    parser.add_argument("--noises", type=int, default=4)
    parser.add_argument(
        "--prompt", default="Day time, wide shot. The scene shows a red cube on a plain. The camera pans right."
    )
    options = parser.parse_args()
    pipeline = load(options.checkpoint)
    longest = pipeline.checkpoint.model.longest
    at = sorted(borders(FRAMES, longest, None if options.image else options.overlap or max(4, longest // 16 * 4)))
    between = sorted(set(range(FRAMES - 1)) - set(at))
    image = options.image and str(Path(options.image).resolve())
    light = options.light and read_light(Path(options.light))
    found: list[dict[str, np.ndarray]] = []
    for seed in range(options.noises):
        asked = GenerationRequest(
            options.checkpoint, options.prompt, image=image, light=light, overlap=options.overlap,
            frames=FRAMES, seed=seed, frames_out="frames",
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            pipeline.generate(asked, Path(folder))
            frames = [np.array(Image.open(path)) for path in sorted(Path(folder, "frames").iterdir())]
        found.append(changes(frames))
        for name in found[0]:
            here, there = (np.mean([each[name][places] for each in found]) for places in (at, between))
            print(
                f"{seed + 1} noises, {name}: {here:.3f} at borders, {there:.3f} between, ratio {here / there:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
