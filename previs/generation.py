# SPDX-License-Identifier: GPL-3.0-or-later
"""The generation of a scene's shots, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import bpy

from .. import sequencer
from ..bridge.jobs import JobFolder
from ..bridge.messages import Message, error_of
from ..bridge.tool import EngineTool
from ..scene.brief import Shot
from ..wan_engine.checkpoint.summary import outline
from ..wan_engine.errors import Cancelled, CheckpointError, UsageError, WanError
from . import ownership
from .endings import end_job
from .engine import engine_cache, engine_client, engine_environment
from .four_steps import samplings_of
from .jobs import Resume, check_files, chosen_by_us, jobs_root, mode_of, preparing, size_of, unfinished, wish_of
from .log import log
from .planning import asking, read_answer
from .progress import SHARES
from .redo import Redo
from .references import check_references, without_references
from .settings import ADDON_DIR, OVERVIEW, Settings
from .shots import contradictions_of, lengths_of, read_shots
from .takes import Take, clip_of, import_take, overview_task
from .work import OurError, Work


class Generation(Work):
    """The queue: shots one after the other through one warm engine.

    Raises SceneError or CheckpointError when made, before anything is done, if it cannot be started. A shot that
    fails does not stop the others; a missing engine or checkpoint does. `exit_status` is that of the first failure.
    With `resume` a shot whose last job was cut short goes on in its folder instead of being made anew, unless another
    file may claim it or it was asked for otherwise; then it goes on only "surely". Where copies of a file that is gone
    may both claim it, nothing is made of it unless "surely". Fields of the request
    in `as_then` need not be as they were. With `redo` the one shot named is made of a take,
    anew in part. A generation of several takes ends with `overview`, one picture of them all.
    """

    def __init__(
        self, scene: bpy.types.Scene, settings: Settings, names: Sequence[str] | None = None, resume: Resume = False,
        as_then: Collection[str] = (), redo: Redo | None = None,
    ) -> None:  # fmt: skip
        super().__init__(scene, settings)
        sequencer.check_scene(scene)
        self.index = -1
        self.made: list[Take] = []
        self.clips: list[Path] = []
        self.overview: Path | None = None
        self.brief, warnings = read_shots(scene, names, settings)
        self.warnings = [*warnings, *contradictions_of(self.brief, settings)]
        model = outline(settings.checkpoint)
        self.warnings += lengths_of(self.brief, settings, model)
        if not resume:  # a job that goes on keeps what it was made with
            self.warnings += samplings_of(settings)
            mode_of(settings, model)
            check_files(settings)
            if redo is None:
                check_references(self.brief, settings, model)
                self.warnings += without_references(self.brief, model)
        self.size = size_of(scene, settings, model)
        jobs_root(settings)
        self._client = engine_client(settings)
        self._resume, self._as_then, self._redo = resume, {*as_then, *chosen_by_us(settings)}, redo

    @property
    def shots(self) -> list[str]:
        """Names of all shots of this generation."""
        return [shot.name for shot in self.brief.shots]

    @property
    def takes(self) -> list[str]:
        """Names of the takes made so far."""
        return [take.name for take in self.made]

    @property
    def fraction(self) -> float:
        """Progress over all shots, 0..1."""
        count = max(1, len(self.brief.shots))
        return min(1.0, (max(0, self.index) + self.progress.share) / count)

    def cancel(self) -> None:
        """Drops the queue and asks the running job to end; `step` on until it says True."""
        if not self._cancelled:
            self._client.cancel()
        super().cancel()

    def _plan(self) -> Iterator[bool]:
        """Where the size is left to us: the one that this machine can make in bearable time. Raises GenerationError
        where it can make none."""
        if self.settings.size is not None or self.settings.model == "nano" or self._redo is not None:
            return
        self.progress.tell("Looking what this machine can do", 0.0)
        yield False
        try:
            tool = asking(self._live_scene(), self.brief, self.settings)
            yield from self._run_tool(tool)
        except Cancelled:
            raise
        except WanError as error:  # whatever it is: the generation itself meets it, and tells it with its job
            log(f"no plan: {error}")
            return
        plan = read_answer(tool.words)
        for words in plan.notes:
            self.progress.note(words)
        self.settings = replace(self.settings, size=plan.size)
        self.size = size_of(self._live_scene(), self.settings, outline(self.settings.checkpoint))

    def _run_all(self) -> Iterator[bool]:
        try:
            yield from self._plan()
        except OurError as error:
            if not isinstance(error, Cancelled) or not self._cancelled:
                self._fail(error)
            return
        for index, shot in enumerate(self.brief.shots):
            if self._cancelled:
                return
            self.index = index
            self.progress.begin()
            self.progress.tell("Rendering frames", 0.0)
            yield False
            try:
                yield from self._run_shot(shot)
            except CheckpointError as error:
                self._fail(error)
                return
            except OurError as error:
                if not isinstance(error, Cancelled) or not self._cancelled:
                    self._fail(error)
        if len(self.made) > 1 and not self._cancelled:
            yield from self._draw_overview()
        self.progress.tell("Done" if not self.errors else "Stopped", 1.0)

    def _run_shot(self, shot: Shot) -> Iterator[bool]:
        scene = self._live_scene()
        job = self._taken_up(scene, shot) if self._resume else None
        job = job or (yield from self._prepared(scene, shot))
        if job is None:
            return
        self.progress.tell("Starting the engine", SHARES["frames"])
        yield False
        if self._cancelled:
            end_job(job, "cancelled", "Cancelled.", Cancelled.exit_status)
            return
        log(f"job: {job.path}")
        self._client.submit(job)
        ended: Message | None = None
        while ended is None:
            for message in self._client.poll():
                self.progress.follow(message)
                ended = message if message.ends_job else ended
            yield False
        if ended.kind != "done":
            raise error_of(ended)
        self.progress.tell("Importing the clip", 0.99)
        self.clips.append(clip_of(job))
        frames = range(shot.frame_start, shot.frame_end + 1)
        self.made.append(import_take(self._live_scene(), shot.name, frames, job))
        if self.made[-1].note:
            self.progress.note(self.made[-1].note)
        yield False

    def _prepared(self, scene: bpy.types.Scene, shot: Shot) -> Generator[bool, None, JobFolder | None]:
        """The shot's new job folder; None when that was cancelled."""
        steps = preparing(scene, self.brief, shot, self.settings, note=self.progress.note, redo=self._redo)
        while True:
            try:
                words, share = next(steps)
            except StopIteration as end:
                return end.value
            self.progress.tell(words, share * SHARES["frames"])
            yield False
            if self._cancelled:
                steps.close()
                return None

    def _taken_up(self, scene: bpy.types.Scene, shot: Shot) -> JobFolder | None:
        """The job folder in which the shot's interrupted work goes on; None, told why, where it is better made anew."""
        offer = unfinished(scene, self.settings).get(shot.name)
        if offer is None:
            return None
        wish = wish_of(scene, self.brief, shot, self.settings)
        found = ownership.doubts(offer, wish, self._as_then)
        if found and not (self._resume == "surely" and offer.frames == shot.frame_count):
            self.progress.note(
                f"{shot.name} is made anew, not continued in {offer.job.path.name}: {'; '.join(found)}. "
                "That folder stays as it is."
            )
            return None
        if self._resume != "surely" and (heirs := ownership.other_heirs(offer)):
            raise UsageError(
                f"{shot.name} could go on in {offer.job.path.name}, but {'; '.join(heirs)}. Add --sure (in scripts "
                "sure=True) to go on with it in this file; without --resume it is made anew."
            )
        return ownership.take_up(offer, scene, jobs_root(self.settings), wish, self._as_then)

    def _draw_overview(self) -> Iterator[bool]:
        """One picture of all takes. That it cannot be drawn costs no take."""
        self.progress.tell("Drawing the overview", 1.0)
        try:
            place = jobs_root(self.settings) / OVERVIEW
            task = overview_task(self.made, place)
            python, cache = engine_environment(self.settings).python, engine_cache(self.settings)
            yield from self._run_tool(EngineTool(python, ADDON_DIR, "wan_engine.commands.overview", task, cache))
            self.overview = place
        except WanError as error:
            if not self._cancelled:
                self.progress.note(f"The takes are made, but the overview is not: {error}")
