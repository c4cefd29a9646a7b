# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes without threads and without blocking, and what differs between systems about them.

The branches for Windows follow its documentation and are untested there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

_CHUNK = 1 << 16
if sys.platform == "win32":
    NO_WINDOW = subprocess.CREATE_NO_WINDOW
else:
    NO_WINDOW = 0
TELLS_WORK = sys.platform == "linux"  # whether `cpu_seconds`, `stopped` and `identity` have an answer here
_LOCKED = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # flock(2), and `locking` of Windows
KILLED = -9  # the exit code, as subprocess gives it, of a process that the system or a user killed


def scrubbed_environment(environment: Mapping[str, str], **python_variables: str) -> dict[str, str]:
    """A copy of `environment` in which no PYTHON* variable is left but the given ones.

    Blender and its launchers set some of them for Blender's own Python, which would break another one.
    """
    kept = {key: value for key, value in environment.items() if not key.upper().startswith("PYTHON")}
    kept.update(PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8", PYTHONDONTWRITEBYTECODE="1", **python_variables)
    return kept


def engine_environment(environment: Mapping[str, str], addon_dir: Path, cache: Path | None) -> dict[str, str]:
    """What a program of the engine's gets: the add-on's folder to import from, `cache` for what its libraries keep."""
    made = scrubbed_environment(environment, PYTHONPATH=str(addon_dir))
    return made if cache is None else {**made, "WAN_PREVIS_CACHE": str(cache)}


def spawn(
    command: list[str], folder: Path, environment: dict[str, str], stderr: IO[bytes] | int
) -> subprocess.Popen[bytes]:
    """Start a child with pipes on stdin and stdout, in a process group of its own and without a console window.

    Raises OSError when it cannot be started.
    """
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        bufsize=0,
        **options,
    )
    if sys.platform != "win32" and child.stdout is not None:
        os.set_blocking(child.stdout.fileno(), False)
    return child


def spawn_guarded(
    command: list[str], folder: Path, environment: dict[str, str], line: bytes = b""
) -> subprocess.Popen[bytes]:
    """Start a child that ends, with its own children, when this process does or when its stdin is closed; `line` is
    what it finds on its own stdin. What it prints, errors too, comes on stdout.

    Raises OSError when it cannot be started.
    """
    guard = Path(__file__).with_name("guard.py")
    child = spawn([command[0], "-I", "-B", str(guard), *command], folder, environment, subprocess.STDOUT)
    if child.stdin is not None:
        with contextlib.suppress(OSError):  # it has ended already, and its exit code tells why
            child.stdin.write(line + b"\n")
    return child


def read_available(pipe: IO[bytes]) -> bytes:
    """What stands in the pipe now, up to 64 KiB; empty when there is nothing (yet, or any more). Never blocks."""
    if sys.platform == "win32":
        return _read_available_windows(pipe)
    try:
        return os.read(pipe.fileno(), _CHUNK)
    except BlockingIOError:
        return b""


def read_for(pipe: IO[bytes], seconds: float = 0.02) -> Iterator[bytes]:
    """What stands in the pipe, in portions: the last one is empty where that is all, and another where `seconds`, also
    of what is done with the portions, are over. Never blocks, however much the other end writes.
    """
    until = time.monotonic() + seconds
    while data := read_available(pipe):
        yield data
        if time.monotonic() > until:
            return
    yield b""


def _read_available_windows(pipe: IO[bytes]) -> bytes:
    if sys.platform != "win32":
        raise OSError("only on Windows")
    import ctypes
    import msvcrt
    from ctypes import wintypes

    peek = ctypes.WinDLL("kernel32", use_last_error=True).PeekNamedPipe
    peek.argtypes = (
        wintypes.HANDLE,
        wintypes.LPVOID,
        wintypes.DWORD,
        ctypes.POINTER(wintypes.DWORD),
        ctypes.POINTER(wintypes.DWORD),
        ctypes.POINTER(wintypes.DWORD),
    )
    peek.restype = wintypes.BOOL
    waiting = wintypes.DWORD(0)
    # It fails once the other end is closed and everything has been read: then there is nothing, for good.
    if not peek(msvcrt.get_osfhandle(pipe.fileno()), None, 0, None, ctypes.byref(waiting), None):
        return b""
    return os.read(pipe.fileno(), min(waiting.value, _CHUNK)) if waiting.value else b""


def kill(child: subprocess.Popen[bytes], seconds: float = 5.0) -> None:
    """End the child and its process group the hard way, and wait for it for at most `seconds`."""
    if child.poll() is None:
        if sys.platform == "win32":
            child.kill()
        else:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                child.kill()
    wait(child, seconds)


def wait(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the child has ended, after waiting for at most `seconds`."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def close_pipes(child: subprocess.Popen[bytes]) -> None:
    """Let go of the child's pipes; a child that listens sees the end of its input."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def lock(file: IO[bytes]) -> bool:
    """Whether this open file is ours alone now, until it is closed or this process ends, however it does. On a file
    system without locks everybody is told so.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file.fileno(), 0, os.SEEK_SET)  # it locks from where the file stands
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _LOCKED
    return True


def unlock(file: IO[bytes]) -> None:
    """Let go of what `lock` has, before it is closed: Windows may take its time with files closed while locked."""
    with contextlib.suppress(OSError, ValueError):  # there are no locks, or it is closed
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file.fileno(), 0, os.SEEK_SET)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_UN)


def exit_in_words(code: int) -> str:
    """How a process ended, from its exit code as subprocess gives it."""
    if code == KILLED:
        return (
            "killed by signal 9 (SIGKILL); the computer may have run out of memory, so try a smaller size or fewer "
            "frames"
        )
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        return f"killed by signal {-code} ({name})"
    if code >= 0x80000000:
        return f"ended by Windows with code 0x{code:08X}"
    return f"ended with exit status {code}"


def last_lines(log: Path) -> str:
    """The last three lines of a log that hold anything, joined; empty when there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return " | ".join([line.strip() for line in lines if line.strip()][-3:])


def process_alive(pid: int) -> bool:
    """Whether a process of this computer exists and, where the system tells, is a worker and no zombie."""
    if sys.platform == "linux":
        # The number may have been given to another program since, above all after a restart of the computer.
        try:
            return pid > 0 and b"bridge.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
    return exists(pid)


def exists(pid: int) -> bool:
    """Whether a process of this computer has that number."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _process_alive_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def identity(pid: int) -> str | None:
    """BOOT/NAMESPACE/PID/BEGIN: the same for no two processes of whatever computers, since numbers and host names come
    again; None where the system does not tell, or there is no such process.
    """
    facts = _stat(pid)
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}/{pid}/{facts[_BEGIN]}" if facts else None
    except OSError:
        return None


def same_system(identity_of_one: str, identity_of_other: str) -> bool:
    """Whether two processes share a computer (since it was started) and the numbers of its processes."""
    return identity_of_one.split("/")[:2] == identity_of_other.split("/")[:2]


def began(pid: int) -> float | None:
    """When a process began, in seconds since 1970; None where the system does not tell."""
    facts = _stat(pid)
    if not facts:
        return None
    up = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - up + int(facts[_BEGIN]) / os.sysconf("SC_CLK_TCK")


def may_have_written(pid: int, when: float) -> bool:
    """Whether a process that lives now may have written something at `when` (seconds since 1970)."""
    if not TELLS_WORK:
        return process_alive(pid)
    born = began(pid)
    return born is not None and born <= when


def cpu_seconds(pid: int) -> float | None:
    """The processor time that a process has taken, in steps of 0.01 s; None where the system does not tell."""
    facts = _stat(pid)
    return (int(facts[_USER]) + int(facts[_SYSTEM])) / os.sysconf("SC_CLK_TCK") if facts else None


def group_cpu_seconds(leader: int) -> float | None:
    """The processor time that the living processes of a group have taken, but for its leader, who only waits for them;
    None where the system does not tell.
    """
    if not TELLS_WORK:
        return None
    members = (
        _stat(int(place.name))
        for place in Path("/proc").iterdir()
        if place.name.isdigit() and place.name != str(leader)
    )
    ticks = sum(int(f[_USER]) + int(f[_SYSTEM]) for f in members if f and int(f[_GROUP]) == leader)
    return ticks / os.sysconf("SC_CLK_TCK")


def stopped(pid: int) -> bool:
    """Whether the system says that a process was made to stand still (SIGSTOP, a debugger)."""
    facts = _stat(pid)
    return bool(facts) and facts[0] in ("T", "t")


_GROUP, _USER, _SYSTEM, _BEGIN = 2, 11, 12, 19  # places in what `_stat` gives


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name (proc(5)); empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return []


def _process_alive_windows(pid: int) -> bool:
    # os.kill with signal 0 would end the process there.
    if sys.platform != "win32":
        raise OSError("only on Windows")
    import ctypes
    from ctypes import wintypes

    query_limited_information, still_active = 0x1000, 259
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.OpenProcess.restype = wintypes.HANDLE
    kernel32.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    kernel32.GetExitCodeProcess.argtypes = (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
    kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)
    handle = kernel32.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return False
    try:
        code = wintypes.DWORD()
        return bool(kernel32.GetExitCodeProcess(handle, ctypes.byref(code))) and code.value == still_active
    finally:
        kernel32.CloseHandle(handle)
