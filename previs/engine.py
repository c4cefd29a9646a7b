# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine behind a generation: where it is, whether it is whole, the one warm worker."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..bridge.client import EngineClient
from ..bridge.engine_setup import EngineRemoval, EngineSetup, EngineWork
from ..bridge.environment import (
    EngineEnvironment,
    EnvironmentMissing,
    NeverSetUp,
    find_engine,
    inspect_engine,
    is_of_another_version,
    self_test,
)
from ..wan_engine.checkpoint.summary import outline
from ..wan_engine.errors import CheckpointError, WanError
from .log import log_file
from .settings import ADDON_DIR, PACKAGE, Settings


def engine_places(context: bpy.types.Context) -> tuple[str | None, Path | None]:
    """(the Python that the user chose, the folder that an engine of our own lives under); None where there is none,
    as in a session that runs the package without having it installed as an extension."""
    addon = context.preferences.addons.get(PACKAGE)
    chosen = bpy.path.abspath(addon.preferences.engine_python) if addon else ""
    folder = bpy.path.abspath(addon.preferences.cache_folder) if addon else ""
    if not folder and PACKAGE.startswith("bl_ext."):
        folder = bpy.utils.extension_path_user(PACKAGE)
    return chosen or None, Path(folder) if folder else None


def downloads_folder(context: bpy.types.Context) -> Path | None:
    """The folder that what is downloaded lives under, as the engine of our own does."""
    return engine_places(context)[1]


_FIRST = "First, set up the video engine. You are told what it takes before anything is downloaded."
_RENEW = "The engine was set up by another version of Wan Previs. Set it up again to renew it."


def engine_trouble(context: bpy.types.Context) -> tuple[bool, str]:
    """(whether there is no engine to start, what to say of it; "" where nothing is wrong); looks at the disk."""
    chosen, folder = engine_places(context)
    try:
        found = find_engine(chosen, ADDON_DIR, folder or ADDON_DIR / "engine")
    except NeverSetUp:
        return True, _FIRST
    except EnvironmentMissing as error:
        return True, str(error)
    return False, _RENEW if is_of_another_version(found.python, _lock()) else ""


def set_up(folder: Path, wheels: Path | None, plan_only: bool) -> EngineWork:
    """Begin to make an engine below `folder`, one of `engine_places`, or with `plan_only` to tell what would be
    installed; from the folder `wheels` where there is one, else from the network. Raises EnvironmentMissing."""
    place, online = folder / "engine", bpy.app.online_access
    return EngineSetup(_blender_python(), place, _lock(), allow_network=online, wheels=wheels, plan_only=plan_only)


def remove(folder: Path) -> EngineWork:
    """Begin to remove the engine below `folder`. Raises EnvironmentMissing."""
    return EngineRemoval(_blender_python(), folder / "engine")


def wheels_folder(context: bpy.types.Context) -> Path | None:
    """The folder of wheels that the user chose in place of the network."""
    addon = context.preferences.addons.get(PACKAGE)
    chosen = bpy.path.abspath(addon.preferences.wheels_folder) if addon else ""
    return Path(chosen) if chosen else None


def _lock() -> Path:
    """The list of the engine's packages."""
    return ADDON_DIR / "requirements-engine.lock"


def _blender_python() -> Path:
    """The Python that Blender runs, as a program. Some builds name Blender itself as its executable."""
    named = Path(sys.executable)
    if named.name.startswith("python"):
        return named
    folder = Path(sys.base_prefix) / ("" if sys.platform == "win32" else "bin")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    names = ("python.exe",) if sys.platform == "win32" else (version, "python3", "python")
    return next((folder / name for name in names if os.path.isfile(folder / name)), named)


@dataclass(frozen=True)
class Finding:
    """One line of `check`: whether it is well, what it is, and what to do if not."""

    ok: bool
    what: str
    advice: str = ""


def check(settings: Settings) -> list[Finding]:
    """What is set up, what is missing, how to mend it."""
    file = log_file()
    log_line = [Finding(True, f"Log for support: {file}")] if file is not None and os.path.isfile(file) else []
    return [*_check_checkpoint(settings), *_check_engine(settings), *log_line]


def _check_checkpoint(settings: Settings) -> Iterator[Finding]:
    try:
        model = outline(settings.checkpoint)
        yield Finding(True, f"Model: {model.title} in {settings.checkpoint}")
        yield from (Finding(True, note) for note in model.notes)
    except CheckpointError as error:
        yield Finding(False, "Model", str(error))


def _check_engine(settings: Settings) -> Iterator[Finding]:
    try:
        found = engine_environment(settings)
        facts = inspect_engine(found.python)
    except WanError as error:
        yield Finding(False, "Engine", str(error))
        return
    missing = facts.get("missing", [])
    advice = "" if not missing else f"The engine's Python lacks {', '.join(missing)}. Set up the engine again."
    yield Finding(not missing, f"Engine: {found.python} ({found.origin})", advice)
    if is_of_another_version(found.python, _lock()):
        yield Finding(False, "Version of the engine", _RENEW)
    for row in self_test(found.python):
        fine = bool(row.get("ok"))
        how = "computes right" if fine else "cannot compute" if "error" in row else "computes wrong"
        yield Finding(
            fine,
            f"{row.get('name')} {how}",
            "" if fine else "Update its driver, or choose another device in the settings.",
        )


def engine_environment(settings: Settings) -> EngineEnvironment:
    """The engine's Python and where it was found. Raises EnvironmentMissing."""
    return find_engine(settings.engine_python, ADDON_DIR, settings.user_dir or ADDON_DIR / "engine")


def engine_cache(settings: Settings) -> Path | None:
    """The folder in which the engine's libraries keep what they compile and look up."""
    return None if settings.user_dir is None else settings.user_dir / "cache"


_client: EngineClient | None = None  # the one warm worker of this Blender


def engine_client(settings: Settings) -> EngineClient:
    """The warm worker's client; a new one when another Python was chosen. Raises CheckpointError."""
    global _client
    python = engine_environment(settings).python
    if _client is not None and _client.python != python:
        close_engine()
    if _client is None:
        log = Path(bpy.app.tempdir or os.curdir) / "wan_previs_engine.log"
        _client = EngineClient(python, ADDON_DIR, log, cache=engine_cache(settings))
    return _client


def close_engine() -> None:
    """Ends the worker, if there is one."""
    global _client
    if _client is not None:
        _client.close()
        _client = None
