# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving pictures whose every moment is known: a textured disc over a textured ground, under light that may change."""

import cv2
import numpy as np

from wan_engine.media.srgb import from_linear, to_linear

_OVER = 2  # drawn this many times as large, then averaged


def texture(height, width, seed):
    """uint8 [H, W, 3] with structure of several sizes, as photographs have."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 0.5, np.float32)
    for cell, contrast in ((64, 0.65), (24, 0.4), (10, 0.2), (5, 0.1)):
        coarse = random.random((height // cell + 3, width // cell + 3, 3), np.float32) - 0.5
        picture += contrast * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (picture.clip(0, 1) * 255).astype(np.uint8)


def scene(times, width=160, height=96, pan=2.0, disc=4.0, light=lambda time, x, y: 1.0):
    """uint8 [T, H, W, 3]. Per unit of time the ground moves `pan` pixels to the left and the disc `disc` to the right;
    `light(time, x, y)` is what the linear light is multiplied with, x and y in pixels.
    """
    w, h = width * _OVER, height * _OVER
    ground, coat = texture(h, w + 200, 1), texture(h, w + 200, 2)
    y, x = np.mgrid[:h, :w].astype(np.float32) / _OVER
    frames = []
    for time in times:
        inside = (x - 40 - disc * time) ** 2 + (y - height / 2) ** 2 < (height / 4.4) ** 2
        picture = np.where(inside[..., None], _moved(coat, 100 - disc * time, w), _moved(ground, pan * time, w))
        lit = to_linear(picture) * np.broadcast_to(np.float32(light(time, x, y)), (h, w))[..., None]
        frames.append(from_linear(cv2.resize(lit, (width, height), interpolation=cv2.INTER_AREA)))
    return np.stack(frames)


def _moved(picture, pixels, width):
    """The part of `picture` that begins `pixels` (of the finished size) from its left edge."""
    shift = np.float32([[1, 0, -pixels * _OVER], [0, 1, 0]])
    return cv2.warpAffine(picture, shift, (width, len(picture)), borderMode=cv2.BORDER_REFLECT)


def psnr(a, b):
    return 10 * np.log10(255**2 / max(1e-12, np.mean((a.astype(float) - b) ** 2)))
