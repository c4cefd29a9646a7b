# SPDX-License-Identifier: GPL-3.0-or-later
"""A finished clip looked at: its light measured, a verdict in a word, and the page about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .lighting import LightMeasures, measure, verdict
from .request import GenerationError, LightCurve


def light_facts(
    frames: np.ndarray, fps: float, expected: LightCurve | None, before: LightMeasures | None = None
) -> dict[str, Any]:
    """What a report says under "light" of a clip as delivered, uint8 [T, H, W, 3]; `before` measures it, in as many
    frames, without its repair.
    """
    measures = measure(frames, fps, expected)
    facts: dict[str, Any] = {"measured": measures.to_json(), "verdict": dataclasses.asdict(verdict(measures))}
    if before is not None:
        facts |= {"before": before.to_json(), "after": facts["measured"]}
    return facts


def with_page(
    report: dict[str, Any],
    frames: np.ndarray,
    expected: LightCurve | None,
    sun: Sequence[Mapping[str, float]] | None,
    path: Path,
) -> dict[str, Any]:
    """`report`, and the page about its light drawn into the PNG `path`. A page that cannot be drawn costs no clip: the
    report then has a warning.
    """
    try:
        from .report_page import write_page

        write_page(path, report, frames, expected, sun)
    except ImportError as error:
        trouble = f"the engine lacks {error.name}. Set up the engine again."
    except GenerationError as error:
        trouble = str(error)
    else:
        return report
    return {**report, "warnings": [*report.get("warnings", []), f"There is no report picture: {trouble}"]}
