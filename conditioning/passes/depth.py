# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth of every frame: in metres for those who measure, and as the picture that control models are given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ...scene.brief import SceneError, Shot
from .png import write_png
from .seen import Seen

Curve = Literal["linear", "inverse"]
Range = Literal["clip", "frame"]
SCHEMA = "wan_previs.depth/1"
# Per cent of the surfaces nearer than the white and than the black of a picture: as the preprocessor that is shipped
# with the Fun control models measures a frame (VideoX-Fun, its ZoeDepth node).
_WHITE, _BLACK = 2.0, 85.0
_MOST = 2**24  # depths that are measured for the range of a clip; of a larger one a grid of them
_STEPS = 65534  # of a 16-bit picture whose 0 means nothing


@dataclass(frozen=True)
class Scale:
    """What is white and what is black in a picture, in metres, and how what lies between goes from one to the other."""

    white: float
    black: float
    curve: Curve

    @classmethod
    def of(cls, depths: np.ndarray, curve: Curve) -> Scale:
        """By the surfaces among `depths`. Raises ValueError where there are none."""
        surfaces = depths[np.isfinite(depths)]
        if not len(surfaces):
            raise ValueError("Nothing is seen.")
        white, black = np.percentile(surfaces, (_WHITE, _BLACK))
        return cls(float(white), float(black), curve)

    def picture(self, depth: np.ndarray) -> np.ndarray:
        """uint8 of the shape of `depth` (metres): near white, far and nothing black."""
        with np.errstate(divide="ignore"):
            values, white, black = (
                (depth, self.white, self.black)
                if self.curve == "linear"
                else (1 / np.maximum(depth, 1e-6), 1 / max(self.white, 1e-6), 1 / max(self.black, 1e-6))
            )
        span = black - white
        share = (values - white) / span if abs(span) > 1e-9 * abs(white) else np.where(np.isfinite(depth), 0.0, 1.0)
        return np.asarray(np.rint(255 * np.clip(1 - share, 0, 1)), np.uint8)


class DepthPass:
    """Collects the depth of a clip's frames in `scratch`; when all are there, writes the depth in metres as
    `folder`/metric_depth/NNNNN.png (16 bit; 0 nothing, else near_m + (value - 1) * metres_per_step) with
    `folder`/metric_depth.json, and the pictures for the model as `folder`/`name`/NNNNN.png (8 bit, RGB): one scale for
    the whole clip, or one for each frame."""

    layers = ("depth",)

    def __init__(self, shot: Shot, folder: Path, scratch: Path, name: str, curve: Curve, of: Range) -> None:
        self.shot, self.folder, self.scratch, self.name = shot, folder, scratch, name
        self.curve, self.of = curve, of
        self.frames: list[float] = []

    def add(self, seen: Seen) -> None:
        np.save(self.scratch / f"depth-{len(self.frames)}.npy", seen.depth)
        self.frames.append(seen.frame)

    def finish(self) -> None:
        """Raises SceneError where no frame shows a surface."""
        every = self._sampled()
        surfaces = every[np.isfinite(every)]
        if not len(surfaces):
            raise SceneError(
                f'The camera sees no surface in shot "{self.shot.name}", so there is no depth to follow. Point it at '
                "the scene, or choose another mode."
            )
        whole = Scale.of(surfaces, self.curve)
        near, far = self._ends()
        step = max(far - near, 1e-6) / _STEPS
        scales = []
        for number in range(len(self.frames)):
            depth = self._depth(number)
            shown = np.isfinite(depth)
            scale = Scale.of(depth, self.curve) if self.of == "frame" and shown.any() else whole
            metric = np.where(shown, np.rint((np.where(shown, depth, near) - near) / step) + 1, 0).astype(np.uint16)
            write_png(self.folder / "metric_depth" / f"{number + 1:05}.png", metric)
            picture = scale.picture(depth)
            write_png(self.folder / self.name / f"{number + 1:05}.png", np.repeat(picture[:, :, None], 3, 2))
            scales.append({"frame": self.frames[number], "white_m": scale.white, "black_m": scale.black})
        told = {
            "schema": SCHEMA, "near_m": near, "far_m": far, "metres_per_step": step, "curve": self.curve,
            "frames": scales,
        }  # fmt: skip
        (self.folder / "metric_depth.json").write_text(json.dumps(told, indent=1), encoding="utf-8")

    def _depth(self, number: int) -> np.ndarray:
        found: np.ndarray = np.load(self.scratch / f"depth-{number}.npy")
        return found

    def _sampled(self) -> np.ndarray:
        """Depths of the whole clip, all of them where they are not too many."""
        first = self._depth(0)
        stride = int(np.ceil(np.sqrt(max(1.0, first.size * len(self.frames) / _MOST))))
        every = (self._depth(number)[::stride, ::stride].ravel() for number in range(len(self.frames)))
        return np.concatenate(list(every))

    def _ends(self) -> tuple[float, float]:
        """The nearest and the farthest surface of the clip."""
        ends = []
        for number in range(len(self.frames)):
            depth = self._depth(number)
            if (shown := np.isfinite(depth)).any():
                ends += [float(depth[shown].min()), float(depth[shown].max())]
        return min(ends), max(ends)
