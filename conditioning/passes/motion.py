# SPDX-License-Identifier: GPL-3.0-or-later
"""The rough animation and its mask that Time-to-Move follows (arXiv 2511.08633), made of the scene itself.

Where objects are marked to be followed: the frames as a quick render shows them, and where those objects are seen. Else
for a move of the camera: the first frame as it would look from where the camera is in each frame, by the depth there,
and what of it was to be seen in the first frame; the rest is filled with the colours around it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...scene.camera.camera import CameraState
from .masks import mask_of
from .pictures import load_picture
from .png import write_png
from .seen import Seen

_FAR = 1e6  # metres to what has no surface
_SLACK = 0.02  # of the distance, by which a place may differ from what the first frame shows there


class ObjectMotionPass:
    """Writes `clip`/NNNNN.png (RGB) and `mask`/NNNNN.png (grey, white where the clip follows): marked objects."""

    layers = ("objects", "rough")

    def __init__(self, clip: Path, mask: Path) -> None:
        self.clip, self.mask = clip, mask
        self.counts = dict.fromkeys(self.layers, 0)

    def add(self, seen: Seen) -> None:
        for name in seen.layers.keys() & set(self.layers):
            self.counts[name] += 1
            path = f"{self.counts[name]:05}.png"
            if name == "rough":
                write_png(self.clip / path, seen.layers["rough"])
            else:
                write_png(self.mask / path, mask_of(seen, "follow"))

    def finish(self) -> None: ...


class CameraMotionPass:
    """The same for a move of the camera; `first` is the picture of the first frame."""

    layers = ("depth",)

    def __init__(self, clip: Path, mask: Path, first: Path) -> None:
        self.clip, self.mask, self.first = clip, mask, first
        self.count = 0
        self.start: Seen | None = None

    def add(self, seen: Seen) -> None:
        self.count += 1
        if self.start is None:
            self.start, self.picture = seen, load_picture(self.first)
        picture, known = warped(self.picture, self.start, seen)
        name = f"{self.count:05}.png"
        write_png(self.clip / name, np.asarray(np.rint(filled(picture, known)), np.uint8))
        write_png(self.mask / name, np.where(known, np.uint8(255), np.uint8(0)))

    def finish(self) -> None: ...


def warped(picture: np.ndarray, start: Seen, now: Seen) -> tuple[np.ndarray, np.ndarray]:
    """(float [H, W, 3], bool [H, W]): what each pixel's place looked like in the first frame's `picture`, and whether
    it was seen there."""
    height, width = now.depth.shape
    x, y, far = start.camera.project(places(now.depth, now.camera)).T.reshape(3, height, width)
    column, row = x * width - 0.5, (1 - y) * height - 0.5
    inside = (far > 0) & (column > -0.5) & (column < width - 0.5) & (row > -0.5) & (row < height - 0.5)
    column, row = np.where(inside, column, 0).clip(0, width - 1), np.where(inside, row, 0).clip(0, height - 1)
    nearest = np.rint(row).astype(int), np.rint(column).astype(int)
    shown = np.where(np.isfinite(start.depth), start.depth, _FAR)
    known = inside & (np.abs(shown[nearest] - far) <= _SLACK * far + _slope(shown)[nearest])
    return _sampled(picture.astype(np.float32), column, row), known


def places(depth: np.ndarray, camera: CameraState) -> np.ndarray:
    """[H * W, 3] the places in metres that the middles of pixels show; far away where there is no surface."""
    height, width = depth.shape
    columns, rows = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    pose, along = camera.pose, np.where(np.isfinite(depth), depth, _FAR).reshape(-1, 1)
    across = ((columns - 0.5 + camera.offset[0]) * camera.width).reshape(-1, 1) * pose.right
    up = ((0.5 - rows + camera.offset[1]) * camera.height).reshape(-1, 1) * pose.up
    if camera.kind == "ORTHO":
        return np.asarray(pose.position + across + up + along * pose.forward)
    return np.asarray(pose.position + along * (pose.forward + across + up))


def _slope(depth: np.ndarray) -> np.ndarray:
    """By how much depth changes from each pixel to the next on its own surface: of both sides the lesser change."""
    total = np.zeros_like(depth)
    for axis in (0, 1):
        change = np.abs(np.diff(depth, axis=axis, prepend=np.nan, append=np.nan))
        one, other = (np.delete(change, end, axis) for end in (0, -1))
        total += np.fmin(one, other)
    return total


def _sampled(picture: np.ndarray, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Bilinear."""
    left, top = np.floor(column).astype(int), np.floor(row).astype(int)
    right, bottom = np.minimum(left + 1, picture.shape[1] - 1), np.minimum(top + 1, picture.shape[0] - 1)
    x, y = (column - left)[..., None], (row - top)[..., None]
    above = picture[top, left] * (1 - x) + picture[top, right] * x
    below = picture[bottom, left] * (1 - x) + picture[bottom, right] * x
    return np.asarray(above * (1 - y) + below * y)


def filled(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The picture with what is not known taken from around it, smoothly: from halves of halves of its size."""
    if known.all() or not known.any():
        return picture
    height, width = known.shape
    weight = np.pad(known.astype(np.float32), ((0, height % 2), (0, width % 2)))
    colors = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0))) * weight[..., None]
    blocks = (weight.shape[0] // 2, 2, weight.shape[1] // 2, 2)
    counts = weight.reshape(blocks).sum((1, 3))
    means = colors.reshape(*blocks, 3).sum((1, 3)) / np.maximum(counts, 1)[..., None]
    small = filled(means, counts > 0)
    large = small.repeat(2, 0).repeat(2, 1)[:height, :width]
    return np.where(known[..., None], picture, large)
