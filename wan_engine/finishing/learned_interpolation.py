# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames between frames by a learned model that the user has, in an ONNX file.

ONNX holds a graph of known operations and weights, no code; `onnxruntime` (MIT licence) runs it. Two forms are taken,
with pictures [1, 3, H, W] of display-referred RGB in 0..1 and a time in 0..1:

- one input of 7 channels: both pictures and the time as a plane; or of 8, then a plane of ones (RIFE's scale) follows
- three inputs: the two pictures in their order, and the time, in whatever shape

The first output is the frame. Networks of this kind halve the picture several times, so it is padded by its edges to
multiples of 128 pixels, or to the size that the file was made for, and cut again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import CheckpointError, UsageError

MOST_SECONDS = 600.0  # for one frame; the largest take less than one tenth of it on two cores
_MULTIPLE = 128
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_FORMS = "one input of 7 or 8 channels (two pictures, the time, a scale), or three (two pictures and the time)"

Pair = tuple[np.ndarray, np.ndarray]


class InterpolationModel:
    """The model in a file. Raises UsageError when `onnxruntime` is not installed or the file is not there,
    CheckpointError when it cannot be used: it is tried at once, on black pictures.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._session = _open(path)
        self._inputs = self._session.get_inputs()
        self._feed = self._form()
        black = np.zeros((*(side or _MULTIPLE for side in self._sides), 3), np.uint8)
        self.between((black, black), 0.5)

    def between(self, pair: Pair, time: float) -> np.ndarray:
        """The frame at `time` in 0..1 between two frames, all uint8 [H, W, 3]."""
        height, width = pair[0].shape[:2]
        sides = [
            own or -(-side // _MULTIPLE) * _MULTIPLE for own, side in zip(self._sides, (height, width), strict=True)
        ]
        if sides[0] < height or sides[1] < width:
            raise CheckpointError(
                f"The interpolation model {self._path} is made for pictures of at most {sides[1]}x{sides[0]}; these "
                f"have {width}x{height}. Give one of any size, or leave it out."
            )
        padding = ((0, sides[0] - height), (0, sides[1] - width), (0, 0))
        pictures = [np.pad(frame, padding, mode="edge").transpose(2, 0, 1)[None] / np.float32(255) for frame in pair]
        values = self._feed(pictures, time)
        feeds = {each.name: value.astype(_TYPES[each.type]) for each, value in zip(self._inputs, values, strict=True)}
        made = self._run(feeds)
        if made.shape != (1, 3, *sides):
            raise CheckpointError(f"The interpolation model {self._path} gives {list(made.shape)}, which is no frame.")
        frame = made[0, :, :height, :width].astype(np.float32).clip(0, 1).transpose(1, 2, 0)
        return np.rint(np.nan_to_num(frame) * 255).astype(np.uint8)

    def _run(self, feeds: dict[str, np.ndarray]) -> np.ndarray:
        """The first output. A file may hold a loop that never ends: it is stopped after MOST_SECONDS."""
        import onnxruntime

        options = onnxruntime.RunOptions()
        alarm = threading.Timer(MOST_SECONDS, setattr, (options, "terminate", True))
        alarm.daemon = True
        alarm.start()
        try:
            return np.asarray(self._session.run(None, feeds, options)[0])
        except Exception as error:  # the runtime has exceptions of its own for every operation
            if options.terminate:
                raise CheckpointError(
                    f"The interpolation model {self._path} took more than {MOST_SECONDS:g} seconds for a frame. Give "
                    "another one, or leave it out."
                ) from error
            raise CheckpointError(f"The interpolation model {self._path} could not be run ({error}).") from error
        finally:
            alarm.cancel()

    def _form(self) -> Callable[[list[np.ndarray], float], list[np.ndarray]]:
        """How pictures and time become the values of the inputs, in their order."""
        channels = [_whole(each.shape, 1) for each in self._inputs]
        if any(each.type not in _TYPES for each in self._inputs):
            raise self._unknown()
        if len(channels) == 1 and channels[0] in (7, 8):
            scale = channels[0] == 8
            return lambda pictures, time: [_stacked(pictures, time, scale)]
        times = [number for number, each in enumerate(self._inputs) if channels[number] != 3 or len(each.shape) != 4]
        if len(channels) != 3 or len(times) != 1:
            raise self._unknown()
        (place,) = times
        shape = self._inputs[place].shape

        def apart(pictures: list[np.ndarray], time: float) -> list[np.ndarray]:
            sides = pictures[0].shape[2:]
            whole = [1] * len(shape) if len(shape) < 4 else [1, 1, *(_whole(shape, 2 + k) or sides[k] for k in (0, 1))]
            values = list(pictures)
            values.insert(place, np.full(whole, time, np.float32))
            return values

        return apart

    @property
    def _sides(self) -> list[int | None]:
        """Height and width that the file was made for, None where any will do."""
        shape = next(each.shape for each in self._inputs if len(each.shape) == 4 and _whole(each.shape, 1) in (3, 7, 8))
        return [_whole(shape, 2), _whole(shape, 3)]

    def _unknown(self) -> CheckpointError:
        found = "; ".join(f"{each.name} {each.shape} {each.type}" for each in self._inputs)
        return CheckpointError(f"{self._path} is no interpolation model of a known form: {_FORMS}. It has: {found}.")


def _open(path: Path) -> Any:
    """An `onnxruntime.InferenceSession`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            f"A learned interpolation model needs the Python package onnxruntime ({error}); install it in the engine's "
            "environment, or leave out the model."
        ) from error
    if not path.is_file():
        raise UsageError(f"The interpolation model {path} is not there; check the path.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors come as exceptions, warnings about the graph help nobody here
    wanted = [name for name in _PROVIDERS if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=wanted)
    except Exception as error:  # whatever unknown or damaged files make of the loader
        raise CheckpointError(f"{path} is no ONNX model that onnxruntime can run ({error}).") from error


def _whole(shape: list[int | str | None], axis: int) -> int | None:
    """A side of a shape, None where it is free: the file gives it a name or nothing then."""
    side = shape[axis] if axis < len(shape) else None
    return side if isinstance(side, int) and side > 0 else None


def _stacked(pictures: list[np.ndarray], time: float, scale: bool) -> np.ndarray:
    """One input: the pictures' channels, a plane of the time, and where wanted one of ones."""
    plane = np.ones_like(pictures[0][:, :1])
    return np.concatenate([*pictures, time * plane, *([plane] if scale else [])], axis=1)
