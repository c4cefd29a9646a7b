# SPDX-License-Identifier: GPL-3.0-or-later
"""The repair of a take's light."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import bpy

from .. import sequencer
from ..bridge.jobs import JobFolder
from ..bridge.state import JobError
from ..bridge.tool import EngineTool
from ..wan_engine.errors import WanError
from ..wan_engine.options import REPAIR
from ..wan_engine.request import GenerationRequest
from . import ownership
from .endings import end_job
from .engine import engine_cache, engine_environment
from .jobs import new_folder
from .settings import ADDON_DIR, RAW, Settings
from .takes import Take, import_take
from .work import OurError, Work


class Repair(Work):
    """A take's light mended, as a new take: flicker and jumps taken out, colours matched. It starts from the frames
    that the model made, and the take itself stays as it is.

    Raises SequencerError, JobError or CheckpointError when made, before anything is done, if that cannot be.
    """

    def __init__(self, scene: bpy.types.Scene, settings: Settings, name: str) -> None:
        super().__init__(scene, settings)
        self._take = sequencer.read_take(sequencer.find_take(scene, name))
        self._source = JobFolder(self._take.folder)
        self._python = engine_environment(settings).python
        self.made: Take | None = None
        if self._take.repaired:
            raise JobError(f"{name} is repaired already. Generate the shot again with another seed.")
        if not self._take.folder or not os.path.isdir(self._source.path / RAW):
            raise JobError(
                f"The frames that {name} was made from are gone, so it cannot be repaired. Generate it again."
            )
        self._request = GenerationRequest.from_json(self._source.read_request())

    def _run_all(self) -> Iterator[bool]:
        self.progress.tell("Repairing the light", 0.1)
        yield False
        try:
            scene = self._live_scene()
            job = new_folder(scene, self.settings, self._take.shot)
            ownership.sign_repair(job, scene, self._source)
            job.write_request(replace(self._request, repair=REPAIR.names))
            yield from self._mend(job)
        except OurError as error:
            if not self._cancelled:
                self._fail(error)

    def _mend(self, job: JobFolder) -> Iterator[bool]:
        task = {"source": str(self._source.path), "job": str(job.path), "repair": list(REPAIR.names)}
        try:
            yield from self._run_tool(
                EngineTool(self._python, ADDON_DIR, "wan_engine.commands.repair", task, engine_cache(self.settings))
            )
        except WanError as error:
            job.sweep()
            end_job(job, "cancelled" if self._cancelled else "failed", str(error), error.exit_status)
            raise
        end_job(job, "done", "", 0)
        frames = range(self._take.start, self._take.start + self._take.frames)
        self.made = import_take(self._live_scene(), self._take.shot, frames, job)
