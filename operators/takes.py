# SPDX-License-Identifier: GPL-3.0-or-later
"""What one does with finished takes: look at one and its report, repair its light, delete it, put its strip back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import StringProperty

from .. import previs
from .common import Act, Work, look_at_disk, look_for_jobs, redraw, session_of, settings_of

REPORT_IMAGE = ".Previs Report"  # a leading dot keeps it out of Blender's lists


class FolderOperator(Act):
    """What is done with a finished clip and its job folder; then what there is on the disk is looked at anew."""

    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def end(self, context: bpy.types.Context, done: bool) -> None:
        look_for_jobs(context.scene, settings_of(context))
        look_at_disk(context)


class TakeOperator(FolderOperator):
    """`take` is the name of a take's strip."""

    take: StringProperty(name="Take", description="Name of the take's strip", options={"SKIP_SAVE"})


class WANPREVIS_OT_show_take(TakeOperator, bpy.types.Operator):
    """Make this the take that is seen in the Sequencer"""

    bl_idname = "wan_previs.show_take"
    bl_label = "Show Take"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        note = previs.show_take(context.scene, self.take).note
        if note:
            self.report({"WARNING"}, note)


class WANPREVIS_OT_open_report(TakeOperator, bpy.types.Operator):
    """Open the page that shows how the light of this take goes, beside how the scene's light goes"""

    bl_idname = "wan_previs.open_report"
    bl_label = "Open Report"

    def act(self, context: bpy.types.Context) -> None:
        open_picture(context, previs.report_picture(context.scene, self.take))


class WANPREVIS_OT_open_overview(bpy.types.Operator):
    """Open the picture of all takes that were made together"""

    bl_idname = "wan_previs.open_overview"
    bl_label = "Open Overview"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(session_of(context).overview)

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(session_of(context).overview)
        if not os.path.isfile(path):
            self.report({"ERROR"}, f"The overview {path} is not there any more.")
            return {"CANCELLED"}
        open_picture(context, path)
        return {"FINISHED"}


class WANPREVIS_OT_delete_take(TakeOperator, bpy.types.Operator):
    """Delete this take: its strip goes, and its clip, report and frames move to the trash folder among the clips"""

    bl_idname = "wan_previs.delete_take"
    bl_label = "Delete Take"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if session_of(context).running:
            cls.poll_message_set("Wait for the running work, or cancel it")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            stay = previs.why_files_stay(context.scene, self.take)
        except previs.OurError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return context.window_manager.invoke_confirm(
            self,
            event,
            title=f"Delete {self.take}?",
            message=stay
            or "Its clip, report and frames move to the folder named trash beside them. Undo brings back "
            "the strip alone.",
            confirm_text="Delete",
            icon="WARNING",
        )

    def act(self, context: bpy.types.Context) -> None:
        if words := previs.delete_take(context.scene, self.take):
            self.report({"INFO"}, words)


class ClipOperator(FolderOperator):
    """`job` is the identifier of the job that made a clip."""

    job: StringProperty(name="Job", description="Identifier of the job that made the clip", options={"SKIP_SAVE"})


class WANPREVIS_OT_put_back(ClipOperator, bpy.types.Operator):
    """Put this clip back into the Sequencer, where its shot begins now"""

    bl_idname = "wan_previs.put_back"
    bl_label = "Put Back"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        previs.put_back(context.scene, settings_of(context), self.job)


class WANPREVIS_OT_discard_clip(ClipOperator, bpy.types.Operator):
    """Delete this clip: its folder moves to the trash folder among the clips"""

    bl_idname = "wan_previs.discard_clip"
    bl_label = "Delete Clip"

    def act(self, context: bpy.types.Context) -> None:
        self.report({"INFO"}, previs.discard_clip(context.scene, settings_of(context), self.job))


class WANPREVIS_OT_repair_take(Work, bpy.types.Operator):
    """Take flicker, jumps and colour drift out of this take's frames, as a new take. This one stays as it is"""

    bl_idname = "wan_previs.repair_take"
    bl_label = "Repair Light"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    take: StringProperty(name="Take", description="Name of the take's strip", options={"SKIP_SAVE"})
    _repair: previs.Repair

    def start(self, context: bpy.types.Context) -> bool:
        session = session_of(context)
        try:
            self._repair = previs.Repair(context.scene, settings_of(context), self.take)
        except previs.OurError as error:
            session.end([str(error)])
            self.report({"ERROR"}, str(error))
            return False
        session.begin(f"Repairing {self.take}")
        return True

    def step(self, context: bpy.types.Context) -> bool:
        over, session = self._repair.step(), session_of(context)
        session.status = "Cancelling" if session.cancelling else self._repair.status
        session.fraction = self._repair.progress.share
        return over

    def run(self, context: bpy.types.Context) -> None:
        self._repair.run()

    def stop(self) -> None:
        self._repair.cancel()

    def finish(self, context: bpy.types.Context) -> set[str]:
        repair, session = self._repair, session_of(context)
        result = f"Made {repair.made.name} of {self.take}" if repair.made else ""
        session.end(repair.errors, result)
        look_for_jobs(context.scene, repair.settings)
        redraw(context)
        if repair.errors:
            self.report({"ERROR"}, "\n".join(repair.errors))
            return {"CANCELLED"}
        self.report({"INFO"}, result)
        return {"FINISHED"}


def open_picture(context: bpy.types.Context, path: Path) -> None:
    """Show a picture file in a window of its own; without windows there is nothing to show it in."""
    image = bpy.data.images.get((REPORT_IMAGE, None))
    if image is None:
        image = bpy.data.images.load(str(path))
        image.name = REPORT_IMAGE
    else:
        image.filepath = str(path)
        image.reload()
    if bpy.app.background:
        return
    area = _picture_area(context)
    area.spaces.active.image = image
    area.spaces.active.show_region_header = False
    region = next(region for region in area.regions if region.type == "WINDOW")
    with context.temp_override(window=_window_of(context, area), area=area, region=region):
        bpy.ops.image.view_all(fit_view=True)


def _picture_area(context: bpy.types.Context) -> bpy.types.Area:
    """The area that shows a report already, else that of a new window."""
    windows = context.window_manager.windows
    for window in windows:
        for area in window.screen.areas:
            shown = getattr(area.spaces.active, "image", None)
            if (
                area.type == "IMAGE_EDITOR"
                and shown is not None
                and (shown.name, shown.library) == (REPORT_IMAGE, None)
            ):
                return area
    bpy.ops.wm.window_new()
    area = windows[-1].screen.areas[0]
    area.type = "IMAGE_EDITOR"
    return area


def _window_of(context: bpy.types.Context, area: bpy.types.Area) -> bpy.types.Window:
    return next(window for window in context.window_manager.windows if area in window.screen.areas[:])


CLASSES = (
    WANPREVIS_OT_put_back,
    WANPREVIS_OT_discard_clip,
    WANPREVIS_OT_show_take,
    WANPREVIS_OT_open_report,
    WANPREVIS_OT_open_overview,
    WANPREVIS_OT_repair_take,
    WANPREVIS_OT_delete_take,
)
