# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of every frame: silhouettes, creases and borders of objects and materials, white on black.

Told from numbers, not from light: where neighbouring pixels show different objects or materials, where one lies behind
the other, and where the surface bends sharply. Drawn at twice the size and brought down, so that lines move smoothly.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from ...scene.brief import Shot
from .png import read_png, write_png
from .seen import Seen
from .surfaces import Surfaces
from .unseen import unseen, volumes

_NEEDED = ("depth", "objects", "materials", "normals")
_STEP = 0.03  # of the distance: less behind the other is no silhouette
_CREASE = math.cos(math.radians(35))
_MOST_INDEX = 32767  # of Blender's pass indices
_UNDER = 0.6  # of the brightness of what lines are drawn over


class Lines(Surfaces):
    """The source of `lines` [H, W] uint8."""

    layers = ("lines",)
    scale = 2

    @contextmanager
    def ready(self, scene: bpy.types.Scene, layers: Collection[str]) -> Iterator[None]:
        """For as long as frames are rendered."""
        with unseen(volumes()), _numbered():
            yield

    def settle(self, scene: bpy.types.Scene, layers: Collection[str]) -> None:
        """The scene's settings for it."""
        super().settle(scene, _NEEDED)

    def render(
        self, scene: bpy.types.Scene, shot: Shot, frame: float, path: Path, unit: float
    ) -> dict[str, np.ndarray]:
        """The layer of the frame that the scene stands at. Raises SceneError."""
        found = self.surfaces(scene, shot, frame, path, unit)
        drawn = draw(found, perspective=scene.camera.data.type == "PERSP")
        height, width = drawn.shape
        small = drawn.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
        return {"lines": np.asarray(np.rint(255 * small), np.uint8)}


def draw(layers: dict[str, np.ndarray], perspective: bool) -> np.ndarray:
    """bool [H, W]: the pixels on both sides of every line. `layers` are depth, objects, materials and normals."""
    lines = np.zeros(layers["depth"].shape, bool)
    for axis in (0, 1):
        turned = {name: np.swapaxes(values, 0, axis) for name, values in layers.items()}
        found = _between(turned, perspective)
        pair = np.swapaxes(lines, 0, axis)
        pair[:-1] |= found
        pair[1:] |= found
    return lines


def _between(layers: dict[str, np.ndarray], perspective: bool) -> np.ndarray:
    """bool [H - 1, W]: whether there is a line between a row's pixels and those of the next row."""
    depth, normals = layers["depth"], layers["normals"]
    seen = np.isfinite(depth)
    line = seen[:-1] != seen[1:]
    for name in ("objects", "materials"):
        line |= layers[name][:-1] != layers[name][1:]
    bend = (normals[:-1] * normals[1:]).sum(-1) < _CREASE
    return np.asarray(line | (seen[:-1] & seen[1:] & (bend | _steps(depth, seen, perspective))))


def _steps(depth: np.ndarray, seen: np.ndarray, perspective: bool) -> np.ndarray:
    """bool [H - 1, W]: where the next row's surface does not go on as either side leads on. On a plane the inverse of
    depth (without perspective, depth itself) is linear over the picture, however steep it is seen."""
    with np.errstate(divide="ignore"):
        value = np.where(seen, 1 / depth if perspective else depth, 0.0)
    change = np.diff(value, axis=0)
    before = np.vstack([change[:1], change[:-1]])
    after = np.vstack([change[1:], change[-1:]])
    off = np.minimum(np.abs(change - before), np.abs(change - after))
    return np.asarray(off > _STEP * np.maximum(value[:-1], value[1:]))


@contextmanager
def _numbered() -> Iterator[None]:
    """Inside the block every object and material has a pass index of its own."""
    owners = (*bpy.data.objects, *bpy.data.materials)
    before = {owner: owner.pass_index for owner in owners}
    try:
        for kind in (bpy.data.objects, bpy.data.materials):
            for number, owner in enumerate(kind, 1):
                owner.pass_index = number % _MOST_INDEX
        yield
    finally:
        for owner, index in before.items():
            owner.pass_index = index


class LinesOverPass:
    """Draws the lines over the clip in `clip`, which another pass has written before and which is darkened."""

    layers = ("lines",)

    def __init__(self, clip: Path, scratch: Path) -> None:
        self.clip, self.scratch = clip, scratch
        self.count = 0

    def add(self, seen: Seen) -> None:
        self.count += 1
        np.save(self.scratch / f"lines-{self.count}.npy", seen.layers["lines"])

    def finish(self) -> None:
        for number in range(1, self.count + 1):
            lines, path = np.load(self.scratch / f"lines-{number}.npy"), self.clip / f"{number:05}.png"
            under = np.asarray(np.rint(_UNDER * read_png(path)), np.uint8)
            write_png(path, np.maximum(under, lines[:, :, None]))
