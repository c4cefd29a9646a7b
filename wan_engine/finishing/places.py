# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a generation writes, looked at before the work: nothing that is asked for is lost by being written over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError
from ..media.video_writer import CODECS, place
from ..option_kinds import File, Files
from ..request import OPTIONS, OUTPUTS, GenerationRequest


def check_places(request: GenerationRequest, folder: Path) -> None:
    """Raises UsageError for an output that cannot go where it is asked to, that another output or a file the clip is
    made of has the name of, or whose frames go among such files.
    """
    for name in (request.out, request.latents, request.report):
        if name is not None and (folder / name).is_dir():
            raise UsageError(f"{folder / name} is a folder; give a file name.")
    if request.frames_out is not None and (folder / request.frames_out).is_file():
        raise UsageError(f"{folder / request.frames_out} is a file; give a folder for the frames.")
    outputs = {name: _real(path) for name, path in _outputs(request, folder)}
    taken: dict[Path, str] = {}
    for name, path in outputs.items():
        if path in taken:
            raise UsageError(f"{taken[path]} and {name} are both {path}; give each a name of its own.")
        taken[path] = name
    for read, path in _inputs(request, folder):
        if path in taken and taken[path] != "prompt_cache":
            raise UsageError(f"{taken[path]} would be written over {path}, the clip's {read}; give another name.")
        for name in _frame_folders(request):
            if outputs[name] in path.parents:
                raise UsageError(f"{name} would replace frames beside {path}, the clip's {read}; give another folder.")


def _outputs(request: GenerationRequest, folder: Path) -> Iterator[tuple[str, Path]]:
    for name in OUTPUTS:
        if (value := getattr(request, name)) is not None:
            yield name, folder / (place(Path(value), request.codec) if name == "out" else value)


def _frame_folders(request: GenerationRequest) -> list[str]:
    sequence = ["out"] if CODECS[request.codec].sequence else []
    return sequence if request.frames_out is None else [*sequence, "frames_out"]


def _inputs(request: GenerationRequest, folder: Path) -> Iterator[tuple[str, Path]]:
    yield from (("LoRA", _real(Path(lora.path))) for lora in request.loras)
    for name, option in OPTIONS.items():
        if isinstance(option.kind, File | Files) and name not in (*OUTPUTS, "checkpoint"):
            value = getattr(request, name)
            named = (value,) if isinstance(value, str) else value or ()
            yield from ((name.replace("_", " "), _real(folder / path)) for path in named)


def _real(path: Path) -> Path:
    """The place itself, whatever links and spellings lead to it."""
    return Path(os.path.normcase(os.path.realpath(path)))
