# SPDX-License-Identifier: GPL-3.0-or-later
"""How well an outline fits the edges of a picture, at its place and moved away from it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .bounds import REACH

BINS = 8  # directions that edges are told apart by, over half a turn
_SOFT = 1.0  # pixels by which the picture is smoothed before
_FAINT = 2.0  # slope, gray levels per pixel, that counts half, at least
_NEIGHBOURS = 5  # points of an outline that tell its direction


@dataclass(frozen=True)
class Edges:
    """Of a picture, how much of an edge there is at each pixel in each of BINS directions: [BINS, h + 2 r, w + 2 r],
    0..1, NaN in a border of r = REACH around it."""

    strength: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.strength.shape[1] - 2 * REACH, self.strength.shape[2] - 2 * REACH


def edges_of(gray: np.ndarray) -> Edges:
    """Of a working picture, uint8 [h, w]."""
    soft = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), _SOFT)
    right, down = (cv2.Sobel(soft, cv2.CV_32F, *way, ksize=3, scale=1 / 8) for way in ((1, 0), (0, 1)))
    half = max(_FAINT, 1.5 * float(np.median(np.hypot(right, down))))
    maps = []
    for k in range(BINS):
        angle = np.pi * k / BINS
        slope = np.abs(right * np.cos(angle) + down * np.sin(angle))
        along = np.abs(down * np.cos(angle) - right * np.sin(angle))
        value = np.maximum(slope - along, 0)
        value = cv2.dilate(value, np.ones((3, 3), np.uint8))
        maps.append(np.pad(value / (value + half), REACH, constant_values=np.nan))
    return Edges(np.stack(maps))


def normals(points: np.ndarray) -> np.ndarray:
    """The bin [P] of the direction across an outline at each of its points [P, 2], by those nearest to it."""
    away = np.linalg.norm(points[:, None] - points[None], axis=-1)
    nearest = np.argsort(away, axis=1)[:, :_NEIGHBOURS]
    around = points[nearest] - points[nearest].mean(1, keepdims=True)
    _, ways = np.linalg.eigh(np.einsum("pki,pkj->pij", around, around))
    across = ways[:, :, 0]
    return np.rint(np.arctan2(across[:, 1], across[:, 0]) / (np.pi / BINS)).astype(int) % BINS


def fits(edges: Edges, points: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """[2 REACH + 1, 2 REACH + 1]: the mean strength of the edges under an outline moved by each (down, right) of up to
    REACH; NaN where less than half of it is in the picture."""
    side = 2 * REACH + 1
    total, count = np.zeros((side, side)), np.zeros((side, side))
    height, width = edges.size
    for (x, y), k in zip(np.rint(points - 0.5).astype(int), bins, strict=True):
        if 0 <= x < width and 0 <= y < height:
            values = edges.strength[k, y : y + side, x : x + side]
            inside = np.isfinite(values)
            total += np.where(inside, values, 0)
            count += inside
    return np.where(count >= max(1, len(points) / 2), total / np.maximum(count, 1), np.nan)
