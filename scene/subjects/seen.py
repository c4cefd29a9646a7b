# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing in the picture, as measured."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from .groups import Group


@dataclass(frozen=True)
class Seen:
    """A group in the picture. `whole` is its box (x0, y0, x1, y1) as if the picture had no edges, `box`: inside it;
    `seen`: the part that nothing hides, `blur` its unsharpness in picture widths, `corners` [2, 3] its extent in
    metres, `depths` how near and far along the view axis, `thin` whether it is a sheet, standing or lying, `parts` the
    objects that show it, the largest first."""

    group: Group
    whole: tuple[float, float, float, float]
    box: tuple[float, float, float, float]
    distance: float
    seen: float
    blur: float
    corners: np.ndarray
    depths: tuple[float, float]
    thin: bool
    parts: tuple[bpy.types.Object, ...]

    @property
    def noun(self) -> str:
        """What it is, in a word."""
        return self.group.noun

    @property
    def area(self) -> float:
        """Of its box, as a share of the picture."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])

    @property
    def centre(self) -> np.ndarray:
        """The middle of its corners in world space, [3]."""
        return self.corners.mean(axis=0)

    @property
    def extent(self) -> float:
        """Length of the longest side in metres."""
        return float((self.corners[1] - self.corners[0]).max())

    @property
    def flat(self) -> bool:
        """Whether it lies flat like ground, a road or a sheet."""
        size = self.corners[1] - self.corners[0]
        return bool(size[2] < 0.03 * size[:2].max())

    @property
    def weight(self) -> float:
        """How much it is the main subject: large, near the middle, sharp, unhidden, all of it before the camera."""
        x, y = (self.box[0] + self.box[2]) / 2.0, (self.box[1] + self.box[3]) / 2.0
        off = min(1.0, float(np.hypot(x - 0.5, y - 0.5)) / 0.6)
        hidden = min(max((0.6 - self.seen) / 0.2, 0.0), 1.0)  # a ramp: what is half hidden is no more certain than that
        doubts = (self.blur >= 0.02, hidden, self.depths[0] <= 0.0)
        return self.area * (1.0 - 0.75 * off) * 0.1 ** sum(doubts)
