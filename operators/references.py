# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of reference pictures of the scene, the active object and the active collection; and stars of takes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, StringProperty

from .. import previs
from .common import Act, settings_of
from .takes import TakeOperator

OWNERS = (
    ("SCENE", "Scene", "All shots are to look like it", "SCENE_DATA", 0),
    ("COLLECTION", "Active Collection", "The collection looks like it, in shots that show any of it", "GROUP", 1),
    ("OBJECT", "Active Object", "The object looks like it, in shots that show it", "OBJECT_DATA", 2),
)


def owner_of(context: bpy.types.Context, kind: str) -> bpy.types.Scene | bpy.types.Collection | bpy.types.Object:
    """Whose references are meant. Raises UsageError where nothing is active."""
    owners = {"SCENE": context.scene, "COLLECTION": context.collection, "OBJECT": context.object}
    if owners[kind] is None:
        raise previs.UsageError("No object is active. Select the one that is to look like the picture.")
    return owners[kind]


class ReferenceOperator(Act):
    """What is done with a list of references; `owner` tells whose."""

    bl_options: ClassVar[set[str]] = {"UNDO"}

    owner: EnumProperty(
        name="Of", description="What is to look like the picture", items=OWNERS, default="SCENE", options={"SKIP_SAVE"}
    )

    def end(self, context: bpy.types.Context, done: bool) -> None:
        if done and context.scene.wan_previs.shots:
            context.scene.wan_previs.read_from = ""  # the shots' rows tell which references they have


class WANPREVIS_OT_add_reference(ReferenceOperator, bpy.types.Operator):
    """Choose pictures of what this is to look like, in all shots that show it"""

    bl_idname = "wan_previs.add_reference"
    bl_label = "Add Reference"

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            previs.check_own(owner_of(context, self.owner))
        except previs.OurError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        names = [file.name for file in self.files if file.name]
        if not names:
            raise previs.UsageError("No picture is chosen.")
        for name in names:
            previs.add_reference(owner_of(context, self.owner), Path(bpy.path.abspath(self.directory)) / name)


class WANPREVIS_OT_remove_reference(ReferenceOperator, bpy.types.Operator):
    """Take this picture off the list; its file stays"""

    bl_idname = "wan_previs.remove_reference"
    bl_label = "Remove Reference"

    index: IntProperty(name="Index", min=0, options={"SKIP_SAVE"})

    def act(self, context: bpy.types.Context) -> None:
        owner = owner_of(context, self.owner)
        previs.check_own(owner)
        owner.wan_previs.references.remove(self.index)


class WANPREVIS_OT_reference_from_take(ReferenceOperator, bpy.types.Operator):
    """Make what this take shows on the current frame a reference picture"""

    bl_idname = "wan_previs.reference_from_take"
    bl_label = "Use Frame as Reference"

    take: StringProperty(name="Take", description="Name of the take's strip", options={"SKIP_SAVE"})

    def act(self, context: bpy.types.Context) -> None:
        scene, owner = context.scene, owner_of(context, self.owner)
        previs.check_own(owner)
        picture, origin = previs.still_of(scene, settings_of(context), self.take, scene.frame_current)
        previs.add_reference(owner, picture, origin)
        self.report({"INFO"}, f"{owner.name} is to look like {origin}")


class WANPREVIS_OT_star_take(TakeOperator, bpy.types.Operator):
    """Mark this take as one that you like, or take the mark away"""

    bl_idname = "wan_previs.star_take"
    bl_label = "Star"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    def end(self, context: bpy.types.Context, done: bool) -> None:
        """The star is the strip's own: nothing on the disk has changed."""

    def act(self, context: bpy.types.Context) -> None:
        previs.star_take(context.scene, self.take, not previs.take_named(context.scene, self.take).starred)


CLASSES = (
    WANPREVIS_OT_add_reference,
    WANPREVIS_OT_remove_reference,
    WANPREVIS_OT_reference_from_take,
    WANPREVIS_OT_star_take,
)
