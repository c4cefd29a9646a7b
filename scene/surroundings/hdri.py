# SPDX-License-Identifier: GPL-3.0-or-later
"""The brightest direction of a world that is lit by an equirectangular picture."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import bpy
import numpy as np

from ... import compat
from ...wan_engine.color_temperature import kelvin_of
from ..lighting.light_color import LUMINANCE
from ..nodes import Contribution, contributions, seen_at, texture_map

ENVIRONMENT = {"ShaderNodeTexEnvironment"}
COLUMNS, ROWS = 256, 128  # the picture is looked at in this size
MOST_BYTES = 150_000_000  # of a file that would have to be opened first
MOST_PIXELS = 8192 * 4096
AROUND = math.cos(math.radians(15.0))
EVEN_SHARE = (1.0 - AROUND) / 2.0  # what an even sky gives from within that circle
CANDIDATES = 64


@dataclass(frozen=True)
class Brightest:
    """Unit `direction` in world space, `confidence` as in the brief, kelvin there, and the mean luminance above and
    below the picture's own horizon."""

    direction: np.ndarray
    confidence: float
    color_temperature_k: float | None
    above: float
    below: float


def brightest_of(
    scene: bpy.types.Scene, layer: bpy.types.ViewLayer, depsgraph: bpy.types.Depsgraph
) -> Brightest | None:
    """Where the light of the world's picture comes from. None for a world without one, a black picture, a mirror ball,
    and a picture that is missing, moves or is too large to look at (more than 8192 x 4096 pixels)."""
    world = compat.world_of(scene, layer)
    output = compat.world_output(world.evaluated_get(depsgraph), scene.render.engine) if world is not None else None
    shown = contributions(output.inputs["Surface"], ENVIRONMENT) if output is not None else []
    if not shown or shown[0].place.node.projection != "EQUIRECTANGULAR" or shown[0].place.node.image is None:
        return None
    grid = _grid(shown[0].place.node.image.original)
    return _search(grid, shown[0]) if grid is not None else None


def _grid(image: bpy.types.Image) -> np.ndarray | None:
    """The picture as linear RGB [rows, columns, 3], small, row 0 at the bottom."""
    opened = not image.has_data
    if image.source not in {"FILE", "GENERATED"} or (opened and _file_bytes(image) > MOST_BYTES):
        return None
    width, height = image.size
    try:
        if not 0 < width * height <= MOST_PIXELS or image.channels < 3:
            return None
        pixels = np.empty(width * height * image.channels, np.float32)
        image.pixels.foreach_get(pixels)
        pixels = pixels.reshape(height, width, image.channels)
        small = _shrunk(_shrunk(pixels, ROWS, 0), COLUMNS, 1)[:, :, :3].astype(float)
        small = np.where(np.isfinite(small), small, 0.0).clip(0.0)
        return small if image.is_float else small**2.2
    finally:
        if opened and image.source == "FILE" and image.has_data and not image.is_dirty:
            image.buffers_free()


def _file_bytes(image: bpy.types.Image) -> int:
    if image.packed_file is not None:
        return image.packed_file.size
    path = bpy.path.abspath(image.filepath, library=image.library)
    return os.path.getsize(path) if os.path.isfile(path) else 0


def _shrunk(pixels: np.ndarray, most: int, axis: int) -> np.ndarray:
    """Means of blocks along an axis, at most `most` of them."""
    length = pixels.shape[axis]
    starts = np.unique(np.arange(min(most, length)) * length // min(most, length))
    counts = np.diff([*starts, length])
    return np.add.reduceat(pixels, starts, axis) / counts.reshape([-1 if i == axis else 1 for i in range(3)])


def _search(grid: np.ndarray, shown: Contribution) -> Brightest | None:
    rows, columns, _ = grid.shape
    up = ((np.arange(rows) + 0.5) / rows - 0.5)[:, None] * np.pi
    around = -((np.arange(columns) + 0.5) / columns - 0.5)[None] * 2.0 * np.pi
    flat = np.cos(up)
    ways = np.stack([np.cos(around) * flat, np.sin(around) * flat, np.sin(up) * np.ones_like(around)], axis=-1)
    ways, area = ways.reshape(-1, 3), np.broadcast_to(flat, (rows, columns)).ravel()
    bright = (grid @ LUMINANCE).ravel()
    power = bright * area
    if power.sum() <= 0.0:
        return None
    best = max(
        (int(index) for index in np.argsort(power)[-CANDIDATES:]),
        key=lambda index: float(power[ways @ ways[index] >= AROUND].sum()),
    )
    near = ways @ ways[best] >= AROUND
    share = float(power[near].sum() / power.sum())
    core = near & (bright >= 0.5 * bright[near].max())
    middle = (ways[core] * power[core, None]).sum(axis=0)
    mapping = texture_map(shown.place)
    if mapping is None:
        return None
    direction = seen_at(mapping, middle / np.linalg.norm(middle))
    if direction is None:
        return None
    upper = ways[:, 2] > 0.0
    above, below = (float(power[half].sum() / area[half].sum()) * shown.weight for half in (upper, ~upper))
    tint = (grid.reshape(-1, 3)[core] * area[core, None]).sum(axis=0)
    confidence = max(0.0, (share - EVEN_SHARE) / (1.0 - EVEN_SHARE))
    return Brightest(direction, confidence, kelvin_of(tint / tint.max()), above, below)
