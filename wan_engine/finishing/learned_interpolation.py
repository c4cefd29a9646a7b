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

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..errors import CheckpointError, UsageError, reason_of

MOST_SECONDS = 600.0  # for one frame; the largest take less than one tenth of it on two cores
OPENING_SECONDS = 120.0  # the largest open in a few
_LARGEST_SIDE = 8192  # pixels
_MOST_SAID = 1000  # letters of an error that are looked at
_MULTIPLE = 128
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_OPENING = "import sys, onnxruntime; onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])"
_PLACE_IN_CODE = re.compile(
    r"\S*/onnxruntime_src/\S+ .*[)\]] |\[ONNXRuntimeError\] : \d+ : \w+ : |.*\bfailed:|.*Message: "
)
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_FORMS = "one input of 7 or 8 channels (two pictures, the time, a scale), or three (two pictures and the time)"

Pair = tuple[np.ndarray, np.ndarray]


class _Input(NamedTuple):
    """What a model takes: a side of its shape is a number, or a name or None where it is free."""

    name: str
    shape: list[int | str | None]
    type: str


class InterpolationModel:
    """The model in a file. Raises UsageError when `onnxruntime` is not installed or the file is not there,
    CheckpointError when it cannot be used: it is tried at once, on black pictures.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._session = _open(path)
        self._inputs = self._read_inputs()
        self._feed = self._form()
        if max(side or 0 for side in self._sides) > _LARGEST_SIDE:
            raise CheckpointError(
                f"The interpolation model {path} is made for pictures of more than {_LARGEST_SIDE} pixels a side. Give "
                "one of any size, or leave it out."
            )
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
            raise CheckpointError(
                f"The interpolation model {self._path} gives {list(made.shape)}, which is no frame. Give another one, "
                "or leave it out."
            )
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
            raise CheckpointError(
                f"The interpolation model {self._path} could not be run ({_reason(error)}). Give another one, or leave "
                "it out."
            ) from error
        finally:
            alarm.cancel()

    def _read_inputs(self) -> list[_Input]:
        try:
            return [_Input(each.name, list(each.shape), each.type) for each in self._session.get_inputs()]
        except UnicodeDecodeError as error:
            raise _no_model(self._path, ValueError("its names are no UTF-8 text")) from error

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
    except Exception as error:  # one that is damaged, or made for another numpy, fails with any kind of error
        raise UsageError(
            "A learned interpolation model needs the Python package onnxruntime, whole "
            f"({reason_of(error)}); install it in the engine's environment, or leave out the model."
        ) from error
    if not path.is_file():
        raise UsageError(f"The interpolation model {path} is not there; check the path.")
    _try_opening(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors come as exceptions, warnings about the graph help nobody here
    wanted = [name for name in _PROVIDERS if name in onnxruntime.get_available_providers()]
    why: Exception | None = None
    for providers in (wanted, _PROVIDERS[-1:]):  # its own way back to the processor prints to stdout
        try:
            return onnxruntime.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
        except Exception as error:  # whatever unknown or damaged files make of the loader
            why = why or error
    assert why is not None
    raise _no_model(path, why) from why


def _try_opening(path: Path) -> None:
    """Open the model in a process of its own: functions that call each other may take for ever, which nothing can stop
    from within, and a damaged file may crash the library. Any other error comes again, with its words, in this one.
    """
    try:
        command = [sys.executable, "-c", _OPENING, str(path)]
        quiet = subprocess.DEVNULL
        done = subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=OPENING_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CheckpointError(
            f"The interpolation model {path} was not open after {OPENING_SECONDS:g} seconds. Give another one, or "
            "leave it out."
        ) from error
    if done.returncode < 0:
        raise _no_model(path, RuntimeError("it crashed"))


def _no_model(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} is no ONNX model that onnxruntime can run ({_reason(error)}). Give another one, or leave it out."
    )


def _reason(error: Exception) -> str:
    """What onnxruntime says, without the places in its own code; its last words, as it may repeat all of a file."""
    return reason_of(RuntimeError(_PLACE_IN_CODE.sub("", " ".join(str(error)[-_MOST_SAID:].split()))))


def _whole(shape: list[int | str | None], axis: int) -> int | None:
    """A side of a shape, None where it is free: the file gives it a name or nothing then."""
    side = shape[axis] if axis < len(shape) else None
    return side if isinstance(side, int) and side > 0 else None


def _stacked(pictures: list[np.ndarray], time: float, scale: bool) -> np.ndarray:
    """One input: the pictures' channels, a plane of the time, and where wanted one of ones."""
    plane = np.ones_like(pictures[0][:, :1])
    return np.concatenate([*pictures, time * plane, *([plane] if scale else [])], axis=1)
