# SPDX-License-Identifier: GPL-3.0-or-later
"""What a generation takes on this machine, asked of the engine before anything is rendered."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import bpy

from .. import conditioning
from ..bridge.tool import EngineTool
from ..scene.brief import Brief
from ..wan_engine.checkpoint.summary import outline
from ..wan_engine.errors import GenerationError, WanError
from ..wan_engine.request import PLANNED
from .engine import engine_cache, engine_environment
from .jobs import mode_of
from .length import frames_of
from .settings import ADDON_DIR, NANO_DTYPE, Settings

_PAUSE = 0.05


@dataclass(frozen=True)
class MachinePlan:
    """The `size` (width, height) that clips are made at here, and in `notes` settings, peak and time in words."""

    size: tuple[int, int]
    notes: tuple[str, ...]


def asking(scene: bpy.types.Scene, brief: Brief, settings: Settings) -> EngineTool:
    """The engine's program that plans the longest of the brief's shots. Raises EnvironmentMissing, UsageError,
    CheckpointError."""
    model = outline(settings.checkpoint)
    mode = mode_of(settings, model)
    stated = {name: getattr(settings, name) for name in PLANNED if hasattr(settings, name)}
    task: dict[str, Any] = {
        **{name: value for name, value in stated.items() if value is not None},
        "checkpoint": str(settings.checkpoint),
        "shape": conditioning.frame_shape(scene),
        "frames": max(frames_of(shot, brief.fps, settings, model, mode) for shot in brief.shots),
    }
    if settings.model == "nano":
        task["dtype"] = NANO_DTYPE
    python = engine_environment(settings).python
    return EngineTool(python, ADDON_DIR, "wan_engine.commands.plan", task, engine_cache(settings))


def read_answer(words: str) -> MachinePlan:
    """What the program has printed. Raises GenerationError where the machine cannot make such a clip in any setting."""
    told = json.loads(words)
    if told["refusal"]:
        raise GenerationError(told["refusal"])
    width, height = told["size"]
    return MachinePlan((width, height), tuple(filter(None, (told["words"], told["smaller"]))))


def plan_of(scene: bpy.types.Scene, brief: Brief, settings: Settings) -> MachinePlan | None:
    """As `asking`, in one go; None where there is no engine to ask."""
    try:
        tool = asking(scene, brief, settings)
        while not tool.poll():
            time.sleep(_PAUSE)
    except WanError:
        return None
    return read_answer(tool.words)
