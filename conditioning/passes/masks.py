# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in each frame the marked objects are seen, in front of and behind others."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from .marks import INDEX
from .png import write_png
from .seen import Seen


class MaskPass:
    """Writes `folder`/MARK/NNNNN.png (8 bit, grey) for each of `marks`: white where the middle of a pixel shows an
    object of that mark, else black."""

    layers = ("objects",)

    def __init__(self, folder: Path, marks: Collection[str]) -> None:
        self.folder, self.marks = folder, marks
        self.count = 0

    def add(self, seen: Seen) -> None:
        self.count += 1
        for mark in self.marks:
            write_png(self.folder / mark / f"{self.count:05}.png", mask_of(seen, mark))

    def finish(self) -> None: ...


class AreaPass(MaskPass):
    """Writes `folder`/NNNNN.png (8 bit, grey): white where the middle of a pixel shows an object of any of `marks`."""

    def add(self, seen: Seen) -> None:
        self.count += 1
        write_png(self.folder / f"{self.count:05}.png", np.maximum.reduce([mask_of(seen, mark) for mark in self.marks]))


def mask_of(seen: Seen, mark: str) -> np.ndarray:
    """uint8 [H, W]: 255 where an object of that mark is seen."""
    return np.where(np.rint(seen.layers["objects"]) == INDEX[mark], np.uint8(255), np.uint8(0))
