# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes pictures of numbers as PNG, so that no colour management comes between."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

_FAST = 3  # of zlib's levels


def write_png(path: Path, pixels: np.ndarray) -> None:
    """`pixels` [H, W] (grey) or [H, W, 3] (RGB) of uint8 or uint16, rows from the top. The folder is made when it is
    missing. Raises OSError."""
    height, width = pixels.shape[:2]
    depth, kind = 8 * pixels.dtype.itemsize, 0 if pixels.ndim == 2 else 2
    if pixels.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"A PNG holds 8 or 16 bits, not {pixels.dtype}.")
    rows = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    unfiltered = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, kind, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(unfiltered, _FAST))
        + _chunk(b"IEND", b"")
    )


def read_png(path: Path) -> np.ndarray:
    """The pixels of a file that `write_png` wrote. Raises OSError."""
    data = path.read_bytes()
    width, height, depth, kind = struct.unpack_from(">2I2B", data, 16)
    size = struct.unpack_from(">I", data, 33)[0]  # of IDAT, which follows the 25 bytes of IHDR
    rows = np.frombuffer(zlib.decompress(data[41 : 41 + size]), np.uint8).reshape(height, -1)[:, 1:]
    pixels = np.ascontiguousarray(rows).view(">u2" if depth == 16 else np.uint8).astype(f"u{depth // 8}")
    return pixels.reshape((height, width, 3) if kind == 2 else (height, width))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
