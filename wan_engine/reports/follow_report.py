# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report holds about whether a clip follows its scene."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ..follow.measure import measure
from ..follow.tracks import Tracks, read_tracks
from ..follow.verdict import verdict
from ..media.frame_store import Frames
from ..request import GenerationRequest
from ..runtime.run import Run


def follow_facts(frames: Frames, tracks: Tracks, first_frame: int = 0) -> dict[str, Any]:
    """What a report says under "follow" of a clip as delivered. Words count frames from `first_frame`."""
    measures = measure(frames, tracks)
    return {"measured": measures.to_json(), "verdict": dataclasses.asdict(verdict(measures, first_frame))}


def measure_follow(request: GenerationRequest, delivered: Frames, folder: Path, run: Run) -> None:
    """Whether the delivered clip follows the scene, into the report; nothing without tracks."""
    if request.tracks is not None:
        tracks = read_tracks(folder / request.tracks)
        run.facts["follow"] = follow_facts(delivered, tracks, request.first_frame)
