# SPDX-License-Identifier: GPL-3.0-or-later
"""What a GGUF file says about its tensors, read without torch or the gguf package.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian: counts, then
key-value pairs, then one description per tensor (name, sides from the innermost outwards, type, place).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CheckpointError
from .safetensors_header import Stored

# Types by number; quantised ones are told by their numbers alone, which no choice between files needs.
_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K"}
_TYPES |= {12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64"}
_TYPES |= {30: "BF16"}
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_SHAPE_KEY = "comfy.gguf.orig_shape."
_LIMIT = 1_000_000  # tensors or keys; more is no GGUF file of this world
_LONGEST = 1 << 24  # bytes of a string
_MOST_SIDES = 8
_LEAST_KEY, _LEAST_TENSOR = 13, 24  # bytes that a key with its value and a tensor's description take at least


def read_gguf_header(path: Path) -> tuple[dict[str, Stored], str]:
    """The tensors of a GGUF file by name (places are left out), and the model's name where the file states it.

    Raises CheckpointError for a file that is damaged or cut short within its descriptions.
    """
    try:
        with path.open("rb") as file:
            return _read(_Bounded(file, path.stat().st_size))
    except (OSError, ValueError, OverflowError, struct.error, MemoryError) as error:
        raise CheckpointError(f"{path} is a damaged or truncated GGUF file ({error}); download it again.") from error


class _Bounded:
    """A file of which no more is asked for than it holds: its counts and lengths are only claims."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.left = file, size

    def read(self, count: int) -> bytes:
        self._take(count)
        return self._file.read(count)

    def skip(self, count: int) -> None:
        self._take(count)
        self._file.seek(count, 1)

    def _take(self, count: int) -> None:
        if count > self.left:
            raise ValueError("it ends too early")
        self.left -= count


def _read(file: _Bounded) -> tuple[dict[str, Stored], str]:
    magic, version, tensors, keys = struct.unpack("<4sIQQ", file.read(24))
    if magic != b"GGUF" or version not in (2, 3) or max(tensors, keys) > _LIMIT:
        raise ValueError("not of a known version")
    if keys * _LEAST_KEY + tensors * _LEAST_TENSOR > file.left:
        raise ValueError("it states more tensors than it has room for")
    values = {}
    for _ in range(keys):
        key = _string(file)
        (kind,) = struct.unpack("<I", file.read(4))
        value = _value(file, kind)
        if key in ("general.name", "general.basename") or key.startswith(_SHAPE_KEY):
            values[key] = value
    stored = {}
    for _ in range(tensors):
        name = _string(file)
        (count,) = struct.unpack("<I", file.read(4))
        if count > _MOST_SIDES:
            raise ValueError(f"{name} has {count} sides")
        *sides, kind, _ = struct.unpack(f"<{count}QIQ", file.read(8 * count + 12))
        shape = values.get(_SHAPE_KEY + name) or sides[::-1]
        stored[name] = Stored(_TYPES.get(kind, f"type {kind}"), tuple(int(side) for side in shape), 0, 0)
    told = (values.get("general.name"), values.get("general.basename"))
    return stored, " ".join(word for word in told if isinstance(word, str))


def _value(file: _Bounded, kind: int) -> Any:
    """One value; arrays of strings, such as a tokenizer's 256,000 pieces, are passed over."""
    if kind == _STRING:
        return _string(file)
    if kind != _ARRAY:
        code = "<" + _NUMBERS.get(kind, "x")
        if kind not in _NUMBERS:
            raise ValueError(f"a value of type {kind}")
        return struct.unpack(code, file.read(struct.calcsize(code)))[0]
    inner, count = struct.unpack("<IQ", file.read(12))
    if inner == _STRING:
        for _ in range(count):
            _string(file)
        return None
    if inner not in _NUMBERS:
        raise ValueError(f"an array of type {inner}")
    size = struct.calcsize(f"<{_NUMBERS[inner]}")
    if count > _MOST_SIDES:
        file.skip(count * size)
        return None
    return list(struct.unpack(f"<{count}{_NUMBERS[inner]}", file.read(count * size)))


def _string(file: _Bounded) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _LONGEST:
        raise ValueError("a name is too long")
    return file.read(length).decode("utf-8", "replace")
