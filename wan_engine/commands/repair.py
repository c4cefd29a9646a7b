# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of a finished clip mended, as another clip: repaired from the frames that the model made.

`python -m wan_engine.commands.repair` takes a JSON object on stdin: {"source": the job folder of the
clip, "job": the folder for the new one, "repair": some of "deflicker" and "color"}. Nothing in `source` is written.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from ..finishing.finish import deliver, enlarged, repaired
from ..finishing.interpolation import retimed
from ..light.measure import measure
from ..media.atomic_write import write_json
from ..media.frames import read_frames
from ..media.pictures import read_picture
from ..options import REPAIR
from ..reports.light_report import draw_page, light_facts
from ..request import GenerationRequest
from ..runtime.run import Run
from .task_io import answer, read_json


def repair(task: dict[str, Any]) -> str:
    """Writes the repaired clip with its report.json and report.png; returns its path.

    Raises UsageError when what it needs of `source` is gone or its outputs lie elsewhere, GenerationError when the
    clip cannot be written.
    """
    source, job = Path(task["source"]), Path(task["job"])
    if os.path.realpath(source) == os.path.realpath(job):
        raise UsageError("The mended clip needs a folder of its own; give another job.")
    repairs = REPAIR.from_json(task["repair"])
    if not REPAIR.accepts(repairs):
        raise UsageError(f"repair is {task['repair']}, but must be {REPAIR.wording}.")
    request = GenerationRequest.from_json(read_json(source / "request.json"))
    request.check_outputs_inside()
    report = read_json(source / "report.json")
    raw = read_frames(source / (request.frames_out or "raw"))
    first, last = (_picture(source, name) for name in (request.image, request.last_image))
    mended = repaired(raw, repairs, first, request.light)
    # What a model had redrawn of the clip is not drawn again.
    facts, delivered = deliver(enlarged(mended, request, source), raw.shape[:3], request, report["fps"], job)
    fps = request.clip_fps or report["fps"]
    run = Run()
    light = {"expected": (report.get("light") or {}).get("expected")}
    with run.sparing("The light could not be measured"):
        pictures = _mean_rgb(first), _mean_rgb(last)
        before = measure(retimed(raw, len(raw), len(delivered)), fps, request.light, pictures)
        light |= light_facts(delivered, fps, request.light, pictures, before, request.first_frame)
    report |= {
        "clip": facts,
        "repaired": {"from": str(source), "repair": list(repairs)},
        "light": light,
        "warnings": run.notes,
    }
    if "verdict" in light:
        draw_page(report, delivered, request.light, request.sun, job / "report.png", run)
    with run.sparing("The report could not be written"):
        write_json(job / "report.json", report)
    return str(job / facts["path"])


def _picture(job: Path, name: str | None) -> np.ndarray | None:
    """The picture that the clip was made from, uint8 [h, w, 3], where it is still there."""
    path = None if name is None else job / name
    return np.asarray(read_picture(path)) if path is not None and path.is_file() else None


def _mean_rgb(picture: np.ndarray | None) -> list[float] | None:
    return None if picture is None else (picture.mean((0, 1)) / 255).tolist()


if __name__ == "__main__":
    sys.exit(answer(repair))
