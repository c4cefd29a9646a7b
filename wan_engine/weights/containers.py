# SPDX-License-Identifier: GPL-3.0-or-later
"""Tensors as files hold them: safetensors, `.pth` and GGUF, each read tensor by tensor.

What is cast is read, not mapped: a mapped file counts as resident memory as its pages are touched, so that casting a
float32 file to bfloat16 would hold both. What stays as it is may be mapped, which copies nothing. Only old `.pth`
files (no zip archive) must be read whole.
"""

from __future__ import annotations

import math
import mmap
import pickle
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

import torch
from torch import Tensor

from ..errors import CheckpointError, reason_of
from .contents import Contents
from .pickle_header import WRAPPERS
from .safetensors_header import Stored

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_LARGE = 256 * 1024  # bytes from which on a tensor gets pages of its own
_BLOCK_ROWS = 256  # rows of a quantised tensor that are unpacked at a time


class Scratch:
    """Memory that each tensor is read into in turn, for tensors that are cast or moved at once: new pages for every
    tensor would take longer than reading it.
    """

    def __init__(self) -> None:
        self._data = torch.empty(0, dtype=torch.uint8)

    def take(self, count: int) -> Tensor:
        """[count] uint8, the same memory every time."""
        if count > len(self._data):
            self._data = torch.empty(0, dtype=torch.uint8)  # let go of the smaller one first
            self._data = _empty(count)
        return self._data[:count]


class Container(Protocol):
    """One opened file. `stored` holds every tensor's dtype and shape; data is read on demand, on the CPU, into memory
    of its own or into `scratch`, where it stays until the next tensor.

    `unpacks` tells that dtypes of the file's own are turned into float32 by reading.
    """

    path: Path
    stored: Mapping[str, Stored]
    unpacks: bool

    def read(self, name: str, scratch: Scratch | None = None) -> Tensor:
        """The tensor, in memory of its own or in `scratch`. Raises CheckpointError."""

    def map(self, name: str) -> Tensor:
        """The tensor without a copy where the file allows it; writing to it does not reach the file."""

    def rows(self, name: str, index: Tensor) -> Tensor:
        """Rows `index` [n] of the tensor, without reading the others where the file allows it."""

    def close(self) -> None:
        """Let go of the file; mapped tensors stay good."""


def open_container(contents: Contents) -> Container:
    """The file whose header was read. Raises CheckpointError for what cannot be read."""
    if contents.kind == "gguf":
        return GGUFFile(contents.path, contents.stored)
    if contents.kind == "pickle":
        return OldPickle(contents.path, contents.stored)
    return RawFile(contents.path, contents.stored)


class RawFile:
    """Tensors that lie unpacked at known places of a file, row after row or as views of what lies there."""

    unpacks = False

    def __init__(self, path: Path, stored: Mapping[str, Stored]) -> None:
        self.path = path
        self.stored = stored
        self._map: mmap.mmap | None = None  # one for all tensors: each holds a file descriptor

    def map(self, name: str) -> Tensor:
        entry = self.stored[name]
        if not entry.bytes or entry.stride is not None or entry.offset % DTYPES[entry.dtype].itemsize:
            return self.read(name)
        if self._map is None:
            with _reading(self.path) as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        if entry.offset + entry.bytes > len(self._map):
            raise CheckpointError(f"{self.path} is truncated; download it again.")
        data = torch.frombuffer(self._map, dtype=torch.uint8, count=entry.bytes, offset=entry.offset)
        return data.view(DTYPES[entry.dtype]).reshape(entry.shape)

    def read(self, name: str, scratch: Scratch | None = None) -> Tensor:
        entry = self.stored[name]
        dtype = DTYPES[entry.dtype]
        if entry.stride is None:
            with _reading(self.path) as file:
                data = _bytes(file, self.path, entry.offset, entry.bytes, scratch)
            return data.view(dtype).reshape(entry.shape)
        reach = sum((side - 1) * step for side, step in zip(entry.shape, entry.stride, strict=True)) + 1
        with _reading(self.path) as file:
            data = _bytes(file, self.path, entry.offset, reach * dtype.itemsize)
        return data.view(dtype).as_strided(entry.shape, entry.stride).contiguous()

    def rows(self, name: str, index: Tensor) -> Tensor:
        entry = self.stored[name]
        if entry.stride is not None:
            return self.read(name)[index]
        width = entry.bytes // max(entry.shape[0], 1)
        with _reading(self.path) as file:
            parts = [_bytes(file, self.path, entry.offset + int(row) * width, width) for row in index]
        return (
            torch.cat([torch.empty(0, dtype=torch.uint8), *parts])
            .view(DTYPES[entry.dtype])
            .reshape(len(index), *entry.shape[1:])
        )

    def close(self) -> None:
        self._map = None  # mapped tensors keep it


class OldPickle:
    """A `.pth` file from before PyTorch 1.6: no part of it can be read alone, so all of it is kept until `close`."""

    unpacks = False

    def __init__(self, path: Path, stored: Mapping[str, Stored]) -> None:
        self.path = path
        self.stored = stored
        self._state: Mapping[str, Tensor] | None = None

    def read(self, name: str, scratch: Scratch | None = None) -> Tensor:
        if self._state is None:
            self._state = _load_pickle(self.path)
        return self._state[name].detach()

    def map(self, name: str) -> Tensor:
        return self.read(name)

    def rows(self, name: str, index: Tensor) -> Tensor:
        return self.read(name)[index]

    def close(self) -> None:
        self._state = None


class GGUFFile:
    """A GGUF file; quantised tensors are unpacked to float32 by the gguf package, some rows at a time."""

    unpacks = True

    def __init__(self, path: Path, stored: Mapping[str, Stored]) -> None:
        self.path = path
        self.stored = stored

    def read(self, name: str, scratch: Scratch | None = None) -> Tensor:
        entry = self.stored[name]
        return self._unpack(name, entry.offset, entry.bytes, entry.shape, scratch)

    def map(self, name: str) -> Tensor:
        return self.read(name)

    def rows(self, name: str, index: Tensor) -> Tensor:
        entry = self.stored[name]
        width = entry.bytes // max(entry.shape[0], 1)
        parts = [self._unpack(name, entry.offset + int(row) * width, width, (1, *entry.shape[1:])) for row in index]
        return torch.cat(parts) if parts else self._unpack(name, entry.offset, 0, (0, *entry.shape[1:]))

    def _unpack(
        self, name: str, offset: int, count: int, shape: tuple[int, ...], scratch: Scratch | None = None
    ) -> Tensor:
        import gguf  # only needed for these files, and slow to import

        dtype = self.stored[name].dtype
        with _reading(self.path) as file:
            if dtype in DTYPES:
                return _bytes(file, self.path, offset, count, scratch).view(DTYPES[dtype]).reshape(shape)
            kind = gguf.GGMLQuantizationType[dtype]
            per_block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
            values = (scratch.take if scratch else _empty)(4 * math.prod(shape)).view(torch.float32)
            step = _BLOCK_ROWS * 4096 // per_block * block_bytes
            done = 0
            for start in range(0, count, step):
                packed = _bytes(file, self.path, offset + start, min(step, count - start))
                try:
                    part = torch.from_numpy(gguf.dequantize(packed.numpy().reshape(-1, block_bytes), kind)).flatten()
                except NotImplementedError:
                    raise CheckpointError(
                        f"{self.path}: the tensor {name} is stored as {kind.name}, which is not supported; "
                        "use another quantisation, such as Q8_0 or Q4_K."
                    ) from None
                values[done : done + len(part)] = part
                done += len(part)
        return values.reshape(shape)

    def close(self) -> None:
        """Nothing is kept open between reads."""


def _reading(path: Path) -> AbstractContextManager[BinaryIO]:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); download it again.") from error


def _bytes(file: BinaryIO, path: Path, offset: int, count: int, scratch: Scratch | None = None) -> Tensor:
    """`count` bytes from `offset` on, [count] uint8; raises CheckpointError when the file ends before."""
    data = (scratch.take if scratch else _empty)(count)
    rest = memoryview(data.numpy())
    file.seek(offset)
    while rest:
        got = file.readinto(rest)  # type: ignore[attr-defined]  # every unbuffered file has it
        if not got:
            raise CheckpointError(f"{path} is truncated; download it again.")
        rest = rest[got:]
    return data


def _empty(count: int) -> Tensor:
    """[count] uint8. Large ones are pages of their own: from the heap they would leave holes between the tensors that
    stay, half as much again as a network cast to bfloat16.
    """
    if count < _LARGE:
        return torch.empty(count, dtype=torch.uint8)
    return torch.frombuffer(mmap.mmap(-1, count), dtype=torch.uint8)


def _load_pickle(path: Path) -> dict[str, Tensor]:
    """The tensors of a .pth file; only plain data is unpickled, never code."""
    try:
        with path.open("rb") as file:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle or archive ends in any kind of error
        raise _refused(path, error) from error
    for _ in WRAPPERS:  # such as {"state_dict": {...}}, also one inside the other
        inner = [state[key] for key in WRAPPERS if isinstance(state, Mapping) and isinstance(state.get(key), Mapping)]
        state = inner[0] if inner else state
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path} must hold a dictionary of tensors and nothing else.")
    if any(value.layout is not torch.strided for value in state.values()):
        raise CheckpointError(f"{path} must hold ordinary tensors; sparse ones are not supported.")
    return {str(name): value for name, value in state.items()}


def _refused(path: Path, error: Exception) -> CheckpointError:
    code = re.search(r"(?:GLOBAL|global:?|function) ([\w.]+)", str(error))
    if isinstance(error, pickle.UnpicklingError) and code:
        return CheckpointError(
            f"{path} wants to run code ({code[1]}), so it was not loaded; take the file from its publisher, best as "
            "safetensors."
        )
    return CheckpointError(f"{path} is damaged or truncated ({reason_of(error)}); download it again.")
