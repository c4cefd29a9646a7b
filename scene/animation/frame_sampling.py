# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames to evaluate, and evaluating each of them once.

Evaluating a frame is what costs in Blender, so a track is refined only where linear interpolation would miss it, and
what is known to move unevenly (noise, physics, handlers, drivers that run scripts or swing) is evaluated at every
frame.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import bpy

from ... import compat
from ..nodes import node_trees, reached

Facts = TypeVar("Facts")

# Uneven fractions, so that a turn of whole revolutions cannot look still.
PROBES = (0.0, 0.236, 0.5, 0.691, 0.854, 1.0)
SMOOTH = {"CONSTANT", "LINEAR", "BEZIER", "SINE", "QUAD", "CUBIC", "QUART", "QUINT", "EXPO", "CIRC", "BACK"}
PLAIN_CONSTRAINTS = {
    "TRACK_TO", "DAMPED_TRACK", "LOCKED_TRACK", "STRETCH_TO", "COPY_LOCATION", "COPY_ROTATION", "COPY_SCALE",
    "COPY_TRANSFORMS", "LIMIT_DISTANCE", "LIMIT_LOCATION", "LIMIT_ROTATION", "LIMIT_SCALE", "CHILD_OF", "FOLLOW_PATH",
    "TRANSFORM", "PIVOT", "FLOOR",
}  # fmt: skip
# In a driver's expression, what changes as evenly as its variables do: no sine, no rounding, no condition.
EVEN = {
    "frame", "pi", "radians", "degrees", "abs", "min", "max", "clamp", "lerp", "smoothstep", "sqrt", "pow", "exp",
    "log", "asin", "acos", "atan", "atan2",
}  # fmt: skip


def render_layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    """The view layer whose objects count: the one that is rendered, else the first."""
    return compat.render_layer(scene) or scene.view_layers[0]


def set_frame(scene: bpy.types.Scene, frame: int) -> None:
    """Evaluates the scene at a frame: in a large scene, what reading it takes its time for."""
    scene.frame_set(frame)


@contextmanager
def frames_of(scene: bpy.types.Scene) -> Iterator[Callable[[int], bpy.types.Depsgraph]]:
    """A function that evaluates the scene at a frame. On leaving, also by an error, the scene's frame, subframe and
    camera (which markers switch) are as before."""
    frame, subframe, camera = scene.frame_current, scene.frame_subframe, scene.camera
    layer, contested = render_layer(scene), _contested()
    now: int | None = None

    def at(target: int) -> bpy.types.Depsgraph:
        nonlocal now
        if target != now:
            set_frame(scene, target)
            for _ in range(3):  # an original that does not follow (of a scene in no window) is no reason to go on
                if all(_settled(owner, path, layer.depsgraph) for owner, path in contested):
                    break
                set_frame(scene, target)
            now = target
        return layer.depsgraph

    try:
        yield at
    finally:
        scene.frame_set(frame, subframe=subframe)
        if scene.camera != camera:
            scene.camera = camera


def _contested() -> list[tuple[bpy.types.ID, str]]:
    """Arrays (a location, a colour) of which both keys and drivers change elements.

    Blender evaluates the two on threads of their own, and a driver writes the whole array. Now and then (seen in 4.5
    and 5.2, about once in a thousand frames) it so puts the former frame's value back where a key had just changed it.
    """
    found = []
    for owner in (*bpy.data.objects, *bpy.data.cameras, *bpy.data.lights, *bpy.data.worlds):
        data = owner.animation_data
        if data is not None and len(data.drivers):
            keyed = {curve.data_path for curve in compat.fcurves(owner)}
            found += [(owner, path) for path in {curve.data_path for curve in data.drivers} & keyed]
    return found


def _settled(owner: bpy.types.ID, path: str, depsgraph: bpy.types.Depsgraph) -> bool:
    """Whether the evaluated value of a property is what animation wrote to the original, which it does in order."""
    try:
        values = [item.path_resolve(path) for item in (owner, owner.evaluated_get(depsgraph))]
    except ValueError:  # a path that leads nowhere: an invalid driver
        return True
    first, second = (tuple(value) if hasattr(value, "__len__") else value for value in values)
    return bool(first == second)


@dataclass
class Plan:
    """Frames that must be evaluated because something is keyed there, and whether all of them must be."""

    keyed: set[int]
    every: bool


def plan(owners: Iterable[bpy.types.ID | None]) -> Plan:
    """How the given IDs move, seen through their data, parents and constraint targets."""
    result = Plan(set(), bool(bpy.app.handlers.frame_change_pre or bpy.app.handlers.frame_change_post))

    def onward(owner: bpy.types.ID) -> list[bpy.types.ID]:
        movers = _movers(owner, result) if isinstance(owner, bpy.types.Object) else []
        return [*_animation(owner, result), *movers, *node_trees(owner)]

    for _ in reached(owners, onward):  # which notes what each does
        pass
    return result


def _animation(owner: bpy.types.ID, result: Plan) -> list[bpy.types.ID]:
    """Notes when an ID is keyed, and gives what its drivers read."""
    data = getattr(owner, "animation_data", None)
    if data is None:
        return []
    result.every |= not all(map(_is_even, data.drivers)) or (data.use_nla and len(data.nla_tracks) > 0)
    for curve in compat.fcurves(owner):
        if len(curve.modifiers) or (len(curve.sampled_points) and not len(curve.keyframe_points)):
            result.every = True
        for key in curve.keyframe_points:
            result.every |= key.interpolation not in SMOOTH
            result.keyed.update((math.floor(key.co.x), math.ceil(key.co.x)))
            if key.interpolation == "CONSTANT":
                result.keyed.add(math.ceil(key.co.x) - 1)
    targets = [
        target.id for curve in data.drivers for variable in curve.driver.variables for target in variable.targets
    ]
    return [target for target in targets if target is not None]


def _is_even(curve: bpy.types.FCurve) -> bool:
    """Whether a driver's value changes as evenly as what it reads."""
    driver = curve.driver
    if not _is_straight(curve) or any(modifier.type != "GENERATOR" for modifier in curve.modifiers):
        return False  # a curve of its own stands between the two
    if any(variable.type == "CONTEXT_PROP" for variable in driver.variables):
        return False  # reads the scene or the view layer, which stand nowhere as IDs
    if driver.type != "SCRIPTED":
        return True
    names = set(re.findall(r"[A-Za-z_]\w*", driver.expression))
    even = EVEN | {variable.name for variable in driver.variables}
    return driver.is_simple_expression and names <= even and not re.search(r"[<>=!%]|//", driver.expression)


def _is_straight(curve: bpy.types.FCurve) -> bool:
    """Whether a driver's own curve bends nothing: 4.x makes them without keys, 5.x with two on the diagonal."""
    if not len(curve.keyframe_points):
        return True
    first, last = curve.keyframe_points[0].co.x - 1.0, curve.keyframe_points[-1].co.x + 1.0
    places = [first + (last - first) * i / 12 for i in range(13)]
    values = [curve.evaluate(place) for place in places]
    rise = (values[-1] - values[0]) / 12
    return all(abs(value - values[0] - rise * i) <= 1e-5 * (1 + abs(value)) for i, value in enumerate(values))


def _movers(owner: bpy.types.Object, result: Plan) -> list[bpy.types.ID]:
    """What an object's place depends on besides its own animation."""
    found = [owner.data, owner.parent, getattr(owner.data, "shape_keys", None)]
    result.every |= owner.rigid_body is not None
    if owner.parent is not None and owner.parent_type in {"VERTEX", "VERTEX_3"}:
        result.every |= bool(len(owner.parent.modifiers))
    bones = owner.pose.bones if owner.pose else ()
    for constraint in [*owner.constraints, *(c for bone in bones for c in bone.constraints)]:
        if constraint.mute:
            continue
        result.every |= constraint.type not in PLAIN_CONSTRAINTS
        found.append(getattr(constraint, "target", None))
    return [item for item in found if item is not None]


def refine(
    first: int,
    last: int,
    how: Plan,
    evaluate: Callable[[int], Facts],
    error: Callable[[Facts, Facts, Facts, float], float],
) -> dict[int, Facts]:
    """Facts at enough frames, always the first and the last.

    `error(a, b, middle, t)` is how far, in tolerances, `middle` lies from the mix of `a` and `b` at `t` in 0..1; an
    interval is halved until what is seen in it stays under half a tolerance.
    """
    probes = {round(first + (last - first) * part) for part in PROBES}
    start = range(first, last + 1) if how.every else sorted(probes | {k for k in how.keyed if first <= k <= last})
    facts = {frame: evaluate(frame) for frame in start}
    stack = list(zip(list(start)[:-1], list(start)[1:], strict=True))
    while stack:
        a, b = stack.pop()
        if b - a < 2:
            continue
        middle = (a + b) // 2
        facts[middle] = evaluate(middle)
        if error(facts[a], facts[b], facts[middle], (middle - a) / (b - a)) > 0.5:
            stack += [(a, middle), (middle, b)]
            continue
        # A sway around the middle is seen beside it.
        for a2, b2 in ((a, middle), (middle, b)):
            side = (a2 + b2) // 2
            if side in facts:
                continue
            facts[side] = evaluate(side)
            if error(facts[a2], facts[b2], facts[side], (side - a2) / (b2 - a2)) > 0.5:
                stack += [(a2, side), (side, b2)]
    return dict(sorted(facts.items()))


def thin(items: Sequence[tuple[int, Any]], error: Callable[[Any, Any, Any, float], float]) -> list[tuple[int, Any]]:
    """The fewest of (frame, facts) found by splitting at the worst miss until all stay under half a tolerance."""
    keep = {0, len(items) - 1}
    stack = [(0, len(items) - 1)]
    while stack:
        a, b = stack.pop()
        (fa, xa), (fb, xb) = items[a], items[b]
        misses = [(error(xa, xb, items[i][1], (items[i][0] - fa) / (fb - fa)), i) for i in range(a + 1, b)]
        worst, index = max(misses, default=(0.0, a))
        if worst > 0.5:
            keep.add(index)
            stack += [(a, index), (index, b)]
    return [items[index] for index in sorted(keep)]
