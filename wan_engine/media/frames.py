# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames as arrays and as picture files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import UsageError
from .pictures import read_picture
from .video_reader import read_clip


def as_rgb(frames: np.ndarray | Iterable[np.ndarray]) -> Any:
    """An array of frames as uint8 [T, H, W, 3]: alpha is composited over black, grey repeated, 16 bit and floats 0..1
    rounded; frames that come one by one are that already.

    Raises UsageError for anything that is no clip.
    """
    if not isinstance(frames, np.ndarray | list):
        return frames
    array = np.asarray(frames)
    if array.ndim != 4 or array.shape[-1] not in (1, 3, 4) or 0 in array.shape:
        raise UsageError(f"A clip must be frames of pixels [T, H, W, 3], but this one is {list(array.shape)}.")
    if array.dtype == np.uint16:
        array = (array / 257).round().astype(np.uint8)
    elif array.dtype.kind == "f":
        array = (np.nan_to_num(array).clip(0, 1) * 255).round().astype(np.uint8)
    elif array.dtype != np.uint8:
        raise UsageError(f"A clip's pixels must be 8 or 16 bit or floats, but these are {array.dtype}.")
    if array.shape[-1] == 4:
        return (array[..., :3] * (array[..., 3:] / np.float32(255))).round().astype(np.uint8)
    return np.repeat(array, 3, axis=-1) if array.shape[-1] == 1 else array


def read_frames(clip: Path) -> np.ndarray:
    """uint8 [T, H, W, 3] of a movie, or of a folder with a sequence of PNG or EXR pictures. Raises UsageError."""
    files = sorted(path for path in clip.glob("frame_*") if path.suffix in (".png", ".exr")) if clip.is_dir() else []
    try:
        pictures = [np.asarray(read_picture(path)) for path in files] or list(read_clip(clip).frames)
    except (OSError, av.FFmpegError) as error:
        raise UsageError(f"{clip} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if not pictures:
        raise UsageError(f"{clip} holds no frames. Generate the shot again.")
    return np.stack(pictures)
