# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that the user named, written whole or not at all: made beside their place, looked at, then put there at once.

Blender itself calls a .blend saved that a full disk has cut off, and writes it over the file that was there.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import bpy

from ..bridge.files import replacing, unfinished

_UNCOMPRESSED, _ZSTD = b"BLENDER", b"\x28\xb5\x2f\xfd"
_BLOCK_HEADERS = (32, 24, 20)  # bytes: Blender 5; before that with 8-byte and with 4-byte pointers
_LONGEST_PATH = 1023  # bytes; of Blender's FILE_MAX the last is a zero
_SEEK_TABLE, _SEEK_END = b"\x5e\x2a\x4d\x18", b"\xb1\xea\x92\x8f"


class SaveError(Exception):
    """A file that cannot be written; the message says why and what to do."""

    exit_status = 5


def why_not_read(path: Path) -> str:
    """Why Blender would not find a file that has this path, "" where it would."""
    if os.sep != "\\" and "\\" in str(path):
        return "Blender takes the backslash in the path for another folder"
    if len(os.fsencode(path)) > _LONGEST_PATH:
        return "the path is longer than Blender can read"
    return ""


def check_place(path: Path) -> None:
    """Raises SaveError when no file can be written there, as far as that is known beforehand. Nothing is left."""
    if not os.path.isdir(path.parent):
        raise SaveError(f'"{path}" cannot be written: there is no folder "{path.parent}". Make it, or name another.')
    if os.path.isdir(path):
        raise SaveError(f'"{path}" is a folder. Name a file in it.')
    if os.path.lexists(path):
        if not os.path.isfile(path):
            raise SaveError(f'"{path}" is a device, a pipe or a broken link. Name a file.')
        if not (os.access(path, os.W_OK) and path.stat().st_mode & 0o222):
            raise SaveError(f'"{path}" is write-protected. Allow writing to it, or name another file.')
    new = unfinished(path)
    try:
        new.open("wb").close()
        new.unlink()
    except OSError as error:
        raise SaveError(_words(path, error)) from error


def check_blend_place(path: Path) -> None:
    """As `check_place`, for the open file: Blender can open it again, an older file there can be kept, and no library
    that it links from lies there.
    """
    check_place(path)
    if why := why_not_read(path):
        raise SaveError(f'"{path}" cannot be written: {why}. Name another place.')
    for version in _versions(path) if os.path.exists(path) else ():
        if os.path.isdir(version):
            raise SaveError(
                f'"{version}" is a folder, where the older file would be kept. Move it, or name another file.'
            )
    for library in bpy.data.libraries:
        used = Path(bpy.path.abspath(library.filepath, library=library.parent))
        if os.path.exists(path) and os.path.exists(used) and path.samefile(used):
            raise SaveError(f'"{path}" is a library that the open file links from. Name another file.')


def write_file(path: Path, write: Callable[[Path], object], keep_old: Callable[[Path], object] | None = None) -> None:
    """Let `write` fill an empty file, which then takes the place of `path`; an older one there is given to `keep_old`
    just before. Raises SaveError, with all as it was.
    """
    check_place(path)
    try:
        with replacing(path, keep_old) as new:
            write(new)
    except OSError as error:
        raise SaveError(_words(path, error)) from error


def save_blend(path: Path) -> None:
    """Save a copy of the open file, with relative paths that are right from where it lies. A file that was there is
    kept as Blender's preferences want it (as .blend1). Raises SaveError, with all as it was.
    """
    check_blend_place(path)
    write_file(path, _write_blend, _keep_versions)


def _write_blend(path: Path) -> None:
    path.unlink()  # Blender would keep the empty file as a version
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    except RuntimeError as error:
        raise OSError(errno.EIO, " ".join(str(error).replace("Error: ", "").split())) from error
    finally:
        path.with_name(f"{path.name}@").unlink(missing_ok=True)  # which Blender writes to first
    if not _is_whole(path):
        raise OSError(errno.ENOSPC, "it came out incomplete, as on a full disk")


def _is_whole(path: Path) -> bool:
    """Whether a .blend has its end, can be opened and holds the scenes of the open file."""
    try:
        with path.open("rb") as file:
            if not _has_end(file):
                return False
        with bpy.data.libraries.load(str(path)) as (stored, _):
            return {scene.name for scene in bpy.data.scenes if scene.library is None} <= set(stored.scenes)
    except OSError:
        return False


def _has_end(file: BinaryIO) -> bool:
    """An uncompressed .blend ends with an empty block ENDB, a compressed one with a table of its Zstandard frames:
    https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md
    """
    start, size = file.read(len(_UNCOMPRESSED)), file.seek(0, os.SEEK_END)
    if start == _UNCOMPRESSED:
        end = _last(file, size, max(_BLOCK_HEADERS))
        return any(end[-length:].startswith(b"ENDB") for length in _BLOCK_HEADERS)
    footer = _last(file, size, 9)
    if not start.startswith(_ZSTD) or not footer.endswith(_SEEK_END):
        return False
    count, flags = struct.unpack_from("<IB", footer)
    entry = 12 if flags & 0x80 else 8  # bytes: compressed size, size, perhaps a checksum
    table = _last(file, size, 8 + entry * count + len(footer))
    frames = sum(struct.unpack_from("<I", table, 8 + entry * i)[0] for i in range(count))
    return table.startswith(_SEEK_TABLE) and frames + len(table) == size


def _last(file: BinaryIO, size: int, length: int) -> bytes:
    file.seek(max(0, size - length))
    return file.read(length)


def _keep_versions(path: Path) -> None:
    """scene.blend becomes scene.blend1, that one scene.blend2, as many as Blender's preferences say."""
    versions = _versions(path)
    for newer, older in reversed(list(pairwise(versions))):
        if os.path.exists(newer):
            os.replace(newer, older)
    if versions:
        versions[0].unlink(missing_ok=True)
        try:
            os.link(path, versions[0])
        except OSError:  # a file system without hard links
            os.replace(path, versions[0])


def _versions(path: Path) -> list[Path]:
    """Where Blender's preferences want older files, the newest first."""
    count = bpy.context.preferences.filepaths.save_version
    return [path.with_name(f"{path.name}{i}") for i in range(1, count + 1)]


def _words(path: Path, error: OSError) -> str:
    return f'"{path}" cannot be written: {error.strerror}. Free some space, or name another place.'
