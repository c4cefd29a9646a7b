# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip as a folder of numbered pictures, read one picture at a time: memory does not grow with its length."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import UsageError
from .pictures import read_picture, sides

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".exr", ".hdr", ".tga")
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


@dataclass(frozen=True)
class Sequence:
    """Pictures of one `size` (width, height) in their order. `digest` tells two sequences apart by what is seen."""

    files: tuple[Path, ...] = field(repr=False)
    size: tuple[int, int]
    digest: str

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> np.ndarray:
        """uint8 [H, W, 3]."""
        return np.array(read_picture(self.files[number]))

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))


def read_sequence(folder: Path, notes: list[str] | None = None) -> Sequence:
    """The pictures of a folder, ordered by the last number in their names; each is looked at once. Hidden files and
    others than pictures are passed over.

    `notes` gets a sentence for each thing that was done to pictures and is not seen at once. Raises UsageError for a
    folder that is not there, holds no pictures or those of several clips, and for pictures that cannot be read or
    differ in size.
    """
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
    if notes is not None:
        notes += _counted(told, files, folder)
    return Sequence(tuple(files), size, digest.hexdigest())


def _ordered(folder: Path) -> list[Path]:
    if not folder.exists():
        raise UsageError(f"The folder {folder} does not exist; check the path.")
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give a folder of numbered pictures, one for each frame.")
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be read ({error.strerror}); check its permissions.") from error
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
