# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of LoRA files."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.props import IntProperty


class WANPREVIS_OT_add_lora(bpy.types.Operator):
    """Add a LoRA file that changes the model"""

    bl_idname = "wan_previs.add_lora"
    bl_label = "Add LoRA"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.wan_previs.loras.add()
        return {"FINISHED"}


class WANPREVIS_OT_remove_lora(bpy.types.Operator):
    """Take this LoRA off the list; its file stays"""

    bl_idname = "wan_previs.remove_lora"
    bl_label = "Remove LoRA"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    index: IntProperty(name="Index", min=0, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.wan_previs.loras.remove(self.index)
        context.scene.wan_previs.look_at_model()
        return {"FINISHED"}


CLASSES = (WANPREVIS_OT_add_lora, WANPREVIS_OT_remove_lora)
