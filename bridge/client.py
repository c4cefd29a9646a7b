# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's handle on the engine: starts the worker, hands it jobs, hears from it, and notices when it fails.

Nothing here blocks or uses threads (but `close`, which is bounded): a timer calls `poll`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from ..wan_engine.errors import Cancelled, CheckpointError, GenerationError, UsageError, WanError
from . import process, protocol
from .files import disk_trouble, is_link
from .jobs import LOCK_PAUSE, LOCK_TRIES, JobFolder
from .messages import Message, end_of, event_of, text_of
from .state import ENDED, JobBusy, JobError

CLOSE_SECONDS = 2.0
POLLS_OF_THE_DEAD = 100  # in which is read what a worker wrote before it ended; no pipe holds more


class EngineClient:
    """One worker, kept between jobs, one job at a time.

    `python` is the engine environment's; `addon_dir` the folder that holds `bridge` and `wan_engine`; `log` a file
    for what the worker prints outside of jobs; `cache` the folder in which its libraries keep what they look up. A
    worker silent for `hang_after` seconds (`load_grace` while Python and torch are being loaded) is stopped; one that
    does not react to `cancel` within `cancel_grace` too.
    """

    def __init__(
        self,
        python: Path,
        addon_dir: Path,
        log: Path,
        hang_after: float = protocol.HANG_SECONDS if process.TELLS_WORK else 20.0,
        load_grace: float = 60.0,
        cancel_grace: float = 20.0,
        cache: Path | None = None,
    ) -> None:
        self.python = python
        self.addon_dir = addon_dir
        self.log = log
        self._hang_after = hang_after
        self._load_grace = load_grace
        self._cancel_grace = cancel_grace
        self._cache = cache
        self._child: subprocess.Popen[bytes] | None = None
        self._job: JobFolder | None = None
        self._ending: tuple[JobFolder, str, str, int] | None = None  # the end that another process keeps waiting
        self._end_by = 0.0
        self._cancel_by: float | None = None
        self._silent_cpu: float | None = None  # what the worker had taken when it began to be silent
        self._forget_worker()

    @property
    def alive(self) -> bool:
        """Whether there is a running worker process."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int | None:
        """The worker's process, if there is one."""
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        """Start the worker unless it runs. Raises CheckpointError when that cannot be done, in words."""
        if self.alive:
            return
        self._forget_worker()
        environment = process.engine_environment(os.environ, self.addon_dir, self._cache)
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            stderr = self.log.open("wb")
        except OSError as error:
            raise GenerationError(disk_trouble(error, self.log.parent)) from error
        with stderr:
            try:
                command = [str(self.python), "-m", "bridge.worker"]
                self._child = process.spawn(command, self.addon_dir, environment, stderr)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise CheckpointError(
                    f"The engine's Python {self.python} cannot be started ({reason}). "
                    "Set up the engine, or choose another Python, in the add-on's preferences."
                ) from error
        self._polled = time.monotonic()
        atexit.register(self.close)

    def submit(self, job: JobFolder) -> None:
        """Hand a job to the worker, started if need be; `poll` reports what becomes of it.

        Raises UsageError while another job runs, CheckpointError when the worker cannot be started; the job's state
        says so too.
        """
        busy = self._job or (self._ending and self._ending[0])
        if busy:
            raise UsageError(f"The engine is busy with {busy.path.name}. Wait for it, or cancel it.")
        try:
            self.start()
        except WanError as error:
            with contextlib.suppress(JobError):  # the first error is the one to tell
                job.mark_ended("failed", str(error), error.exit_status)
            raise
        self._job = job
        self._cancel_by = None
        self._quiet, self._silent_cpu = 0.0, None
        self._tell({"cmd": "run", "folder": str(job.path.absolute())})

    def cancel(self) -> None:
        """Ask for the end of the running job; `poll` reports it, after `cancel_grace` seconds at the latest."""
        if self._job is not None and self._cancel_by is None:
            self._cancel_by = time.monotonic() + self._cancel_grace
            self._tell({"cmd": "cancel"})

    def poll(self) -> list[Message]:
        """What has happened since the last call. Call it several times a second while there is a worker."""
        if self._ending is not None:
            return _some(self._end(*self._ending))
        child = self._child
        if child is None:
            return []
        code = child.poll()  # asked for before reading: what a dead worker wrote is all in the pipe
        messages, all_read = self._read(child)
        if self._child is None:  # a message has ended it
            return messages
        self._count_silence()
        self._dead_polls += code is not None
        if code is not None and (all_read or self._dead_polls > POLLS_OF_THE_DEAD):
            messages += _some(self._stopped(*self._death_in_words(code)))
        elif code is not None:
            return messages
        elif self._reader.garbage > protocol.MAX_GARBAGE_BYTES:
            text = "The engine sends what is no message and was stopped. Set it up again in the add-on's preferences."
            messages += _some(self._stopped(text, GenerationError.exit_status))
        elif self._cancel_by is not None and time.monotonic() > self._cancel_by:
            text = f"Cancelled. The engine did not react within {self._cancel_grace:g} seconds and was stopped."
            process.kill(child)
            messages += _some(self._stopped(text, Cancelled.exit_status))
        elif self._quiet > self._patience and not self._works_silently(child.pid):
            words = self._silence_in_words()
            process.kill(child)
            messages += _some(self._stopped(*words))
        return messages

    def close(self) -> None:
        """End the worker within a few seconds, cancelling a running job. The client can be used again."""
        child = self._child
        if child is None:
            return
        self._tell({"cmd": "quit"})
        if child.stdin is not None:
            child.stdin.close()
        if not process.wait(child, CLOSE_SECONDS):
            process.kill(child)
        self._stopped("Cancelled, because the engine was closed.", Cancelled.exit_status)
        while self._ending is not None and self._end(*self._ending) is None:
            time.sleep(LOCK_PAUSE)

    @property
    def _patience(self) -> float:
        standing = self._child is not None and process.stopped(self._child.pid)
        return self._hang_after if self._ready or standing else self._load_grace

    def _count_silence(self) -> None:
        now = time.monotonic()
        self._quiet += min(now - self._polled, protocol.MAX_COUNTED_PAUSE)
        self._polled = now
        if self._child is not None and self._silent_cpu is None and self._quiet > self._hang_after / 2:
            self._silent_cpu = process.cpu_seconds(self._child.pid)

    def _works_silently(self, pid: int) -> bool:
        """Whether the system saw a ready worker at work since it fell silent, which a call into native code may make it
        for long on a busy computer; then it is given as much time again.
        """
        before, now = self._silent_cpu, process.cpu_seconds(pid)
        if not self._ready or before is None or now is None or now - before < protocol.LEAST_CPU:
            return False
        self._quiet, self._silent_cpu = self._hang_after / 2, now
        return True

    def _read(self, child: subprocess.Popen[bytes]) -> tuple[list[Message], bool]:
        """What there is to report, as far as one poll has time for it, and whether that is all."""
        messages: list[Message] = []
        if child.stdout is None:
            return messages, True
        data = b""
        for data in process.read_for(child.stdout):
            for content in self._reader.feed(data):
                self._quiet, self._silent_cpu, self._polled = 0.0, None, time.monotonic()
                message = self._understand(content)
                if message is not None:
                    messages.append(message)
                if self._child is None:
                    return messages, True
        return messages, not data

    def _understand(self, content: dict[str, Any]) -> Message | None:
        kind = content["type"]
        if kind == "hello":
            return self._greet(content)
        if kind == "ready":
            self._ready = True
            return Message("ready", f"The engine is ready (torch {text_of(content.get('torch'))}).")
        if kind == "unusable":
            return self._stopped(text_of(content.get("message")), CheckpointError.exit_status)
        if self._job is None or content.get("folder") != str(self._job.path.absolute()):
            return None
        if kind == "event":
            event = event_of(content.get("event"))
            return None if event is None else Message("event", job=self._job.path, event=event)
        if kind in ENDED:
            path, self._job, self._cancel_by = self._job.path, None, None
            return end_of(content, path)
        return None

    def _greet(self, content: dict[str, Any]) -> Message | None:
        if content.get("protocol") != protocol.PROTOCOL:
            text = "The add-on was updated while Blender was running. Restart Blender."
            return self._stopped(text, CheckpointError.exit_status)
        return Message("starting", f"The engine is starting (Python {text_of(content.get('python'))}).")

    def _tell(self, command: dict[str, Any]) -> None:
        if self._child is not None and self._child.stdin is not None and not self._child.stdin.closed:
            with contextlib.suppress(OSError):  # a worker that is gone: poll reports that
                self._child.stdin.write(protocol.encode(command))

    def _stopped(self, text: str, status: int) -> Message | None:
        """Reap the worker, end its job with that exit status, and say so; None while that has to wait."""
        kind = "cancelled" if status == Cancelled.exit_status else "failed"
        job, self._job = self._job, None
        if self._child is not None:
            process.kill(self._child)
        self._forget_worker()
        if job is None:
            return Message("stopped", text, status)
        self._end_by = time.monotonic() + LOCK_TRIES * LOCK_PAUSE
        return self._end(job, kind, text, status)

    def _end(self, job: JobFolder, kind: str, text: str, status: int) -> Message | None:
        """Write the job's end and say so. None while another process looks at it, for as long as that may take: `poll`
        tries again.
        """
        self._ending = None
        try:
            state = job.read_state()
            if state.state == "done":  # it died after the work was finished
                return Message("done", state.message, 0, job.path)
            job.mark_ended(kind, text, status, wait=False)
        except JobError as error:
            if isinstance(error, JobBusy) and time.monotonic() < self._end_by:
                self._ending = job, kind, text, status
                return None
            text = f"{text} {error}"
        return Message(kind, text, status, job.path)

    def _forget_worker(self) -> None:
        atexit.unregister(self.close)
        if self._child is not None:
            process.close_pipes(self._child)
        self._child = None
        self._reader = protocol.LineReader("type")
        self._ready = False
        self._dead_polls = 0
        self._quiet = 0.0
        self._silent_cpu = None
        self._polled = time.monotonic()
        self._cancel_by = None

    def _death_in_words(self, code: int) -> tuple[str, int]:
        how = process.exit_in_words(code)
        log = self._job.log if self._job is not None else self.log
        said = "" if is_link(log) else process.last_lines(log)
        said = said or process.last_lines(self.log)
        said = f" Its last words: {said}" if said else ""
        if self._ready or code == process.KILLED:
            text = f"The engine stopped unexpectedly: it was {how}. Continue the shot, or generate it again.{said}"
            return text, GenerationError.exit_status
        text = (
            f"The engine did not start: {self.python} was {how}. Set up the engine again in the add-on's preferences."
        )
        return text + said, CheckpointError.exit_status

    def _silence_in_words(self) -> tuple[str, int]:
        if self._ready:
            return protocol.hung_in_words(self._hang_after), GenerationError.exit_status
        silence = f"{self._patience:g} seconds and was stopped"
        text = f"The engine did not start within {silence}. Try again, or set it up again in the add-on's preferences."
        return text, CheckpointError.exit_status


def _some(message: Message | None) -> list[Message]:
    return [] if message is None else [message]
