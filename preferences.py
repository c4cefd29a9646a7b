# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences: where the engine is."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .previs.engine import engine_trouble


def _choice_changed(preferences: WanPrevisPreferences, context: bpy.types.Context) -> None:
    """What was found holds no longer."""
    session = context.window_manager.wan_previs
    session.findings.clear()
    session.engine_missing, session.engine_words = engine_trouble(context)


class WanPrevisPreferences(bpy.types.AddonPreferences):
    """Choices that hold for all files."""

    bl_idname = __package__

    engine_python: StringProperty(
        name="Engine Python",
        description="A Python (or the folder of a virtual environment) that has the engine's packages. "
        "Empty: the one that Set Up Engine makes",
        subtype="FILE_PATH",
        update=_choice_changed,
    )
    cache_folder: StringProperty(
        name="Engine Folder",
        description="Where Set Up Engine puts the engine, about 1 to 16 GB by the graphics card. Empty: Blender's "
        "folder for this extension",
        subtype="DIR_PATH",
        update=_choice_changed,
    )
    wheels_folder: StringProperty(
        name="Wheels Folder",
        description="A folder of wheels (packages) that Set Up Engine takes in place of the network. Empty: they are "
        "downloaded",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "engine_python")
        layout.prop(self, "cache_folder")
        layout.prop(self, "wheels_folder")
        row = layout.row()
        session = context.window_manager.wan_previs
        if session.setup_plan:
            row.operator("wan_previs.setup_engine", icon="IMPORT", text="Install")
        else:
            row.operator("wan_previs.setup_engine", icon="IMPORT")
        row.operator("wan_previs.check", icon="VIEWZOOM")
        row.operator("wan_previs.remove_engine", icon="TRASH")
        row.operator("wan_previs.copy_report", icon="COPYDOWN")
        if session.setup_plan:
            layout.label(text=session.setup_plan, icon="INFO")
        if session.running:
            row = layout.row()
            row.progress(text=f"{session.title}: {session.left or session.status}", factor=session.fraction)
            row.operator("wan_previs.cancel", icon="CANCEL")
        if session.result:
            layout.label(text=session.result, icon="CHECKMARK")
        for line in (*session.errors, *session.findings):
            layout.label(text=line.text, icon="CHECKMARK" if line.ok else "ERROR")
        if not bpy.app.online_access and not self.wheels_folder:
            layout.label(text='To set up the engine, switch on "Allow Online Access" under System first.', icon="INFO")


CLASSES = (WanPrevisPreferences,)
