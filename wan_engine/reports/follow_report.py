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


def follow_facts(frames: Frames, tracks: Tracks, first_frame: int = 0, known: str = "") -> dict[str, Any]:
    """What a report says under "follow" of a clip as delivered. Words count frames from `first_frame`; those of a clip
    that strays go on with `known`, a sentence that says what its model knew of the scene."""
    measures = measure(frames, tracks)
    told = verdict(measures, first_frame)
    if known and told.word == "strays":
        told = dataclasses.replace(told, sentence=f"{told.sentence} {known}")
    return {"measured": measures.to_json(), "verdict": dataclasses.asdict(told)}


def measure_follow(request: GenerationRequest, delivered: Frames, folder: Path, run: Run) -> None:
    """Whether the delivered clip follows the scene, into the report; nothing without tracks."""
    if request.tracks is not None:
        tracks = read_tracks(folder / request.tracks)
        run.facts["follow"] = follow_facts(delivered, tracks, request.first_frame, _known_of(request))


def _known_of(request: GenerationRequest) -> str:
    """What the model was given of the scene, where that is not every frame."""
    if request.control_video or request.camera or request.motion_video:
        return ""
    if request.keyframes:
        given = "words and a few frames"
    elif request.last_image:
        given = "words, the first and the last frame" if request.image else "words and the last frame"
    else:
        given = "words and the first frame" if request.image else "words"
    return f"Of the scene the model knew {given} alone."
