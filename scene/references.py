# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference pictures: what the scene, its collections and objects are to look like, and the shots that show them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import bpy

from .brief import Reference, ReferenceKind
from .subjects.groups import head_of

Owner: TypeAlias = bpy.types.Scene | bpy.types.Collection | bpy.types.Object
LOOKS = 25  # frames, spread over a shot, at which a thing is looked for


@dataclass(frozen=True)
class Stated:
    """A picture (its whole path, "" for one that is no file) of what `owner` is to look like."""

    owner: Owner
    path: str


def stated_references(scene: bpy.types.Scene) -> list[Stated]:
    """The pictures that the file holds for the scene, and for collections and objects that it can show."""
    return [
        Stated(owner, os.path.normpath(path) if (path := absolute(image)) else "")
        for owner in _owners(scene)
        if (settings := getattr(owner, "wan_previs", None)) is not None
        for entry in settings.references
        if (image := entry.image) is not None
    ]


def absolute(image: bpy.types.Image) -> str:
    """The whole path of an image's file; "" where it has none."""
    path: str = bpy.path.abspath(image.filepath, library=image.library) if image.filepath else ""
    return path


def _owners(scene: bpy.types.Scene) -> Iterator[Owner]:
    """The scene, its collections and objects, and those of collections that objects place copies of."""
    found: dict[bpy.types.Collection, None] = {}
    queue = [scene.collection]
    while queue:
        collection = queue.pop(0)
        if collection in found:
            continue
        found[collection] = None
        queue += collection.children
        queue += [item.instance_collection for item in collection.objects if item.instance_collection is not None]
    yield from dict.fromkeys(item for collection in found for item in collection.objects)
    yield from found
    yield scene


def things_of(stated: Sequence[Stated], objects: Collection[bpy.types.Object]) -> dict[str, set[bpy.types.Object]]:
    """The objects that show each owner but the scene, by its key: of an object itself and all that belongs to it."""
    owners = {key_of(entry.owner): entry.owner for entry in stated if not isinstance(entry.owner, bpy.types.Scene)}
    things = {
        key: set(owner.all_objects) if isinstance(owner, bpy.types.Collection) else {owner}
        for key, owner in owners.items()
    }
    wanted = {owner: key for key, owner in owners.items() if isinstance(owner, bpy.types.Object)}
    for item in objects if wanted else ():
        for bearer in (head_of(item), *_parents(item)):
            if bearer in wanted:
                things[wanted[bearer]].add(item)
    return things


def key_of(owner: bpy.types.ID) -> str:
    """What tells an owner from the others of a scene."""
    return f"{kind_of(owner)} {owner.name_full}"


def kind_of(owner: bpy.types.ID) -> ReferenceKind:
    """What an owner is."""
    if isinstance(owner, bpy.types.Scene):
        return "scene"
    return "collection" if isinstance(owner, bpy.types.Collection) else "object"


def _parents(item: bpy.types.Object) -> Iterator[bpy.types.Object]:
    while (item := item.parent) is not None:
        yield item


def references_for(stated: Sequence[Stated], weights: dict[str, float]) -> tuple[Reference, ...]:
    """The pictures for a shot, the most important first: of objects, then of collections, each by how much it is the
    shot's subject (`weights` by key, of what is seen alone), then the scene's."""
    kinds: Sequence[ReferenceKind] = ("object", "collection", "scene")

    def rank(entry: Stated) -> tuple[int, float, str]:
        key = key_of(entry.owner)
        return kinds.index(kind_of(entry.owner)), -weights.get(key, 0.0), key

    shown = [entry for entry in stated if isinstance(entry.owner, bpy.types.Scene) or key_of(entry.owner) in weights]
    return tuple(Reference(kind_of(entry.owner), entry.owner.name, entry.path) for entry in sorted(shown, key=rank))
