# SPDX-License-Identifier: GPL-3.0-or-later
"""The job folder: everything about one generation, on disk, readable without the program that made it.

Both ends of the bridge use this module (also as top-level package in the worker), so it needs nothing but the
standard library; a request goes in and comes out as its JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any, Protocol

from . import process
from .files import disk_trouble, is_link, left_behind, open_own, overwrite_json, read_own, write_json
from .state import (
    ENDED,
    STATE_SCHEMA,
    JobBusy,
    JobError,
    JobState,
    JobTaken,
    in_hand,
    in_words,
    maker_alive,
    utc_now,
    worker_alive,
)

TRASH = "trash"  # the folder among the job folders where deleted ones wait; it is no job
TAKE = re.compile(r"(?P<stem>.+)-take-(?P<number>\d+)(?: \(\d+\))?", re.IGNORECASE)
MAX_STEM_BYTES = 80
LOCK_TRIES, LOCK_PAUSE = 100, 0.01  # seconds
ROOM = 4096  # bytes that a state takes until the job has ended, so that its end can be written on a full disk


class Request(Protocol):
    """What a job needs of a request: its JSON."""

    def to_json(self) -> dict[str, Any]:
        """Plain data, as request.json holds it."""


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
    def create(cls, root: Path | str, stem: str, number: int = 1) -> JobFolder:
        """Make the folder `root/STEM-take-NNN` with an empty `conditioning/`, in state queued and in this process's
        hands. NNN is the take's number: `number`, or the next one that no folder of that name has had.

        Raises JobError when the disk does not let us.
        """
        root = Path(root)
        name = safe_name(stem)
        with in_words(root):
            root.mkdir(parents=True, exist_ok=True)
            job = cls(_make_next(root, name, number))
            job.conditioning.mkdir()
        job.write_state(JobState("queued", queued=utc_now(), **in_hand(os.getpid())))
        for earlier in _ended_beside(job):
            earlier.sweep()
        return job

    @property
    def number(self) -> int:
        """The take's number, which the folder's name tells; 0 for a folder that was named by hand."""
        match = TAKE.fullmatch(self.path.name)
        return int(match["number"]) if match else 0

    @property
    def request(self) -> Path:
        """What the engine is asked for."""
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
        """How the job stands; see state.py."""
        return self.path / "state.json"

    @property
    def lock(self) -> Path:
        """An empty file, held while a job is taken up or ended: of several that begin at once one gets it, and nobody
        ends it for an engine that had it before.
        """
        return self.path / "job.lock"

    @property
    def events(self) -> Path:
        """The engine's events, a line of JSON each."""
        return self.path / "events.jsonl"

    @property
    def conditioning(self) -> Path:
        """The pictures that the clip is held to."""
        return self.path / "conditioning"

    @property
    def control(self) -> Path:
        """What the clip follows in every frame, where it does."""
        return self.path / "control"

    @property
    def preview(self) -> Path:
        """The clip as it looks while it is sampled."""
        return self.path / "preview.png"

    @property
    def resume(self) -> Path:
        """The state after the last step, while the job runs and after an interruption; the next run goes on from it."""
        return self.path / "resume.safetensors"

    def states(self) -> list[Path]:
        """`resume`, which is the first segment's, and the files beside it for the others of a clip in segments."""
        return [self.resume, *sorted(self.path.glob(f"{self.resume.name}.[0-9]*"))]

    @property
    def clip(self) -> Path:
        """The clip, unless its codec writes another file."""
        return self.path / "clip.mp4"

    @property
    def report(self) -> Path:
        """What was made, how and in what time."""
        return self.path / "report.json"

    @property
    def page(self) -> Path:
        """The picture about the clip's light."""
        return self.path / "report.png"

    @property
    def log(self) -> Path:
        """What the engine printed."""
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
            for name in [name for name in (*folders, *files) if left_behind(Path(place) / name)]:
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
            if not overwrite_json(self.state, data):
                raise

    def read_state(self) -> JobState:
        """Where the job stands. Without state.json it is queued; with a damaged one it has failed, and with one that
        says running or queued while the process that had it in hand is gone, too (`interrupted`); `message` says so.

        Raises JobError when the file is there but cannot be read.
        """
        try:
            state = JobState.from_json(json.loads(read_own(self.state)))
            touched = self.state.stat().st_mtime
        except FileNotFoundError:
            return JobState("queued")
        except OSError as error:
            raise JobError(disk_trouble(error, self.path)) from error
        except (ValueError, RecursionError):
            return JobState("failed", f"{self.state} is damaged. Generate the shot again.", JobError.exit_status)
        if state.state == "running" and not worker_alive(state, touched):
            text = "The engine stopped before the job was finished. Generate the shot again."
        elif state.state == "queued" and not maker_alive(state):
            text = "Blender ended before the engine began with the job. Generate the shot again."
        else:
            return state
        return replace(state, state="failed", message=text, exit_status=JobError.exit_status, interrupted=True)

    def check_free(self) -> JobState:
        """Its state. Raises JobTaken while another living process than this one runs the job; JobError."""
        state, hand = self.read_state(), in_hand(os.getpid())
        if state.state == "running" and any(getattr(state, name) != value for name, value in hand.items()):
            raise self._taken()
        return state

    def release(self) -> None:
        """The job is ready, and waits for whoever runs it. Raises JobError."""
        self.write_state(JobState("queued", queued=self.read_state().queued))

    def mark_running(self) -> None:
        """State running, by this process, and a fresh events.jsonl, in which an event `before` tells how far the run
        before has come whose state is kept. Raises JobError; JobTaken, with nothing changed.
        """
        with self._held():
            queued = self.check_free().queued
            steps = [event for event in self.read_events() if event.get("event") in ("step", "before")]
            with in_words(self.path):
                os.close(open_own(self.events, os.O_TRUNC))
            if steps and os.path.isfile(self.resume):
                self.append_event({"event": "before", "step": steps[-1].get("step"), "steps": steps[-1].get("steps")})
            self.write_state(JobState("running", queued=queued, started=utc_now(), **in_hand(os.getpid())))

    @contextlib.contextmanager
    def _held(self, even_unlocked: bool = False, wait: bool = True) -> Iterator[None]:
        """Between looking whose the job is and writing that down, which takes others milliseconds. Raises JobBusy while
        another one does so, after `LOCK_TRIES` where it may `wait`; and JobError, unless `even_unlocked`, where there
        can be no lock.
        """
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(os.fdopen(open_own(self.lock), "ab"))
            except OSError as error:
                if not even_unlocked:
                    raise JobError(disk_trouble(error, self.path)) from error
            else:
                self._wait_for(file, LOCK_TRIES if wait else 1)
                stack.callback(process.unlock, file)
            yield

    def _wait_for(self, lock: IO[bytes], tries: int) -> None:
        for left in reversed(range(tries)):
            if process.lock(lock):
                return
            if left:
                time.sleep(LOCK_PAUSE)
        raise self._taken(JobBusy)

    def _taken(self, kind: type[JobTaken] = JobTaken) -> JobTaken:
        return kind(f"Another engine is at work in {self.path}. Wait for it, or cancel it where it was started.")

    def beat(self) -> None:
        """The worker is still at it: `read_state` of whatever computer takes it from the time of state.json."""
        if not is_link(self.state):
            with contextlib.suppress(OSError):
                os.utime(self.state)

    def mark_ended(
        self, state: str, message: str, exit_status: int, interrupted: bool = False, wait: bool = True
    ) -> None:
        """State done, failed or cancelled, with what there is to say about it. Raises JobError, JobTaken; and JobBusy
        while another process looks at the job, for which it waits up to a second unless told not to.
        """
        if state not in ENDED:
            raise ValueError(f"{state} is no end of a job")
        end = JobState(state, message, exit_status, finished=utc_now(), interrupted=interrupted)
        with self._held(even_unlocked=True, wait=wait):
            before = self.check_free()
            kept = {name: getattr(before, name) for name in ("queued", "started", "pid", "host", "worker")}
            self.write_state(replace(end, **kept))

    def append_event(self, event: dict[str, Any]) -> None:
        """Add one line to events.jsonl, stamped with `at` (seconds since 1970). Raises JobError."""
        line = json.dumps({**event, "at": round(time.time(), 3)}) + "\n"
        with in_words(self.path), open(open_own(self.events), "a", encoding="utf-8") as file:
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
        with in_words(self.path):
            write_json(path, data, room)


def _ended_beside(job: JobFolder) -> Iterator[JobFolder]:
    """The other jobs of its shot that nobody is at, on this computer or another one."""
    own = TAKE.fullmatch(job.path.name)
    with contextlib.suppress(OSError):
        for path in job.path.parent.iterdir():
            match, other = TAKE.fullmatch(path.name), JobFolder(path)
            if path == job.path or not own or not match or match["stem"] != own["stem"] or is_link(path):
                continue
            with contextlib.suppress(JobError, ValueError, OSError):
                if STATE_SCHEMA.encode() in read_own(other.state, ROOM) and other.read_state().ended:
                    yield other


def _make_next(root: Path, name: str, number: int) -> Path:
    pattern = re.compile(re.escape(name) + r"-take-(\d+)(?: \(\d+\))?", re.IGNORECASE)
    trash = root / TRASH  # a strip of another file may still name what lies there
    entries = [*os.listdir(root), *(os.listdir(trash) if os.path.isdir(trash) else ())]
    taken = [int(match[1]) for entry in entries if (match := pattern.fullmatch(entry))]
    number = max(number, max(taken, default=0) + 1)
    while True:
        path = root / f"{name}-take-{number:03d}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
