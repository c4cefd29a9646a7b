# SPDX-License-Identifier: GPL-3.0-or-later
"""What a `.pth` file says about its tensors, read without torch and without running what it names.

A `.pth` file is a pickle, in an archive or (before PyTorch 1.6) behind three short ones. Here every class and function
that it names becomes a stand-in that only notes its arguments, so that names, shapes and places are left and nothing is
called. In an archive each storage is a file of its own, not compressed: `data/KEY` beside `data.pkl`.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CheckpointError, reason_of
from .safetensors_header import ITEM_BYTES, Stored

WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
_LIMIT = 64_000_000  # bytes of a description; those of the published files have less than one
_ZIP_HEADER, _ZIP_END = 30, 22  # bytes before a file's name in an archive, and of the record that ends an archive
_OLD_PARTS = 3  # before the tensors' description: magic number, version, machine
_DTYPES = {"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16"}
_DTYPES |= {"LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8"}
_DTYPES |= {"BoolStorage": "BOOL", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "bfloat16": "BF16"}
_DTYPES |= {"float16": "F16", "float32": "F32", "float64": "F64"}


class _Named:
    """Stands for whatever the file calls `name`; calling it notes the arguments."""

    def __init__(self, name: str, arguments: tuple = ()) -> None:
        self.name = name
        self.arguments = arguments

    def __call__(self, *arguments: Any) -> Any:
        return _Dictionary(*arguments) if self.name == "OrderedDict" else _Named(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        """Attributes of what is not made are of no interest."""


class _Dictionary(dict):
    """An ordered dictionary, which may have attributes besides."""

    def __setstate__(self, state: Any) -> None:
        """As above."""


class _Code(pickle.UnpicklingError):
    """The file names something that is neither torch's nor an ordered dictionary."""


class _Reader(pickle._Unpickler):  # type: ignore[name-defined, misc]  # the C one sets aside memory that a file asks for
    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] != "torch" and name != "OrderedDict":
            raise _Code(f"{module}.{name}")
        return _Named(name)

    def persistent_load(self, pid: Any) -> Any:
        return _Named("storage", tuple(pid))

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError("a class by number")


class _NoTensors(ValueError):
    """The file holds something else than a dictionary of tensors."""


Places = Mapping[str, tuple[int, int]]  # first byte and number of bytes of each storage in an archive


def read_pickle_header(file: BinaryIO, path: Path, zipped: bool) -> dict[str, Stored]:
    """The tensors of an opened `.pth` file by name; those of an old one, without an archive, have no places.

    Raises CheckpointError for a file that is damaged, holds anything else, or names code to run.
    """
    try:
        size = os.fstat(file.fileno()).st_size
        state, places = _archive(file, path) if zipped else (_old(file), None)
        stored = {name: _tensor(value, places) for name, value in _dictionary(state).items()}
        if places is None and _storages(state) > size:
            raise CheckpointError(f"{path} is truncated; download it again.")
    except CheckpointError:
        raise
    except _NoTensors as error:
        raise CheckpointError(f"{path} must hold a dictionary of tensors and nothing else.") from error
    except _Code as error:
        raise CheckpointError(
            f"{path} wants to run code ({error}), so it was not loaded; take the file from its publisher, best as "
            "safetensors."
        ) from error
    except Exception as error:  # a damaged pickle ends in any kind of error
        raise CheckpointError(f"{path} is damaged or truncated ({reason_of(error)}); download it again.") from error
    return stored


def _archive(file: BinaryIO, path: Path) -> tuple[Any, Places]:
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        raise CheckpointError(f"{path} is truncated; download it again.") from None
    file.seek(-_ZIP_END, os.SEEK_END)
    if file.read(4) != b"PK\x05\x06":
        raise CheckpointError(f"{path} is longer than its directory says; download it again.")
    with archive:
        name = next(name for name in archive.namelist() if re.fullmatch(r"(?:[^/]*/)?data\.pkl", name))
        root = name.removesuffix("data.pkl")
        if archive.getinfo(name).file_size > _LIMIT:
            raise ValueError("its description is too long")
        order = f"{root}byteorder"
        if order in archive.namelist() and _member(file, archive, order) != b"little":
            raise ValueError("its numbers are not little-endian")
        state = _Reader(io.BytesIO(_member(file, archive, name))).load()
        places = {
            entry.filename.removeprefix(f"{root}data/"): (_data_offset(file, entry), entry.file_size)
            for entry in archive.infolist()
            if entry.filename.startswith(f"{root}data/") and entry.compress_type == zipfile.ZIP_STORED
        }
    return state, places


def _member(file: BinaryIO, archive: zipfile.ZipFile, name: str) -> bytes:
    """A small file of an archive, without a look at its checksum: torch writes a wrong one where it is told to compute
    none, and does not look at it either."""
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED:
        return archive.read(name)
    file.seek(_data_offset(file, entry))
    return file.read(entry.file_size)


def _data_offset(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """The first byte of a file in an archive: it lies behind a header of its own, with a name and more."""
    file.seek(entry.header_offset)
    header = file.read(_ZIP_HEADER)
    if header[:4] != b"PK\x03\x04":
        raise ValueError("its directory is wrong")
    return entry.header_offset + _ZIP_HEADER + sum(struct.unpack("<HH", header[26:30]))


def _old(file: BinaryIO) -> Any:
    """The fourth pickle of a file of the old kind, or the only one of a plain pickle."""
    state = _Reader(file).load()  # type: ignore[arg-type]
    for _ in range(_OLD_PARTS if isinstance(state, int) else 0):
        state = _Reader(file).load()  # type: ignore[arg-type]
    return state


def _dictionary(state: Any) -> dict[str, Any]:
    for _ in WRAPPERS:
        inner = [state[key] for key in WRAPPERS if isinstance(state, Mapping) and isinstance(state.get(key), Mapping)]
        state = inner[0] if inner else state
    if not isinstance(state, Mapping):
        raise _NoTensors
    return {str(name): value for name, value in state.items()}


def _rebuilt(value: Any) -> tuple[Any, ...]:
    """The arguments of `_rebuild_tensor_v2(storage, first element, shape, stride, ...)`, of its newer form or of what
    a parameter is around."""
    while isinstance(value, _Named) and "parameter" in value.name.lower():
        value = value.arguments[0]
    if not isinstance(value, _Named) or not value.name.startswith("_rebuild_tensor"):
        raise _NoTensors
    return value.arguments


def _tensor(value: Any, places: Places | None) -> Stored:
    storage, first, shape, stride, *more = _rebuilt(value)
    shape, stride = tuple(int(side) for side in shape), tuple(int(step) for step in stride)
    dtype = _dtype(storage, more)
    item = ITEM_BYTES.get(dtype, 0)
    count = math.prod(shape) * item
    if places is None:
        return Stored(dtype, shape, 0, count)
    begin, size = places[str(storage.arguments[2])]
    reach = sum((side - 1) * step for side, step in zip(shape, stride, strict=True)) + 1 if math.prod(shape) else 0
    if min((first, *shape, *stride)) < 0 or (first + reach) * item > size:
        raise ValueError("a tensor reaches beyond its storage")
    plain = reach == math.prod(shape) and stride == _row_after_row(shape, stride)
    return Stored(dtype, shape, begin + first * item, count, None if plain else stride)


def _row_after_row(shape: tuple[int, ...], stride: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor without gaps; those of sides of one element, which may be anything, are `stride`'s."""
    steps, step = [], 1
    for side, own in zip(reversed(shape), reversed(stride), strict=True):
        steps.append(own if side == 1 else step)
        step *= side
    return tuple(reversed(steps))


def _dtype(storage: Any, more: list[Any]) -> str:
    kinds = [item.name for item in (storage.arguments[1], *more) if isinstance(item, _Named)]
    return next((_DTYPES[kind] for kind in kinds if kind in _DTYPES), kinds[0] if kinds else "unknown")


def _storages(state: Any) -> int:
    """Bytes of all storages that the tensors lie in."""
    sizes = {}
    for value in _dictionary(state).values():
        storage, _, _, _, *more = _rebuilt(value)
        sizes[str(storage.arguments[2])] = int(storage.arguments[4]) * ITEM_BYTES.get(_dtype(storage, more), 0)
    return sum(sizes.values())
