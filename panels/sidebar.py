# SPDX-License-Identifier: GPL-3.0-or-later
"""The Previs tab. Drawing reads properties alone, which operators fill: it never waits for a disk."""

from __future__ import annotations

from typing import ClassVar

import bpy

from .. import previs
from ..properties import WanPrevisShot, outdated
from .common import SidebarPanel
from .progress import draw_ended, draw_running
from .references import ReferencesPanel, draw_references
from .settings import AdvancedPanel, SettingsPanel
from .takes import TakesPanel
from .wrapping import label

FACTS = (
    ("Frames", "frames"),
    ("Model makes", "clip"),
    ("Camera", "camera"),
    ("Move", "move"),
    ("Framing", "framing"),
    ("Time", "light"),
    ("Sun height", "sun_height"),
    ("Azimuth", "sun_compass"),
    ("Light from", "sun_side"),
    ("References", "references"),
)
_NAMES_SHARE = 0.32


class WANPREVIS_UL_shots(bpy.types.UIList):
    """The shots with their frames."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:
        row = layout.row()
        row.label(text=item.name, icon="VIEW_CAMERA")
        frames = row.row()
        frames.alignment = "RIGHT"
        frames.active = False
        frames.label(text=item.frames)


class ShotsPanel(SidebarPanel):
    """The shots, the buttons, and how the work goes."""

    bl_label = "Shots"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.wan_previs
        _draw_engine(layout, context)
        if not state.shots:
            label(layout, context, "Read the shots to see what Previs knows about this scene.")
            layout.operator("wan_previs.read_shots", icon="FILE_REFRESH")
        else:
            row = layout.row()
            row.template_list(
                "WANPREVIS_UL_shots", "", state, "shots", state, "active_shot", rows=max(2, min(6, len(state.shots)))
            )
            row.operator("wan_previs.read_shots", text="", icon="FILE_REFRESH")
            if outdated(context.scene):
                label(layout, context, "The scene has changed. Read the shots again.", icon="INFO")
        if no_camera := previs.why_no_camera(context.scene):
            label(layout, context, no_camera, icon="ERROR")
        for warning in state.warnings:
            label(layout, context, warning.text, icon="INFO")
        if context.window_manager.wan_previs.running:
            draw_running(layout, context)
            return
        column = layout.column(align=True)
        column.scale_y = 1.3
        column.enabled = not context.window_manager.wan_previs.engine_missing
        session = context.window_manager.wan_previs
        if state.active is not None and (words := session.how_to_go_on(context.scene, state.active.name)):
            column.operator("wan_previs.resume", text=words, icon="FRAME_NEXT")
        column.operator("wan_previs.generate", icon="PLAY")
        column.operator("wan_previs.generate_all", icon="SEQUENCE")
        draw_ended(layout, context)


class FactsPanel(SidebarPanel):
    """What the scene says about the active shot."""

    bl_label = "Shot Facts"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene.wan_previs.active is not None

    def draw(self, context: bpy.types.Context) -> None:
        shot: WanPrevisShot = context.scene.wan_previs.active
        column = self.layout.column()
        for name, attribute in FACTS:
            words = getattr(shot, attribute)
            if words:
                split = column.split(factor=_NAMES_SHARE)
                names = split.column()
                names.active = False
                names.scale_y = 0.75
                names.label(text=name)
                label(split, context, words, 1.0 - _NAMES_SHARE)
        taken = context.scene.wan_previs.references_taken
        if 0 <= taken < shot.reference_count:
            words = f"The model takes {taken or 'no'} reference picture{'s' * (taken != 1)} for a shot."
            label(column, context, words, icon="ERROR")
        if not shot.light and not shot.sun_height:
            label(column, context, "There is no sun in this shot.", icon="LIGHT_SUN")


class PromptPanel(SidebarPanel):
    """The user's own words, and the prompt made of them and the scene."""

    bl_label = "Prompt"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.wan_previs
        column = layout.column(align=True)
        column.prop(state, "style", text="", placeholder="Style: cinematic, 35mm film look")
        column.prop(state, "description", text="", placeholder="Your own words: place, materials, mood")
        if state.active is not None:
            column.prop(state, "shot_description", text="", placeholder=f"About {state.active.name} alone")
            for warning in state.active.contradictions:
                label(layout, context, warning.text, icon="ERROR")
            label(layout.box(), context, state.active.prompt)
            layout.operator("wan_previs.copy_prompt", icon="COPYDOWN")


class WordingPanel(SidebarPanel):
    """How the prompt is put together, what to avoid, and a word about the active object."""

    bl_label = "Wording"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.wan_previs
        layout.use_property_split = True
        layout.use_property_decorate = False
        row = layout.row(align=True)
        row.prop(state, "template", placeholder="All parts")
        row.menu("WANPREVIS_MT_presets", text="", icon="PRESET")
        if wrong := previs.why_no_template(state.template):
            label(layout, context, wrong, icon="ERROR")
        layout.prop(state, "negative", placeholder="Besides the model's own")
        if state.active is not None:
            layout.prop(state, "shot_negative", placeholder="In this shot only")
        if context.object is not None:
            layout.prop(context.object.wan_previs, "description", text=context.object.name)


class _ThingPanel:
    """What the prompt calls this object or collection."""

    layout: bpy.types.UILayout
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_label = "Previs"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}
    thing: str

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return getattr(context, cls.thing, None) is not None

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        thing = getattr(context, self.thing).wan_previs
        self.layout.prop(thing, "description", placeholder="a rusty fishing boat")
        self.layout.prop(thing, "mark")
        draw_references(self.layout.box().column(), context, self.thing.upper(), getattr(context, self.thing))


class WANPREVIS_PT_object(_ThingPanel, bpy.types.Panel):
    """What the prompt calls this object"""

    bl_idname = "WANPREVIS_PT_object"
    bl_context = "object"
    thing = "object"


class WANPREVIS_PT_collection(_ThingPanel, bpy.types.Panel):
    """What the prompt calls this collection"""

    bl_idname = "WANPREVIS_PT_collection"
    bl_context = "collection"
    thing = "collection"


def _draw_engine(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The way on for who has just installed the extension, or whose engine no longer works or is an old one."""
    session = context.window_manager.wan_previs
    if session.engine_words:
        box = layout.box()
        label(box, context, session.setup_plan or session.engine_words, icon="INFO")
        if not bpy.app.online_access and not session.setup_plan:
            words = 'The engine is downloaded: switch on "Allow Online Access" in the preferences under System.'
            label(box, context, words, icon="INTERNET_OFFLINE")
        row = box.row()
        if session.setup_plan:
            row.operator("wan_previs.setup_engine", icon="IMPORT", text="Install")
        else:
            row.operator("wan_previs.setup_engine", icon="IMPORT")
        box.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES").module = _root_package()


def _root_package() -> str:
    return __package__.rpartition(".")[0]


def _for_space(space: str) -> list[type]:
    """The panels of one editor's sidebar."""
    kinds = {
        "shots": ShotsPanel, "takes": TakesPanel, "facts": FactsPanel, "prompt": PromptPanel, "wording": WordingPanel,
        "references": ReferencesPanel, "settings": SettingsPanel, "advanced": AdvancedPanel,
    }  # fmt: skip
    editor = {"VIEW_3D": "view3d", "SEQUENCE_EDITOR": "sequencer"}[space]
    classes = []
    for order, (name, kind) in enumerate(kinds.items()):
        identifier = f"WANPREVIS_PT_{name}_{editor}"
        members = {"bl_idname": identifier, "bl_space_type": space, "bl_order": order, "__doc__": kind.__doc__}
        if name == "advanced":
            members["bl_parent_id"] = f"WANPREVIS_PT_settings_{editor}"
        classes.append(type(identifier, (kind, bpy.types.Panel), members))
    return classes


CLASSES = (
    WANPREVIS_UL_shots,
    *_for_space("VIEW_3D"),
    *_for_space("SEQUENCE_EDITOR"),
    WANPREVIS_PT_object,
    WANPREVIS_PT_collection,
)
