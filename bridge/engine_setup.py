# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up of the engine's own Python environment."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

from . import process
from .environment import EnvironmentMissing
from .files import is_link, open_own
from .messages import text_of
from .setup.installer import MARK as MESSAGE
from .setup.installer import READY

MARK = ".wan_previs_engine"  # a folder that holds this file is ours to clear
_ADDON_DIR = Path(__file__).resolve().parents[1]
_MOST_FRACTION = 0.99  # until all is over
_MOST_LINE = 1 << 16  # bytes of a line that a set-up prints, of which the end is kept
# In a process of its own: some ten thousand files take a while. What says that all is whole goes first, our mark last.
_CLEAR = """
import os, shutil, sys
folder, kept, mark, ready = sys.argv[1:]
entries = sorted(os.scandir(folder), key=lambda entry: (entry.name == mark, entry.name != ready))
for entry in entries:
    if entry.name != kept:
        shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
"""


def _ended(code: int) -> str:
    return f"was ended from outside (signal {-code})" if code < 0 else f"failed (exit status {code})"


class NetworkRefused(EnvironmentMissing):
    """Setting up needs the network, and the user has not allowed it."""


class EngineWork:
    """Child processes, one after the other, that make or remove an engine: `poll` looks at them, so that a window stays
    responsive; `run` waits for them. They end with this process.
    """

    def __init__(self, folder: Path, steps: list[list[str]]) -> None:
        """`steps` are command lines. Raises EnvironmentMissing for a `folder` that holds what no set-up has made, or
        in which another set-up is at work."""
        self._folder, self._steps = folder, steps
        self._lock = _take(folder)
        self.finished = False
        self.plan = ""  # what is installed, in words
        self.advice = ""  # what else the user may want to know of it
        self.fraction = 0.0  # of the bytes expected on the disk
        self.size = ""  # the same in words
        self._error = ""
        self._partial = b""
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
            raise EnvironmentMissing(self._error or f"The work on the engine {_ended(code)}. Press the button again.")
        del self._steps[0]
        if not self._steps:
            self.fraction = 1.0
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
            environment = process.engine_environment(os.environ, _ADDON_DIR, None)
            self._child = process.spawn_guarded(self._steps[0], self._folder.parent, environment)
        except OSError as error:
            self.cancel()
            raise EnvironmentMissing(
                f"Setting up the engine failed: {self._steps[0][0]} cannot be started ({error.strerror or error})."
            ) from error

    def _read(self, pipe: IO[bytes]) -> tuple[list[str], bool]:
        """The lines for people that one look takes from the pipe, and whether nothing stood in it."""
        lines: list[str] = []
        found = False
        for data in process.read_for(pipe):
            found = found or bool(data)
            *whole, last = (self._partial + data).replace(b"\r", b"\n").split(b"\n")
            self._partial = last[-_MOST_LINE:]
            texts = (line.decode("utf-8", "replace") for line in whole)
            lines += [text for line in texts if not self._hear(line) and (text := text_of(line))]
        return lines, not found

    def _hear(self, line: str) -> bool:
        """Whether a line is a message of the installer's, which is taken in."""
        if not line.startswith(MESSAGE):
            return False
        try:
            told = json.loads(line.removeprefix(MESSAGE))
            done, expected = told.get("done", 0), told.get("expected", 1)
        except (ValueError, AttributeError, RecursionError):
            return False
        if isinstance(done, int) and isinstance(expected, int) and done > 0 < expected:
            self.fraction = min(_MOST_FRACTION, done / expected)
            self.size = f"{done / 1e9:.1f} of about {expected / 1e9:.1f} GB on the disk"
        self.plan = text_of(told.get("plan")) or self.plan
        self.advice = text_of(told.get("advice")) or self.advice
        self._error = text_of(told.get("error")) or self._error
        return True


class EngineSetup(EngineWork):
    """Makes the engine's Python in `folder` from `base_python` and a lock file, by the program `setup.installer`.

    `wheels` is a folder of wheels that serves in place of the network. With `plan_only` nothing is installed nor
    removed: `plan` and `advice` tell what would be. Raises EnvironmentMissing, and NetworkRefused unless
    `allow_network` or `wheels`: nothing is downloaded without the user's leave.
    """

    def __init__(
        self,
        base_python: Path,
        folder: Path,
        lock: Path,
        allow_network: bool,
        wheels: Path | None = None,
        plan_only: bool = False,
    ) -> None:
        if wheels is not None and not os.path.isdir(wheels):
            raise EnvironmentMissing(
                f"The Wheels Folder {wheels} does not exist. Choose another one in the add-on's preferences, or none."
            )
        if not allow_network and wheels is None:
            raise NetworkRefused(
                "Setting up the engine downloads packages, and online access is switched off. Allow online access in "
                "Blender's System preferences, or choose a Wheels Folder or a Python that has the engine's packages."
            )
        if not os.path.isfile(lock):
            raise EnvironmentMissing(f"{lock} is missing, which lists the engine's packages. Install the add-on again.")
        folder = Path(os.path.realpath(folder))  # a link to a larger disk: venv makes nothing in one
        task = {"folder": str(folder), "lock": str(lock), "wheels": None if wheels is None else str(wheels)}
        clear = [[str(base_python), "-c", _CLEAR, str(folder), MARK, MARK, READY]]
        told = json.dumps({**task, "plan_only": plan_only})
        install = [str(base_python), "-m", "bridge.setup.installer", told]
        super().__init__(folder, [*([] if plan_only else clear), install])


class EngineRemoval(EngineWork):
    """Removes an engine that was set up in `folder`. Raises EnvironmentMissing."""

    def __init__(self, base_python: Path, folder: Path) -> None:
        folder = Path(os.path.realpath(folder))
        super().__init__(folder, [[str(base_python), "-c", _CLEAR, str(folder), "", MARK, READY]])


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
