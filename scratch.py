# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for what Blender writes only to read it again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy


class ScratchError(Exception):
    """There is no folder for temporary files; the message says what to do."""

    exit_status = 3


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder that is gone afterwards: where the system has its temporary files, else Blender, else beside the
    .blend file. Raises ScratchError when none of them can be written."""
    beside = [str(Path(bpy.data.filepath).parent)] if bpy.data.filepath else []
    for place in (None, bpy.app.tempdir, *beside):
        try:
            folder = tempfile.TemporaryDirectory(prefix="wan-previs-", dir=place)
        except OSError:
            continue
        with folder as name:
            yield Path(name)
        return
    raise ScratchError(
        "No folder for temporary files can be written. Free space on the disk, or set another folder in Preferences > "
        "File Paths > Temporary Files."
    )
