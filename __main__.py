# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m wan_previs FILE.blend COMMAND ...`, with the bpy wheel; see `cli.py`."""

from __future__ import annotations

import os
import sys


def _silence_blender() -> None:
    """Blender's own lines go to stderr, so that stdout holds the command's output alone."""
    sys.stdout.flush()
    keep = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(keep, "w", encoding="utf-8")


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print("usage: python -m wan_previs FILE.blend {brief,prompt,render,check} ...", file=sys.stderr)
        return 0 if len(sys.argv) > 1 else 2
    _silence_blender()
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
        print(f"wan_previs: {sys.argv[1]} cannot be opened as a Blender file ({words}).", file=sys.stderr)
        return 2
    return cli.main(sys.argv[2:])


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # bpy 4.2 and 4.5 do not always end cleanly
