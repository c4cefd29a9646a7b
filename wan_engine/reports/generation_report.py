# SPDX-License-Identifier: GPL-3.0-or-later
"""What a generation's report holds: what was asked for, what was settled, what was done."""

from __future__ import annotations

import platform
from typing import Any

import torch

from ..inputs.plan import Plan
from ..request import GenerationRequest
from ..runtime.model_pool import ModelPool
from ..runtime.run import Run

REPORT_SCHEMA = "wan_previs.report/1"


def generation_report(
    request: GenerationRequest, plan: Plan, pool: ModelPool, run: Run, clip: dict[str, Any]
) -> dict[str, Any]:
    """Plain data for `report.json`; `clip` are the facts about the written clip, {} where none was written.

    What goes wrong after this is in the report too: `warnings` and `unsaved` are the run's own lists.
    """
    options = pool.options
    return {
        "schema": REPORT_SCHEMA,
        "request": request.to_json(),
        "model": pool.checkpoint.model.title,
        "size": list(plan.size),
        "frames": plan.frames,
        "fps": plan.fps,
        "seed": plan.seed,
        "negative": plan.negative,
        "solver": plan.solver,
        "shift": plan.shift,
        "guide": list(plan.guide),
        "boundary": plan.boundary,
        "dtype": str(options.dtype).removeprefix("torch."),
        "offload": options.offload,
        "layout": pool.checkpoint.layout,
        "steps": run.steps,
        "seconds": run.seconds,
        **run.facts,
        "clip": clip,
        "warnings": run.notes,
        "unsaved": run.unsaved,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "device": pool.device},
    }
