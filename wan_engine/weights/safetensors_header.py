# SPDX-License-Identifier: GPL-3.0-or-later
"""What a safetensors file says about its tensors, read without torch, and how the kind of a weight file is told."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import CheckpointError, reason_of
from ..text_files import check_file, parsed, read_text

ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I16": 2}
ITEM_BYTES |= {"I8": 1, "U8": 1, "BOOL": 1}
NO_WEIGHTS = {"I64", "I32", "I16", "I8", "U8", "BOOL"}  # dtypes of weights packed in ways that are not known here
_HEADER_LIMIT = 100_000_000  # the format's own limit


@dataclass(frozen=True)
class Stored:
    """Where a tensor lies in its file: dtype in the file's own word, shape, first byte and number of bytes.

    `stride` is that of a view of other tensors' memory, in elements; None where the elements lie row after row.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int
    bytes: int
    stride: tuple[int, ...] | None = None


def open_weights(path: Path) -> tuple[str, BinaryIO]:
    """An opened weight file, at its beginning, and what it is: `safetensors`, `gguf`, `zip` (a .pth file) or `pickle`
    (an old one), told by the first bytes, not by the name.

    Raises CheckpointError when there is no file or it is none of these.
    """
    try:
        check_file(path)
        file = path.open("rb")
    except FileNotFoundError:
        raise CheckpointError(f"The checkpoint lacks {path}; download it again.") from None
    except (OSError, ValueError) as error:  # ValueError: NUL or half a character in the name
        raise CheckpointError(f"{path} cannot be read ({reason_of(error)}); check the path and its rights.") from error
    try:
        start = file.read(16)
        file.seek(0)
        return _kind(start, path), file
    except OSError as error:
        file.close()
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check the path and its rights.") from error
    except CheckpointError:
        file.close()
        raise


def _kind(start: bytes, path: Path) -> str:
    if start[5:9] == b"\0\0\0{":  # a length below 2^40, then the header
        return "safetensors"
    if start.startswith(b"GGUF"):
        return "gguf"
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    if start[:1] == b"\x80":
        return "pickle"
    if start.startswith(b"version https://"):
        raise CheckpointError(f"{path} is only a pointer to a large file; fetch the file itself (git lfs pull).")
    if len(start) < 16:
        raise CheckpointError(f"{path} is truncated; download it again.")
    raise CheckpointError(f"{path} is no weight file (safetensors, .pth or GGUF); download it again.")


def read_header(file: BinaryIO, path: Path) -> tuple[dict[str, Stored], dict[str, str]]:
    """The tensors of an opened safetensors file by name, and what it says about itself besides. Raises CheckpointError
    for a file that is cut short, too long or contradicts itself.
    """
    try:
        size = os.fstat(file.fileno()).st_size
        length = struct.unpack("<Q", file.read(8))[0]
        if 8 + length > size:
            raise _truncated(path)
        if length > _HEADER_LIMIT:
            raise ValueError("its header is too long")
        header = parsed(file.read(length))
        told = header.pop("__metadata__", None)
        stored = {name: _stored(entry, 8 + length) for name, entry in header.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, struct.error) as error:
        raise CheckpointError(f"{path} is no safetensors file ({reason_of(error)}); download it again.") from error
    end = max((entry.offset + entry.bytes for entry in stored.values()), default=8 + length)
    if end > size:
        raise _truncated(path)
    if end < size:
        raise CheckpointError(f"{path} is longer than its header says; download it again.")
    _check_lengths(path, stored)
    check_places(path, stored)
    return stored, {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def check_weight(path: Path, name: str, dtype: str, known: bool = True) -> None:
    """Raises CheckpointError for a weight that is stored in a way not `known` to be one of numbers."""
    if dtype in NO_WEIGHTS or not known:
        raise CheckpointError(
            f"{path}: the tensor {name} is stored as {dtype}, which is not supported; use fp16 or bf16."
        )


def _stored(entry: dict, start: int) -> Stored:
    first, last = entry["data_offsets"]
    shape = tuple(int(side) for side in entry["shape"])
    if not 0 <= first <= last or any(side < 0 for side in shape):
        raise ValueError("negative sizes")
    return Stored(str(entry["dtype"]), shape, start + first, last - first)


def _check_lengths(path: Path, stored: dict[str, Stored]) -> None:
    for name, entry in stored.items():
        if entry.dtype in ITEM_BYTES and math.prod(entry.shape) * ITEM_BYTES[entry.dtype] != entry.bytes:
            raise CheckpointError(f"{path}: the tensor {name} has another length than its shape; download it again.")


def check_places(path: Path, stored: Mapping[str, Stored]) -> None:
    """Raises CheckpointError for tensors that share bytes: a small file could claim any amount of memory."""
    end = 0
    for name, entry in sorted(stored.items(), key=lambda item: (item[1].offset, item[1].bytes)):
        if entry.offset < end and entry.bytes:
            raise CheckpointError(f"{path}: the tensor {name} overlaps another one; download it again.")
        end = max(end, entry.offset + entry.bytes)


def _truncated(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} is truncated; download it again.")


def read_json(path: Path) -> dict:
    """The JSON object in `path`; raises CheckpointError when there is none."""
    try:
        data = parsed(read_text(path))
    except FileNotFoundError:
        raise CheckpointError(f"The checkpoint lacks {path}; download it again.") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({reason_of(error)}); download it again.") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} must hold a JSON object; download it again.")
    return data
