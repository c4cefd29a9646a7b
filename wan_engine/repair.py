# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of a finished clip mended, as another clip: corrected from the frames that the model made.

`python -m wan_engine.repair` takes a JSON object on stdin: {"source": the job folder of the clip, "job": the folder for
the new one, "correct": some of "deflicker" and "color", "sun": as in `review`}. Nothing in `source` is written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .correct import deflicker, match_color
from .encode import exact_rate, place, write_clip
from .interpolate import retime
from .lighting import measure
from .request import GenerationRequest
from .review import answer, read_frames, read_json, review
from .upscale import upscaled


def repair(task: dict[str, Any]) -> str:
    """Writes the corrected clip with its report.json and report.png; returns its path.

    Raises UsageError when what it needs of `source` is gone, GenerationError when the clip cannot be written.
    """
    source, job = Path(task["source"]), Path(task["job"])
    request = GenerationRequest.from_json(read_json(source / "request.json"))
    report = read_json(source / "report.json")
    raw = read_frames(source / (request.frames_out or "raw"))
    rate = exact_rate(request.clip_fps or report["fps"])
    mended = _corrected(raw, request, source, task["correct"])
    clip = retime(mended, request.clip_frames or len(mended))
    out = place(job / "clip.mp4", request.codec)
    written = write_clip(_enlarged(clip, request, source), rate, out, request.codec)
    report = {key: value for key, value in report.items() if key not in ("light", "warnings")} | {
        "clip": {
            "path": out.name,
            "frames": written.frames,
            "fps": str(rate),
            "size": list(written.size),
            "codec": written.codec,
        },
        "repaired": {"from": str(source), "correct": list(task["correct"])},
    }
    before = measure(retime(raw, len(clip)), float(rate), request.light)
    review(job, report, clip, float(rate), request.light, task.get("sun"), before)
    return str(out)


def _enlarged(clip: np.ndarray, request: GenerationRequest, source: Path) -> Iterable[np.ndarray]:
    """As large as the clip was asked for. What a model had redrawn of it is not drawn again."""
    if not request.upscale:
        return clip
    return upscaled(clip, request.upscale, None if request.upscale_model is None else source / request.upscale_model)


def _corrected(raw: np.ndarray, request: GenerationRequest, source: Path, corrections: list[str]) -> np.ndarray:
    frames = raw
    if "deflicker" in corrections:
        frames = deflicker(frames, request.light)
    if "color" in corrections:
        first = source / request.image if request.image else None
        picture = _first(first) if first is not None and first.is_file() else None
        frames = match_color(frames, picture, request.light)
    return frames


def _first(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


if __name__ == "__main__":
    sys.exit(answer(repair))
