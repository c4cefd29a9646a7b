# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user marked: objects and collections that a clip follows exactly, is free with, or keeps as rendered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ... import compat
from ...scene.brief import SceneError
from ...scene.visibility import rendered_objects

INDEX = {"follow": 1, "free": 2, "keep": 3}  # the pass index that stands for a mark
_WORDS = {"follow": "Follow Exactly", "free": "Free", "keep": "Keep as Rendered"}


def marks_of(scene: bpy.types.Scene) -> dict[bpy.types.Object, str]:
    """The marked objects with their marks. An object's own mark counts, else that of the innermost marked collection it
    lies in, else that of an object that places a copy of it (a collection's instance)."""
    found: dict[bpy.types.Object, str] = {}
    placed: dict[bpy.types.Object, str] = {}
    in_collections = dict(_of_collections(scene.collection, ""))
    for item in scene.objects:
        mark = _mark(item) or in_collections.get(item, "")
        if mark:
            found[item] = mark
            if item.instance_type == "COLLECTION" and item.instance_collection is not None:
                placed.update(_of_collections(item.instance_collection, mark))
    own = {item: _mark(item) for item in placed if _mark(item)}
    return {**{item: mark for item, mark in placed.items() if mark}, **own, **found}


def _of_collections(collection: bpy.types.Collection, mark: str) -> Iterator[tuple[bpy.types.Object, str]]:
    mark = _mark(collection) or mark
    yield from ((item, mark) for item in collection.objects)
    for child in collection.children:
        yield from _of_collections(child, mark)


def _mark(owner: bpy.types.ID) -> str:
    settings = getattr(owner, "wan_previs", None)
    mark = str(settings.mark) if settings is not None else ""
    return mark if mark in INDEX else ""


def marked(scene: bpy.types.Scene, mark: str) -> list[bpy.types.Object]:
    """The objects with this mark."""
    return [item for item, given in marks_of(scene).items() if given == mark]


def check_marks(scene: bpy.types.Scene) -> None:
    """Raises SceneError for a marked object that no render shows."""
    layer = compat.render_layer(scene)
    shown = set(rendered_objects(layer)) if layer is not None else set()
    for item, mark in marks_of(scene).items():
        own = item in set(scene.objects)
        if own and item.type != "EMPTY" and (item not in shown or (item.hide_render and not _is_keyed(item))):
            raise SceneError(
                f'The object "{item.name}" is marked "{_WORDS[mark]}" but hidden from renders. Show it, or take its '
                "mark away (Object properties, Previs)."
            )


def _is_keyed(item: bpy.types.Object) -> bool:
    data = item.animation_data
    drivers = data.drivers if data is not None else ()
    return any(curve.data_path == "hide_render" for curve in (*compat.fcurves(item), *drivers))


@contextmanager
def indexed(scene: bpy.types.Scene) -> Iterator[None]:
    """Inside the block the pass index of every object tells its mark, 0 for none."""
    marks = marks_of(scene)
    before = {item: item.pass_index for item in bpy.data.objects}
    try:
        for item, index in before.items():
            if index != (new := INDEX.get(marks.get(item, ""), 0)):
                item.pass_index = new
        yield
    finally:
        for item, index in before.items():
            if item.pass_index != index:
                item.pass_index = index
