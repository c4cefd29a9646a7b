# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects make one thing, what it is called, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import bpy

from .names import best_name, clean_name, color_word, is_ground_name
from .occluders import GEOMETRY, scatters


@dataclass(frozen=True)
class Group:
    """Objects that make one thing: `head` gives the noun unless a `collection` does, `members` are those with a shape
    (or which instance a collection). `role`: what sets it apart from the group of its head, of a thing that another
    scatters (its only member), or of a part that is looked at by itself."""

    head: bpy.types.Object
    members: tuple[bpy.types.Object, ...]
    collection: bpy.types.Collection | None = None
    role: str = ""

    @cached_property
    def key(self) -> str:
        """What tells it from other groups of the scene."""
        if self.role:
            return f"{self.role} {self.head.name_full}"
        return f"collection {self.collection.name_full}" if self.collection is not None else self.head.name_full

    @cached_property
    def noun(self) -> str:
        """What it is, in words."""
        return best_name(self._names())

    def _names(self) -> Iterator[str]:
        if self.collection is not None:
            yield self.collection.name
        yield self.head.name
        if self.head.instance_collection is not None:
            yield self.head.instance_collection.name
        if self.head.type == "MESH":
            yield self.head.data.name
        if not self.role:
            yield from (member.name for member in self.members)

    @cached_property
    def description(self) -> str | None:
        """What the user says it is, else its colour with its name, else None."""
        stated = next(filter(None, map(stated_description, self._owners())), None)
        if stated is not None:
            return stated
        shown = (self.head,) if self.role else self.members
        words = {word for member in shown for word in _material_words(member)}
        word = words.pop() if len(words) == 1 else None
        return f"{word} {self.noun}" if word else None

    def _owners(self) -> Iterator[bpy.types.ID]:
        yield from (item for item in (self.collection, self.head, self.head.instance_collection) if item is not None)
        yield from () if self.role else self.members


def groups_of(scene: bpy.types.Scene, objects: Iterable[bpy.types.Object]) -> list[Group]:
    """Objects with a shape, parts put together with the thing, the armature or the described collection that
    they belong to."""
    described = {
        item: collection
        for collection in scene.collection.children_recursive
        if stated_description(collection) is not None
        for item in collection.all_objects
    }
    members: dict[bpy.types.ID, list[bpy.types.Object]] = {}
    for item in objects:
        if (item.type in GEOMETRY and not item.is_holdout) or _instances_collection(item):
            members.setdefault(described.get(item) or head_of(item), []).append(item)
    return [
        Group(head, tuple(parts)) if isinstance(head, bpy.types.Object) else Group(parts[0], tuple(parts), head)
        for head, parts in members.items()
    ]


def _instances_collection(item: bpy.types.Object) -> bool:
    return item.type == "EMPTY" and item.instance_type == "COLLECTION" and item.instance_collection is not None


def head_of(item: bpy.types.Object) -> bpy.types.Object:
    """The topmost parent that is a thing itself. Ground and still empties gather what does not belong together, and
    what scatters things is none of them."""
    head, seen = _bearer(item), set()
    while head not in seen:
        seen.add(head)
        parent = head.parent
        if parent is None or scatters(parent) or not _is_thing(parent) or is_ground_name(clean_name(parent.name)):
            break
        head = _bearer(parent)
    return head


def _bearer(item: bpy.types.Object) -> bpy.types.Object:
    """The armature that deforms an object, else itself."""
    rigs = (modifier.object for modifier in item.modifiers if modifier.type == "ARMATURE")
    return next((rig for rig in rigs if rig is not None), item)


def _is_thing(parent: bpy.types.Object) -> bool:
    if parent.type == "EMPTY":
        data = parent.animation_data
        return bool(len(parent.constraints)) or (
            data is not None and (data.action is not None or len(data.drivers) > 0)
        )
    return (parent.type in GEOMETRY and not _is_line(parent)) or parent.type == "ARMATURE"


def _is_line(item: bpy.types.Object) -> bool:
    """Whether an object is a curve without thickness: a path that others go along, which no render shows."""
    curve = item.data
    if item.type != "CURVE" or len(item.modifiers):
        return False
    filled = curve.dimensions == "2D" and any(spline.use_cyclic_u for spline in curve.splines)
    return not (filled or curve.bevel_depth or curve.extrude or curve.bevel_object)


def stated_description(owner: bpy.types.ID) -> str | None:
    """The user's own words for an object or a collection: set in the panel, else a custom property "description"."""
    settings = getattr(owner, "wan_previs", None)
    for text in (getattr(settings, "description", None), owner.get("description")):
        if isinstance(text, str) and text.strip():
            return text.strip()
    return None


def _material_words(item: bpy.types.Object) -> list[str | None]:
    """Colour words of an object's materials, None for one that has no plain colour."""
    words: list[str | None] = []
    for slot in item.material_slots:
        material = slot.material
        if material is None:
            continue
        nodes = material.node_tree.nodes if material.node_tree else ()
        bases = [n.inputs[0] for n in nodes if n.bl_idname in ("ShaderNodeBsdfPrincipled", "ShaderNodeBsdfDiffuse")]
        plain = len(bases) == 1 and not bases[0].is_linked
        words.append(color_word(bases[0].default_value[:]) if plain else None)
    return words
