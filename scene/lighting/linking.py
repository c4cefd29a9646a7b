# SPDX-License-Identifier: GPL-3.0-or-later
"""Light linking: which objects a light lights at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import bpy


def is_linked(light: bpy.types.Object) -> bool:
    """Whether a light is told what it lights. An empty collection tells nothing: the light then lights everything."""
    return next(_states(light), None) is not None


def receives(light: bpy.types.Object, item: bpy.types.Object) -> bool:
    """Whether a light lights an object: it is among those included (all, where none is) and not excluded."""
    states = list(_states(light))
    included = [other for other, state in states if state == "INCLUDE"]
    return (not included or item in included) and (item, "EXCLUDE") not in states


def lit_share(light: bpy.types.Object, seen: Sequence[bpy.types.Object]) -> float:
    """The part (0..1) of what is seen that a light lights; all of it without light linking, none where nothing is
    seen."""
    if not is_linked(light):
        return 1.0
    return sum(receives(light, item) for item in seen) / len(seen) if seen else 0.0


def _states(light: bpy.types.Object) -> Iterator[tuple[bpy.types.Object, str]]:
    """The objects of a light's receiver collection with their states; those of inner collections have theirs."""
    collection = light.light_linking.receiver_collection
    if collection is None:
        return
    for item, entry in zip(collection.objects, collection.collection_objects, strict=True):
        yield item, entry.light_linking.link_state
    for inner, entry in zip(collection.children, collection.collection_children, strict=True):
        for item in inner.all_objects:
            yield item, entry.light_linking.link_state
