# SPDX-License-Identifier: GPL-3.0-or-later
"""The takes of the active shot, each with a word about its light, and its clips that have no strip."""

from __future__ import annotations

import bpy

from .. import previs
from ..properties import WanPrevisFound
from .common import SidebarPanel
from .wrapping import label

VERDICT_ICONS = {"holds": "CHECKMARK", "jumps": "CANCEL", "unmeasured": "QUESTION"}  # others: the light drifts
_FOLLOW_WORDS = {
    "follows": "Follows the scene", "strays": "Strays from the scene",
    "cannot be told": "Following the scene cannot be told",
}  # fmt: skip
FOLLOW_ICONS = {"follows": "CHECKMARK", "strays": "CANCEL", "cannot be told": "QUESTION"}


class TakesPanel(SidebarPanel):
    """The takes of the active shot."""

    bl_label = "Takes"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        active = context.scene.wan_previs.active
        return active is not None and bool(previs.takes_of(context.scene, active.name) or _without_strip(context))

    def draw(self, context: bpy.types.Context) -> None:
        takes = previs.takes_of(context.scene, context.scene.wan_previs.active.name)
        for take in reversed(takes):
            _draw_take(self.layout.box().column(), context, take)
        for clip in reversed(_without_strip(context)):
            _draw_clip(self.layout.box().column(), context, clip)


def _without_strip(context: bpy.types.Context) -> list[WanPrevisFound]:
    """The active shot's clips that no strip shows: undone, deleted in the Sequencer, or made in a file not saved."""
    clips = context.window_manager.wan_previs.clips_of(context.scene, context.scene.wan_previs.active.name)
    shown = previs.shown_jobs() if clips else set()
    return [clip for clip in clips if clip.job not in shown]


def _draw_clip(column: bpy.types.UILayout, context: bpy.types.Context, clip: WanPrevisFound) -> None:
    row = column.row(align=True)
    row.label(text=f"Take {clip.number}")
    row.operator("wan_previs.discard_clip", text="", icon="TRASH", emboss=False).job = clip.job
    label(column, context, "Not in the Sequencer; its clip is kept.", icon="INFO")
    column.operator("wan_previs.put_back", icon="LOOP_BACK").job = clip.job


def _draw_take(column: bpy.types.UILayout, context: bpy.types.Context, take: previs.Take) -> None:
    row = column.row(align=True)
    eye = row.operator("wan_previs.show_take", text="", icon="HIDE_OFF" if take.seen else "HIDE_ON", emboss=False)
    eye.take = take.name
    missing = context.window_manager.wan_previs.is_lost(context.scene, take.name)
    row.label(text=f"Take {take.number}", icon="BRUSH_DATA" if take.repaired else "NONE")
    star = row.operator("wan_previs.star_take", text="", icon="SOLO_ON" if take.starred else "SOLO_OFF", emboss=False)
    star.take = take.name
    row.operator("wan_previs.open_report", text="", icon="FILE_TEXT", emboss=False).take = take.name
    row.operator("wan_previs.delete_take", text="", icon="TRASH", emboss=False).take = take.name
    if take.redo_of:
        label(column, context, f"A part of {take.redo_of} made anew")
    if missing:
        label(column, context, "Clip missing", icon="ERROR")
    elif take.code:
        # On a line of its own: beside the buttons it would be cut off.
        words = take.verdict[:1].upper() + take.verdict[1:]
        label(column, context, words, icon=VERDICT_ICONS.get(take.code, "ERROR"))
    if take.code and (take.code != "holds" or take.held_to) and take.seen:
        label(column, context, take.sentence)
    if take.follow and not missing:
        words = _FOLLOW_WORDS.get(take.follow_word, take.follow_word) + take.follow.removeprefix(take.follow_word)
        label(column, context, words, icon=FOLLOW_ICONS.get(take.follow_word, "ERROR"))
        if take.follow_word != "follows" and take.follow_sentence and take.seen:
            label(column, context, take.follow_sentence)
    if take.fails and not missing and not take.repaired:
        column.operator("wan_previs.repair_take", icon="BRUSH_DATA").take = take.name
    if take.seen and not missing:
        row = column.row(align=True)
        for marked, text in ((False, "Redo from Here"), (True, "Redo Marked")):
            button = row.operator("wan_previs.redo_take", text=text)
            button.take, button.marked = take.name, marked
        menu = column.operator_menu_enum("wan_previs.reference_from_take", "owner", icon="IMAGE_REFERENCE")
        menu.take = take.name
