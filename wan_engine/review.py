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

    `frames` (uint8 [T, H, W, 3]) are the clip as delivered; `before` measures it without its repair, where
    the report does not hold that yet. A page that cannot
    be drawn is a warning in the report. Raises GenerationError when the report cannot be written.
    """
    measures = measure(frames, fps, expected)
    word = verdict(measures)
    light = {
        **(report.get("light") or {}),
        "measured": measures.to_json(),
        "verdict": {"word": word.word, "frame": word.frame, "sentence": word.sentence},
    }
    if before is not None:
        light["before"] = before.to_json()
    if "before" in light:
        light["after"] = light["measured"]
    report = {**report, "light": light}
    try:
        from .report_page import draw_report

        draw_report(folder, report, frames, expected, sun)
    except ImportError as error:
        report = _warned(report, f"There is no report picture: the engine lacks {error.name}. Set up the engine again.")
    except GenerationError as error:
        report = _warned(report, f"There is no report picture: {error}")
    text = json.dumps(report, indent=1, ensure_ascii=False)
    write_whole(folder / "report.json", lambda partial: partial.write_text(text, encoding="utf-8"))
    return report


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
        pictures = [_picture(path) for path in files] if files else _movie(clip)
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
    except (KeyError, ValueError) as error:
        print(f"The task is damaged ({type(error).__name__}: {error}).")
        return GenerationError.exit_status
    return 0


def _review_job(task: dict[str, Any]) -> str:
    folder = Path(task["job"])
    report = read_json(folder / "report.json")
    request = GenerationRequest.from_json(read_json(folder / "request.json"))
    frames = read_frames(folder / report["clip"]["path"])
    fps = float(request.clip_fps or report["fps"])
    return review(folder, report, frames, fps, request.light, task.get("sun"))["light"]["verdict"]["word"]


def _picture(path: Path) -> np.ndarray:
    if path.suffix == ".png":
        return np.asarray(Image.open(path).convert("RGB"))
    from .colour import from_linear

    with av.open(str(path)) as container:
        return from_linear(next(container.decode(video=0)).to_ndarray(format="gbrpf32le"))


def _movie(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def _warned(report: dict[str, Any], words: str) -> dict[str, Any]:
    return {**report, "warnings": [*report.get("warnings", []), words]}


if __name__ == "__main__":
    sys.exit(answer(_review_job))
