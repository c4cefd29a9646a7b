# SPDX-License-Identifier: GPL-3.0-or-later
"""Files written whole or not at all, and read and written without following links out of their folder.

The one atomic writer of Blender's side and the bridge; the engine, which neither may import, has its own in
`wan_engine/media/atomic_write.py`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import process

DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # no quotas on Windows
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_AT_IT = 60.0  # seconds, longer than who writes pauses
OPEN_ELSEWHERE = (32, 33)  # Windows: a sharing violation, a lock violation
# What `replacing`, the engine's `write_whole` and its prompt cache call a file that is not finished.
_UNFINISHED = re.compile(
    r"\..+\.(\d+)(?:-\d+\.tmp.*|\.partial)|[0-9a-f]{64}\.prompt\.safetensors\.(\d+)\.part", re.DOTALL
)


@contextlib.contextmanager
def replacing(path: Path, keep_old: Callable[[Path], object] | None = None) -> Iterator[Path]:
    """A new empty file beside `path`, with its suffix. When the block ends well, it is forced onto the disk and takes
    the place of `path` at once, which is given to `keep_old` just before where it was there; else all stays as it was.

    Raises OSError.
    """
    new = unfinished(path)
    try:
        _sweep(path.parent)
        new.unlink(missing_ok=True)
        new.open("xb").close()
        yield new
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        if os.path.exists(path):
            new.chmod(path.stat().st_mode & 0o777)
            if keep_old is not None:
                keep_old(path)
        _rename_over(new, path)
    finally:
        with contextlib.suppress(IsADirectoryError, PermissionError):  # a folder of that name, which was not ours
            new.unlink(missing_ok=True)


def unfinished(path: Path) -> Path:
    """The file beside `path` that this thread fills before it takes the place of `path`."""
    return path.with_name(f".wan_previs.{os.getpid()}-{threading.get_ident()}.tmp{path.suffix}")


def write_json(path: Path, data: Mapping[str, Any], room: int = 0) -> None:
    """Replace a JSON file at once, with blanks up to `room` bytes. Raises OSError."""
    with replacing(path) as new:
        new.write_bytes(_json(data).ljust(room))


def overwrite_json(path: Path, data: Mapping[str, Any]) -> bool:
    """Write `data` over what the file holds, no longer than that, with a shortened `message` if need be: for a disk on
    which no new file has room. Whether it was possible.
    """
    try:
        with open(os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)), "rb+") as file:
            room = file.seek(0, os.SEEK_END)
            if is_link(path) or os.fstat(file.fileno()).st_nlink > 1:
                return False
            while len(content := _json(data)) > room:
                if not data["message"]:
                    return False
                data = {**data, "message": data["message"][: len(data["message"]) // 2]}
            file.seek(0)
            file.write(content.ljust(room))
            return True
    except OSError:
        return False


def left_behind(path: Path) -> bool:
    """Whether it is an unfinished file of a process that has ended."""
    match = _UNFINISHED.fullmatch(path.name)
    try:
        return match is not None and not process.may_have_written(int(match[1] or match[2]), path.lstat().st_mtime)
    except (OSError, ValueError):
        return False


def _sweep(folder: Path) -> None:
    """Remove what killed processes left half written of Blender's side's files there. What was written just now may be
    that of a process of another computer."""
    for entry in folder.glob(".wan_previs.*.tmp*"):
        with contextlib.suppress(OSError):
            if left_behind(entry) and time.time() - entry.lstat().st_mtime > _AT_IT:
                entry.unlink()


def is_link(path: Path) -> bool:
    """Whether this entry of a folder stands for a place elsewhere; on Windows also a junction. False where none is."""
    try:
        facts = path.lstat()
    except (OSError, ValueError):  # a name that no system knows, such as one with a zero byte
        return False
    if sys.platform == "win32":
        return facts.st_reparse_tag in (stat.IO_REPARSE_TAG_SYMLINK, stat.IO_REPARSE_TAG_MOUNT_POINT)
    return stat.S_ISLNK(facts.st_mode)


def read_own(path: Path, count: int = -1) -> bytes:
    """What a job's own file holds, or its first `count` bytes. Raises OSError, and ValueError for what is no file: a
    link to somewhere else, a pipe or a device, which could be read for ever.
    """
    if is_link(path):
        raise ValueError(f"{path} is a link to another place")
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path} is no file")
        return file.read(count)


def open_own(path: Path, flags: int = 0) -> int:
    """A descriptor that appends to a job's own file, made when it is not there. A link is not followed, a file that
    other folders share (a hard link) is replaced by one of our own, a pipe is not waited for. Raises OSError.
    """
    if is_link(path):  # what O_NOFOLLOW says too, where there is one
        raise OSError(errno.ELOOP, "it is a link to another place", str(path))
    with contextlib.suppress(FileNotFoundError):
        facts = path.lstat()
        if stat.S_ISREG(facts.st_mode) and facts.st_nlink > 1:
            path.unlink()
    flags |= os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)


def disk_trouble(error: OSError, folder: Path) -> str:
    """What to tell the user when reading or writing in `folder` failed, with what to do."""
    if error.errno in DISK_FULL:
        return f"The disk is full: {folder} cannot be written. Free some space or choose another output folder."
    if getattr(error, "winerror", None) in OPEN_ELSEWHERE:
        return f"{error.filename or folder} is open in another program. Close it there, then try again."
    if error.errno in NOT_ALLOWED:
        return f"{error.filename or folder} may not be written or read. Choose another output folder."
    return f"{error.filename or folder}: {error.strerror or error}. Choose another output folder or mend this one."


def _rename_over(source: Path, target: Path) -> None:
    # Windows refuses for as long as a reader holds the target open, which is a matter of milliseconds.
    for _ in range(50 if sys.platform == "win32" else 0):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            time.sleep(0.02)
    os.replace(source, target)


def _json(data: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(data, indent=1, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:  # a file name that is no text, as Linux allows
        return json.dumps(data, indent=1).encode("ascii")
