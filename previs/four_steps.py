# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips in four steps: the LoRA that distils the chosen model, kept in a folder of the user's and used with the preset
alone, so that no .blend names files of this computer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..bridge.tool import EngineTool
from ..wan_engine.checkpoint.distilled import PRESET, Distilled, distilled_for, is_distilled, sampling_notes
from ..wan_engine.checkpoint.model import Model
from ..wan_engine.checkpoint.summary import outline
from ..wan_engine.errors import CheckpointError, UsageError
from ..wan_engine.request import GenerationRequest
from ..wan_engine.request_parts import Lora
from .engine import engine_cache, engine_environment
from .settings import ADDON_DIR, Settings
from .work import OurError, Work

_PERCENT = re.compile(r"(\d+) %")


@dataclass(frozen=True)
class FourSteps:
    """What brings a model to four steps: the row of its LoRA, and the folder for it, None where there is no place."""

    row: Distilled
    model: Model
    folder: Path | None

    @property
    def is_here(self) -> bool:
        """Whether its files are downloaded; a file has its name only when it is whole and checked."""
        return self.folder is not None and all(os.path.isfile(self.folder / name) for name in self.row.files.values())

    @property
    def words(self) -> str:
        """What it saves, costs and needs, for who has to decide."""
        model, row = self.model, self.row
        passes = model.steps * (2 if any(guide != 1 for guide in model.guide) else 1)
        download = "" if self.is_here else f"Downloads {row.size / 1e9:.1f} GB. "
        told = f"{download}{row.steps} passes of the model in place of {passes}; very large motion may smear."
        if model.name in row.also:
            told += f" Made for {row.models[0]}, and not tried with this model by its makers."
        return told


def four_steps_of(settings: Settings) -> FourSteps | None:
    """What brings the chosen model to four steps; None for a model without, or no model."""
    try:
        model = outline(settings.checkpoint).model
    except CheckpointError:
        return None
    row = distilled_for(model)
    if row is None or is_distilled(str(settings.checkpoint)):
        return None
    return FourSteps(row, model, None if settings.user_dir is None else settings.user_dir / "loras" / row.name)


def loras_of(settings: Settings) -> tuple[Lora, ...]:
    """The LoRAs that clips are made with: with the preset that of the distillation, where it is downloaded and the user
    names none such, and those of the user's."""
    if settings.preset != PRESET or any(is_distilled(lora.path) for lora in settings.loras):
        return settings.loras
    found = four_steps_of(settings)
    if found is None or found.folder is None or not found.is_here:
        return settings.loras
    own = (Lora(str(found.folder / name), 1.0, expert) for expert, name in found.row.files.items())
    return (*own, *settings.loras)


def samplings_of(settings: Settings) -> list[str]:
    """What speaks against sampling the chosen model as it is set, a sentence each."""
    try:
        checkpoint, model = str(settings.checkpoint), outline(settings.checkpoint).model
    except CheckpointError:
        return []
    asked = GenerationRequest(checkpoint, "", steps=settings.steps, preset=settings.preset, loras=loras_of(settings))
    return sampling_notes(asked, model)


class FourStepsFetch(Work):
    """The download of what brings the chosen model to four steps; nothing where it is here already.

    Raises UsageError for a model without, where there is no folder for it, or when the user has not allowed to go
    online; CheckpointError without an engine.
    """

    def __init__(self, scene: bpy.types.Scene, settings: Settings) -> None:
        super().__init__(scene, settings)
        found = four_steps_of(settings)
        if found is None:
            raise UsageError("There is no LoRA that brings this model to four steps. Choose another model.")
        if found.folder is None:
            raise UsageError(
                "There is no folder for downloads. Choose an engine folder in the preferences, or use `python -m "
                f"wan_engine download {found.row.name}` and its files as LoRAs."
            )
        self.found, self._folder = found, found.folder
        self._python = engine_environment(settings).python
        if not found.is_here and not bpy.app.online_access:
            raise UsageError(
                "The LoRA for four steps is downloaded, and online access is switched off. Switch on "
                '"Allow Online Access" in the preferences under System.'
            )

    def _run_all(self) -> Iterator[bool]:
        if self.found.is_here:
            return
        self.progress.tell("Downloading", 0.0)
        yield False
        task = {"model": self.found.row.name, "to": str(self._folder)}
        try:
            tool = EngineTool(self._python, ADDON_DIR, "wan_engine.commands.fetch", task, engine_cache(self.settings))
            for piece in self._run_tool(tool):
                if words := _PERCENT.match(tool.words):
                    self.progress.tell(f"Downloading, {tool.words}", int(words[1]) / 100)
                yield piece
        except OurError as error:
            if not self._cancelled:
                self._fail(error)
