# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's process: runs job folders, one after the other, with the last checkpoint kept loaded.

Started by the client as ``ENGINE_PYTHON -m bridge.worker`` with the add-on's folder as PYTHONPATH; it then takes
commands on stdin and answers on stdout (see protocol.py). ``python -m bridge.worker FOLDER`` runs one job folder
without a client, writes the same messages to stdout and ends with the job's exit status.

The main thread runs the jobs; one thread listens on stdin, so that a cancel is seen during a job and the worker
ends as soon as the program that started it does; one thread writes to stdout, and sends a heartbeat when there is
nothing else to say, but only while the main thread gets on (see pulse.py).
"""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import signal
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from wan_engine.errors import Cancelled, CheckpointError, GenerationError, WanError
from wan_engine.request import GenerationRequest

from . import protocol
from .channel import Channel
from .jobs import JobFolder
from .output import LogInto, guard_output, take_stdout, write_all
from .pulse import Pulse
from .state import BEAT_SECONDS, JobBusy, JobError, JobTaken
from .warm_engine import WarmEngine, import_engine, trouble_in_words

PARENT_GONE = "The program that asked for this clip ended too early. Continue the shot, or generate it again."
LATE_STAGES = ("finish", "measure")  # in which files are written


class Task:
    """One job on its way through the worker."""

    def __init__(self, folder: Path) -> None:
        self.job = JobFolder(folder)
        self.cancelled = threading.Event()
        self.settled = False
        self.message = ""
        self._end: tuple[str, str, int, bool] | None = None
        self._lock = threading.Lock()

    def settle(self, state: str, message: str, exit_status: int, interrupted: bool = False) -> str:
        """Write the job's end, once: whoever comes first wins. Returns the message, with what went wrong writing;
        `settled` tells whether it is written, else `settle_late` has to be tried again.
        """
        # Bounded, because a process that has to end must not wait for another thread's stuck disk.
        if not self._lock.acquire(timeout=2.0):
            return message
        try:
            if self._end is None and not self.settled:
                self._end = state, message, exit_status, interrupted
                self._write_end()
        except JobTaken as error:
            self.settled = not isinstance(error, JobBusy)  # by whoever is at it; who only looks in writes no end
        except JobError as error:
            return f"{message} {error}".strip()
        finally:
            self._lock.release()
        return message

    def settle_late(self) -> None:
        """Once more, where the end could not be written: the disk was full."""
        with self._lock, contextlib.suppress(JobError):
            self._write_end()

    def _write_end(self) -> None:
        if self._end is not None and not self.settled:
            self.job.mark_ended(*self._end)
            self.settled = True


class Worker:
    """Runs tasks and tells the channel about them."""

    def __init__(self, console: int) -> None:
        self._console = console
        self._parent = os.getppid()
        self._engine = WarmEngine()
        self._lock = threading.Lock()
        self._tasks: list[Task] = []
        self._unsettled: list[Task] = []
        self._running: Task | None = None
        self._beat_at = 0.0
        self._pulse = Pulse()
        self._inbox: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._serving = False
        self.channel = Channel(take_stdout(), self._beat)

    def serve(self) -> int:
        """Take commands from stdin until told to quit; returns the exit status."""
        self._serving = True
        self.channel.send("hello", protocol=protocol.PROTOCOL, pid=os.getpid(), python=platform.python_version())
        threading.Thread(target=self._listen, name="commands", daemon=True).start()
        try:
            self.channel.send("ready", torch=import_engine())
        except CheckpointError as error:
            traceback.print_exc()
            self.channel.send("unusable", message=str(error), exit_status=error.exit_status)
            self.channel.close()
            return error.exit_status
        while (task := self._next()) is not None:
            self.run(task)
        self.channel.close()
        return 0

    def _next(self) -> Task | None:
        with self._pulse.resting():
            return self._inbox.get()

    def add(self, folder: Path) -> Task:
        """Put a job into the queue."""
        task = Task(folder)
        with self._lock:
            self._tasks.append(task)
        self._inbox.put(task)
        return task

    def run(self, task: Task) -> int:
        """Run one job to its end, whatever that is; returns the job's exit status."""
        with LogInto(task.job.log, self._console):
            state, message, status = self._outcome(task)
        self._running = None
        self._pulse.sign(long=True)
        task.message = message = task.settle(state, message, status)
        with self._lock:
            if task in self._tasks:
                self._tasks.remove(task)
            if not task.settled:
                self._unsettled.append(task)
        self.channel.send(state, folder=str(task.job.path), message=message, exit_status=status)
        return status

    def _outcome(self, task: Task) -> tuple[str, str, int]:
        try:
            self._generate(task)
        except Cancelled:
            return "cancelled", "Cancelled.", Cancelled.exit_status
        except (WanError, JobError) as error:
            traceback.print_exc()
            task.settled = isinstance(error, JobTaken)
            return "failed", str(error), error.exit_status
        except Exception as error:
            traceback.print_exc()
            return "failed", trouble_in_words(error, task.job.path), GenerationError.exit_status
        return "done", "", 0

    def _generate(self, task: Task) -> None:
        job = task.job
        job.check_free()
        job.check_links()
        request = GenerationRequest.from_json(job.read_request())
        request.check_outputs_inside()
        request = replace(
            request,
            report=request.report or job.report.name,
            resume=request.resume or job.resume.name,
            preview=request.preview or job.preview.name,
            page=request.page or job.page.name,
        )
        self._pulse.sign(long=True)
        job.sweep()
        job.mark_running()
        self._pulse.sign()
        self._running = task
        slow = request.compile  # which takes a compiler's own processes

        def on_event(event: dict[str, Any]) -> None:
            nonlocal slow
            slow = slow or event.get("stage") in LATE_STAGES
            self._pulse.sign(long=slow or event["event"] == "writes")
            if event["event"] == "writes":
                return
            try:
                job.append_event(event)
            except JobError as error:  # no event is worth the clip
                print(error, file=sys.stderr)
            if event["event"] == "note":
                print(event["message"], file=sys.stderr)
            self.channel.send("event", folder=str(job.path), event=event)

        if task.cancelled.is_set():
            raise Cancelled("Cancelled.")

        def should_cancel() -> bool:
            self._pulse.sign(long=slow)
            return task.cancelled.is_set()

        pipeline = self._engine.pipeline(request)
        pipeline.generate(request, folder=job.path, on_event=on_event, should_cancel=should_cancel)

    def _listen(self) -> None:
        reader = protocol.LineReader("cmd")
        while chunk := os.read(0, 1 << 16):
            for command in reader.feed(chunk):
                self._obey(command)
        self._abandon("failed", PARENT_GONE, GenerationError.exit_status)

    def _obey(self, command: dict[str, Any]) -> None:
        if command["cmd"] == "run" and isinstance(command.get("folder"), str) and "\0" not in command["folder"]:
            self.add(Path(command["folder"]))
        elif command["cmd"] == "cancel":
            with self._lock:
                for task in self._tasks:
                    task.cancelled.set()
        elif command["cmd"] == "quit":
            self._abandon("cancelled", "Cancelled, because Blender closed the engine.", Cancelled.exit_status)
        else:
            print(f"unknown command left out: {command}", file=sys.stderr)

    def _beat(self) -> bool:
        """Look after everything but the work itself; whether that gets on."""
        self._watch_parent()
        with self._lock:
            self._unsettled = [task for task in self._unsettled if not task.settled]
            unsettled = list(self._unsettled)
        for task in unsettled:
            task.settle_late()
        alive = self._pulse.beats()
        running, now = self._running, time.monotonic()
        if alive and running is not None and now - self._beat_at > BEAT_SECONDS:
            self._beat_at = now
            running.job.beat()
        if not alive and not self._serving and self._pulse.quiet > protocol.HANG_SECONDS:  # nobody else looks
            self._abandon("failed", protocol.hung_in_words(protocol.HANG_SECONDS), GenerationError.exit_status)
        return alive

    def _watch_parent(self) -> None:
        # The end of stdin says the same, unless another process inherited the other end of the pipe.
        if self._serving and os.getppid() != self._parent:
            self._abandon("failed", PARENT_GONE, GenerationError.exit_status)

    def _abandon(self, state: str, message: str, exit_status: int) -> None:
        """End the process now, also in the middle of a step, leaving no job behind that says it is running."""
        with self._lock:
            tasks = list(self._tasks)

        def settle() -> None:
            for task in tasks:
                task.settle(state, message, exit_status, interrupted=True)
            if not self._serving:
                with contextlib.suppress(OSError):
                    write_all(self._console, f"{message}\n".encode())

        # In a thread of its own, and bounded: the disk or the console may be the one that does not answer.
        settling = threading.Thread(target=settle, name="settling", daemon=True)
        settling.start()
        settling.join(3.0)
        os._exit(exit_status if tasks else 0)


def run_alone(folder: Path, console: int) -> int:
    """Run one job folder without a client; Ctrl-C cancels. Returns the exit status."""
    worker = Worker(console)
    task = worker.add(folder)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: task.cancelled.set())
    status = worker.run(task)
    worker.channel.close()
    if status:
        print(task.message, file=sys.stderr)
    return status


def main(arguments: list[str]) -> int:
    """Serves a parent on standard input, or runs one job folder; returns the exit status."""
    console = os.dup(2)
    guard_output()
    if not arguments:
        return Worker(console).serve()
    if len(arguments) > 1 or not os.path.isdir(arguments[0]):
        print("Give one job folder, or nothing to take commands on standard input.", file=sys.stderr)
        return 2
    return run_alone(Path(arguments[0]).absolute(), console)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
