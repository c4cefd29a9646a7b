# SPDX-License-Identifier: GPL-3.0-or-later
"""The job folder: everything about one generation, on disk, readable without the program that made it.

Both ends of the bridge use this module (also as top-level package in the worker), so it needs nothing but the
standard library; a request goes in and comes out as its JSON.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import socket
import stat
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from . import process

STATE_SCHEMA = "wan_previs.state/1"
STATES = ("queued", "running", "done", "failed", "cancelled")
ENDED = ("done", "failed", "cancelled")
TRASH = "trash"  # the folder among the job folders where deleted ones wait; it is no job
MAX_STEM_BYTES = 80
# While a job runs its state.json is touched this often; one that was not for STALE_SECONDS (the clocks of two computers
# may differ) has no worker any more.
BEAT_SECONDS = 5.0
STALE_SECONDS = 180.0
ROOM = 4096  # bytes that a state takes until the job has ended, so that its end can be written on a full disk
DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # no quotas on Windows
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class JobError(Exception):
    """A job folder that cannot be made, read or written; the text says why and what to do."""

    exit_status = 5


class Request(Protocol):
    """What a job needs of a request: its JSON."""

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class JobState:
    """state.json. Times are ISO 8601 in UTC; `pid` and `host` name the worker that runs or ran the job, and
    `worker`, where the system tells so much, no other process of any computer (see `process.identity`).
    """

    state: str
    message: str = ""
    exit_status: int | None = None
    queued: str | None = None
    started: str | None = None
    finished: str | None = None
    pid: int | None = None
    host: str | None = None
    worker: str | None = None
    interrupted: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.state in ENDED


def safe_name(name: str) -> str:
    """The beginning of a folder name for a shot name in any language, valid on Linux, macOS and Windows, never empty.

    Letters, digits and combining marks of every script stay; anything else becomes a hyphen. At most
    MAX_STEM_BYTES of UTF-8.
    """
    kept = (c if c == "_" or unicodedata.category(c)[0] in "LMN" else "-" for c in unicodedata.normalize("NFC", name))
    text = re.sub("-{2,}", "-", "".join(kept))
    return text.encode("utf-8")[:MAX_STEM_BYTES].decode("utf-8", "ignore").strip("-") or "shot"


class JobFolder:
    """One job's folder; the files in it are named by the properties."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"JobFolder({str(self.path)!r})"

    @classmethod
    def create(cls, root: Path | str, stem: str) -> JobFolder:
        """Make the next free folder `root/STEM-take-NNN` with an empty `conditioning/`, in state queued.

        Raises JobError when the disk does not let us.
        """
        root = Path(root)
        name = safe_name(stem)
        with _in_words(root):
            root.mkdir(parents=True, exist_ok=True)
            job = cls(_make_next(root, name))
            job.conditioning.mkdir()
        job.write_state(JobState("queued", queued=utc_now()))
        return job

    @property
    def request(self) -> Path:
        return self.path / "request.json"

    @property
    def identity(self) -> Path:
        """Whose the job is; see identity.py."""
        return self.path / "identity.json"

    @property
    def brief(self) -> Path:
        """The shot's brief at the time of asking."""
        return self.path / "brief.json"

    @property
    def state(self) -> Path:
        return self.path / "state.json"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def conditioning(self) -> Path:
        return self.path / "conditioning"

    @property
    def preview(self) -> Path:
        return self.path / "preview.png"

    @property
    def resume(self) -> Path:
        """The state after the last step, while the job runs and after an interruption; the next run goes on from it."""
        return self.path / "resume.safetensors"

    @property
    def clip(self) -> Path:
        return self.path / "clip.mp4"

    @property
    def report(self) -> Path:
        return self.path / "report.json"

    @property
    def page(self) -> Path:
        """The picture about the clip's light."""
        return self.path / "report.png"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    def check_links(self) -> None:
        """Raises JobError when something in the folder is a link, which writing or deleting could follow out of it."""
        for place, folders, files in os.walk(self.path):
            for entry in (Path(place) / name for name in (*folders, *files)):
                if is_link(entry):
                    raise JobError(
                        f"{entry} is a link to another place, but a job folder holds files of its own only. "
                        "Remove the link, or generate the shot again."
                    )

    def sweep(self) -> None:
        """Remove what killed processes left half written here. What a living one may be at stays, and so does what has
        not exactly such a name.
        """
        for place, folders, files in os.walk(self.path):
            for name in [name for name in (*folders, *files) if _left_behind(Path(place) / name)]:
                if name in folders:
                    folders.remove(name)
                    shutil.rmtree(Path(place) / name, ignore_errors=True)
                else:
                    with contextlib.suppress(OSError):
                        (Path(place) / name).unlink()

    def write_request(self, request: Request) -> None:
        """Store the request. Raises JobError when it cannot be written."""
        self.write_json(self.request, request.to_json())

    def read_request(self) -> dict[str, Any]:
        """The stored request's JSON (`GenerationRequest.from_json` makes a request of it).

        Raises JobError when it is not there or is no JSON object.
        """
        try:
            data = json.loads(read_own(self.request))
        except FileNotFoundError:
            raise JobError(f"{self.path} is no job folder: it holds no request.json.") from None
        except OSError as error:
            raise JobError(disk_trouble(error, self.path)) from error
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise JobError(f"{self.request} is damaged: it is not a JSON object. Generate the shot again.")
        return data

    def write_state(self, state: JobState) -> None:
        """Replace state.json in one go: a reader sees the old or the new one. On a full disk an end is written into the
        room that the state before it had kept. Raises JobError.
        """
        data = {"schema": STATE_SCHEMA} | {key: value for key, value in asdict(state).items() if value is not None}
        if not state.ended:
            self.write_json(self.state, data, ROOM)
            return
        try:
            self.write_json(self.state, data)
        except JobError:
            if not _overwrite(self.state, data):
                raise

    def read_state(self) -> JobState:
        """Where the job stands. Without state.json it is queued; with a damaged one, or one that says running
        while its worker is gone, it has failed and `message` says so (`interrupted` in the second case).

        Raises JobError when the file is there but cannot be read.
        """
        try:
            data = json.loads(read_own(self.state))
            state = _state_from_json(data)
        except FileNotFoundError:
            return JobState("queued")
        except OSError as error:
            raise JobError(disk_trouble(error, self.path)) from error
        except (ValueError, TypeError, RecursionError):
            return JobState("failed", f"{self.state} is damaged. Generate the shot again.", JobError.exit_status)
        if state.state == "running" and not self._worker_alive(state):
            text = "The engine stopped before the job was finished. Generate the shot again."
            return replace(state, state="failed", message=text, exit_status=JobError.exit_status, interrupted=True)
        return state

    def mark_running(self) -> None:
        """State running, by this process, and a fresh events.jsonl. Raises JobError."""
        queued = self.read_state().queued
        with _in_words(self.path):
            os.close(open_own(self.events, os.O_TRUNC))
        pid, host = os.getpid(), socket.gethostname()
        worker = process.identity(pid)
        self.write_state(JobState("running", queued=queued, started=utc_now(), pid=pid, host=host, worker=worker))

    def beat(self) -> None:
        """The worker is still at it: `read_state` of whatever computer takes it from the time of state.json."""
        if not is_link(self.state):
            with contextlib.suppress(OSError):
                os.utime(self.state)

    def mark_ended(self, state: str, message: str, exit_status: int, interrupted: bool = False) -> None:
        """State done, failed or cancelled, with what there is to say about it. Raises JobError."""
        if state not in ENDED:
            raise ValueError(f"{state} is no end of a job")
        before = self.read_state()
        self.write_state(
            JobState(
                state,
                message=message,
                exit_status=exit_status,
                queued=before.queued,
                started=before.started,
                finished=utc_now(),
                pid=before.pid,
                host=before.host,
                worker=before.worker,
                interrupted=interrupted,
            )
        )

    def append_event(self, event: dict[str, Any]) -> None:
        """Add one line to events.jsonl, stamped with `at` (seconds since 1970). Raises JobError."""
        line = json.dumps({**event, "at": round(time.time(), 3)}) + "\n"
        with _in_words(self.path), open(open_own(self.events), "a", encoding="utf-8") as file:
            file.write(line)

    def read_events(self) -> list[dict[str, Any]]:
        """The events so far, oldest first; a last line torn by a crash, or any other garbage, is left out."""
        try:
            lines = read_own(self.events).split(b"\n")
        except (FileNotFoundError, ValueError):
            return []
        except OSError as error:
            raise JobError(disk_trouble(error, self.path)) from error
        return [event for line in lines if (event := _event(line)) is not None]

    def write_json(self, path: Path, data: dict[str, Any], room: int = 0) -> None:
        """Replace a JSON file of the job in one go, with blanks up to `room` bytes. Raises JobError."""
        with _in_words(self.path):
            _replace_file(path, _json(data).ljust(room))

    def _worker_alive(self, state: JobState) -> bool:
        """Whether the worker may still be at it; of one on another computer only its heartbeat tells."""
        try:
            if abs(time.time() - self.state.stat().st_mtime) > STALE_SECONDS:
                return False
        except OSError:
            return False
        here = process.identity(os.getpid())
        if state.worker is not None and here is not None and isinstance(state.pid, int):
            return not process.same_system(state.worker, here) or process.identity(state.pid) == state.worker
        if state.host != socket.gethostname():
            return True
        return isinstance(state.pid, int) and process.process_alive(state.pid)


def utc_now() -> str:
    """The time as state.json writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _make_next(root: Path, name: str) -> Path:
    pattern = re.compile(re.escape(name) + r"-take-(\d+)(?: \(\d+\))?", re.IGNORECASE)
    trash = root / TRASH  # a strip of another file may still name what lies there
    entries = [*os.listdir(root), *(os.listdir(trash) if trash.is_dir() else ())]
    taken = [int(match[1]) for entry in entries if (match := pattern.fullmatch(entry))]
    number = max(taken, default=0) + 1
    while True:
        path = root / f"{name}-take-{number:03d}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _replace_file(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _rename_over(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


# As `_replace_file`, the engine's `write_whole` and its prompt cache name what is not finished.
_UNFINISHED = re.compile(
    r"\..+\.(\d+)(?:-\d+\.tmp|\.partial)|[0-9a-f]{64}\.prompt\.safetensors\.(\d+)\.part", re.DOTALL
)


def _left_behind(path: Path) -> bool:
    """Whether it is an unfinished file of a process that has ended."""
    match = _UNFINISHED.fullmatch(path.name)
    try:
        return match is not None and not process.may_have_written(int(match[1] or match[2]), path.lstat().st_mtime)
    except (OSError, ValueError):
        return False


def is_link(path: Path) -> bool:
    """Whether this entry of a folder stands for a place elsewhere; on Windows also a junction. False where none is."""
    try:
        facts = path.lstat()
    except OSError:
        return False
    if sys.platform == "win32":
        return facts.st_reparse_tag in (stat.IO_REPARSE_TAG_SYMLINK, stat.IO_REPARSE_TAG_MOUNT_POINT)
    return stat.S_ISLNK(facts.st_mode)


def read_own(path: Path) -> bytes:
    """What a job's own file holds. Raises OSError, and ValueError for what is no file: a link to somewhere else, a pipe
    or a device, which could be read for ever.
    """
    if is_link(path):
        raise ValueError(f"{path} is a link to another place")
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path} is no file")
        return file.read()


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


def _rename_over(source: Path, target: Path) -> None:
    # Windows refuses for as long as a reader holds the target open, which is a matter of milliseconds.
    for _ in range(50 if sys.platform == "win32" else 0):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            time.sleep(0.02)
    os.replace(source, target)


def _json(data: dict[str, Any]) -> bytes:
    try:
        return json.dumps(data, indent=1, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:  # a file name that is no text, as Linux allows
        return json.dumps(data, indent=1).encode("ascii")


def _overwrite(path: Path, data: dict[str, Any]) -> bool:
    """Write `data` over what the file holds, no longer than that; whether it was possible."""
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


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _state_from_json(data: Any) -> JobState:
    if not isinstance(data, dict) or data.get("schema") != STATE_SCHEMA or data.get("state") not in STATES:
        raise ValueError("not a state")
    known = {field.name for field in fields(JobState)}
    return JobState(**{key: value for key, value in data.items() if key in known})


def disk_trouble(error: OSError, folder: Path) -> str:
    """What to tell the user when reading or writing in `folder` failed, with what to do."""
    if error.errno in DISK_FULL:
        return f"The disk is full: {folder} cannot be written. Free some space or choose another output folder."
    if error.errno in NOT_ALLOWED:
        return f"{error.filename or folder} may not be written or read. Choose another output folder."
    return f"{error.filename or folder}: {error.strerror or error}. Choose another output folder or mend this one."


@contextlib.contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JobError(disk_trouble(error, folder)) from error
