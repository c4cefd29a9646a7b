# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bug report needs to say of this computer, without the user's names and places."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import platform
import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import bpy

from ..bridge.environment import VARIABLE, inspect_engine, self_test
from ..bridge.setup.machine import look
from ..wan_engine.errors import WanError
from .engine import check, engine_environment
from .log import log_file
from .settings import ADDON_DIR, Settings

_PATH = re.compile(r"(?:\b[A-Za-z]:[\\/]|\\\\|(?<!\w)~?/)[^\s,;'\"()<>]*")
_SPACED = re.compile(r"(?:\b[A-Za-z]:[\\/]|(?<!\w)~?/).*?(?= \(|[,;'\"]|\. |\.?$)", re.MULTILINE)


def support_report(settings: Settings) -> str:
    """Versions, cards, what is set up and what `check` finds, a line each; paths and the user's and computer's names
    are replaced by <path>, <user> and <computer>."""
    return without_names("\n".join(_lines(settings)), _places(settings))


def _places(settings: Settings) -> Iterator[str]:
    """What the report may name of the user's disk."""
    chosen = (getattr(settings, field.name) for field in fields(settings))
    places = [*(str(value) for value in chosen if isinstance(value, str | Path)), str(settings.checkpoint)]
    places += [os.environ.get(VARIABLE, ""), str(log_file() or ""), str(ADDON_DIR), bpy.data.filepath, str(Path.home())]
    with contextlib.suppress(WanError):
        places.append(str(engine_environment(settings).python))
    for place in places:
        if Path(place).is_absolute():
            yield from (place, *map(str, Path(place).parents), *map(str, Path(place).absolute().parents))


def _lines(settings: Settings) -> Iterator[str]:
    manifest = (ADDON_DIR / "blender_manifest.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', manifest, re.MULTILINE)
    yield f"Wan Previs {version[1] if version else 'of unknown version'}"
    build = bpy.app.build_hash.decode("ascii", "replace")
    yield f"Blender {bpy.app.version_string} ({build}), Python {platform.python_version()}"
    yield f"{platform.system()} {platform.release()} on {platform.machine()}"
    cards = look().cards
    for card in cards:
        facts = [".".join(map(str, part)) for part in (card.driver, card.capability) if part]
        yield f"Card: {card.name} ({', '.join([card.vendor, *facts, *filter(None, [card.architecture])])})"
    if not cards:
        yield "Card: none that PyTorch could use"
    yield from _engine(settings)
    for finding in check(settings):
        yield f"{'ok' if finding.ok else 'NO'} {finding.what}{f': {finding.advice}' if finding.advice else ''}"


def _engine(settings: Settings) -> Iterator[str]:
    try:
        found = engine_environment(settings)
        facts = inspect_engine(found.python)
    except WanError as error:
        yield f"Engine: {error}"
        return
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    yield f"Engine: {found.origin}, Python {facts['python']}, {packages}"
    for row in self_test(found.python):
        yield f"Self-test: {json.dumps(row)}"


def without_names(text: str, places: Iterable[str] = ()) -> str:
    """`text` with `places`, everything that looks like a path, and the names of the user and the computer replaced."""
    for place in sorted({*places, str(Path.home()), str(ADDON_DIR)}, key=len, reverse=True):
        if place.strip("/\\.") and not place.endswith(":\\"):
            text = text.replace(place, "/")
    text = _PATH.sub("<path>", _SPACED.sub("<path>", text))
    computer = socket.gethostname()
    names = [(name, "<user>") for name in (_user(), Path.home().name)]
    names += [(name, "<computer>") for name in (computer, computer.partition(".")[0])]
    for name, stands in names:
        if len(name) > 2:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", stands, text, flags=re.IGNORECASE)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
