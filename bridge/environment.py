# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's own Python environment: where it is and what is in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..wan_engine.errors import CheckpointError
from . import process
from .setup.installer import READY, held_packages, lock_digest

VARIABLE = "WAN_PREVIS_ENGINE_PYTHON"
# The modules that the engine imports.
REQUIRED = ("torch", "safetensors", "numpy", "einops", "tokenizers", "ftfy", "av", "cv2", "PIL")
MINIMUM_PYTHON = (3, 11)
_MOST_SAID = 1 << 20  # bytes of an answer, which takes less than one thousand
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


class EnvironmentMissing(CheckpointError):
    """There is no usable engine environment; the text says what to do."""


class NeverSetUp(EnvironmentMissing):
    """There is none, nor a trace of one."""


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
    ours, checkout = user_dir / "engine", addon_dir / ".venv-engine"
    if os.path.isfile(ours / READY):
        _look_whether_whole(ours)
        return EngineEnvironment(venv_python(ours), "the add-on's set-up")
    if os.path.isfile(venv_python(checkout)):
        return EngineEnvironment(venv_python(checkout), "the development checkout")
    if os.path.isdir(ours) and any(not name.startswith(".") for name in os.listdir(ours)):
        raise EnvironmentMissing("The engine was not set up to the end. Set up the engine again.")
    raise NeverSetUp(f"The engine is not set up. {_MEND}")


def is_of_another_version(python: Path, lock: Path) -> bool:
    """Whether a set-up of ours has made that Python's environment from another list of packages than `lock`."""
    ready = python.parents[1] / READY
    try:
        return os.path.isfile(ready) and _facts(ready).get("lock") != lock_digest(lock)
    except OSError:
        return False


def _look_whether_whole(folder: Path) -> None:
    """Raises EnvironmentMissing for an engine of ours that has lost parts since it was set up."""
    python = venv_python(folder)
    try:
        text = (folder / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
        home = next((line.partition("=")[2].strip() for line in text.splitlines() if line.startswith("home")), "")
        holds = _facts(folder / READY).get("holds")
        lost = sorted({str(name) for name in holds} - set(held_packages(folder))) if isinstance(holds, list) else []
    except OSError:
        home, lost = "", []
    if not os.path.isfile(python) or not os.path.isdir(home):
        raise EnvironmentMissing(
            "The Python that the engine was made from is gone, as after an update of Blender. Set up the engine again."
        )
    if lost:
        raise EnvironmentMissing(f"Parts of the engine are gone ({', '.join(lost[:3])}). Set up the engine again.")


def _facts(ready: Path) -> dict[str, Any]:
    """What a set-up has written at its end; {} where that is damaged."""
    try:
        told = json.loads(ready.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def self_test(python: Path) -> list[dict[str, Any]]:
    """What the self-test at the end of a set-up said of each device, {"name": ..., "ok": ...}; [] where there was none
    or its file is damaged."""
    told = _facts(python.parents[1] / READY).get("devices")
    return [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []


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


def _chosen_python(choice: str, origin: str) -> Path:
    path = Path(choice).expanduser().absolute()
    python = venv_python(path) if os.path.isdir(path) else path
    if not os.path.isfile(python):
        raise EnvironmentMissing(
            f"The engine's Python {python}, named by {origin}, does not exist. Correct it there, or empty it to use "
            "the engine that Set Up Engine makes."
        )
    return python
