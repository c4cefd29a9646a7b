# SPDX-License-Identifier: GPL-3.0-or-later
"""Generating shots, and cancelling that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import bpy
from bpy.props import BoolProperty, StringProperty

from .. import previs
from ..previs.progress import duration_in_words
from .common import Work, look_at_disk, look_for_jobs, redraw, session_of, settings_of, show_shots
from .picture import LivePicture

_NOTES = 4  # that the panel has room for


class Generate(Work):
    """All ways of generating; they differ in `wanted` and in whether interrupted work goes on."""

    continues: ClassVar[bool] = False
    _generation: previs.Generation
    _added = 0
    _picture: LivePicture | None = None
    _pictures = 0

    def wanted(self, context: bpy.types.Context) -> Sequence[str] | None:
        """Names of the shots to make, None for all."""
        raise NotImplementedError

    def how_to_resume(self) -> previs.Resume:
        """Whether interrupted work goes on."""
        return False

    def redo(self, context: bpy.types.Context) -> previs.Redo | None:
        """What of a take is made anew; None where whole clips are made. Raises one of `previs.OurError`."""
        return None

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str | None:
        if no_camera := previs.why_no_camera(context.scene):
            reason = no_camera.rstrip(".")
        elif not bpy.data.filepath and not context.scene.wan_previs.output:
            reason = "Save the file, or choose an output folder in the settings, so that clips have a place"
        elif context.scene.wan_previs.model == "CUSTOM" and not context.scene.wan_previs.checkpoint:
            reason = "Choose the folder of the model in the settings"
        elif not cls.continues and context.scene.wan_previs.why_not_mode:
            reason = context.scene.wan_previs.why_not_mode
        else:
            return None
        cls.poll_message_set(reason)
        return reason

    def start(self, context: bpy.types.Context) -> bool:
        session, scene, settings = session_of(context), context.scene, settings_of(context)
        try:
            brief, warnings = previs.read_shots(scene)
            had_rows = bool(scene.wan_previs.shots)
            show_shots(scene, brief, warnings, settings)
            if not had_rows:
                bpy.ops.ed.undo_push(message="Read Shots")
            look_at_disk(context)
            self._generation = previs.Generation(
                scene, settings, self.wanted(context), self.how_to_resume(), redo=self.redo(context)
            )
        except previs.OurError as error:
            session.end([str(error)])
            self.report({"ERROR"}, str(error))
            return False
        session.begin("")
        self._pictures = self._added = 0
        self._mirror(context)
        return True

    def step(self, context: bpy.types.Context) -> bool:
        over = self._generation.step()
        self._went_on(context)
        return over

    def run(self, context: bpy.types.Context) -> None:
        self._generation.run(lambda _: self._went_on(context))

    def _went_on(self, context: bpy.types.Context) -> None:
        """Each take is a step of its own to undo: else who undoes what they did meanwhile would undo takes with it."""
        takes = self._generation.takes
        if len(takes) > self._added:
            self._added = len(takes)
            bpy.ops.ed.undo_push(message=f"Add {takes[-1]}")
        self._mirror(context)

    def stop(self) -> None:
        self._generation.cancel()

    def finish(self, context: bpy.types.Context) -> set[str]:
        generation, session = self._generation, session_of(context)
        result = "Made " + ", ".join(_told(take) for take in generation.made)
        session.end(generation.errors, result if generation.made else "")
        self._drop_picture()
        session.overview = str(generation.overview or "")
        look_for_jobs(context.scene, generation.settings)
        look_at_disk(context)
        if generation.clips:
            session.folder = str(generation.clips[-1].parent)
        redraw(context)
        if generation.errors:
            cancelled = generation.exit_status == previs.Cancelled.exit_status
            self.report({"WARNING" if cancelled else "ERROR"}, "\n".join(generation.errors))
        else:
            self.report({"INFO"}, result)
        return {"FINISHED"} if generation.takes else {"CANCELLED"}

    def _mirror(self, context: bpy.types.Context) -> None:
        generation, session = self._generation, session_of(context)
        progress = generation.progress
        index, count = max(0, generation.index), len(generation.shots)
        session.title = generation.shots[index] + (f" ({index + 1} of {count})" if count > 1 else "")
        session.status = "Cancelling" if session.cancelling else generation.status
        session.fraction = generation.fraction
        session.left = "" if progress.left is None else f"about {duration_in_words(progress.left)} left"
        latest = progress.notes[-_NOTES:]
        if [line.text for line in session.notes] != latest:
            session.tell_notes(latest)
        if progress.picture is None:
            session.picture = 0
        elif self._pictures != progress.pictures and not bpy.app.background:
            self._picture = self._picture or LivePicture()
            width, height = generation.size
            session.picture, self._pictures = self._picture.show(progress.picture, width / height), progress.pictures

    def _drop_timer(self, context: bpy.types.Context) -> None:
        Work._drop_timer(self, context)
        self._drop_picture()

    def _drop_picture(self) -> None:
        if self._picture is not None:
            self._picture.close()
            self._picture = None


def _told(take: previs.Take) -> str:
    words = [f"light {take.verdict}"] * bool(take.verdict) + [f"motion {take.follow}"] * bool(take.follow)
    return f"{take.name} ({', '.join(words)})" if words else take.name


class WANPREVIS_OT_generate(Generate, bpy.types.Operator):
    """Make a clip of the active shot and put it into the Sequencer"""

    bl_idname = "wan_previs.generate"
    bl_label = "Generate Shot"

    shot: StringProperty(
        name="Shot", description="Name of the shot to make; empty for the active one", options={"SKIP_SAVE"}
    )

    def wanted(self, context: bpy.types.Context) -> Sequence[str]:
        return [self.shot or context.scene.wan_previs.active.name]


class WANPREVIS_OT_generate_all(Generate, bpy.types.Operator):
    """Make clips of all shots, one after the other, and put them into the Sequencer"""

    bl_idname = "wan_previs.generate_all"
    bl_label = "Generate All"

    def wanted(self, context: bpy.types.Context) -> None:
        return None


class WANPREVIS_OT_redo_take(Generate, bpy.types.Operator):
    """Make a part of this take anew, as a new take; the rest stays as it is, and so does this take"""

    bl_idname = "wan_previs.redo_take"
    bl_label = "Redo Part"

    take: StringProperty(name="Take", description="Name of the take's strip", options={"SKIP_SAVE"})
    marked: BoolProperty(
        name="Marked Area",
        description='Where objects are seen that are marked "Free" or "Follow Exactly", over all frames; else from the '
        "current frame on",
        options={"SKIP_SAVE"},
    )

    def wanted(self, context: bpy.types.Context) -> Sequence[str]:
        return [previs.take_named(context.scene, self.take).shot]

    def redo(self, context: bpy.types.Context) -> previs.Redo:
        frame = None if self.marked else context.scene.frame_current
        return previs.redo_of(context.scene, previs.take_named(context.scene, self.take), frame, self.marked)


class WANPREVIS_OT_resume(Generate, bpy.types.Operator):
    """Go on with the clip of this shot where it was interrupted"""

    bl_idname = "wan_previs.resume"
    bl_label = "Continue Shot"
    continues = True

    shot: StringProperty(name="Shot", description="Name of the shot; empty for the active one", options={"SKIP_SAVE"})
    sure: BoolProperty(
        name="Sure",
        description="Go on as it was asked for then, though another file may claim the work or the shot has changed",
        options={"SKIP_SAVE"},
    )

    def how_to_resume(self) -> previs.Resume:
        return "surely" if self.sure else True

    def wanted(self, context: bpy.types.Context) -> Sequence[str]:
        return [self.shot or context.scene.wan_previs.active.name]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        (shot,) = self.wanted(context)
        try:
            question = "" if self.sure else previs.doubts_about(context.scene, settings_of(context), shot)
        except previs.OurError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not question:
            return Generate.invoke(self, context, event)
        bpy.ops.wan_previs.resume_surely("INVOKE_DEFAULT", shot=shot, question=question)
        return {"CANCELLED"}


class WANPREVIS_OT_resume_surely(bpy.types.Operator):
    """Go on with interrupted work that another file may claim, or that was asked for otherwise"""

    bl_idname = "wan_previs.resume_surely"
    bl_label = "Continue Shot"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    shot: StringProperty(name="Shot", options={"SKIP_SAVE"})
    question: StringProperty(name="Question", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(
            self, event, title=f"Continue {self.shot}?", message=self.question, confirm_text="Continue", icon="QUESTION"
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        bpy.ops.wan_previs.resume(how, shot=self.shot, sure=True)
        return {"FINISHED"}


class WANPREVIS_OT_cancel(bpy.types.Operator):
    """Stop what is being made; finished clips stay"""

    bl_idname = "wan_previs.cancel"
    bl_label = "Cancel"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        session = session_of(context)
        if not session.running or session.cancelling:
            cls.poll_message_set("Cancelling already" if session.cancelling else "Nothing is being made")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        session = session_of(context)
        session.cancelling, session.status = True, "Cancelling"
        redraw(context)
        return {"FINISHED"}


CLASSES = (
    WANPREVIS_OT_generate,
    WANPREVIS_OT_generate_all,
    WANPREVIS_OT_redo_take,
    WANPREVIS_OT_resume,
    WANPREVIS_OT_resume_surely,
    WANPREVIS_OT_cancel,
)
