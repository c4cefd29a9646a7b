# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes long, in small pieces that a face steps through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import bpy

from .. import sequencer
from ..bridge.state import JobError
from ..bridge.tool import EngineTool
from ..scene.brief import SceneError
from ..scratch import ScratchError
from ..wan_engine.errors import Cancelled, WanError
from .engine import close_engine
from .log import log
from .progress import Progress
from .settings import Settings

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
    def scene(self) -> bpy.types.Scene:
        """The scene that it is done for. Raises SceneError where that is gone."""
        return self._live_scene()

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
