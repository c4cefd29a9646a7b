# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real jobs for the tests of the bridge, and waiting for what becomes of them."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wan_previs.bridge.client import EngineClient
from wan_previs.bridge.environment import EnvironmentMissing, find_engine
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.messages import Message
from wan_previs.bridge.process import process_alive
from wan_previs.wan_engine.request import GenerationRequest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "fullstack" / "Wan2.2-I2V-A14B"
SHORT = 3
PATIENCE = 900.0  # never reached but by a fault: a machine may be as busy as it likes
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def make_job(root: Path, steps: int, **changes: object) -> JobFolder:
    job = JobFolder.create(root, "Wide shot")
    shutil.copy(GOLDEN / "cases" / "en" / "image.png", job.conditioning / "first.png")
    values: dict = {
        "checkpoint": str(GOLDEN / "checkpoint"),
        "prompt": "A small red fox runs through fresh snow at dawn.",
        "image": "conditioning/first.png",
        "size": (64, 48),
        "frames": 9,
        "steps": steps,
        **changes,
    }
    job.write_request(GenerationRequest(**values))
    return job


def poll_until(client: EngineClient, done: Callable[[Message], bool], seconds: float = PATIENCE) -> list[Message]:
    """Poll until a message fits; all messages so far, the fitting one last."""
    seen: list[Message] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for message in client.poll():
            seen.append(message)
            if done(message):
                return seen
        time.sleep(0.02)
    raise AssertionError(f"nothing fitting within {seconds} seconds, only {seen[-5:]}")


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody can open the file, who does waits; the system breaks the lease after 45 seconds. Linux only."""
    import fcntl

    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        with path.open("rb+") as file:
            try:
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError as error:
                pytest.skip(f"this file system gives no leases: {error}")
            yield
    finally:
        signal.signal(signal.SIGIO, before)


def stepping(message: Message) -> bool:
    return message.event.get("event") == "step"


def at_step(step: int) -> Callable[[Message], bool]:
    return lambda message: stepping(message) and message.event["step"] == step


def ends(message: Message) -> bool:
    return message.ends_job


def gone(pid: int, seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while process_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not process_alive(pid)


def engine_python() -> Path:
    """The engine's Python of this checkout; without one the test is skipped."""
    try:
        return find_engine(None, ROOT, ROOT / "nowhere").python
    except EnvironmentMissing:
        pytest.skip("there is no engine's environment: make one with `make setup`")


def engine_client(tmp_path: Path, python: Path | None = None, **options: float) -> EngineClient:
    """A client of the checkout's engine, or of that of another Python."""
    return EngineClient(python or engine_python(), ROOT, tmp_path / "worker.log", **options)
