# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what the worker prints goes, native code's lines too: to its stderr, or into the log of the job it is at."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import sys
from pathlib import Path

from .files import open_own


def guard_output() -> None:
    """From now on printing raises nothing, and a crash of native code is told on stderr."""
    faulthandler.enable(2)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        raw = io.FileIO(descriptor, "w", closefd=False)
        setattr(sys, name, _Unfailing(io.BufferedWriter(raw), errors="backslashreplace", line_buffering=True))


def take_stdout() -> int:
    """Keep stdout for messages alone: whatever else is printed from now on goes where stderr goes."""
    descriptor = os.dup(1)
    _point_output_at(2)
    return descriptor


class LogInto:
    """Sends everything printed (and what native code prints) into a job's log for as long as the block runs."""

    def __init__(self, log: Path, console: int) -> None:
        self._log = log
        self._console = console

    def __enter__(self) -> None:
        try:
            descriptor = open_own(self._log)
        except OSError as error:
            print(f"no log for this job: {error}", file=sys.stderr)
            return
        _point_output_at(descriptor)
        os.close(descriptor)

    def __exit__(self, *_: object) -> None:
        _point_output_at(self._console)


class _Unfailing(io.TextIOWrapper):
    """A stream of text whose place may be full or gone: what cannot be logged costs no clip."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


def _point_output_at(descriptor: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    for standard in (1, 2):
        if descriptor != standard:
            os.dup2(descriptor, standard)


def write_all(descriptor: int, data: bytes) -> None:
    """Write until nothing is left. Raises OSError."""
    while data:
        data = data[os.write(descriptor, data) :]
