# SPDX-License-Identifier: GPL-3.0-or-later
"""Larger pictures, in a cascade of steps of x2: each is the previous picture plus a residual.

Frames are uint8 [H, W, 3], RGB. Every frame is treated alike and by itself, so still parts stay still.

Built in: Lanczos, then twice the residual that is missed when the result is made small again (back-projection, Irani
and Peleg 1991), then the edges steepened. Each is kept within the range of the nine pixels around in the picture before
the step, so that no edge rings. A learned model is read with `spandrel` (MIT licence), which knows the common
architectures by their weights and unpickles nothing but tensors. It needs torchvision made for the installed torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from ..devices import choose
from ..errors import CheckpointError, UsageError, reason_of

FACTORS = (2, 4)
_SHARPENING = 0.6  # of the difference to the picture without its finest detail
_PROJECTIONS = 2

Upscaler = Callable[[np.ndarray], np.ndarray]


def upscale(frames: np.ndarray, factor: int, model: Path | None = None) -> np.ndarray:
    """uint8 [T, H, W, 3] to [T, factor H, factor W, 3], with the learned model in the file `model` or the built-in way.

    Raises UsageError for another factor than 2 or 4 or when `spandrel` cannot be used, CheckpointError when the
    model cannot be used.
    """
    return np.stack(list(upscaled(frames, factor, model)))


def upscaled(frames: Iterable[np.ndarray], factor: int, model: Path | None = None) -> Iterator[np.ndarray]:
    """`upscale` for frames that come one by one; the arguments are checked at once, not with the first frame."""
    if factor not in FACTORS:
        raise UsageError(f"The clip can be made 2 or 4 times as large, not {factor} times.")
    enlarge = _built_in(factor) if model is None else _learned(factor, model)
    return map(enlarge, frames)


def _built_in(factor: int) -> Upscaler:
    def enlarge(frame: np.ndarray) -> np.ndarray:
        picture = frame.astype(np.float32)
        for _ in range(factor.bit_length() - 1):
            picture = _doubled(picture)
        return np.rint(picture).astype(np.uint8)

    return enlarge


def _doubled(small: np.ndarray) -> np.ndarray:
    """float32 [H, W, 3] to [2H, 2W, 3] within the range that `small` has around each pixel."""
    height, width = small.shape[:2]
    size = 2 * width, 2 * height
    around = np.ones((3, 3), np.uint8)
    lowest, highest = (
        cv2.resize(extreme(small, around), size, interpolation=cv2.INTER_NEAREST) for extreme in (cv2.erode, cv2.dilate)
    )
    large = np.clip(cv2.resize(small, size, interpolation=cv2.INTER_LANCZOS4), lowest, highest)
    large = large + _SHARPENING * (large - cv2.GaussianBlur(large, (0, 0), 1.0))
    for _ in range(_PROJECTIONS):
        missed = small - cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
        large = np.clip(large + cv2.resize(missed, size, interpolation=cv2.INTER_LANCZOS4), lowest, highest)
    return large


def _learned(factor: int, path: Path) -> Upscaler:
    """A network of any whole scale from 2 up: applied until the picture is large enough, then averaged down to size."""
    network = _open(path)
    scale = network.scale

    def enlarge(frame: np.ndarray) -> np.ndarray:
        picture = torch.from_numpy(np.ascontiguousarray(frame)).to(network.device).permute(2, 0, 1)[None] / 255
        reached = 1
        with torch.inference_mode():
            while reached < factor:
                picture = network(picture).clamp(0, 1)
                reached *= scale
        large = (picture[0].permute(1, 2, 0).float().cpu().numpy() * 255).astype(np.float32)
        if reached != factor:
            size = frame.shape[1] * factor, frame.shape[0] * factor
            large = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
        return np.rint(large).astype(np.uint8)

    return enlarge


def _open(path: Path):
    """The network in `path`, a `spandrel.ImageModelDescriptor` of pictures with three channels."""
    try:
        import spandrel
    except Exception as error:  # a torchvision of another torch fails with any kind of error
        raise UsageError(
            "A learned upscaling model needs the Python package spandrel, and torchvision as it belongs to the "
            f"installed torch ({reason_of(error)}); install them in the engine's environment, or leave out the model."
        ) from error
    if not path.is_file():
        raise UsageError(f"The upscaling model {path} is not there.")
    device = choose()
    try:
        network = spandrel.ModelLoader(device).load_from_file(path)
    except Exception as error:  # whatever unknown or damaged files make of the loader
        raise CheckpointError(
            f"{path} is no upscaling model that spandrel knows ({reason_of(error)}). Give another one, or leave it out."
        ) from error
    if not isinstance(network, spandrel.ImageModelDescriptor) or network.scale < 2 or network.input_channels != 3:
        raise CheckpointError(
            f"{path} is a model, but none that makes colour pictures larger. Give another one, or leave it out."
        )
    return network.eval()
