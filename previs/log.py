# SPDX-License-Identifier: GPL-3.0-or-later
"""A log for support, in the extension's own folder: what Blender's side did, a line each, LARGEST bytes at most.

It names the project's folders by what follows the home folder, and nothing else of the computer.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import bpy

from ..bridge.files import is_link, replacing
from ..bridge.state import utc_now
from .settings import PACKAGE

LARGEST = 200_000
_LONGEST_LINE = 500


def log_file() -> Path | None:
    """Where the log is; None where the package runs without being installed as an extension, and keeps none."""
    return Path(bpy.utils.extension_path_user(PACKAGE)) / "log.txt" if PACKAGE.startswith("bl_ext.") else None


def log(words: str, file: Path | None = None) -> None:
    """Add a line, with the time. What cannot be logged costs nothing else."""
    file = file or log_file()
    if file is None or is_link(file):
        return
    line = f"{utc_now()} {' '.join(words.replace(str(Path.home()), '~').split())[:_LONGEST_LINE]}\n"
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(line)
        if file.stat().st_size > LARGEST:
            newest = file.read_bytes()[-LARGEST // 2 :].partition(b"\n")[2]
            with replacing(file) as new:
                new.write_bytes(newest)
