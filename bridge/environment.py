# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's own Python environment: where it is, what is in it, and how it is set up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from ..wan_engine.errors import CheckpointError
from . import process
from .files import is_link, open_own
from .messages import text_of

VARIABLE = "WAN_PREVIS_ENGINE_PYTHON"
# The modules that the engine imports.
REQUIRED = ("torch", "safetensors", "numpy", "einops", "tokenizers", "ftfy", "av", "cv2", "PIL")
MINIMUM_PYTHON = (3, 11)
_MOST_SAID = 1 << 20  # bytes of an answer, which takes less than one thousand
_MOST_LINE = 1 << 16  # bytes of a line that a set-up prints, of which the end is kept
_MEND = "Set up the engine, or choose a Python that has it, in the add-on's preferences."
_INSPECT = """
import importlib.metadata, importlib.util, json, sys
owners = importlib.metadata.packages_distributions()
versions = {}
for name in sys.argv[1:]:
    found = importlib.util.find_spec(name) is not None
    versions[name] = importlib.metadata.version(owners[name][0]) if found and name in owners else found or None
print(json.dumps({"python": ".".join(map(str, sys.version_info[:3])), "packages": versions}))
"""


MARK = ".wan_previs_engine"  # a folder that holds this file is ours to clear
# In a process of its own: some ten thousand files take a while.
_CLEAR = """
import os, shutil, sys
for entry in os.scandir(sys.argv[1]):
    if entry.name != sys.argv[2]:
        shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
"""


class EnvironmentMissing(CheckpointError):
    """There is no usable engine environment; the text says what to do."""


class NetworkRefused(EnvironmentMissing):
    """Setting up needs the network, and the user has not allowed it."""


@dataclass(frozen=True)
class EngineEnvironment:
    """The engine's Python, and in words where it was found."""

    python: Path
    origin: str


def venv_python(folder: Path) -> Path:
    """Where a virtual environment keeps its Python."""
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def find_engine(preferred: str | None, addon_dir: Path, user_dir: Path) -> EngineEnvironment:
    """The engine's Python: the user's choice, else the variable WAN_PREVIS_ENGINE_PYTHON, else the environment set
    up under `user_dir`, else the one beside a development checkout.

    A choice may be a Python or the folder of a virtual environment. One that leads nowhere is an error and not
    passed over, as is having none at all: EnvironmentMissing.
    """
    for choice, origin in ((preferred, "the preferences"), (os.environ.get(VARIABLE), f"the variable {VARIABLE}")):
        if choice:
            return EngineEnvironment(_chosen_python(choice, origin), origin)
    for folder, origin in (
        (user_dir / "engine", "the add-on's set-up"),
        (addon_dir / ".venv-engine", "the development checkout"),
    ):
        if venv_python(folder).is_file():
            return EngineEnvironment(venv_python(folder), origin)
    raise EnvironmentMissing(f"The engine is not set up. {_MEND}")


def inspect_engine(python: Path, timeout: float = 30.0) -> dict[str, Any]:
    """What a Python has of what the engine needs, without importing it:
    {"python": version, "packages": {module: version, True (unknown) or None}, "missing": [modules], "too_old": bool,
    "ok": bool}.

    Raises EnvironmentMissing when that Python does not run, or not within `timeout` seconds.
    """
    said = _said(python, timeout)
    try:
        facts = json.loads(said)
        packages = {name: facts["packages"][name] for name in REQUIRED}
        version = str(facts["python"])
        numbers = tuple(int(part) for part in version.split(".")[:2])
        if not all(installed is None or isinstance(installed, str | bool) for installed in packages.values()):
            raise ValueError("versions that are none")
    except (ValueError, TypeError, LookupError, RecursionError):
        line = said.decode("utf-8", "replace").strip().split("\n")[-1][:200]
        raise EnvironmentMissing(f"{python} is not a working Python ({line or 'no answer'}). {_MEND}") from None
    missing = [name for name, installed in packages.items() if installed is None]
    too_old = numbers < MINIMUM_PYTHON
    ok = not missing and not too_old
    return {"python": version, "packages": packages, "missing": missing, "too_old": too_old, "ok": ok}


def _said(python: Path, timeout: float) -> bytes:
    """What that Python answers, on stdout or else on stderr; what it says beyond _MOST_SAID is not read."""
    environment = process.scrubbed_environment(os.environ)
    command = [str(python), "-c", _INSPECT, *REQUIRED]
    try:
        child = process.spawn(command, Path.cwd(), environment, subprocess.STDOUT)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EnvironmentMissing(f"{python} cannot be started ({reason}). {_MEND}") from error
    assert child.stdin is not None and child.stdout is not None
    child.stdin.close()
    said, deadline = b"", time.monotonic() + timeout
    try:
        while len(said) < _MOST_SAID:
            ended = child.poll() is not None  # asked for before reading: what it said is all in the pipe then
            part = process.read_available(child.stdout)
            said += part
            if not part and ended:
                return said
            if time.monotonic() > deadline:
                raise EnvironmentMissing(f"{python} has not answered within {timeout:g} seconds. {_MEND}")
            if not part:
                time.sleep(0.02)
        return b"it talks without end"
    finally:
        process.kill(child)
        child.stdout.close()


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
        if not lock.is_file():
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
        if is_link(folder / MARK) or not (folder / MARK).is_file():
            if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
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


def _chosen_python(choice: str, origin: str) -> Path:
    path = Path(choice).expanduser().absolute()
    python = venv_python(path) if path.is_dir() else path
    if not python.is_file():
        raise EnvironmentMissing(f"The engine's Python {python}, named by {origin}, does not exist. {_MEND}")
    return python
