# SPDX-License-Identifier: GPL-3.0-or-later
"""A finished clip looked at: its light measured, a verdict, and the page about it, all put into the job's report.

`python -m wan_engine.review` takes a JSON object on stdin: {"job": the folder with request, report and clip,
"sun": null or samples {"frame", "azimuth_deg", "elevation_deg"}}. The clip is only read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from .files import write_whole
from .footage import read_clip
from .interpolate import retime
from .lighting import LightMeasures, measure, verdict
from .request import GenerationError, GenerationRequest, LightCurve, UsageError, WanError

Sun = Sequence[Mapping[str, float]]


def review(
    folder: Path,
    report: dict[str, Any],
    frames: np.ndarray,
    fps: float,
    expected: LightCurve | None,
    sun: Sun | None = None,
    before: LightMeasures | None = None,
) -> dict[str, Any]:
    """`report` with its "light" filled in, written to `folder`/report.json, and report.png drawn.

    `frames` (uint8 [T, H, W, 3]) are the clip as delivered; `before` measures it without its repair. A page that cannot
    be drawn is a warning in the report. Raises GenerationError when the report cannot be written.
    """
    measures = measure(frames, fps, expected)
    word = verdict(measures)
    light = {
        **(report.get("light") or {}),
        "measured": measures.to_json(),
        "verdict": {"word": word.word, "frame": word.frame, "sentence": word.sentence},
    }
    light.pop("before", None)  # of another count of frames, where the clip was fitted to the shot
    if before is not None:
        light |= {"before": before.to_json(), "after": light["measured"]}
    report = {**report, "light": light}
    _write(folder, report)
    trouble = _page_trouble(folder, report, frames, expected, sun)
    if trouble:
        report = {**report, "warnings": [*report.get("warnings", []), f"There is no report picture: {trouble}"]}
        _write(folder, report)
    return report


def _page_trouble(
    folder: Path, report: dict[str, Any], frames: np.ndarray, expected: LightCurve | None, sun: Sun | None
) -> str:
    """Draws report.png; returns why it cannot be drawn, "" when it is."""
    try:
        from .report_page import draw_report

        draw_report(folder, report, frames, expected, sun)
    except ImportError as error:
        return f"the engine lacks {error.name}. Set up the engine again."
    except GenerationError as error:
        return str(error)
    return ""


def _write(folder: Path, report: dict[str, Any]) -> None:
    text = json.dumps(report, indent=1, ensure_ascii=False)
    write_whole(folder / "report.json", lambda partial: partial.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of a job. Raises UsageError in words when there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path} is not there any more. Generate the shot again.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error}). Generate the shot again.") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} is damaged. Generate the shot again.")
    return data


def read_frames(clip: Path) -> np.ndarray:
    """uint8 [T, H, W, 3] of a movie, or of a folder with a sequence of PNG or EXR pictures. Raises UsageError."""
    files = sorted(path for path in clip.glob("frame_*") if path.suffix in (".png", ".exr")) if clip.is_dir() else []
    try:
        pictures = [_picture(path) for path in files] if files else list(read_clip(clip).frames)
    except (OSError, av.FFmpegError) as error:
        raise UsageError(f"{clip} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if not pictures:
        raise UsageError(f"{clip} holds no frames. Generate the shot again.")
    return np.stack(pictures)


def answer(work: Any) -> int:
    """Do `work` with the task on stdin; its result, or its error in words, is the last line printed."""
    try:
        print(work(json.load(sys.stdin)))
    except WanError as error:
        print(error)
        return error.exit_status
    return 0


def _review_job(task: dict[str, Any]) -> str:
    folder = Path(task["job"])
    report = read_json(folder / "report.json")
    request = GenerationRequest.from_json(read_json(folder / "request.json"))
    frames = read_frames(folder / report["clip"]["path"])
    fps = float(request.clip_fps or report["fps"])
    before = _before(folder, request, len(frames), fps) if request.correct else None
    return review(folder, report, frames, fps, request.light, task.get("sun"), before)["light"]["verdict"]["word"]


def _before(folder: Path, request: GenerationRequest, count: int, fps: float) -> LightMeasures | None:
    """What the model made, in as many frames as the clip has, so that the two can be compared; None when it was not
    kept.
    """
    raw = folder / (request.frames_out or "")
    return measure(retime(read_frames(raw), count), fps, request.light) if request.frames_out and raw.is_dir() else None


def _picture(path: Path) -> np.ndarray:
    if path.suffix == ".png":
        return np.asarray(Image.open(path).convert("RGB"))
    from .colour import from_linear

    with av.open(str(path)) as container:
        return from_linear(next(container.decode(video=0)).to_ndarray(format="gbrpf32le"))


if __name__ == "__main__":
    sys.exit(answer(_review_job))
