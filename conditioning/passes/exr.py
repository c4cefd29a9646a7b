# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the passes of a render out of the multilayer OpenEXR file that Blender writes, which its own Python cannot.

One part, scan lines, 32-bit channels, no compression: as `surfaces.py` has it written. The format is told by
openexr.com, "OpenEXR File Layout".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_MAGIC = b"v/1\x01"
_TILED_OR_PARTS = 0x1A00  # flags: tiles, deep data, several parts
_TYPES = {0: "<u4", 2: "<f4"}
_LINE = 8  # bytes before a line's pixels: its number and its size


def read_exr(path: Path) -> dict[str, np.ndarray]:
    """Every channel by its name, [H, W] with the rows from the top. Raises ValueError for a file of another kind, and
    for one that is cut off; OSError."""
    data = path.read_bytes()
    try:
        return _channels(data)
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError(f"{path} is no picture of the expected kind ({error}).") from error


def _channels(data: bytes) -> dict[str, np.ndarray]:
    if data[:4] != _MAGIC or struct.unpack_from("<I", data, 4)[0] & _TILED_OR_PARTS:
        raise ValueError("It is no OpenEXR file of one part with scan lines.")
    header, place = _header(data)
    if header["compression"] != b"\0":
        raise ValueError("It is compressed.")
    left, bottom, right, top = struct.unpack("<4i", header["dataWindow"])
    width, height = right - left + 1, top - bottom + 1
    kinds = list(_kinds(header["channels"]))
    line = np.dtype([(name, kind, (width,)) for name, kind in kinds])
    starts = struct.unpack_from(f"<{height}Q", data, place)
    if max(starts) + _LINE + line.itemsize > len(data):
        raise ValueError("It is cut off.")
    rows = np.empty(height, line)
    for start in starts:
        number = struct.unpack_from("<i", data, start)[0] - bottom
        rows[number] = np.frombuffer(data, line, 1, start + _LINE)[0]
    return {name: np.ascontiguousarray(rows[name]) for name, _ in kinds}


def _header(data: bytes) -> tuple[dict[str, bytes], int]:
    """The attributes' bytes by name, and where the table of lines begins."""
    found, place = {}, 8
    while data[place]:
        name, place = _text(data, place)
        _, place = _text(data, place)
        size = struct.unpack_from("<i", data, place)[0]
        found[name] = data[place + 4 : place + 4 + size]
        place += 4 + size
    return found, place + 1


def _kinds(listed: bytes) -> Iterator[tuple[str, str]]:
    """(name, numpy's type) of every channel, in the order in which a line holds them."""
    place = 0
    while listed[place]:
        name, place = _text(listed, place)
        yield name, _TYPES[struct.unpack_from("<i", listed, place)[0]]
        place += 16


def _text(data: bytes, place: int) -> tuple[str, int]:
    end = data.index(b"\0", place)
    return data[place:end].decode("utf-8", "replace"), end + 1
