# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of a shot as a small render of it shows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from ..scene.brief import Rgb, Shot
from ..scratch import scratch_folder
from ..wan_engine.color_temperature import nearest_black_body
from ..wan_engine.light_curve import LightCurve
from .frames import render_frames
from .light_curve import LUMA, make_curve, predict_light, spread, time_of
from .tone import mean_rgb

LARGE = 4  # times as wide as a small frame is the one that tells what being small does
_DARK = 0.005


def render_light(
    scene: bpy.types.Scene,
    shot: Shot,
    first: Path | None = None,
    last: Path | None = None,
    count: int = 7,
    width: int = 64,
    samples: int = 8,
) -> LightCurve:
    """The curve of a render of `count` small frames, and the jumps that the estimate finds. Leaves the scene as it was.

    A small frame is brighter than a large one, for its pixels mix light and dark at every edge (by 8 % where much is
    small); so the curve is taken through `first` and `last`, conditioning frames rendered before, or through one larger
    frame. Raises SceneError when it cannot be rendered.
    """
    render = scene.render
    height = max(16, round(width * render.resolution_y / render.resolution_x))
    estimate = predict_light(scene, shot)
    jumps = [round(time * (shot.frame_count - 1)) for time in estimate.jumps]
    frames = [shot.frame_start + i for i in spread(shot.frame_count, count, jumps)]
    with scratch_folder() as folder:
        names = {f"{frame}": frame for frame in frames}
        paths = render_frames(scene, shot, (width, height), folder, names, samples)
        means = [mean_rgb(paths[f"{frame}"]) for frame in frames]
        if first is None and last is None:
            large = (LARGE * width, LARGE * height)
            first = render_frames(scene, shot, large, folder, {"large": frames[0]}, samples // 2)["large"]
        full = [None if path is None else mean_rgb(path) for path in (first, last)]
    times = [time_of(shot, frame) for frame in frames]
    means = _in_full_size(means, times, *full)
    nearest = [nearest_black_body([c**2.2 for c in mean]) for mean in means]
    kelvins = [None if found is None else found[0] for found in nearest]
    return make_curve("render", times, [float(LUMA @ mean) for mean in means], kelvins, estimate.jumps, means)


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
