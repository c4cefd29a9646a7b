# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up of the engine's own Python environment."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

from . import process
from .environment import EnvironmentMissing, venv_python
from .files import is_link, open_own
from .messages import text_of

MARK = ".wan_previs_engine"  # a folder that holds this file is ours to clear
_MOST_LINE = 1 << 16  # bytes of a line that a set-up prints, of which the end is kept
# In a process of its own: some ten thousand files take a while.
_CLEAR = """
import os, shutil, sys
for entry in os.scandir(sys.argv[1]):
    if entry.name != sys.argv[2]:
        shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
"""


class NetworkRefused(EnvironmentMissing):
    """Setting up needs the network, and the user has not allowed it."""


class EngineSetup:
    """Creates the virtual environment `folder` from `base_python` and installs a lock file's packages into it.

    Runs as a child process that `poll` looks at, so that a window stays responsive; `run` waits for it. It ends with
    this process. Raises NetworkRefused unless `allow_network`: nothing is downloaded without the user's leave; and
    EnvironmentMissing for a folder that holds what no set-up has made, or in which another set-up is at work.
    """

    def __init__(self, base_python: Path, folder: Path, lock: Path, allow_network: bool) -> None:
        if not allow_network:
            raise NetworkRefused(
                "Setting up the engine downloads packages, and online access is switched off. Allow online access in "
                "Blender's System preferences, or choose a Python that has the engine's packages."
            )
        if not os.path.isfile(lock):
            raise EnvironmentMissing(f"{lock} is missing, which lists the engine's packages. Install the add-on again.")
        folder = Path(os.path.realpath(folder))  # a link to a larger disk: venv makes nothing in one
        self._folder = folder
        self._lock = _take(folder)
        self.finished = False
        self._partial = b""
        python = str(venv_python(folder))
        self._steps = [
            [str(base_python), "-c", _CLEAR, str(folder), MARK],
            [str(base_python), "-m", "venv", str(folder)],
            [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", str(lock)],
        ]
        self._child: subprocess.Popen[bytes] | None = None

    def poll(self) -> list[str]:
        """The lines printed since the last call. `finished` becomes true at the end.

        Raises EnvironmentMissing when a step fails; what it had printed comes first.
        """
        if self.finished:
            return []
        if self._child is None:
            self._start()
        child = self._child
        if child is None or child.stdout is None:
            return []
        code = child.poll()
        lines, over = self._read(child.stdout)
        if code is None or not over:
            return lines
        process.close_pipes(child)
        self._child = None
        if code != 0:
            self.cancel()
            raise EnvironmentMissing(
                f"Setting up the engine failed ({process.exit_in_words(code)}). Look at the lines above, mend what "
                "they complain about (network, free disk space), and try again."
            )
        del self._steps[0]
        if not self._steps:
            self.cancel()
        return lines

    def run(self, on_line: Callable[[str], None]) -> None:
        """Do it all, handing each printed line to `on_line`. Raises EnvironmentMissing; Ctrl-C stops it."""
        try:
            while not self.finished:
                lines = self.poll()
                for line in lines:
                    on_line(line)
                if not lines:
                    time.sleep(0.05)
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Stop; what there is of the environment stays and is cleared by the next set-up."""
        self.finished = True
        self._lock.close()
        if self._child is not None:
            process.kill(self._child)
            process.close_pipes(self._child)
            self._child = None

    def _start(self) -> None:
        try:
            environment = process.scrubbed_environment(os.environ)
            self._child = process.spawn_guarded(self._steps[0], self._folder.parent, environment)
        except OSError as error:
            self.cancel()
            raise EnvironmentMissing(
                f"Setting up the engine failed: {self._steps[0][0]} cannot be started ({error.strerror or error})."
            ) from error

    def _read(self, pipe: IO[bytes]) -> tuple[list[str], bool]:
        """The lines that one look takes from the pipe, and whether nothing stood in it."""
        lines: list[str] = []
        found = False
        for data in process.read_for(pipe):
            found = found or bool(data)
            *whole, last = (self._partial + data).replace(b"\r", b"\n").split(b"\n")
            self._partial = last[-_MOST_LINE:]
            lines += [text for line in whole if (text := text_of(line.decode("utf-8", "replace")))]
        return lines, not found


def _take(folder: Path) -> BinaryIO:
    """Make sure that `folder` is ours to fill and carries our mark, and that nobody else is at it for as long as the
    returned file is open. Raises EnvironmentMissing.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = os.fdopen(open_own(folder.with_name(f".{folder.name}.lock")), "ab")
        if not process.lock(lock):
            lock.close()
            raise EnvironmentMissing(f"Another set-up is at work in {folder}. Wait until it has ended.")
        if is_link(folder / MARK) or not os.path.isfile(folder / MARK):
            if os.path.lexists(folder) and not (os.path.isdir(folder) and not any(folder.iterdir())):
                lock.close()
                raise EnvironmentMissing(
                    f"{folder} holds something else than an engine that was set up here, and is left as it is. Move it "
                    "away, or choose another engine folder in the add-on's preferences."
                )
            folder.mkdir(exist_ok=True)
            (folder / MARK).write_text("Made by Wan Previs; setting up the engine again clears this folder.\n")
    except OSError as error:
        raise EnvironmentMissing(
            f"{error.filename or folder} cannot be written ({error.strerror or error}). Choose another engine folder "
            "in the add-on's preferences."
        ) from error
    return lock
