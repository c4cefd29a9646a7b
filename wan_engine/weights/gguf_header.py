# SPDX-License-Identifier: GPL-3.0-or-later
"""What a GGUF file says about its tensors, read without torch or the gguf package.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian: counts, then
key-value pairs, then one description per tensor (name, sides from the innermost outwards, type, place).
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CheckpointError, reason_of
from .safetensors_header import Stored, check_places

# Types by number: name, elements per block, bytes per block.
TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}  # fmt: skip
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_SHAPE_KEY = "comfy.gguf.orig_shape."
_ALIGNMENT_KEY, _ALIGNMENT = "general.alignment", 32  # bytes, where a file states none
_LIMIT = 1_000_000  # tensors or keys; more is no GGUF file of this world
_LONGEST = 1 << 24  # bytes of a string
_MOST_SIDES = 8
_LEAST_KEY, _LEAST_TENSOR = 13, 24  # bytes that a key with its value and a tensor's description take at least


def read_gguf_header(file: BinaryIO, path: Path) -> tuple[dict[str, Stored], str, bool]:
    """The tensors of an opened GGUF file by name, the model's name where the file states it, and whether it holds a
    tokenizer.

    Raises CheckpointError for a file that is damaged or cut short.
    """
    try:
        size = os.fstat(file.fileno()).st_size
        stored, title, tokenizer = _read(_Bounded(file, size))
    except (OSError, ValueError, OverflowError, struct.error, MemoryError) as error:
        raise CheckpointError(
            f"{path} is a damaged or truncated GGUF file ({reason_of(error)}); download it again."
        ) from error
    if any(entry.offset + entry.bytes > size for entry in stored.values()):
        raise CheckpointError(f"{path} is truncated; download it again.")
    check_places(path, stored)
    return stored, title, tokenizer


class _Bounded:
    """A file of which no more is asked for than it holds: its counts and lengths are only claims."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.size, self.left = file, size, size

    @property
    def place(self) -> int:
        """Bytes that have been read or skipped."""
        return self.size - self.left

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


def _read(file: _Bounded) -> tuple[dict[str, Stored], str, bool]:
    magic, version, tensors, keys = struct.unpack("<4sIQQ", file.read(24))
    if magic != b"GGUF" or version not in (2, 3) or max(tensors, keys) > _LIMIT:
        raise ValueError("not of a known version")
    if keys * _LEAST_KEY + tensors * _LEAST_TENSOR > file.left:
        raise ValueError("it states more tensors than it has room for")
    values, tokenizer = {}, False
    for _ in range(keys):
        key = _string(file)
        (kind,) = struct.unpack("<I", file.read(4))
        value = _value(file, kind)
        tokenizer |= key == "tokenizer.ggml.tokens"
        if key in ("general.name", "general.basename", _ALIGNMENT_KEY) or key.startswith(_SHAPE_KEY):
            values[key] = value
    told = [_tensor(file, values) for _ in range(tensors)]
    alignment = values.get(_ALIGNMENT_KEY, _ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"its alignment is {alignment}")
    start = -(-file.place // alignment) * alignment
    stored = {name: replace(entry, offset=start + entry.offset) for name, entry in told}
    if len(stored) < len(told):
        raise ValueError("two tensors have one name")
    titles = (values.get("general.name"), values.get("general.basename"))
    return stored, " ".join(str(title) for title in titles if title), tokenizer


def _tensor(file: _Bounded, values: Mapping[str, Any]) -> tuple[str, Stored]:
    """A tensor's name, and where it lies behind the descriptions."""
    name = _string(file)
    (count,) = struct.unpack("<I", file.read(4))
    if count > _MOST_SIDES:
        raise ValueError(f"{name} has {count} sides")
    *sides, kind, offset = struct.unpack(f"<{count}QIQ", file.read(8 * count + 12))
    if kind not in TYPES:
        raise ValueError(f"{name} is of an unknown type, {kind}")
    dtype, elements, size = TYPES[kind]
    shape = tuple(int(side) for side in values.get(_SHAPE_KEY + name) or sides[::-1])
    if math.prod(shape) != math.prod(sides):
        raise ValueError(f"{name} has another shape than it says")
    return name, Stored(dtype, shape, offset, math.prod(sides) // elements * size)


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
