# SPDX-License-Identifier: GPL-3.0-or-later
"""What a field of motion says of two pictures. Motion is [H, W, 2]: right and down, in pixels."""

from __future__ import annotations

import cv2
import numpy as np


def warp(image: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Sample `image` [H, W] or [H, W, C] at each pixel's position moved by `motion`; beyond its edge it goes on."""
    rows, columns = np.indices(motion.shape[:2], np.float32)
    return cv2.remap(
        image, columns + motion[..., 0], rows + motion[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def squared(motion: np.ndarray) -> np.ndarray:
    """Squared lengths [H, W] of vectors [H, W, 2]."""
    return motion[..., 0] ** 2 + motion[..., 1] ** 2


def agrees(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Where going there and back ends where it began, [H, W] bool.

    The bound grows with the length of the motion, as in Sundaram et al. 2010, "Dense Point Trajectories by
    GPU-Accelerated Large Displacement Optical Flow", equation 5.
    """
    returned = warp(back, there)
    return squared(there + returned) < 0.01 * (squared(there) + squared(returned)) + 0.5
