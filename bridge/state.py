# SPDX-License-Identifier: GPL-3.0-or-later
"""state.json: where a job stands, and whether the process that has it in hand still lives."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import process
from .files import disk_trouble

STATE_SCHEMA = "wan_previs.state/1"
STATES = ("queued", "running", "done", "failed", "cancelled")
ENDED = ("done", "failed", "cancelled")
# While a job runs its state.json is touched this often; one that was not for STALE_SECONDS (the clocks of two computers
# may differ) has no worker any more.
BEAT_SECONDS = 5.0
STALE_SECONDS = 180.0
_LARGEST_PID = 2**31 - 1


class JobError(Exception):
    """A job folder that cannot be made, read or written; the text says why and what to do."""

    exit_status = 5


class JobTaken(JobError):
    """A job that another engine is at."""


class JobBusy(JobTaken):
    """A job that another process looks at just now; asked again it may be free."""


@dataclass(frozen=True)
class JobState:
    """state.json. Times are ISO 8601 in UTC. `pid` and `host` name the process that has the job in hand, or had: the
    worker, or while it is queued the program that prepares it (None: whoever likes may run it). `worker`, where the
    system tells so much, names no other process of any computer (see `process.identity`).
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

    @classmethod
    def from_json(cls, data: Any) -> JobState:
        """Raises ValueError for what is no state."""
        if not isinstance(data, dict) or data.get("schema") != STATE_SCHEMA or data.get("state") not in STATES:
            raise ValueError("not a state")
        known = {field.name for field in fields(cls)}
        state = cls(**{key: value for key, value in data.items() if key in known and value is not None})
        texts = (state.queued, state.started, state.finished, state.host, state.worker)
        numbers = (state.pid, state.exit_status)
        well = isinstance(state.message, str) and isinstance(state.interrupted, bool)
        well &= all(text is None or isinstance(text, str) for text in texts)
        well &= all(number is None or (type(number) is int and 0 <= number <= _LARGEST_PID) for number in numbers)
        if not well:
            raise ValueError("not a state")
        return state


def in_hand(pid: int) -> dict[str, Any]:
    """The fields of a JobState that say which process has the job."""
    return {"pid": pid, "host": socket.gethostname(), "worker": process.identity(pid)}


def worker_alive(state: JobState, touched: float) -> bool:
    """Whether the worker of a running job may still be at it; `touched` is when state.json last was, in seconds since
    1970. Of a worker on another computer only that tells.
    """
    return abs(time.time() - touched) <= STALE_SECONDS and _in_hand(state, process.process_alive)


def maker_alive(state: JobState) -> bool:
    """Whether the program that prepares a queued job may still be at it, or the job is anybody's."""
    return state.pid is None or _in_hand(state, process.exists)


def _in_hand(state: JobState, alive: Callable[[int], bool]) -> bool:
    here = process.identity(os.getpid())
    if state.worker is not None and here is not None and state.pid is not None:
        return not process.same_system(state.worker, here) or process.identity(state.pid) == state.worker
    if state.host != socket.gethostname():
        return True
    return state.pid is not None and alive(state.pid)


def utc_now() -> str:
    """The time as state.json writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextlib.contextmanager
def in_words(folder: Path) -> Iterator[None]:
    """Turns what the disk says into a JobError."""
    try:
        yield
    except OSError as error:
        raise JobError(disk_trouble(error, folder)) from error
