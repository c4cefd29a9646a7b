# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operators share: the user's choices as `previs.Settings`, rows of shots, and work that a timer drives."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import bpy

from .. import previs
from ..previs.engine import engine_places, engine_trouble
from ..properties import WanPrevisScene, WanPrevisSession, read_source
from .facts import fill_row

TICK_SECONDS = 0.1
_SHOWING = {"VIEW_3D", "SEQUENCE_EDITOR", "PREFERENCES"}


def settings_of(context: bpy.types.Context) -> previs.Settings:
    """What the user chose, in the scene and in the preferences."""
    chosen: WanPrevisScene = context.scene.wan_previs
    engine_python, user_dir = engine_places(context)
    return previs.Settings(**chosen.chosen(), engine_python=engine_python, user_dir=user_dir)


def show_shots(scene: bpy.types.Scene, brief: previs.Brief, warnings: list[str], settings: previs.Settings) -> None:
    """Puts a brief of all shots of the scene into its rows; the active shot stays the active one, by name.
    Raises UsageError for a template that cannot be used, before anything is changed."""
    state: WanPrevisScene = scene.wan_previs
    active = state.active.name if state.active else ""
    prompts = [previs.prompt_of(brief, shot, settings) for shot in brief.shots]
    state.shots.clear()
    for shot, prompt in zip(brief.shots, prompts, strict=True):
        row = state.shots.add()
        fill_row(row, shot, brief.fps, previs.prompt_text(prompt))
        row.frame_count = shot.frame_count
        for contradiction in prompt.warnings:
            row.contradictions.add().text = contradiction.message
    state.look_at_model()
    state.active_shot = max(0, state.shots.find(active))
    state.warnings.clear()
    for warning in warnings:
        state.warnings.add().text = warning
    state.read_from = read_source(scene)
    look_for_jobs(scene, settings)


def look_at_disk(context: bpy.types.Context) -> None:
    """Has what panels tell of the disk looked up anew, since drawing must not wait for it: whether there is an engine,
    and whose clips are gone."""
    session = session_of(context)
    session.engine_missing, session.engine_words = engine_trouble(context)
    session.lost.clear()
    for scene in bpy.data.scenes:
        for name in previs.lost_takes(scene):
            session.lost.add().text = session.key_of(scene, name)


def look_for_jobs(scene: bpy.types.Scene, settings: previs.Settings) -> None:
    """Has the session told which shots' work was cut short and can go on, and which clips are done."""
    session = session_of(bpy.context)
    lengths = {row.name: row.frame_count for row in scene.wan_previs.shots}
    offers = previs.unfinished(scene, settings).items()
    fitting = [(shot, offer.words) for shot, offer in offers if offer.frames == lengths.get(shot)]
    session.tell_found(session.unfinished, scene, ({"shot": shot, "words": words} for shot, words in fitting))
    clips = previs.clips_of(scene, settings)
    session.tell_found(
        session.clips, scene, ({"shot": clip.shot, "number": clip.number, "job": clip.job} for clip in clips)
    )


def session_of(context: bpy.types.Context) -> WanPrevisSession:
    """What the panels draw of the work that runs."""
    return context.window_manager.wan_previs


def redraw(context: bpy.types.Context) -> None:
    """Have the panels drawn again."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in _SHOWING:
                area.tag_redraw()


class Act:
    """An operator that does one thing at once; what it cannot do is told."""

    report: Callable[[set[str], str], None]

    def act(self, context: bpy.types.Context) -> None:
        """Do it. Raises one of `previs.OurError`."""
        raise NotImplementedError

    def end(self, context: bpy.types.Context, done: bool) -> None:
        """What comes after it, whether it was done or not."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        done = False
        try:
            self.act(context)
            done = True
        except previs.OurError as error:
            self.report({"ERROR"}, str(error))
        finally:
            self.end(context, done)
            redraw(context)
        return {"FINISHED"} if done else {"CANCELLED"}


class Work:
    """Mixed into an operator whose work takes long: blocks when scripted, driven by a timer in a window.

    The operator instance holds the work; the session (`window_manager.wan_previs`) mirrors its progress for the panels
    and carries the wish to cancel. Events always pass through, so Blender can be used meanwhile.
    """

    report: Callable[[set[str], str], None]
    poll_message_set: ClassVar[Callable[[str], None]]
    _timer: bpy.types.Timer | None = None

    def start(self, context: bpy.types.Context) -> bool:
        """Begin; False (after a report) when that cannot be done."""
        raise NotImplementedError

    def step(self, context: bpy.types.Context) -> bool:
        """A piece of work that does not block; True when all is over."""
        raise NotImplementedError

    def run(self, context: bpy.types.Context) -> None:
        """Work to the end."""
        raise NotImplementedError

    def stop(self) -> None:
        """The user wants no more of it; `step` goes on until it says True."""
        raise NotImplementedError

    def finish(self, context: bpy.types.Context) -> set[str]:
        """The work is over: tell the user, and return the operator's result."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if session_of(context).running:
            cls.poll_message_set("Something is being made already. Wait for it, or cancel it")
            return False
        return cls.why_not(context) is None

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str | None:
        """What is in the way, set as poll message; None when nothing is."""
        return None

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self.start(context):
            return {"CANCELLED"}
        try:
            self.run(context)
        except BaseException:
            session_of(context).end(["Stopped by an unexpected error; Blender's console has the details."])
            raise
        return self.finish(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.start(context):
            redraw(context)
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        redraw(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        session = session_of(context)
        try:
            if session.cancelling:
                self.stop()
            over = self.step(context)
        except BaseException:
            self._drop_timer(context)
            session.end(["Stopped by an unexpected error; Blender's console has the details."])
            redraw(context)
            raise
        redraw(context)
        if not over:
            return {"PASS_THROUGH"}
        self._drop_timer(context)
        return self.finish(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender drops the operator: a file is loaded, the window closed, the extension switched off."""
        self.stop()
        previs.close_engine()
        self._drop_timer(context)
        session_of(context).end([])

    def _drop_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
