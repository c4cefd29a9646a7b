# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference pictures of the scene, the active collection and the active object."""

from __future__ import annotations

from typing import ClassVar

import bpy

from .common import SidebarPanel
from .wrapping import label

_ICONS = {"SCENE": "SCENE_DATA", "COLLECTION": "GROUP", "OBJECT": "OBJECT_DATA"}


class ReferencesPanel(SidebarPanel):
    """Pictures of what the shots are to look like."""

    bl_label = "References"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.wan_previs
        if state.references_taken == 0:
            label(
                layout,
                context,
                "The chosen model takes no reference pictures; VACE and Fun Control models do.",
                icon="INFO",
            )
        owners = {"SCENE": context.scene, "COLLECTION": context.collection, "OBJECT": context.object}
        for kind, owner in owners.items():
            if owner is not None:
                draw_references(layout.box().column(), context, kind, owner)


def draw_references(column: bpy.types.UILayout, context: bpy.types.Context, kind: str, owner: bpy.types.ID) -> None:
    """The pictures of a scene, collection or object with their buttons."""
    row = column.row(align=True)
    row.label(text=owner.name, icon=_ICONS[kind])
    row.operator("wan_previs.add_reference", text="", icon="ADD").owner = kind
    for index, entry in enumerate(owner.wan_previs.references):
        row = column.row(align=True)
        row.label(
            text=entry.image.name if entry.image else "Picture deleted", icon="IMAGE_DATA" if entry.image else "ERROR"
        )
        remove = row.operator("wan_previs.remove_reference", text="", icon="X", emboss=False)
        remove.owner, remove.index = kind, index
        if entry.origin:
            label(column, context, entry.origin)
