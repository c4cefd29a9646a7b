# SPDX-License-Identifier: GPL-3.0-or-later
"""How the work goes, and how it ended."""

from __future__ import annotations

import bpy

from .wrapping import label

_UNIT = 20.0  # pixels of a button's height, before the interface's own scale
_MARGINS = 3.5  # what the panel's edges take from its width, in such units
_LARGEST = 14.0


def draw_running(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The running step, the clip as it looks by now, the time left, and the way to stop."""
    session = context.window_manager.wan_previs
    column = layout.column()
    label(column, context, session.title)
    if session.picture:
        column.template_icon(session.picture, scale=_picture_scale(context))
    column.progress(text=session.status, factor=session.fraction)
    if session.left:
        row = column.row()
        row.alignment = "RIGHT"
        row.active = False
        row.label(text=session.left)
    _draw_notes(column, context)
    column.operator("wan_previs.cancel", icon="CANCEL")


def draw_ended(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the last work made, and what was wrong with it."""
    session = context.window_manager.wan_previs
    for error in session.errors:
        label(layout.box(), context, error.text, icon="ERROR")
    _draw_notes(layout, context)
    if session.result:
        label(layout, context, session.result, icon="CHECKMARK")
    row = layout.row(align=True)
    if session.overview:
        row.operator("wan_previs.open_overview", icon="IMAGE_DATA")
    if session.folder:
        row.operator("wan_previs.open_folder", icon="FILE_FOLDER")


def _draw_notes(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    for note in context.window_manager.wan_previs.notes:
        label(layout, context, note.text, icon="INFO")


def _picture_scale(context: bpy.types.Context) -> float:
    """As wide as the panel, in buttons' heights."""
    width = context.region.width / (context.preferences.system.ui_scale * _UNIT)
    return min(_LARGEST, max(4.0, width - _MARGINS))
