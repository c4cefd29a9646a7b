# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences: where the engine is."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .previs.engine import is_set_up


def _choice_changed(preferences: WanPrevisPreferences, context: bpy.types.Context) -> None:
    """What was found holds no longer."""
    session = context.window_manager.wan_previs
    session.findings.clear()
    session.engine_missing = not is_set_up(context)


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
        description="Where Set Up Engine puts the engine, some 2 GB. Empty: Blender's folder for this extension",
        subtype="DIR_PATH",
        update=_choice_changed,
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "engine_python")
        layout.prop(self, "cache_folder")
        row = layout.row()
        row.operator("wan_previs.setup_engine", icon="IMPORT")
        row.operator("wan_previs.check", icon="VIEWZOOM")
        session = context.window_manager.wan_previs
        if session.running:
            layout.progress(text=session.status, factor=session.fraction)
        for line in (*session.errors, *session.findings):
            layout.label(text=line.text, icon="CHECKMARK" if line.ok else "ERROR")
        if not bpy.app.online_access:
            layout.label(text='To set up the engine, switch on "Allow Online Access" under System first.', icon="INFO")


CLASSES = (WanPrevisPreferences,)
