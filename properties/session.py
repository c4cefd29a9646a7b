# SPDX-License-Identifier: GPL-3.0-or-later
"""The running generation and what was found on the disk, as panels see them. None of it is the file's, so that undo
leaves it as it is; it is emptied whenever a file is loaded."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, IntProperty, StringProperty

from .rows import WanPrevisFound, WanPrevisLine


class WanPrevisSession(bpy.types.PropertyGroup):
    """The work that runs now, what became of the last one, and what the job folders hold."""

    running: BoolProperty()
    cancelling: BoolProperty()
    title: StringProperty(name="What is being done")
    status: StringProperty(name="The running step")
    fraction: FloatProperty(min=0.0, max=1.0)
    left: StringProperty(name="What is still to come")
    picture: IntProperty(name="Icon of the clip as it looks by now", description="0 while there is none")
    notes: CollectionProperty(type=WanPrevisLine)
    result: StringProperty(name="What the last work has made")
    folder: StringProperty(name="Where the last clip is")
    overview: StringProperty(name="The picture of the last takes")
    engine_missing: BoolProperty()
    engine_words: StringProperty(name="What is wrong with the engine, and what to do")
    setup_plan: StringProperty(name="What setting up the engine would install")
    lost: CollectionProperty(type=WanPrevisLine, name="The takes whose clips are gone, as `key_of` names them")
    unfinished: CollectionProperty(type=WanPrevisFound, name="Interrupted work that can go on")
    clips: CollectionProperty(type=WanPrevisFound, name="The clips that are done")
    errors: CollectionProperty(type=WanPrevisLine)
    findings: CollectionProperty(type=WanPrevisLine)

    @staticmethod
    def key_of(scene: bpy.types.Scene, take: str) -> str:
        """What stands for a take of a scene in `lost`."""
        return f"{scene.session_uid} {take}"

    def is_lost(self, scene: bpy.types.Scene, take: str) -> bool:
        """Whether the clip of a take was gone when it was last looked for."""
        key = self.key_of(scene, take)
        return any(line.text == key for line in self.lost)

    def tell_found(self, rows: bpy.types.bpy_prop_collection, scene: bpy.types.Scene, found: Iterable[dict]) -> None:
        """What there is of a scene in the place of what there was of it, in `unfinished` or `clips`."""
        key = str(scene.session_uid)
        for index in reversed([index for index, row in enumerate(rows) if row.scene == key]):
            rows.remove(index)
        for facts in found:
            row = rows.add()
            row.scene = key
            for name, value in facts.items():
                setattr(row, name, value)

    def how_to_go_on(self, scene: bpy.types.Scene, shot: str) -> str:
        """What the button says that goes on with a shot's interrupted work; "" without any."""
        return next((row.words for row in self._of(self.unfinished, scene, shot)), "")

    def clips_of(self, scene: bpy.types.Scene, shot: str) -> list[WanPrevisFound]:
        """The clips of a shot that are done."""
        return list(self._of(self.clips, scene, shot))

    @staticmethod
    def _of(rows: Iterable[WanPrevisFound], scene: bpy.types.Scene, shot: str) -> Iterable[WanPrevisFound]:
        key = str(scene.session_uid)
        return (row for row in rows if row.scene == key and row.shot == shot)

    def begin(self, title: str) -> None:
        """New work starts; what the last one said is forgotten."""
        self.running, self.cancelling = True, False
        self.title, self.status, self.fraction, self.result = title, "Starting", 0.0, ""
        self.left, self.picture, self.overview = "", 0, ""
        self.errors.clear()
        self.notes.clear()

    def tell_notes(self, notes: list[str]) -> None:
        """What went on that is no error."""
        self.notes.clear()
        for note in notes:
            self.notes.add().text = note

    def end(self, errors: list[str], result: str = "") -> None:
        """The work is over."""
        self.running = self.cancelling = False
        self.status, self.fraction, self.result = "", 0.0, result
        self.left, self.picture = "", 0
        self.errors.clear()
        for error in errors:
            self.errors.add().text = error
