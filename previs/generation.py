# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes long, in small pieces that a face steps through: the queue of shots, and the repair of a take."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from .. import sequencer
from ..bridge.jobs import JobFolder
from ..bridge.messages import Message, error_of
from ..bridge.state import JobError
from ..bridge.tool import EngineTool
from ..scene.brief import SceneError, Shot
from ..scratch import ScratchError
from ..wan_engine.checkpoint.summary import outline
from ..wan_engine.errors import Cancelled, CheckpointError, UsageError, WanError
from ..wan_engine.options import REPAIR
from ..wan_engine.request import GenerationRequest
from . import ownership
from .engine import close_engine, engine_cache, engine_client, engine_environment
from .jobs import Resume, check_files, jobs_root, mode_of, new_folder, prepare, size_of, unfinished, wish_of
from .log import log
from .progress import SHARES, Progress
from .settings import ADDON_DIR, OVERVIEW, RAW, Settings
from .shots import contradictions_of, lengths_of, read_shots
from .takes import Take, clip_of, import_take, overview_task

OurError = (SceneError, WanError, JobError, ScratchError, sequencer.SequencerError)


class Work:
    """Something that takes long, done in small pieces by `step`; a face draws its `progress`."""

    def __init__(self, scene: bpy.types.Scene, settings: Settings) -> None:
        self.settings = settings
        self._scene_uid, self._scene_name = scene.session_uid, scene.name
        self.progress = Progress()
        self.errors: list[str] = []
        self.exit_status = 0
        self._cancelled = self._told_end = False
        self._tool: EngineTool | None = None
        self._work = self._run_all()
        log(f"{type(self).__name__} began: {self._scene_name} of {bpy.data.filepath or 'a file never saved'}")

    def _run_all(self) -> Iterator[bool]:
        """Yields False after every piece of work."""
        raise NotImplementedError

    @property
    def status(self) -> str:
        """Short words for what happens now."""
        return self.progress.status

    def step(self) -> bool:
        """One piece of work; True when all is over."""
        over = next(self._work, True)
        if over and not self._told_end:
            self._told_end = True
            for note in self.progress.notes:
                log(f"note: {note}")
            log(f"{type(self).__name__} ended ({self.exit_status})")
        return over

    def cancel(self) -> None:
        """Asks for the end; `step` on until it says True."""
        if not self._cancelled:
            self._cancelled = True
            self._fail(Cancelled("Cancelled."))
        if self._tool is not None:
            self._tool.stop()

    def run(self, on_change: Callable[[Any], None] = lambda work: None, pause: float = 0.05) -> None:
        """Steps to the end, for scripts. Ctrl-C cancels; a second one ends the engine at once."""
        finished = False
        while not finished:
            try:
                finished = self.step()
                on_change(self)
                time.sleep(pause)
            except KeyboardInterrupt:
                if self._cancelled:
                    close_engine()
                    return
                self.cancel()

    def _fail(self, error: Exception) -> None:
        self.errors.append(str(error))
        log(f"error: {error}")
        self.exit_status = self.exit_status or getattr(error, "exit_status", 5)

    def _live_scene(self) -> bpy.types.Scene:
        """The scene by its session-wide number: an undo step replaces the object that we were given."""
        scene = next((s for s in bpy.data.scenes if s.session_uid == self._scene_uid), None)
        if scene is None:
            raise SceneError(f'The scene "{self._scene_name}" is gone; the clip stays in its job folder.')
        return scene

    def _run_tool(self, tool: EngineTool) -> Iterator[bool]:
        """Waits for one of the engine's programs. Raises the WanError it ends in, or Cancelled."""
        self._tool = tool
        try:
            while not tool.poll():
                yield False
        except WanError as error:
            if self._cancelled:
                raise Cancelled("Cancelled.") from error
            raise
        finally:
            self._tool = None


class Generation(Work):
    """The queue: shots one after the other through one warm engine.

    Raises SceneError or CheckpointError when made, before anything is done, if it cannot be started. A shot that
    fails does not stop the others; a missing engine or checkpoint does. `exit_status` is that of the first failure.
    With `resume` a shot whose last job was cut short goes on in its folder instead of being made anew, unless another
    file may claim it or it was asked for otherwise; then it goes on only "surely". Where copies of a file that is gone
    may both claim it, nothing is made of it unless "surely". Fields of the request
    in `as_then` need not be as they were. A generation of several takes ends with `overview`, one picture of them all.
    """

    def __init__(
        self, scene: bpy.types.Scene, settings: Settings, names: Sequence[str] | None = None, resume: Resume = False,
        as_then: Collection[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(scene, settings)
        sequencer.check_scene(scene)
        self.index = -1
        self.made: list[Take] = []
        self.clips: list[Path] = []
        self.overview: Path | None = None
        self.brief, warnings = read_shots(scene, names)
        self.warnings = [*warnings, *contradictions_of(self.brief, settings)]
        model = outline(settings.checkpoint)
        self.warnings += lengths_of(self.brief, settings, model)
        if not resume:  # a job that goes on keeps what it was made with
            mode_of(settings, model)
            check_files(settings)
        self.size = size_of(scene, settings, model)
        jobs_root(settings)
        self._client = engine_client(settings)
        self._resume, self._as_then = resume, as_then

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

    def _run_all(self) -> Iterator[bool]:
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
        job = job or prepare(scene, self.brief, shot, self.settings, note=self.progress.note)
        self.progress.tell("Starting the engine", SHARES["frames"])
        yield False
        if self._cancelled:
            job.mark_ended("cancelled", "Cancelled.", Cancelled.exit_status)
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
        if not self._take.folder or not (self._source.path / RAW).is_dir():
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
            job.mark_ended("cancelled" if self._cancelled else "failed", str(error), error.exit_status)
            raise
        job.mark_ended("done", "", 0)
        frames = range(self._take.start, self._take.start + self._take.frames)
        self.made = import_take(self._live_scene(), self._take.shot, frames, job)
