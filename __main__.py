# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m wan_previs FILE.blend COMMAND ...`, with the bpy wheel; see `cli.py`."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def _own_stdout() -> TextIO:
    """The real stdout, for the command's result alone: whatever Blender prints goes to stderr from now on."""
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream


def main() -> int:
    """The command line; returns the exit status."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print("usage: python -m wan_previs FILE.blend {brief,prompt,render,check} ...", file=sys.stderr)
        return 0 if len(sys.argv) > 1 else 2
    stream = _own_stdout()
    try:
        import bpy
    except ImportError:
        print("wan_previs: this Python has no bpy. Use Blender, or install the bpy wheel.", file=sys.stderr)
        return 4
    from . import cli

    file = os.path.abspath(sys.argv[1])
    if not os.path.isfile(file):
        print(f"wan_previs: {sys.argv[1]} does not exist. Name a .blend file first.", file=sys.stderr)
        return 2
    try:
        bpy.ops.wm.open_mainfile(filepath=file, load_ui=False)
    except RuntimeError as error:
        words = str(error).replace("Error: ", "").strip()
        print(
            f"wan_previs: {sys.argv[1]} cannot be opened as a Blender file ({words}). Save it again.", file=sys.stderr
        )
        return 2
    status = cli.main(sys.argv[2:], stream)
    try:
        stream.close()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        return status
    except OSError as error:
        if status == 0:
            print(f"wan_previs: The result cannot be written to stdout: {error.strerror}.", file=sys.stderr)
        return status or 5
    return status


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # bpy 4.2 and 4.5 do not always end cleanly
