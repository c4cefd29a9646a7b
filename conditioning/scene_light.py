# SPDX-License-Identifier: GPL-3.0-or-later
"""What light there is in a scene at a frame of a shot: its sun, its lamps, its world. Linear Rec.709."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from .. import compat
from ..scene.animation import frame_sampling, simulations
from ..scene.brief import Rgb, Shot, SunSample, find_block
from ..scene.camera.camera import read_camera
from ..scene.reader import metres_per_unit
from ..wan_engine.color_temperature import blackbody_rgb
from .lamps import LampLight, read_lamp
from .light_probe import Probe, View
from .preserve import preserved
from .staging import camera_of

SUN_CONSTANT = 1353.0  # W/m2 above the air, as Meinel takes it
CLOCK_STRENGTH = 0.004  # of a sun that the scene only tells the time of: exposes a noon well
NEUTRAL_K = 6500.0
HIDDEN_WORLD = (0.5, 0.5, 0.5)  # radiance of a world whose textures nobody has looked at


@dataclass(frozen=True)
class Glow:
    """Light at one frame that is not the brief's sun: lamps, and radiance of the world, linear RGB; `hidden` where the
    world has colours that the facts do not know (a sky, a picture)."""

    lamps: tuple[LampLight, ...] = ()
    world: Rgb = (0.0, 0.0, 0.0)
    hidden: bool = False


@dataclass(frozen=True)
class FrameLight:
    """All light at one frame, linear RGB: irradiance by the `sun` of what faces it, `toward` which a unit vector goes
    (None without a sun), by the `sky` of a sun of what lies level; lamps and world."""

    toward: np.ndarray | None
    sun: np.ndarray
    sky: np.ndarray
    glow: Glow


def light_at(shot: Shot, frame: int, glow: Glow) -> FrameLight:
    """The shot's sun at a frame beside what else shines there."""
    if shot.sun is None:
        return FrameLight(None, np.zeros(3), np.zeros(3), glow)
    sample = sun_at(shot.sun.samples, frame)
    direct, sky = sample.strength, 0.0
    if direct is None or shot.sun.source == "sky_texture":  # else the lamp's strength is what arrives
        above = SUN_CONSTANT * (CLOCK_STRENGTH if sample.strength is None else sample.strength)
        share, scattered = clear_sky(sample.elevation_deg)
        direct, sky = above * share, above * scattered
    tint = blackbody_rgb(sample.color_temperature_k or NEUTRAL_K)
    return FrameLight(np.array(sample.direction), direct * tint, np.full(3, sky), glow)


def air_mass(elevation_deg: float) -> float:
    """How many vertical atmospheres sunlight passes: Kasten and Young 1989, for elevations from 0 up."""
    e = max(0.0, elevation_deg)
    return 1 / (math.sin(math.radians(e)) + 0.50572 * (e + 6.07995) ** -1.6364)


def clear_sky(elevation_deg: float) -> tuple[float, float]:
    """Direct sun (on a surface that faces it) and sky (on a level one), as shares of the sun above the air.

    Direct: Meinel and Meinel 1976, 0.7 ^ (air mass ^ 0.678), faded over the sun's own half degree at the horizon. Sky:
    a tenth of what is level, and a twilight that falls tenfold every six degrees below the horizon.
    """
    up = min(1.0, max(0.0, (elevation_deg + 0.27) / 0.54))
    direct = up * 0.7 ** (air_mass(elevation_deg) ** 0.678)
    twilight = 0.004 * 10 ** (min(0.0, elevation_deg) / 6)
    return direct, twilight + 0.1 * math.sin(math.radians(max(0.0, elevation_deg)))


def sun_at(samples: Sequence[SunSample], frame: int) -> SunSample:
    """The sun at a frame, linear between the samples around it."""
    i = bisect_right([sample.frame for sample in samples], frame)
    if i == 0 or i == len(samples):
        return samples[max(0, i - 1)]
    a, b = samples[i - 1], samples[i]
    t = (frame - a.frame) / (b.frame - a.frame)

    def mix(x: float | None, y: float | None) -> float | None:
        return None if x is None or y is None else x + (y - x) * t

    x, y, z = (p + (q - p) * t for p, q in zip(a.direction, b.direction, strict=True))
    length = math.hypot(x, y, z) or 1.0
    elevation = a.elevation_deg + (b.elevation_deg - a.elevation_deg) * t
    return SunSample(
        frame, a.azimuth_deg, elevation, (x / length, y / length, z / length),
        mix(a.color_temperature_k, b.color_temperature_k), mix(a.strength, b.strength),
    )  # fmt: skip


def views(scene: bpy.types.Scene, shot: Shot, frames: Sequence[int], glows: Sequence[Glow]) -> list[View]:
    """What the shot's camera sees at each of these frames, by the light there. Leaves the scene as it was."""
    camera, unit = camera_of(scene, shot), metres_per_unit(scene)
    probe, found = Probe(scene, unit), []
    with preserved(scene), frame_sampling.frames_of(scene) as at, simulations.played(scene, frames[-1]):
        for frame, glow in zip(frames, glows, strict=True):
            depsgraph = at(frame)
            toward = None if shot.sun is None else np.array(sun_at(shot.sun.samples, frame).direction)
            found.append(probe.look(depsgraph, read_camera(camera, depsgraph, unit), toward, glow.lamps))
    return found


def glows(scene: bpy.types.Scene, shot: Shot, frames: Sequence[int]) -> list[Glow]:
    """Lamps and world at every frame; looked at once when nothing changes or moves any of them."""
    objects = [ob for ob in scene.objects if ob.type == "LIGHT"]
    found = (find_block(objects, light.name, light.library) for light in shot.lights)
    lamps = [ob for ob in found if ob is not None]
    carriers = _carriers(lamps)
    moved = any(ob.rigid_body is not None or len(ob.modifiers) for ob in carriers)
    if not moved and not any(map(_animated, (*carriers, *_owners(scene, lamps)))):
        return [_glow(scene, shot, lamps)] * len(frames)
    found_glows = []
    with preserved(scene), simulations.played(scene, frames[-1]):
        for frame in frames:
            scene.frame_set(frame)
            found_glows.append(_glow(scene, shot, lamps))
    return found_glows


def _carriers(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """The objects, and all that may carry them along: parents and what their constraints follow."""
    found: dict[bpy.types.Object, None] = {}
    queue = list(objects)
    while queue:
        ob = queue.pop()
        if ob not in found:
            found[ob] = None
            targets = (getattr(constraint, "target", None) for constraint in ob.constraints)
            queue += [other for other in (ob.parent, *targets) if other is not None]
    return list(found)


def _owners(scene: bpy.types.Scene, objects: Iterable[bpy.types.Object]) -> Iterable[Any]:
    for ob in objects:
        yield from (ob.data, compat.light_tree(ob.data))
    if scene.world is not None:
        yield from (scene.world, compat.world_tree(scene.world))


def _animated(owner: Any) -> bool:
    data = getattr(owner, "animation_data", None)
    return data is not None and (data.action is not None or bool(data.drivers) or bool(data.nla_tracks))


def _glow(scene: bpy.types.Scene, shot: Shot, lamps: Sequence[bpy.types.Object]) -> Glow:
    """The lamps that shine at this frame and the world's light."""
    unit = metres_per_unit(scene)
    shining = (read_lamp(ob, unit) for ob in lamps)
    return Glow(tuple(lamp for lamp in shining if lamp is not None), *_world(scene, shot))


def _world(scene: bpy.types.Scene, shot: Shot) -> tuple[Rgb, bool]:
    """The world's radiance at this frame, and whether its colours are hidden; none where a sky's sun stands for it."""
    tree = compat.world_tree(scene.world)
    nodes = [node for node in tree.nodes if node.bl_idname == "ShaderNodeBackground"] if tree is not None else []
    if len(nodes) == 1 and not nodes[0].inputs["Color"].is_linked:
        r, g, b = (c * nodes[0].inputs["Strength"].default_value for c in nodes[0].inputs["Color"].default_value[:3])
        return (r, g, b), False
    if scene.world is None:
        return (0.0, 0.0, 0.0), False
    if shot.sun is not None and shot.sun.source == "sky_texture":
        return (0.0, 0.0, 0.0), True
    return shot.environment.world_color or HIDDEN_WORLD, True
