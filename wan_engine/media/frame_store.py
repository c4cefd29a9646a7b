# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip's frames on disk while it is being finished, so that memory does not grow with its length."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import GenerationError


class Frames(Protocol):
    """A clip: frames uint8 [H, W, 3], RGB, by number and in their order. An array [T, H, W, 3] is one too."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> np.ndarray: ...

    def __iter__(self) -> Iterator[np.ndarray]: ...


class FrameStore:
    """Frames of one size (`height`, `width`), written behind each other into a nameless file in `folder`, which is gone
    with the store and with the process.
    """

    def __init__(self, folder: Path, height: int, width: int) -> None:
        self._shape = height, width, 3
        self._count = 0
        self._folder = folder
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as the store
        except OSError as error:
            raise self._no_room(error) from error
        weakref.finalize(self, self._file.close)

    def append(self, frame: np.ndarray) -> None:
        """Raises GenerationError in words when the disk is full."""
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise ValueError(f"frames must be uint8 {list(self._shape)}, not {frame.dtype} {list(frame.shape)}")
        try:
            self._file.seek(self._count * frame.nbytes)
            self._file.write(np.ascontiguousarray(frame).data)
            self._file.flush()  # a full disk is told here, not where a frame is read
        except OSError as error:
            raise self._no_room(error) from error
        self._count += 1

    def pop(self) -> np.ndarray:
        """The last frame, taken out: the next one that is appended comes in its place."""
        last = self[-1]
        self._count -= 1
        return last

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> np.ndarray:
        """A copy; from -1 backward they are counted from the end."""
        place = range(self._count)[number]
        frame = np.empty(self._shape, np.uint8)
        self._file.seek(place * frame.nbytes)
        self._file.readinto(frame.data)
        return frame

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(self._count))

    def _no_room(self, error: OSError) -> GenerationError:
        return GenerationError(
            f"The frames cannot be written in {self._folder} ({error.strerror or error}); see whether the folder is "
            "there and its disk has room."
        )


class Section:
    """Frames `start` to `stop` (behind the last) of a clip."""

    def __init__(self, frames: Frames, start: int, stop: int) -> None:
        self._frames, self._numbers = frames, range(len(frames))[start:stop]

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: int) -> np.ndarray:
        return self._frames[self._numbers[number]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._frames[number] for number in self._numbers)


class Changed:
    """The frames of a clip, each changed when it is asked for; `change` gets its number and the frame."""

    def __init__(self, frames: Frames, change: Callable[[int, np.ndarray], np.ndarray]) -> None:
        self._frames, self._change = frames, change

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, number: int) -> np.ndarray:
        return self._change(range(len(self))[number], self._frames[number])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))
