# SPDX-License-Identifier: GPL-3.0-or-later
"""How clips are made: first what an artist decides, the rest in a panel that starts closed."""

from __future__ import annotations

from typing import ClassVar

import bpy

from .. import previs
from ..properties import switched_off
from .common import SidebarPanel
from .wrapping import label


class SettingsPanel(SidebarPanel):
    """How clips are made."""

    bl_label = "Settings"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = _columns(self.layout), context.scene.wan_previs
        column = layout.column()
        column.prop(state, "model")
        if state.model == "CUSTOM":
            column.prop(state, "checkpoint", text="Folder")
            _draw_four_steps(column, context, state)
        column.prop(state, "mode")
        if state.why_not_mode:
            label(column, context, state.why_not_mode, icon="ERROR")
        elif state.mode_words:
            told = column.row()
            told.active = False
            told.alignment = "RIGHT"
            told.label(text=state.mode_words)
        if state.mode_in_use == "control":
            column.prop(state, "control")
        if state.mode_in_use in ("control", "motion"):
            column.prop(state, "resemblance", slider=True)
        column.prop(state, "seed")
        light = layout.column()
        light.prop(state, "guide_light")
        told = light.column()
        told.active = state.guide_light != "off"
        told.prop(state, "expected_light")
        light.column(align=True).prop(state, "repair")
        column = layout.column()
        column.prop(state, "size")
        if state.size == "CUSTOM":
            pixels = column.column(align=True)
            pixels.prop(state, "width")
            pixels.prop(state, "height")
        column.prop(state, "upscale")
        column.prop(state, "codec")
        column.prop(state, "output")


class AdvancedPanel(SidebarPanel):
    """What rarely needs a change."""

    bl_label = "Advanced"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = _columns(self.layout), context.scene.wan_previs
        _draw_group(layout, state, "advanced")
        if state.model != "CUSTOM":
            return
        _draw_group(layout, state, "model")
        _draw_loras(layout, state)


def _draw_four_steps(layout: bpy.types.UILayout, context: bpy.types.Context, state: bpy.types.PropertyGroup) -> None:
    """The button that brings the model to four steps and back, and what speaks against the sampling as it is."""
    if state.four_steps:
        on = state.preset == "lightning"
        button = "wan_previs.all_steps" if on else "wan_previs.four_steps"
        layout.operator(button, icon="IMPORT" if not (on or state.four_steps_here) else "NONE", depress=on)
        told = layout.column()
        told.active = False
        label(told, context, state.four_steps)
    for doubt in filter(None, state.sampling_doubts.split("\n")):
        label(layout, context, doubt, icon="ERROR")


def _draw_group(layout: bpy.types.UILayout, state: bpy.types.PropertyGroup, group: str) -> None:
    """The options of a group that one property stores, in the table's order; grey where they do nothing."""
    column = layout.column()
    for name, option in previs.OPTIONS.items():
        if option.group == group and name != "loras":
            row = column.row()
            row.active = not (option.needs and switched_off(state, option.needs))
            row.prop(state, name)


def _columns(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout


def _draw_loras(layout: bpy.types.UILayout, state: bpy.types.PropertyGroup) -> None:
    for index, lora in enumerate(state.loras):
        box = layout.box().column()
        row = box.row(align=True)
        row.prop(lora, "path")
        row.operator("wan_previs.remove_lora", text="", icon="X").index = index
        box.prop(lora, "strength")
        box.prop(lora, "expert")
    layout.operator("wan_previs.add_lora", icon="ADD")
