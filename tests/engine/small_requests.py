# SPDX-License-Identifier: GPL-3.0-or-later
"""Small requests to the small published checkpoints."""

from pathlib import Path

import golden
import numpy as np
from PIL import Image

from wan_engine.request import GenerationRequest

T2V = "fullstack/Wan2.2-T2V-A14B/checkpoint"
I2V = "fullstack/Wan2.2-I2V-A14B/checkpoint"
TI2V = "fullstack/Wan2.2-TI2V-5B/checkpoint"


def picture(path: Path, size=(64, 32), seed=1) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def request(checkpoint: str, **changes) -> GenerationRequest:
    values = {"prompt": "a cube", "size": (64, 32), "frames": 9, "steps": 2, **changes}
    return GenerationRequest(checkpoint=str(golden.path(checkpoint)), **values)


def command(checkpoint: str, out: Path, *more: str) -> list[str]:
    words = ["generate", "--checkpoint", str(golden.path(checkpoint)), "--prompt", "a cube", "--out", str(out)]
    return [*words, "--frames", "5", "--steps", "2", *more]
