# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a shot ends as it begins, and whether anything moves in between."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy

from ..scene.brief import Shot
from .frames import frame_shape, render_frames
from .tone import block_means

_GRID = (20, 12)
_SAME = 0.02  # display value 0..1 by which the mean of a block may differ: renders are noisy
_PLACES = (0.17, 0.38, 0.62, 0.83)  # of the shot: no even parts, in which a turn of several rounds looks alike
_WIDTH, _LEAST_HEIGHT, _SAMPLES = 160, 16, 8


def same_picture(one: Path, other: Path) -> bool:
    """Whether two rendered pictures of one size show the same, but for noise."""
    pairs = zip(block_means(one, *_GRID), block_means(other, *_GRID), strict=True)
    return max(abs(a - b) for a, b in pairs) <= _SAME


def moves_between(scene: bpy.types.Scene, shot: Shot) -> bool:
    """Whether any of a few small renders between the shot's first and last frame shows something else than the first.

    Whatever changes the picture counts: camera, objects, materials, light. Leaves the scene as it was. Raises
    SceneError when it cannot be rendered.
    """
    span = shot.frame_end - shot.frame_start
    inner = sorted({shot.frame_start + round(place * span) for place in _PLACES} - {shot.frame_start, shot.frame_end})
    size = (_WIDTH, max(_LEAST_HEIGHT, round(_WIDTH / frame_shape(scene))))
    with tempfile.TemporaryDirectory() as folder:
        names = {str(frame): frame for frame in (shot.frame_start, *inner)}
        first, *others = render_frames(scene, shot, size, Path(folder), names, _SAMPLES).values()
        return not all(same_picture(first, other) for other in others)
