# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m wan_engine measure`: the light of any clip, in one sentence, as JSON and as a page."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .request import UsageError

_MEASURED_SIDE = 640  # pixels of the longer side that are read: enough for the numbers and the page


@dataclass(frozen=True)
class ExpectedCurve:
    """The scene's light as a file states it, see `light_series.ExpectedLight`."""

    source: str
    times: tuple[float, ...]
    luminance: tuple[float, ...]
    temperature_k: tuple[float, ...] | None = None
    jumps: tuple[float, ...] = ()


def add_parser(commands: Any) -> None:
    """Add `measure` to the engine's subcommands."""
    parser = commands.add_parser("measure", help="tell how a clip's light behaves", description=__doc__)
    parser.set_defaults(run=run)
    parser.add_argument("clip", metavar="CLIP", help="a video file")
    parser.add_argument("--expected", metavar="LIGHT.json", help="the light the scene predicts")
    parser.add_argument("--report", metavar="OUT.json", help="write the numbers")
    parser.add_argument("--page", metavar="OUT.png", help="write a page to look at")


def run(options: argparse.Namespace) -> int:
    """Measure a clip and print the verdict. Raises UsageError or GenerationError in words; the clip is only read."""
    expected = None if options.expected is None else read_expected(Path(options.expected))
    from .clip_reader import read_clip
    from .lighting import measure, verdict

    frames, fps = read_clip(Path(options.clip), _MEASURED_SIDE)
    measures = measure(frames, fps, expected)
    word = verdict(measures)
    print(f"{options.clip}: {word}. {word.sentence}")
    report = {
        "clip": {"path": str(options.clip), "frames": len(frames), "fps": fps},
        "light": {
            "expected": measures.to_json()["expected"],
            "measured": measures.to_json(),
            "verdict": {"word": word.word, "frame": word.frame, "sentence": word.sentence},
        },
    }
    if options.report is not None:
        _write_json(report, Path(options.report))
    if options.page is not None:
        from .report_page import write_page

        write_page(Path(options.page), report, frames)
    return 0


def read_expected(path: Path) -> ExpectedCurve:
    """The expected light in a JSON file; raises UsageError that names what is wrong with it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as the expected light ({error}); give a JSON file.") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} must hold a JSON object with source, times and luminance.")
    times, luminance = _numbers(path, data, "times"), _numbers(path, data, "luminance")
    kelvin = None if data.get("temperature_k") is None else _numbers(path, data, "temperature_k")
    jumps = _numbers(path, data, "jumps") if data.get("jumps") else ()
    if data.get("source") not in ("brief", "render"):
        raise UsageError(f'{path}: source must be "brief" or "render".')
    rising = all(a < b for a, b in zip(times, times[1:], strict=False))
    if len(times) < 2 or times[0] != 0 or times[-1] != 1 or not rising:
        raise UsageError(f"{path}: times must rise from 0 to 1.")
    if len(luminance) != len(times) or (kelvin is not None and len(kelvin) != len(times)):
        raise UsageError(f"{path}: luminance and temperature_k must have one value for each of the times.")
    if min(luminance) < 0 or (kelvin is not None and min(kelvin) <= 0) or any(not 0 <= j <= 1 for j in jumps):
        raise UsageError(f"{path}: luminance must not be negative, temperature_k positive, jumps within 0 and 1.")
    return ExpectedCurve(data["source"], times, luminance, kelvin, jumps)


def _numbers(path: Path, data: dict, name: str) -> tuple[float, ...]:
    values = data.get(name)
    if not isinstance(values, list) or not all(
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values
    ):
        raise UsageError(f"{path}: {name} must be a list of numbers.")
    return tuple(float(value) for value in values)


def _write_json(report: dict, path: Path) -> None:
    from .video import write_whole

    text = json.dumps(report, indent=1, ensure_ascii=False)
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
