# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m wan_engine measure`: the light of any clip, and whether it follows its scene, in a sentence each, as JSON
and as a page."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import GenerationError, UsageError
from ..light_curve import read_light


def add_parser(commands: Any) -> None:
    """Add `measure` to the engine's subcommands."""
    parser = commands.add_parser(
        "measure", help="tell how a clip's light behaves", description="Tell how a clip's light behaves."
    )
    parser.set_defaults(run=run)
    parser.add_argument("clip", metavar="CLIP", help="a video file")
    parser.add_argument("--expected", metavar="LIGHT.json", help="the light that the scene predicts")
    parser.add_argument(
        "--tracks", metavar="TRACKS.json", help="the scene's tracks: tell whether the clip follows them"
    )
    parser.add_argument(
        "--first-frame", type=int, default=0, metavar="N", help="the number of the clip's first frame in words (0)"
    )
    parser.add_argument("--report", metavar="OUT.json", help="write the numbers")
    parser.add_argument("--page", metavar="OUT.png", help="write a page to look at")


def run(options: argparse.Namespace) -> int:
    """Measure a clip and print the verdict. Raises UsageError or GenerationError in words; the clip is only read."""
    _check_outputs(options)
    expected = None if options.expected is None else read_light(Path(options.expected))
    from ..follow.tracks import read_tracks
    from ..follow.verdict import FollowVerdict
    from ..light.verdict import Verdict
    from ..media.atomic_write import write_json
    from ..media.video_reader import read_clip  # usage errors should not wait for torch
    from ..reports.follow_report import follow_facts
    from ..reports.light_report import draw_page, light_facts
    from ..runtime.run import Run

    tracks = None if options.tracks is None else read_tracks(Path(options.tracks))
    footage = read_clip(Path(options.clip))
    for note in footage.notes:
        print(f"Note: {note}", file=sys.stderr)
    facts = light_facts(footage.frames, float(footage.fps), expected, first_frame=options.first_frame)
    word = Verdict(**facts["verdict"])
    print(f"{options.clip}: {word.told}. {word.sentence}", flush=True)
    report: dict[str, Any] = {
        "clip": {"path": options.clip, "frames": len(footage.frames), "fps": str(footage.fps)},
        "light": {
            "expected": None if expected is None else dataclasses.asdict(expected),
            **facts,
        },
    }
    if tracks is not None:
        report["follow"] = follow_facts(footage.frames, tracks, options.first_frame)
        told = FollowVerdict(**report["follow"]["verdict"])
        print(f"{options.clip}: {told.told}. {told.sentence}", flush=True)
    if options.report is not None:
        write_json(Path(options.report), report)
    if options.page is not None:
        drawing = Run()
        draw_page(report, footage.frames, expected, None, Path(options.page), drawing)
        if drawing.notes:
            raise GenerationError(drawing.notes[0])
    return 0


def _check_outputs(options: argparse.Namespace) -> None:
    """What is written must not take the place of what is read. Raises UsageError."""
    given = {
        "CLIP": options.clip,
        "--expected": options.expected,
        "--tracks": options.tracks,
        "--report": options.report,
        "--page": options.page,
    }
    taken: dict[str, str] = {}
    for name, path in given.items():
        if path is None:
            continue
        place = os.path.realpath(path)
        if place in taken:
            raise UsageError(f"{name} is the same file as {taken[place]}: {path}. Give it another name.")
        taken[place] = name
    if options.page is not None and Path(options.page).suffix.lower() != ".png":
        raise UsageError(f"--page is {options.page!r}, but the page is a PNG picture; end its name in .png.")
