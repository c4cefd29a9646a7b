# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip as a movie or a folder of numbered pictures, read one at a time: memory does not grow with its length."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import UsageError, reason_of
from .pictures import read_picture, sides
from .video_reader import Movie, check_sizes

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".exr", ".hdr", ".tga")
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


class Frames(Protocol):
    """Where pictures come from: uint8 [H, W, 3] each."""

    def __getitem__(self, number: int) -> np.ndarray: ...


@dataclass(frozen=True)
class Sequence:
    """Pictures of one `size` (width, height) in their order. `digest` tells two sequences apart by what is seen.

    `starts` tell when each begins: those of a movie in seconds, with `fps` their mean rate, those of a folder evenly.
    Of every `step` frames the first counts.
    """

    frames: Frames = field(repr=False, compare=False)
    starts: tuple[float, ...] = field(repr=False)
    size: tuple[int, int]
    digest: str
    fps: float | None = None
    step: int = 1

    def __len__(self) -> int:
        return -(-len(self.starts) // self.step)

    def __getitem__(self, number: int) -> np.ndarray:
        """uint8 [H, W, 3]."""
        return self.frames[number * self.step]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))

    def at_rate(self, fps: float) -> Sequence:
        """A movie that runs at n times `fps`, or up to n + 1, with every n-th of its frames alone, as VideoX-Fun reads
        it; others as they are.
        """
        return self if self.fps is None else replace(self, step=max(1, int(self.fps // fps)))

    @property
    def counted(self) -> str:
        """How many pictures there are, in words."""
        if self.fps is None:
            return f"{len(self)} picture{'s' if len(self) > 1 else ''}"
        part = "" if self.step == 1 else f", every {self.step} of which give one: {len(self)}"
        return counted(len(self.starts)) + part


def counted(frames: int) -> str:
    """Frames in words."""
    return f"{frames} frame{'s' if frames > 1 else ''}"


def read_sequence(place: Path, notes: list[str] | None = None) -> Sequence:
    """The frames of a movie file, or the pictures of a folder, ordered by the last number in their names; each is
    looked at once. Hidden files and others than pictures are passed over.

    `notes` gets a sentence for each thing that was done to pictures and is not seen at once. Raises UsageError for a
    place that is not there, a folder that holds no pictures or those of several clips, a file that is no movie, and for
    pictures that cannot be read or differ in size.
    """
    notes = [] if notes is None else notes
    if place.is_file() and place.suffix.lower() not in _PICTURES:
        return _movie(place, notes)
    return _pictures(place, notes)


class _Files:
    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def __getitem__(self, number: int) -> np.ndarray:
        return np.array(read_picture(self._files[number]))


def _pictures(folder: Path, notes: list[str]) -> Sequence:
    files = _ordered(folder)
    told: list[str] = []
    digest = hashlib.sha256()
    size = None
    for path in files:
        picture = read_picture(path, told)
        if size is not None and picture.size != size:
            raise UsageError(
                f"The pictures in {folder} differ in size: {files[0].name} is {sides(size)}, {path.name} "
                f"{sides(picture.size)}. Give pictures of one size."
            )
        size = picture.size
        digest.update(picture.tobytes())
    assert size is not None
    notes += _counted(told, files, folder)
    return Sequence(_Files(files), tuple(map(float, range(len(files)))), size, digest.hexdigest())


def _movie(path: Path, notes: list[str]) -> Sequence:
    movie, digest = Movie(path), hashlib.sha256()
    shapes, starts, transparent = set(), [], False
    for frame in movie:
        shapes.add(frame.pixels.shape)
        starts.append(frame.time)
        transparent |= frame.transparent
        digest.update(frame.pixels.tobytes())
    check_sizes(path, shapes)
    notes += movie.notes(f"The movie {path.name}", transparent)
    (height, width, _), *_ = shapes
    return Sequence(movie, tuple(starts), (width, height), digest.hexdigest(), float(movie.fps))


def _ordered(folder: Path) -> list[Path]:
    if not folder.exists():
        raise UsageError(f"{folder} does not exist; give a movie or a folder of numbered pictures.")
    if not folder.is_dir():
        what = "a single picture" if folder.suffix.lower() in _PICTURES else "no movie"
        raise UsageError(f"{folder} is {what}; give a movie, or a folder of numbered pictures, one for each frame.")
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be read ({reason_of(error)}); check its permissions.") from error
    files = [path for path in found if path.suffix.lower() in _PICTURES]
    if not files:
        raise UsageError(f"{folder} holds no pictures; give a folder of numbered pictures, one for each frame.")
    clips = sorted({_LAST_NUMBER.sub("#", path.name) for path in files})
    if len(clips) > 1:
        raise UsageError(
            f"{folder} holds pictures of several clips ({clips[0]} and {clips[1]}); give a folder of one numbered clip."
        )
    numbers = {path: int(match[0]) if (match := _LAST_NUMBER.search(path.name)) else 0 for path in files}
    twice = [number for number, count in Counter(numbers.values()).items() if count > 1]
    if twice:
        raise UsageError(f"{folder} holds frame {twice[0]} more than once; give a folder of one numbered clip.")
    return sorted(files, key=lambda path: numbers[path])


def _counted(told: list[str], files: list[Path], folder: Path) -> list[str]:
    """What was done to the first picture, told for all: a clip of a thousand frames gets no thousand sentences."""
    first = [words for words in told if files[0].name in words]
    return [words.replace(f"The picture {files[0].name}", f"Each picture of {folder.name}") for words in first]
