# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Windows' `msvcrt.locking`, by Linux's byte-range locks of an open file, for processes that take the
branch for Windows in `process.lock` and `process.unlock`.

As there: it locks from where the file stands, a handle's own lock keeps others of the same process out too, a region
cannot be locked twice or let go of unlocked, LK_LOCK tries ten times a second apart, LK_NBLCK gives up at once.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import time
from types import ModuleType, SimpleNamespace

from wan_previs.bridge import process

LK_UNLCK, LK_LOCK, LK_NBLCK, LK_RLCK, LK_NBRLCK = range(5)
TRIES = 10
_held: dict[int, set[tuple[int, int]]] = {}


def _flock(kind: int, start: int, count: int) -> bytes:
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, start, count, 0)


def _try(file: int, region: tuple[int, int]) -> bool:
    if region in _held.setdefault(file, set()):
        return False
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK, *region))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    _held[file].add(region)
    return True


def locking(file: int, mode: int, count: int) -> None:
    """As `msvcrt.locking`."""
    region = os.lseek(file, 0, os.SEEK_CUR), count
    if mode == LK_UNLCK:
        if region not in _held.get(file, set()):
            raise PermissionError(errno.EACCES, "Permission denied")
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, *region))
        _held[file].discard(region)
        return
    waits = mode in (LK_LOCK, LK_RLCK)
    for left in reversed(range(TRIES if waits else 1)):
        if _try(file, region):
            return
        if left:
            time.sleep(1)
    if waits:
        raise OSError(errno.EDEADLK, "Resource deadlock avoided")
    raise PermissionError(errno.EACCES, "Permission denied")


def install() -> list[str]:
    """From here on this process locks as on Windows; what is asked of it, in order, goes into the list returned."""
    asked: list[str] = []
    stand_in = ModuleType("msvcrt")

    def recorded(file: int, mode: int, count: int) -> None:
        asked.append({LK_UNLCK: "unlock", LK_NBLCK: "try"}.get(mode, "wait"))
        locking(file, mode, count)

    stand_in.locking = recorded
    stand_in.LK_UNLCK, stand_in.LK_LOCK, stand_in.LK_NBLCK = LK_UNLCK, LK_LOCK, LK_NBLCK
    sys.modules["msvcrt"] = stand_in
    for name in ("lock", "unlock"):
        setattr(process, name, _as_on_windows(getattr(process, name)))
    return asked


def _as_on_windows(call):
    def called(file):
        if file.closed:
            return call(file)
        _held.setdefault(file.fileno(), set())
        process.sys = SimpleNamespace(platform="win32")
        try:
            return call(file)
        finally:
            process.sys = sys

    return called
