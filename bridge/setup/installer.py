# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the engine's Python: `python -m bridge.setup.installer '{"folder": ..., "lock": ..., ...}'`.

Looks at the machine, chooses the build of PyTorch, looks at the disk, makes a virtual environment in `folder` and
installs the lock file into it, by uv or, where that is not to be had, by venv and pip. Prints lines for people;
a line that begins with `MARK` is a message of one JSON object for the program that asked. Exit status 0, or 1 after
a message with the error in words.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import machine, torch_builds, uv_program

MARK = "@@ "
READY = "engine.json"  # in the engine's folder: all is installed; what, and whether it computes right
TORCH_INDEX = "WAN_PREVIS_TORCH_INDEX"  # the variable that names a mirror of PyTorch's package index
_TORCH_INDEX = "https://download.pytorch.org/whl"
_OLDEST, _NEWEST = (3, 11), (3, 14)  # Pythons that all packages of the lock file have wheels for
_MANAGED = "3.13"
_ROOM = 1.1  # of what the packages take on the disk, for what is unpacked on the way
_EVERY = 1.0  # seconds between two words about progress
_KEPT_LINES = 400
_MOST_REASON = 600  # characters of what a program says of its failure
_UNREACHABLE = re.compile(
    r"error sending request for url \((\S+?)\)|host='([^']+)'|Failed to fetch: `?(\S+?)`?$|Could not fetch URL (\S+?):",
    re.MULTILINE,
)
# Also what an index or a proxy hides behind 403 or 404.
_LACKING = re.compile(
    r"Because (\S+) was not found in|there (?:is|are) no versions? of (\S+)|No matching distribution found for (\S+)|"
    r"Because (\S+) has no wheels with a matching"
)
_DAMAGED = re.compile(
    r"Hash mismatch for `(\S+)`|Because (\S+) has an invalid package format|DO NOT MATCH THE HASHES.*?(\S+) from"
)
_NO_ROOM = re.compile(r"No space left on device|os error 28\b|not enough space on the disk", re.IGNORECASE)


# What these tell uv and pip would put the packages elsewhere than into the engine.
_LEAD_ASTRAY = ("PYTHON", "VIRTUAL_ENV", "CONDA", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE")
_FULL = "The disk is full. Make room, or choose another engine folder in the add-on's preferences, and try again."
_OWN = "choose a Python of your own that has the engine's packages, in the add-on's preferences"


class SetupFailed(Exception):
    """Setting up failed; the text says why and what to do."""


class PackageMissing(SetupFailed):
    """A package is not to be had; the text is its name."""


class OutsideCause(SetupFailed):
    """The disk is full, or a program was ended from outside: another Python would not help."""


@dataclass(frozen=True)
class Task:
    """What to set up: `wheels` is a folder of wheels that serves in place of the network; with `plan_only` it is only
    told what would be installed."""

    folder: Path
    lock: Path
    wheels: Path | None = None
    plan_only: bool = False

    def lacks(self, package: str) -> str:
        """In words: where a package is missing, and what to do."""
        if self.wheels is not None:
            return (
                f"The Wheels Folder {self.wheels} holds no {package} for this computer and Python "
                f"{sys.version_info[0]}.{sys.version_info[1]}. Put it there, and set up the engine again."
            )
        return (
            f"The server has no {package} for this computer, or something on the way does not let it through. Check "
            "your internet connection and proxy, or choose a Wheels Folder in the add-on's preferences, and set up the "
            "engine again."
        )

    @staticmethod
    def parse(text: str) -> Task:
        """The task of a JSON object."""
        told = json.loads(text)
        wheels = Path(told["wheels"]) if told.get("wheels") else None
        return Task(Path(told["folder"]), Path(told["lock"]), wheels, bool(told.get("plan_only")))


def main(arguments: list[str]) -> int:
    """Set up what the one argument says; the exit status."""
    try:
        _set_up(Task.parse(arguments[0]))
    except (SetupFailed, torch_builds.NoBuild, uv_program.IndexUnreachable) as error:
        tell({"error": str(error)})
        return 1
    except OSError as error:
        tell({"error": _os_error_in_words(error)})
        return 1
    return 0


def tell(message: dict[str, Any]) -> None:
    """A message to the program that asked."""
    print(MARK + json.dumps(message), flush=True)


def _set_up(task: Task) -> None:
    choice = torch_builds.choose(machine.look())
    words = torch_builds.in_words(choice)
    print(words, flush=True)
    if choice.advice:
        print(choice.advice, flush=True)
    tell({"plan": words, "advice": choice.advice, "build": choice.build.title})
    need = choice.build.disk * _ROOM * 1e9
    # An engine that is there goes before the new one comes.
    _look_for_room(_existing(task.folder), need, bytes_in(task.folder))
    if task.plan_only:
        return
    tools = task.folder / ".setup"
    with _Watch(task.folder, int(need)):
        try:
            _install(task, choice.build, tools)
        finally:
            shutil.rmtree(tools, ignore_errors=True)


def _install(task: Task, build: torch_builds.TorchBuild, tools: Path) -> None:
    environment = _environment(tools)
    try:
        uv = uv_program.fetch(tools, task.wheels, os.environ)
        _run([str(uv), "--version"], environment)
    except (uv_program.NoUv, PermissionError) as reason:
        print(f"uv is not used ({reason}); pip installs the packages.", flush=True)
        uv = None
    python = _venv(task, uv, environment)
    sources = _sources(task, build, uv is not None)
    packages = ["-r", str(task.lock)]
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    by_pip = [str(python), "-m", "pip", "install", *quiet]
    command = by_pip if uv is None else [str(uv), "pip", "install", "--python", str(python)]
    try:
        _run([*command, *sources, *packages], environment)
    except PackageMissing as error:
        raise SetupFailed(task.lacks(str(error))) from error
    tested = _self_test(python, task, environment)
    facts = {"build": build.title, "lock": lock_digest(task.lock), "holds": held_packages(task.folder), **tested}
    _write(task.folder / READY, json.dumps(facts))


def lock_digest(lock: Path) -> str:
    """What tells one list of packages from another."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def held_packages(folder: Path) -> list[str]:
    """The names of what lies side by side in the packages' folder of an environment."""
    places = [*folder.glob("lib/python3*/site-packages"), *folder.glob("Lib/site-packages")]
    return sorted({path.name for place in places for path in place.iterdir()} - {"__pycache__"})


def _self_test(python: Path, task: Task, environment: dict[str, str]) -> dict[str, Any]:
    """What the new engine says of each device: {"torch": version, "devices": [{"name", "ok", ...}]}; {} for a lock
    file without torch. A device that computes wrong is no failure: another one may do. Raises SetupFailed when the
    engine cannot make a clip at all."""
    if not re.search(r"^torch\b", task.lock.read_text(encoding="utf-8"), re.MULTILINE):
        return {}
    print("Looking whether this computer computes right", flush=True)
    report = task.folder / ".setup" / "selftest.json"
    # The add-on's folder, which holds the engine's code.
    inside = {**environment, "PYTHONPATH": os.environ.get("PYTHONPATH", os.getcwd()), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        _run([str(python), "-m", "wan_engine", "selftest", "--report", str(report)], inside)
    except SetupFailed:
        if not os.path.isfile(report):
            raise
    return dict(json.loads(report.read_text(encoding="utf-8")))


def _write(file: Path, text: str) -> None:
    new = file.with_name(f"{file.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, file)


def _venv(task: Task, uv: Path | None, environment: dict[str, str]) -> Path:
    """The Python of a new virtual environment in the task's folder, made from the Python that runs this where that one
    works and the packages have wheels for it, else from one that uv brings."""
    folder = str(task.folder)
    python = task.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    this = f"Blender's Python {sys.version.split()[0]} cannot be used:"
    reason = f"{this} the engine needs 3.{_OLDEST[1]} to 3.{_NEWEST[1]}"
    by_uv = [] if uv is None else [str(uv), "venv", folder, "--allow-existing", "--no-project", "--python"]
    fits = _OLDEST <= sys.version_info[:2] <= _NEWEST
    if fits:
        try:
            _run([*by_uv, sys.executable] if by_uv else [sys.executable, "-m", "venv", folder], environment)
            _run([str(python), "-c", ""], environment)
            return python
        except OutsideCause:
            raise
        except SetupFailed:
            reason = f"{this} it cannot make an environment"
    if uv is None:
        wheel = f"put uv {uv_program.VERSION} into the Wheels Folder, or " if fits and task.wheels else ""
        raise SetupFailed(f"{reason}. To go on, {wheel}{_OWN}.")
    if task.wheels is not None:
        raise SetupFailed(
            f"{reason}; and a folder of wheels holds no other Python. Empty Wheels Folder in the add-on's preferences, "
            f"so that one is downloaded, or {_OWN}."
        )
    print(f"{reason}. Python {_MANAGED} is downloaded for the engine.", flush=True)
    try:
        _run([*by_uv, _MANAGED, "--managed-python"], environment)
    except OutsideCause:
        raise
    except SetupFailed as error:
        raise SetupFailed(
            f"{reason}; and Python {_MANAGED} could not be downloaded from github.com. Check your internet "
            f"connection and proxy, or {_OWN}."
        ) from error
    return python


def _sources(task: Task, build: torch_builds.TorchBuild, uv: bool) -> list[str]:
    """Where packages come from: the user's folder alone, or the general index and PyTorch's own."""
    if task.wheels is not None:
        return ["--no-index", "--find-links", str(task.wheels)]
    if build.index is None:
        return []
    mirror = os.environ.get(TORCH_INDEX)
    if uv and not mirror:
        return ["--torch-backend", build.index]
    address = f"{(mirror or _TORCH_INDEX).rstrip('/')}/{build.index}"
    # A version such as 2.13.0+cu130 counts as newer than 2.13.0: both tools take it, of all indexes.
    return ["--index", address, "--index-strategy", "unsafe-best-match"] if uv else ["--extra-index-url", address]


def _environment(tools: Path) -> dict[str, str]:
    """Everything on the way stays in `tools`, which has the engine's disk."""
    temporary = tools / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    made = {key: value for key, value in os.environ.items() if not key.startswith(_LEAD_ASTRAY)}
    pairs = (("UV_DEFAULT_INDEX", "PIP_INDEX_URL"), ("SSL_CERT_FILE", "PIP_CERT"))  # what the user has told one alone
    taken = {name: made[other] for pair in pairs for name, other in (pair, pair[::-1]) if other in made}
    ours = {
        "UV_CACHE_DIR": str(tools / "cache"),
        "UV_PYTHON_INSTALL_DIR": str(tools.parent / "python"),
        "UV_SYSTEM_CERTS": "1",  # those of a company's proxy lie there
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
        "PIP_NO_CACHE_DIR": "1",
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
    }
    return {**taken, **made, **ours}


def _run(command: list[str], environment: dict[str, str]) -> None:
    """Run a program with its lines passed on. Raises SetupFailed with its own reason in words."""
    child = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said: list[str] = []
    assert child.stdout is not None
    for line in child.stdout:
        said = [*said[-_KEPT_LINES:], line.rstrip()]
        print(line.rstrip(), flush=True)
    if child.wait() != 0:
        raise _failure(said, Path(command[0]).name, child.returncode)


def _failure(said: list[str], program: str, code: int) -> SetupFailed:
    """Why a program failed, by what it said."""
    text = "\n".join(said)
    if _NO_ROOM.search(text):
        return OutsideCause(_FULL)
    if code < 0:
        return OutsideCause(f"{program} was ended from outside (signal {-code}). Set up the engine again.")
    if found := _UNREACHABLE.search(text):
        address = next(part for part in found.groups() if part)
        cause = next((line.split("cause:")[-1].strip() for line in reversed(said) if "cause:" in line), "no answer")
        return SetupFailed(uv_program.unreachable(address if "://" in address else f"https://{address}", cause))
    flowing = " ".join(text.split())  # uv breaks its lines anywhere
    if found := _DAMAGED.search(flowing):
        package = next(part for part in found.groups() if part)
        return SetupFailed(
            f"{package} did not arrive whole, or was changed on the way. Set up the engine again; if that does not "
            "help, check your internet connection and proxy, or the Wheels Folder."
        )
    if found := _LACKING.search(flowing):
        return PackageMissing(next(part for part in found.groups() if part).strip(",.)"))
    lines = [line.strip(" \u2570\u2500\u25b6\u2502") for line in said if line.strip()] or ["it said nothing"]
    # uv wraps its reason over lines, of which the first is marked.
    begins = [at for at, line in enumerate(lines) if re.match(r"\u00d7|error\b", line, re.IGNORECASE)]
    told = " ".join(lines[begins[-1] if begins else -1 :])[-_MOST_REASON:]
    return SetupFailed(f"Setting up the engine failed: {program} ended with status {code} ({told}).")


def _look_for_room(folder: Path, need: float, freed: int) -> None:
    free = shutil.disk_usage(folder).free + freed
    if free < need:
        raise SetupFailed(
            f"The engine needs {need / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free. Make room, or "
            "choose another engine folder in the add-on's preferences."
        )


def _existing(folder: Path) -> Path:
    """The nearest folder above that exists."""
    return next(path for path in (folder, *folder.parents) if os.path.isdir(path))


def _os_error_in_words(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return _FULL
    return f"{error.filename or 'The engine folder'} cannot be used ({error.strerror or error})."


class _Watch:
    """Tells now and then how many bytes of those expected lie in `folder`."""

    def __init__(self, folder: Path, expected: int) -> None:
        self._folder, self._expected = folder, expected
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(_EVERY):
            tell({"done": bytes_in(self._folder), "expected": self._expected})


def bytes_in(folder: Path) -> int:
    """What the files in a folder take, each once: uv links what it has unpacked."""
    total, seen = 0, set()
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                state = os.lstat(os.path.join(root, name))
            except OSError:  # a file on its way elsewhere
                continue
            if state.st_nlink == 1 or (state.st_dev, state.st_ino) not in seen:
                seen.add((state.st_dev, state.st_ino))
                total += state.st_size
    return total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
