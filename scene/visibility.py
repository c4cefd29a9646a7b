# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects and lights take part in a render of a view layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
from mathutils import Matrix

from .lighting.sun_position import Almanac, read_almanac


def rendered_objects(layer: bpy.types.ViewLayer) -> list[bpy.types.Object]:
    """Objects of the layer that are in a collection which renders, and are not disabled themselves. `hide_render` is
    left to the caller, who knows the frame (it can be keyed). The eye of the outliner hides only in viewports."""
    found: dict[bpy.types.Object, None] = {}
    queue = [layer.layer_collection]
    while queue:
        entry = queue.pop()
        collection = entry.collection
        if entry.exclude or collection.hide_render or collection.hide_viewport:
            continue
        found.update((item, None) for item in collection.objects if not item.hide_viewport)
        queue.extend(entry.children)
    return sorted(found, key=lambda item: item.name)


@dataclass(frozen=True)
class Lamp:
    """A light as evaluated at a frame; valid until the next frame is set. `key` names it across frames, `owner` is the
    object that holds it, `almanac` the scene's Sun Position data."""

    key: str
    owner: bpy.types.Object
    light: bpy.types.Light
    matrix: Matrix
    renders: bool
    almanac: Almanac

    @property
    def name(self) -> str:
        """Of the object that carries the light."""
        return self.owner.name


def lamps(objects: list[bpy.types.Object], depsgraph: bpy.types.Depsgraph, instanced: bool) -> Iterator[Lamp]:
    """Lights among `objects` (of `rendered_objects`) and, when `instanced`, those in instances of them."""
    almanac = read_almanac(depsgraph.scene)
    for item in objects:
        if item.type == "LIGHT":
            evaluated = item.evaluated_get(depsgraph)
            renders = not evaluated.hide_render and lights_surfaces(evaluated, depsgraph.scene)
            yield Lamp(item.name_full, item, evaluated.data, evaluated.matrix_world, renders, almanac)
    if not instanced:
        return
    allowed = set(objects)
    for instance in depsgraph.object_instances:
        if not instance.is_instance or instance.object.type != "LIGHT":
            continue
        owner, item = instance.parent.original, instance.object.original
        if owner not in allowed:
            continue
        key = f"{owner.name_full}/{item.name_full}/{tuple(instance.persistent_id)}"
        renders = not instance.parent.hide_render and _hands_on(owner, instance.object)
        renders = renders and lights_surfaces(instance.object, depsgraph.scene)
        yield Lamp(key, item, instance.object.data, instance.matrix_world.copy(), renders, almanac)


def lights_surfaces(item: bpy.types.Object, scene: bpy.types.Scene) -> bool:
    """Whether a light reaches surfaces: Cycles has a switch for it."""
    return item.visible_diffuse or scene.render.engine != "CYCLES"


def _hands_on(owner: bpy.types.Object, item: bpy.types.Object) -> bool:
    """Whether an instance of an evaluated object renders: geometry nodes place also a hidden one, a collection not."""
    if owner.instance_type == "NONE":
        return True
    return not item.hide_render and not all(collection.hide_render for collection in item.original.users_collection)


def has_instanced_lights(depsgraph: bpy.types.Depsgraph) -> bool:
    """Whether any instance is a light, so that most scenes need not walk their instances at every frame."""
    if not bpy.data.lights:
        return False
    return any(instance.is_instance and instance.object.type == "LIGHT" for instance in depsgraph.object_instances)
