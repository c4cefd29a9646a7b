# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulations that are not baked. Blender computes them only while frames go by one after the other from their start;
a jump shows them as they were at the last frame computed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy

from ..nodes import node_trees, reached

FEW_FRAMES = 2  # in a cache: no more than a visit of its first frames leaves
MOST_NAMED = 4


@dataclass(frozen=True)
class Simulation:
    """Something simulated: `name` for the user, `owner` the object or scene it belongs to, `start` its first frame,
    `cache` Blender's point cache (None for simulation nodes, which keep theirs out of the file), `playable` whether it
    runs while frames go by, `repeats` whether it does so anew from any start."""

    name: str
    owner: bpy.types.ID
    start: int
    cache: Any = None
    playable: bool = True
    repeats: bool = True

    def reaches(self, last: int) -> bool:
        """Whether its cache holds all frames from its start up to `last`, each computed from the one before."""
        if self.cache is None or self.cache.is_outdated or self.cache.is_frame_skip:
            return False
        return _frames_in(self.cache) >= min(last, self.cache.frame_end) - self.start + 1

    @property
    def is_early(self) -> bool:
        """Whether its cache begins where Blender goes back to no frame, unless it is held as if baked."""
        return self.cache is not None and self.start < _FIRST

    @property
    def can_be_held(self) -> bool:
        """Whether its cache can be taken for baked, and is right then: of cloth and hair Blender computes no such
        frames a second time, not for a bake either. Linked caches are locked."""
        return self.repeats and self.owner.library is None and self.owner.override_library is None


_FIRST = 1  # where a cache may begin: an earlier one counts as one with gaps, which each jump back cuts off


@contextmanager
def played(scene: bpy.types.Scene, last: int) -> Iterator[None]:
    """Inside the block every frame up to `last` shows the scene's simulations as they are when it is played from their
    start; what is simulated already or baked is only read. At the end caches that were empty are emptied again. Which
    frame the scene is at is left to the caller. Costs nothing in a scene without such simulations."""
    found = [item for item in unbaked(scene) if item.playable and not item.reaches(last)]
    if not found:
        yield
        return
    fresh = [item for item in found if item.cache is not None and _frames_in(item.cache) <= FEW_FRAMES]
    forgetful = [item.owner for item in found if getattr(item.owner, "use_simulation_cache", True) is False]
    held = [item for item in found if item.is_early and item.can_be_held]
    try:
        for owner in forgetful:
            owner.use_simulation_cache = True
        # Frames added to a cache that was begun earlier are dropped at the next jump back: it must be one run.
        _empty(scene, [item for item in found if item.cache is not None])
        for frame in range(min(item.start for item in found), last + 1):
            scene.frame_set(frame)
        for item in held:
            _with_cache(scene, item, bpy.ops.ptcache.bake_from_cache)
        yield
    finally:
        for item in held:
            _with_cache(scene, item, bpy.ops.ptcache.free_bake)
        for owner in forgetful:
            owner.use_simulation_cache = False
        _empty(scene, fresh)


def notes(scene: bpy.types.Scene) -> list[str]:
    """What the user should know about the scene's simulations, a sentence or two each."""
    found = unbaked(scene)
    stepped = [item.name for item in found if item.playable]
    stuck = [item.name for item in found if not item.playable]
    texts = []
    if stepped:
        texts.append(
            f"Played from the start to reach the shots' frames, as it is not baked: {few(stepped)}. "
            "Bake it to make this quick."
        )
    early = [item.name for item in found if item.playable and item.is_early and not item.can_be_held]
    if early:
        texts.append(
            f"Starts before frame {_FIRST}, where Blender loses its frames: {few(early)}. It may be shown wrong: "
            f"let it start at frame {_FIRST} or later."
        )
    if stuck:
        texts.append(
            f"Not baked, and cannot be played here: {few(stuck)}. It is shown as it was at the frame last computed: "
            "bake it, or switch it on in viewports if it is off there."
        )
    return texts


def fluids(scene: bpy.types.Scene) -> list[str]:
    """Names of the fluid domains that render."""
    return [
        repr(item.name)
        for item in _evaluated(scene)
        if not item.hide_render
        and any(m.type == "FLUID" and m.fluid_type == "DOMAIN" and m.show_render for m in item.modifiers)
    ]


def few(names: Sequence[str]) -> str:
    """The first few of the names, and how many more there are."""
    shown = ", ".join(names[:MOST_NAMED])
    return f"{shown} and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else shown


def unbaked(scene: bpy.types.Scene) -> list[Simulation]:
    """The simulations of what renders in a scene, directly or through an instance, that no bake holds."""
    found = [item for shown in shown_scenes(scene) for item in _rigid_bodies(shown)]
    by_object = {item: _of_object(item, scene) for item in bpy.data.objects}
    if any(by_object.values()):
        evaluated, own = _evaluated(scene), {item for shown in shown_scenes(scene) for item in shown.objects}
        for item, simulations in by_object.items():
            if item in evaluated:
                found += simulations
            elif item in own and not item.hide_render:  # the eye or a switch hides it in viewports only
                found += [replace(simulation, playable=False) for simulation in simulations]
    return found


def _evaluated(scene: bpy.types.Scene) -> set[bpy.types.Object]:
    """All objects that Blender evaluates in viewports for the layers that render."""
    layers = [layer for layer in scene.view_layers if layer.use] or list(scene.view_layers)
    if any(layer.depsgraph is None for layer in layers):  # the scene was never shown
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    for layer in layers:
        layer.update()
    ids = (block.original for layer in layers for block in layer.depsgraph.ids)
    return {block for block in ids if isinstance(block, bpy.types.Object)}


def shown_scenes(scene: bpy.types.Scene) -> list[bpy.types.Scene]:
    """The scene and those that are shown behind it."""
    found: list[bpy.types.Scene] = []
    shown: bpy.types.Scene | None = scene
    while shown is not None and shown not in found:
        found.append(shown)
        shown = shown.background_set
    return found


def _rigid_bodies(scene: bpy.types.Scene) -> list[Simulation]:
    world = scene.rigidbody_world
    if world is None or not world.enabled or world.collection is None or _is_baked(world.point_cache):
        return []
    bodies = [item.rigid_body for item in world.collection.all_objects if item.rigid_body is not None]
    if not any(body.type == "ACTIVE" for body in bodies):
        return []
    start = world.point_cache.frame_start
    # At frame 0 Blender now and then builds its bodies of meshes that it has not evaluated yet.
    return [Simulation("rigid bodies", scene, start, world.point_cache, repeats=start != 0)]


def _of_object(item: bpy.types.Object, scene: bpy.types.Scene) -> list[Simulation]:
    """The unbaked simulations of an object's modifiers that render."""
    found = []
    for modifier in item.modifiers:
        if not modifier.show_render:
            continue
        for what, cache in _caches(modifier):
            if not _is_baked(cache):
                # Paint keeps its frames in files or not at all, so a render does not see what was played.
                playable = modifier.show_viewport and modifier.type != "DYNAMIC_PAINT"
                name, repeats = f"{what} of {item.name!r}", what not in {"cloth", "hair"}
                found.append(Simulation(name, item, cache.frame_start, cache, playable, repeats))
        if modifier.type == "FLUID" and _is_unbaked_fluid(modifier):
            found.append(Simulation(f"fluid of {item.name!r}", item, scene.frame_start, None, False))
        if modifier.type == "NODES" and _has_unbaked_zone(modifier):
            name = f"simulation nodes of {item.name!r}"
            found.append(Simulation(name, item, _zones_start(modifier, scene), None, modifier.show_viewport))
    return found


def _caches(modifier: Any) -> Iterator[tuple[str, Any]]:
    """What a modifier simulates, with its point cache."""
    if modifier.type == "CLOTH":
        yield "cloth", modifier.point_cache
    elif modifier.type == "SOFT_BODY":
        yield "soft body", modifier.point_cache
    elif modifier.type == "DYNAMIC_PAINT" and modifier.canvas_settings is not None:
        for surface in modifier.canvas_settings.canvas_surfaces:
            if surface.is_active:
                yield "dynamic paint", surface.point_cache
    elif modifier.type == "PARTICLE_SYSTEM":
        system = modifier.particle_system
        if system.settings.type == "HAIR":
            if system.use_hair_dynamics:
                yield "hair", system.point_cache
        elif system.settings.type == "EMITTER" and system.settings.physics_type not in {"NO", "KEYED"}:
            yield "particles", system.point_cache


def _is_baked(cache: Any) -> bool:
    return bool(cache.is_baked or cache.use_external)


def _is_unbaked_fluid(modifier: Any) -> bool:
    """Whether a fluid's domain has no data to show. Blender writes a fluid's frames to files of its own, so that is not
    set off here."""
    if modifier.fluid_type != "DOMAIN":
        return False
    return not (modifier.domain_settings.has_cache_baked_data or modifier.domain_settings.has_cache_baked_any)


def _has_unbaked_zone(modifier: Any) -> bool:
    """Whether a simulation zone of geometry nodes has no bake in a folder. A bake packed into the file cannot be told;
    playing over it reads it."""
    bakes = {bake.bake_id: bake for bake in modifier.bakes if bake.node is not None}
    zones = [bake for bake in bakes.values() if bake.node.bl_idname == "GeometryNodeSimulationOutput"]
    if not zones:
        return any(
            node.bl_idname == "GeometryNodeSimulationOutput"
            for tree in reached([modifier.node_group], node_trees)
            for node in tree.nodes
        )
    return not all(_bake_exists(modifier, bake) for bake in zones)


def _zones_start(modifier: Any, scene: bpy.types.Scene) -> int:
    """The first frame of a modifier's simulation zones, each of which may have a range of its own."""
    usual = scene.simulation_frame_start if scene.use_custom_simulation_range else scene.frame_start
    zones = [bake for bake in modifier.bakes if getattr(bake.node, "bl_idname", "") == "GeometryNodeSimulationOutput"]
    own = [bake.frame_start if bake.use_custom_simulation_frame_range else usual for bake in zones]
    return min(own, default=usual)


def _bake_exists(modifier: Any, bake: Any) -> bool:
    library = modifier.id_data.library
    if bake.use_custom_path:
        folder = Path(bpy.path.abspath(bake.directory, library=library)) if bake.directory else None
    else:
        base = bpy.path.abspath(modifier.bake_directory, library=library)
        folder = Path(base, str(bake.bake_id)) if base else None
    return folder is not None and any((folder / "meta").glob("*.json"))


def _frames_in(cache: Any) -> int:
    """How many frames a point cache holds; Blender says so only in words, of any language, the number first."""
    number = re.search(r"\d+", cache.info)
    return int(number[0]) if number else 0


def _empty(scene: bpy.types.Scene, simulations: Sequence[Simulation]) -> None:
    """Empties point caches, as any change of what they hold does in Blender: it marks them outdated, and the next visit
    of their start drops them.

    Rigid bodies go first, for they start anew at their second frame. There the caches of objects begin to fill, and one
    that goes on after it was filled and read from its start counts as one with gaps: each jump back cuts it off.
    """
    bodies = [item for item in simulations if isinstance(item.owner, bpy.types.Scene)]
    others = [item for item in simulations if item not in bodies]
    for item in bodies:
        scene.frame_set(item.start - 1)
        item.owner.rigidbody_world.time_scale = item.owner.rigidbody_world.time_scale
        _update(scene)
        for frame in (item.start,) if item.is_early else (item.start, item.start + 1):
            scene.frame_set(frame)
    for start in sorted({item.start for item in others}, reverse=True):
        scene.frame_set(start)
        for item in others:
            if item.start == start:
                item.owner.update_tag()
        _update(scene)


def _with_cache(scene: bpy.types.Scene, item: Simulation, do: Callable[[], object]) -> None:
    with bpy.context.temp_override(scene=scene, point_cache=item.cache):
        do()


def _update(scene: bpy.types.Scene) -> None:
    for layer in scene.view_layers:
        layer.update()
