# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory this process may still take, on the CPU and on a device."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import devices


def available_memory(device: str = "cpu") -> int:
    """Bytes that can be taken now: free memory of the device, or of the computer within the limits of the process.

    On Linux the smallest of what the kernel calls available, what is left of every memory control group (containers)
    and of the process's address space (`ulimit -v`). Memory that only caches files counts as free.
    """
    if device != "cpu":
        return devices.free_memory(device)
    if sys.platform == "win32":
        return _windows()
    found = [*_meminfo(), *_control_groups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")), *_address_space()]
    return max(min(found or [_physical()]), 0)


def give_back() -> None:
    """Return to the system what the allocator keeps of freed memory; where it is not glibc's nothing happens.

    After an encode that can be more than the network that comes next.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def _physical() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _meminfo() -> Iterator[int]:
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _control_groups(membership: Path, root: Path) -> Iterator[int]:
    """What is left in the process's group and in each group above it, versions 2 and 1."""
    for line in _lines(membership):
        _, controllers, place = line.split(":", 2)
        if controllers == "":
            top, names = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top, names = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = top / place.strip("/")
        # In a container the group's own folder is often mounted at the root, so the named one is not there.
        for folder in (group, *(p for p in group.parents if p == top or top in p.parents)):
            limit = _number(folder / names[0])
            if limit is not None:
                stat = dict(entry.split() for entry in _lines(folder / "memory.stat"))
                yield limit - (_number(folder / names[1]) or 0) + int(stat.get(names[2], 0))


def _address_space() -> Iterator[int]:
    import resource  # not on Windows

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _lines(Path("/proc/self/statm"))
    if limit != resource.RLIM_INFINITY and used:
        yield limit - int(used[0].split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _windows() -> int:
    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "available", "a", "b", "c", "d", "e")),
        ]

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.available)


def _number(path: Path) -> int | None:
    """The number in a file; None when there is no file, or "max" stands in it."""
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
