# SPDX-License-Identifier: GPL-3.0-or-later
"""Time of finishing per frame at 832x480: frames between, enlarging, and each codec.

    python -m benchmarks.finishing

The frames are a textured picture that the camera pans over while the light falls, so that flow and encoder have work.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from wan_engine.finishing.interpolation import retime
from wan_engine.finishing.upscale import upscale
from wan_engine.media.srgb import from_linear, to_linear
from wan_engine.media.video_writer import CODECS, place, write_clip

from . import measure

WIDTH, HEIGHT, FRAMES, ROUNDS = 832, 480, 8, 2
HEAD = "| finishing at 832x480 | ms per frame |\n| --- | ---: |"


@dataclass(frozen=True)
class FinishingRow:
    """One part of finishing, and the least milliseconds that one frame of its result took."""

    title: str
    milliseconds: float


def rows() -> list[FinishingRow]:
    frames = _frames()
    with tempfile.TemporaryDirectory() as folder:
        parts: dict[str, tuple[int, Callable[[], object]]] = {
            "frames between, by optical flow": (FRAMES - 1, lambda: retime(frames, 2 * FRAMES - 1)),
            "twice as large": (FRAMES, lambda: upscale(frames, 2)),
        }
        for name, codec in CODECS.items():
            path = place(Path(folder) / name, name)
            parts[codec.title] = FRAMES, lambda path=path, name=name: write_clip(frames, 24, path, name)
        seconds = measure.by_turns({title: work for title, (_, work) in parts.items()}, ROUNDS)
    return [FinishingRow(title, 1000 * seconds[title] / count) for title, (count, _) in parts.items()]


def table(found: list[FinishingRow]) -> str:
    """The rows as Markdown."""
    return "\n".join([HEAD, *(f"| {row.title} | {row.milliseconds:.0f} |" for row in found)])


def _frames() -> np.ndarray:
    """uint8 [T, H, W, 3]."""
    random = np.random.default_rng(0)
    wide = WIDTH + 8 * FRAMES
    picture = sum(
        cv2.resize(random.random((480 // cell, wide // cell, 3), np.float32) / 4, (wide, HEIGHT))
        for cell in (96, 24, 6, 2)
    )
    light = to_linear((picture * 255).astype(np.uint8))
    return np.stack([from_linear(light[:, 6 * k : 6 * k + WIDTH] * (1 - 0.02 * k)) for k in range(FRAMES)])


if __name__ == "__main__":
    print(table(rows()))
