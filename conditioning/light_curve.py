# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that a scene predicts for a shot: how bright the frame will be, and how warm, from its first frame on.

Worked out from the brief and the scene's lights in milliseconds, or measured on a small render of the shot. The
estimate takes what the camera sees for a grey surface that lies half level and half faces the camera, lit by sun, sky
and lamps, and shows it through the scene's own colour management. It knows nothing of shadows and of what comes into
view; the mean luminance of the first and last conditioning frame, where they are rendered anyway, set level and end.
"""

from __future__ import annotations

import math
import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import bpy

from .. import compat
from ..scene.animation import simulations
from ..scene.brief import Shot, SunSample, find_block
from ..scene.color_temperature import Rgb, _white, kelvin_of
from .frames import render_frames
from .preserve import preserved
from .tone import Tone, mean_rgb, tone_of

LUMA = (0.299, 0.587, 0.114)  # of display values, as the engine measures them
REC709 = (0.2126, 0.7152, 0.0722)  # of linear light
EVALUATED = 97  # frames at most at which animated lamps and worlds are looked at, evenly over the shot
TIMES = 33  # of a curve, at most, beside those at jumps
LARGE = 4  # times as wide as a small frame is the one that tells what being small does
JUMP = 0.05  # display luminance from one look to the next: less is no jump
ALBEDO = 0.3
SURFACES = ((-2, 0.1), (-1, 0.2), (0, 0.4), (1, 0.2), (2, 0.1))  # stops around it, and their share of the picture
SHADED = 1 / 3  # of what is seen
SUN_CONSTANT = 1353.0  # W/m2 above the air, as Meinel takes it
CLOCK_STRENGTH = 0.004  # of a sun that the scene only tells the time of: exposes a noon well
NEUTRAL_K = 6500.0
_DARK = 0.005


@dataclass(frozen=True)
class PredictedLight:
    """`times` rise from 0 (first frame) to 1 (last). `luminance` is the frame's display-referred mean luminance,
    relative to the first frame with `source` "brief", 0..1 with "render", which then has its mean display `rgb` as
    well. `jumps` are the times of abrupt changes in the scene."""

    source: str
    times: tuple[float, ...]
    luminance: tuple[float, ...]
    temperature_k: tuple[float, ...] | None = None
    jumps: tuple[float, ...] = ()
    rgb: tuple[Rgb, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data, as the engine's request takes it."""
        return {name: _as_lists(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Glow:
    """Light at one frame that is not the brief's sun: irradiance of lamps and radiance of the world, linear RGB."""

    lamps: Rgb = (0.0, 0.0, 0.0)
    world: Rgb = (0.0, 0.0, 0.0)


def predict_light(
    scene: bpy.types.Scene, shot: Shot, first: Path | None = None, last: Path | None = None
) -> PredictedLight:
    """The curve from the brief and the scene's lights. `first` and `last` are conditioning frames rendered before."""
    frames = _frames(shot, EVALUATED)
    glows = _glows(scene, shot, frames)
    means = [None if path is None else _dot(mean_rgb(path), LUMA) for path in (first, last)]
    return curve_from_light(shot, frames, glows, tone_of(scene), *means)


def render_light(
    scene: bpy.types.Scene,
    shot: Shot,
    first: Path | None = None,
    last: Path | None = None,
    count: int = 7,
    width: int = 64,
    samples: int = 8,
) -> PredictedLight:
    """The curve of a render of `count` small frames, and the jumps that the estimate finds. Leaves the scene as it was.

    A small frame is brighter than a large one, for its pixels mix light and dark at every edge (by 8 % where much is
    small); so the curve is taken through `first` and `last`, conditioning frames rendered before, or through one larger
    frame. Raises SceneError when it cannot be rendered.
    """
    render = scene.render
    height = max(16, round(width * render.resolution_y / render.resolution_x))
    estimate = predict_light(scene, shot)
    jumps = [round(time * (shot.frame_count - 1)) for time in estimate.jumps]
    frames = [shot.frame_start + i for i in _spread(shot.frame_count, count, jumps)]
    with tempfile.TemporaryDirectory() as folder:
        names = {f"{frame}": frame for frame in frames}
        paths = render_frames(scene, shot, (width, height), Path(folder), names, samples)
        means = [mean_rgb(paths[f"{frame}"]) for frame in frames]
        if first is None and last is None:
            large = (LARGE * width, LARGE * height)
            first = render_frames(scene, shot, large, Path(folder), {"large": frames[0]}, samples // 2)["large"]
        full = [None if path is None else mean_rgb(path) for path in (first, last)]
    times = [_time(shot, frame) for frame in frames]
    means = _in_full_size(means, times, *full)
    kelvins = [kelvin_of([c**2.2 for c in mean]) for mean in means]
    return _curve("render", times, [_dot(mean, LUMA) for mean in means], kelvins, estimate.jumps, means)


def _in_full_size(means: Sequence[Rgb], times: Sequence[float], first: Rgb | None, last: Rgb | None) -> list[Rgb]:
    """The means of small frames as those of large ones, of which the first or last is known; between them the one
    factor fades into the other."""

    def factors(full: Rgb | None, small: Rgb) -> list[float] | None:
        return None if full is None else [(a + _DARK) / (b + _DARK) for a, b in zip(full, small, strict=True)]

    forth, back = factors(first, means[0]), factors(last, means[-1])
    start, end = forth or back or [1.0] * 3, back or forth or [1.0] * 3
    result = []
    for mean, time in zip(means, times, strict=True):
        r, g, b = (min(1.0, c * x ** (1 - time) * y**time) for c, x, y in zip(mean, start, end, strict=True))
        result.append((r, g, b))
    return result


def curve_from_light(
    shot: Shot,
    frames: Sequence[int],
    glows: Sequence[Glow],
    tone: Tone,
    first: float | None = None,
    last: float | None = None,
) -> PredictedLight:
    """The curve for the light at `frames` (the shot's first to its last). `first` and `last` are the true mean
    luminances of these two frames, in 0..1: they settle how bright the unknown surfaces are, seen from the first frame
    on and from the last one back; between them the one story fades into the other."""
    pairs = [_irradiance(shot, frame, glow) for frame, glow in zip(frames, glows, strict=True)]
    shown = _as_bright_as(first, pairs, 0, tone)
    lights = [_sum(*pair) for pair in pairs]
    ratios = [max(value, _DARK) / max(shown[0], _DARK) for value in shown]
    if first is not None and last is not None:
        back = [max(value, _DARK) for value in _as_bright_as(last, pairs, -1, tone)]
        end = max(last, _DARK) / max(first, _DARK)
        ratios = _fading(ratios, [end * value / back[-1] for value in back], [_time(shot, frame) for frame in frames])
    jumps = _jumps(shown)
    kept = _spread(len(frames), TIMES, jumps)
    times = [_time(shot, frame) for frame in frames]
    return _curve(
        "brief",
        [times[i] for i in kept],
        [ratios[i] for i in kept],
        [kelvin_of(lights[i]) for i in kept],
        [times[i] for i in jumps],
    )


def _shown(light: tuple[Rgb, Rgb], tone: Tone, level: float) -> float:
    """Mean display value of surfaces from dark to bright, most of them in the sun and some in the shade."""
    sun, rest = (_dot(part, REC709) * ALBEDO / math.pi * level for part in light)
    lit = sum(share * tone((sun + rest) * 2.0**stops) for stops, share in SURFACES)
    return (1 - SHADED) * lit + SHADED * sum(share * tone(rest * 2.0**stops) for stops, share in SURFACES)


def _as_bright_as(known: float | None, pairs: Sequence[tuple[Rgb, Rgb]], at: int, tone: Tone) -> list[float]:
    """Display luminance for each light, of surfaces that show the `known` one under the light at that index."""
    level = _level(pairs[at], tone, known)
    return [_shown(pair, tone, level) for pair in pairs]


def _fading(forth: Sequence[float], back: Sequence[float], times: Sequence[float]) -> list[float]:
    """From one curve to the other over the time, in the logarithm."""
    faded = [a ** (1 - time) * b**time for a, b, time in zip(forth, back, times, strict=True)]
    # Light that only falls, or only rises, goes on doing so.
    if faded[-1] <= 1 and all(b <= a for a, b in pairwise(forth)):
        return [max(value, faded[-1]) for value in accumulate(faded, min)]
    if faded[-1] >= 1 and all(b >= a for a, b in pairwise(forth)):
        return [min(value, faded[-1]) for value in accumulate(faded, max)]
    return faded


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


def _irradiance(shot: Shot, frame: int, glow: Glow) -> tuple[Rgb, Rgb]:
    """Linear RGB irradiance of what the camera sees, as a surface half level and half facing the camera: by the sun,
    and by everything else."""
    rest = _sum(glow.lamps, _times(math.pi, glow.world))
    sun: Rgb = (0.0, 0.0, 0.0)
    if shot.sun is not None:
        sample = _sun_at(shot.sun.samples, frame)
        tint = _white(sample.color_temperature_k or NEUTRAL_K)
        level = max(0.0, math.sin(math.radians(sample.elevation_deg)))
        facing = max(0.0, -_dot(sample.direction, _view(shot, frame)))
        if shot.sun.source != "sky_texture" and sample.strength is not None:
            direct = sample.strength  # the lamp's strength is what arrives
        else:
            above = SUN_CONSTANT * (CLOCK_STRENGTH if sample.strength is None else sample.strength)
            share, scattered = clear_sky(sample.elevation_deg)
            direct = above * share
            rest = _sum(rest, _times(above * scattered, (1.0, 1.0, 1.0)))
        sun = _times(direct * (level + facing) / 2, tint)
    return sun, rest


def _sun_at(samples: Sequence[SunSample], frame: int) -> SunSample:
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


def _view(shot: Shot, frame: int) -> Rgb:
    """The camera's unit view axis in world space, of the sample at or before the frame."""
    samples = shot.camera_path.samples
    if not samples:
        return (0.0, 1.0, 0.0)
    m = samples[max(0, bisect_right([sample.frame for sample in samples], frame) - 1)].matrix_world
    length = math.hypot(m[2], m[6], m[10]) or 1.0
    return -m[2] / length, -m[6] / length, -m[10] / length


def _glows(scene: bpy.types.Scene, shot: Shot, frames: Sequence[int]) -> list[Glow]:
    """Lamps and world at every frame; looked at once when nothing changes or moves any of them."""
    objects = [ob for ob in scene.objects if ob.type == "LIGHT"]
    found = [(find_block(objects, light.name, light.library), light) for light in shot.lights]
    lamps = {ob: light.color_temperature_k for ob, light in found if ob is not None}
    carriers = _carriers(lamps)
    moved = any(ob.rigid_body is not None or len(ob.modifiers) for ob in carriers)
    if not moved and not any(map(_animated, (*carriers, *_owners(scene, lamps)))):
        return [_glow(scene, shot, lamps)] * len(frames)
    glows = []
    with preserved(scene), simulations.played(scene, frames[-1]):
        for frame in frames:
            scene.frame_set(frame)
            glows.append(_glow(scene, shot, lamps))
    return glows


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


def _glow(scene: bpy.types.Scene, shot: Shot, lamps: Mapping[bpy.types.Object, float | None]) -> Glow:
    """The lamps' irradiance where the main subject stands, or ten metres ahead of the camera, and the world's light.
    `lamps` with their kelvin in the brief."""
    samples = shot.camera_path.samples
    distance = shot.subjects[0].distance_m if shot.subjects else 10.0
    view = _view(shot, scene.frame_current)
    eye = [samples[0].matrix_world[i] for i in (3, 7, 11)] if samples else [0.0, 0.0, 0.0]
    place = [e + v * distance for e, v in zip(eye, view, strict=True)]
    scale = scene.unit_settings.scale_length
    total: Rgb = (0.0, 0.0, 0.0)
    for ob, kelvin in lamps.items():
        if ob.hide_render:
            continue
        away = math.dist([c * scale for c in ob.matrix_world.translation], place)
        # A point light of P watts: P / (4 pi^2) per steradian of Blender's units, over the squared distance.
        reach = 0.5 if ob.data.type == "SUN" else 1 / (4 * math.pi * max(1.0, away**2))
        power = ob.data.energy * 2 ** getattr(ob.data, "exposure", 0.0) * reach
        tint = tuple(ob.data.color) if kelvin is None else _white(kelvin)
        total = _sum(total, _times(power, tint))
    return Glow(total, _world(scene, shot))


def _world(scene: bpy.types.Scene, shot: Shot) -> Rgb:
    """The world's colour at this frame where it is one, else what the brief knows of it."""
    tree = compat.world_tree(scene.world)
    nodes = [node for node in tree.nodes if node.bl_idname == "ShaderNodeBackground"] if tree is not None else []
    if len(nodes) == 1 and not nodes[0].inputs["Color"].is_linked:
        r, g, b = (c * nodes[0].inputs["Strength"].default_value for c in nodes[0].inputs["Color"].default_value[:3])
        return r, g, b
    return shot.environment.world_color or (0.0, 0.0, 0.0)


def _level(light: tuple[Rgb, Rgb], tone: Tone, first: float | None) -> float:
    """The factor on linear light with which the estimate shows the first frame as bright as it is."""
    if first is None:
        return 1.0
    low, high = -12.0, 12.0  # in stops; the display value rises with them
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _shown(light, tone, 2**middle) < first else (low, middle)
    return 2**low


def _jumps(shown: Sequence[float]) -> list[int]:
    """Indices from which on the light is suddenly another: a step of display luminance four times as large as those
    beside it, of which only such in the same direction make a gradual change."""
    steps = [0.0, *(b - a for a, b in pairwise(shown)), 0.0]
    beside = [max(0.0, a * b, b * c) for a, b, c in zip(steps, steps[1:], steps[2:], strict=False)]
    return [i for i, step in enumerate(steps[1:-1], 1) if abs(step) > JUMP and step**2 > 4 * beside[i - 1]]


def _spread(count: int, wanted: int, jumps: Iterable[int] = ()) -> list[int]:
    """Of so many indices at most `wanted`, evenly, first and last among them; and those on both sides of jumps."""
    even = range(count) if count <= wanted else (round(i * (count - 1) / (wanted - 1)) for i in range(wanted))
    return sorted({*even, *jumps, *(i - 1 for i in jumps)})


def _frames(shot: Shot, count: int) -> list[int]:
    return [shot.frame_start + i for i in _spread(shot.frame_count, count)]


def _time(shot: Shot, frame: int) -> float:
    return (frame - shot.frame_start) / max(1, shot.frame_count - 1)


def _curve(
    source: str,
    times: Sequence[float],
    luminance: Sequence[float],
    kelvins: Sequence[float | None],
    jumps: Sequence[float],
    rgb: Sequence[Rgb] | None = None,
) -> PredictedLight:
    """A curve has two ends, also that of a single frame; no temperature where the light has none at some time."""
    if len(times) == 1:
        times, luminance, kelvins = (0.0, 1.0), (*luminance, *luminance), (*kelvins, *kelvins)
        rgb = None if rgb is None else (*rgb, *rgb)
    known = tuple(k for k in kelvins if k is not None)
    temperature = known if len(known) == len(kelvins) else None
    colors = None if rgb is None else tuple(rgb)
    return PredictedLight(source, tuple(times), tuple(luminance), temperature, tuple(jumps), colors)


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value


def _sum(a: Rgb, b: Rgb) -> Rgb:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _times(factor: float, a: Rgb) -> Rgb:
    return factor * a[0], factor * a[1], factor * a[2]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
