# SPDX-License-Identifier: GPL-3.0-or-later
"""The names under which the pipeline knows finishing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from .encode import exact_rate, write_clip
from .files import write_whole
from .interpolate import retime

__all__ = ["exact_rate", "retime", "write_mp4", "write_pngs", "write_whole"]


def write_mp4(frames: np.ndarray, fps: float | Fraction, path: Path) -> None:
    """H.264, see `encode.write_clip`."""
    write_clip(frames, fps, path)


def write_pngs(frames: np.ndarray, folder: Path) -> None:
    """Every frame as `frame_0001.png` and so on, see `encode.write_clip`."""
    write_clip(frames, 1, folder, "png")
