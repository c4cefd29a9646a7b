# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of how prompts are worded: the template and the style, kept as small JSON files that no code is run from.

They lie in Blender's folder for this extension, and where the package runs without being installed as one, among
Blender's own presets.
"""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.props import StringProperty

from .. import previs
from ..previs.presets import FIELDS, preset_folder, preset_names, read_preset, write_preset
from ..previs.saving import SaveError


class WANPREVIS_OT_save_preset(bpy.types.Operator):
    """Keep template, style and what to avoid under a name, for other files"""

    bl_idname = "wan_previs.save_preset"
    bl_label = "Save Prompt Preset"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    name: StringProperty(name="Name", description="The preset's name", default="My Prompt", maxlen=60)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        state = context.scene.wan_previs
        try:
            path = write_preset(self.name, {field: getattr(state, field) for field in FIELDS})
        except (previs.UsageError, SaveError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Saved the preset {path.stem}")
        return {"FINISHED"}


class WANPREVIS_OT_load_preset(bpy.types.Operator):
    """Take template, style and what to avoid from this preset"""

    bl_idname = "wan_previs.load_preset"
    bl_label = "Load Prompt Preset"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    name: StringProperty(name="Name")

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            fields = read_preset(self.name)
            previs.check_template(fields["template"])
        except previs.UsageError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for field, text in fields.items():
            setattr(context.scene.wan_previs, field, text)
        return {"FINISHED"}


class WANPREVIS_OT_remove_preset(bpy.types.Operator):
    """Delete this preset"""

    bl_idname = "wan_previs.remove_preset"
    bl_label = "Delete Prompt Preset"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    name: StringProperty(name="Name")

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = preset_folder() / f"{self.name}.json"
        if self.name not in preset_names():
            self.report({"ERROR"}, f"There is no preset named {self.name}.")
            return {"CANCELLED"}
        path.unlink()
        return {"FINISHED"}


class WANPREVIS_MT_presets(bpy.types.Menu):
    """The presets, to load or to delete"""

    bl_idname = "WANPREVIS_MT_presets"
    bl_label = "Prompt Presets"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        names = preset_names()
        for name in names:
            row = layout.row()
            row.operator("wan_previs.load_preset", text=name).name = name
            row.operator("wan_previs.remove_preset", text="", icon="X").name = name
        if not names:
            layout.label(text="No presets yet")
        layout.separator()
        layout.operator("wan_previs.save_preset", text="Save as Preset...", icon="ADD")


CLASSES = (
    WANPREVIS_OT_save_preset,
    WANPREVIS_OT_load_preset,
    WANPREVIS_OT_remove_preset,
    WANPREVIS_MT_presets,
)
