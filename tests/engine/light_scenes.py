# SPDX-License-Identifier: GPL-3.0-or-later
"""Small clips with known light: a textured wall, a ball with a bright side, a camera that pans; and faults to plant."""

import cv2
import numpy as np

HEIGHT, WIDTH, COUNT = 96, 160, 32


def to_display(linear):
    light = np.clip(linear, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def texture(height, width, seed):
    """A wall of patches and fine grain, albedo 0.1..0.6 with some colour."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for scale, weight in ((40, 0.5), (12, 0.3), (4, 0.2)):
        cells = rng.random((height // scale + 2, width // scale + 2, 1)) + 0.3 * rng.random((1, 1, 3))
        total += weight * cv2.resize(cells.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(0.08 + 0.4 * total, 0.02, 0.8)


def scene(count=COUNT, light=None, pan=1.5, ball=True, seed=0, size=(HEIGHT, WIDTH), noise=0.004, tint=None):
    """uint8 [count, H, W, 3]. light: exposure of linear light per frame; pan: pixels per frame; tint: [count, 3]."""
    height, width = size
    light = np.ones(count) if light is None else np.asarray(light, float)
    tint = np.ones((count, 3)) if tint is None else np.asarray(tint)
    wall = texture(height, width + int(abs(pan) * count) + 8, seed)
    rng = np.random.default_rng(seed + 1)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    frames = []
    for t in range(count):
        picture = cv2.warpAffine(wall, np.float32([[1, 0, -abs(pan) * t], [0, 1, 0]]), (width, height))
        if ball:
            radius = height / 5
            dx, dy = (x - width * 0.2 - 2.2 * t) / radius, (y - height * 0.6) / radius
            inside = dx**2 + dy**2 < 1
            lit = 0.1 + 0.8 * np.clip(0.7 * dx - 0.5 * dy + 0.5 * np.sqrt(np.maximum(1 - dx**2 - dy**2, 0)), 0, 1)
            picture = np.where(inside[..., None], lit[..., None] * np.float32([0.9, 0.6, 0.3]), picture)
        display = to_display(picture * light[t] * tint[t]) + noise * rng.standard_normal(picture.shape)
        frames.append(np.rint(255 * np.clip(display, 0, 1)))
    return np.stack(frames).astype(np.uint8)


def sphere(azimuth_deg, size=(120, 160)):
    """A matt sphere on a grey ground, lit from `azimuth_deg` in the picture (0 = up, clockwise); float 0..1."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    radius = height * 0.42
    dx, dy = (x - width / 2) / radius, (y - height / 2) / radius
    inside = dx**2 + dy**2 < 1
    toward = np.sin(np.radians(azimuth_deg)), -np.cos(np.radians(azimuth_deg))
    shade = 0.8 * (dx * toward[0] + dy * toward[1]) + 0.6 * np.sqrt(np.maximum(1 - dx**2 - dy**2, 0))
    value = np.where(inside, 0.05 + 0.7 * np.clip(shade, 0, 1), 0.2)
    return to_display(np.repeat(value[..., None], 3, -1)).astype(np.float32)


def display_gain(frames, gain):
    """Display values times `gain` per frame: how a fault is planted in a finished clip."""
    return np.rint(np.clip(frames * np.asarray(gain, float)[:, None, None, None], 0, 255)).astype(np.uint8)


def psnr(a, b):
    error = np.mean((a.astype(float) - b) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)
