# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the shots, and small helpers around them."""

from __future__ import annotations

from typing import ClassVar

import bpy

from .. import previs
from .common import look_at_disk, session_of, settings_of, show_shots


class WANPREVIS_OT_read_shots(bpy.types.Operator):
    """Read the shots of the scene again: cuts, cameras, light and prompts"""

    bl_idname = "wan_previs.read_shots"
    bl_label = "Read Shots"
    bl_options: ClassVar[set[str]] = {"INTERNAL", "UNDO"}  # so that undoing what comes later leaves the rows

    def execute(self, context: bpy.types.Context) -> set[str]:
        session = session_of(context)
        try:
            brief, warnings = previs.read_shots(context.scene)
            show_shots(context.scene, brief, warnings, settings_of(context))
            look_at_disk(context)
        except previs.OurError as error:
            if not session.running:
                session.end([str(error)])
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not session.running:
            session.end([], session.result)
        return {"FINISHED"}


class WANPREVIS_OT_copy_prompt(bpy.types.Operator):
    """Copy the prompt of the shot to the clipboard"""

    bl_idname = "wan_previs.copy_prompt"
    bl_label = "Copy Prompt"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene.wan_previs.active is None:
            cls.poll_message_set("Read the shots first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = context.scene.wan_previs.active.prompt
        self.report({"INFO"}, "Prompt copied")
        return {"FINISHED"}


class WANPREVIS_OT_open_folder(bpy.types.Operator):
    """Open the folder of the last clip"""

    bl_idname = "wan_previs.open_folder"
    bl_label = "Open Folder"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not session_of(context).folder:
            cls.poll_message_set("Nothing has been generated yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        return bpy.ops.wm.path_open(filepath=session_of(context).folder)


CLASSES = (WANPREVIS_OT_read_shots, WANPREVIS_OT_copy_prompt, WANPREVIS_OT_open_folder)
