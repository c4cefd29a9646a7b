# SPDX-License-Identifier: GPL-3.0-or-later
"""A finished clip looked at: its light measured, a verdict in a word, and the page about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..finishing.interpolation import retimed
from ..inputs.images import mean_rgb
from ..inputs.plan import Plan
from ..light.departure import Pictures
from ..light.measure import LightMeasures, measure
from ..light.verdict import verdict
from ..light_curve import LightCurve, SunPlace
from ..media.frame_store import Frames
from ..request import GenerationRequest
from ..runtime.run import Run


def light_facts(
    frames: Frames,
    fps: float,
    expected: LightCurve | None,
    pictures: Pictures = (None, None),
    before: LightMeasures | None = None,
    first_frame: int = 0,
) -> dict[str, Any]:
    """What a report says under "light" of a clip as delivered, made from `pictures` of which the mean display RGB is
    given; `before` measures it, in as many frames, without its repair. Words count frames from
    `first_frame`.
    """
    measures = measure(frames, fps, expected, pictures)
    facts: dict[str, Any] = {
        "measured": measures.to_json(),
        "verdict": dataclasses.asdict(verdict(measures, first_frame)),
    }
    if before is not None:
        facts |= {"before": before.to_json(), "after": facts["measured"]}
    return facts


def draw_page(
    report: Mapping[str, Any],
    frames: Frames,
    expected: LightCurve | None,
    sun: Sequence[SunPlace] | None,
    path: Path,
    run: Run,
) -> None:
    """The page about the light of a clip into the PNG `path`. One that cannot be drawn costs no clip: `run` is told."""
    with run.sparing("There is no report picture"):
        from .light_page import write_page

        write_page(path, report, frames, expected, None if sun is None else [dataclasses.asdict(s) for s in sun])


def tell_guide(request: GenerationRequest, run: Run) -> None:
    """The expected light and how far the guide had to move the clip toward it, into the report; nothing without one."""
    if request.light is None:
        return
    changes = [step["light_change"] for step in run.steps if "light_change" in step]
    told = {"steps": len(changes), "largest_change": max(changes)} if changes else {}
    guide = {"strength": request.light_strength, **told}
    run.facts["light"] = {"expected": request.to_json()["light"], "guide": guide}


def measure_clip(request: GenerationRequest, plan: Plan, raw: Frames, delivered: Frames, run: Run) -> None:
    """The delivered clip's light into the report; beside it, where it was repaired, that of the frames as made."""
    fps = request.clip_fps or plan.fps
    ends = [None if picture is None else mean_rgb(picture).tolist() for picture in (plan.first, plan.last)]
    pictures = ends[0], ends[1]
    before = None
    if request.repair:
        before = measure(retimed(raw, len(raw), len(delivered)), fps, request.light, pictures)
    light = run.facts.setdefault("light", {"expected": None})
    light |= light_facts(delivered, fps, request.light, pictures, before, request.first_frame) | {
        "repair": list(request.repair)
    }
