# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a shot ends as it begins, and whether anything moves in between."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal

import bpy

from ..scene.animation import simulations
from ..scene.brief import Shot
from ..scratch import scratch_folder
from .frames import render_frames
from .preserve import preserved
from .staging import frame_shape
from .tone import block_means

Course = Literal["goes", "returns", "stands"]
_GRID = (20, 12)
_SAME = 0.02  # display value 0..1 by which the mean of a block may differ: renders are noisy
_NEAR = 0.05  # mean difference of all blocks: ends that differ more are no return
_RETURN = 1 / 3  # of the way to the farthest picture: what ends nearer to its beginning than that has returned
_PLACES = (0.17, 0.38, 0.62, 0.83)  # of the shot: no even parts, in which a turn of several rounds looks alike
_WIDTH, _LEAST_HEIGHT, _SAMPLES = 160, 16, 8


def course(scene: bpy.types.Scene, shot: Shot, first: Path, last: Path, held: Collection[float] = ()) -> Course:
    """Whether a shot, of which the first and the last frame are given as pictures, goes somewhere, returns to its
    beginning (a loop that lacks its very last step counts), or stands still all the while. A clip that is `held` at
    frames between goes somewhere where one of these shows something else.

    Seen in a few small renders of frames between; whatever changes the picture counts: camera, objects, materials,
    light. Where the brief knows of a move that they miss, the frame at which things are farthest off is looked at too.
    Leaves the scene as it was. Raises SceneError when it cannot be rendered.
    """
    if shot.frame_count < 3:
        return "goes"
    ends = _differences(first, last)
    if sum(ends) / len(ends) > _NEAR:
        return "goes"
    if held and any(max(differences) > _SAME for differences in _looked_at(scene, shot, held)):
        return "goes"
    span = shot.frame_end - shot.frame_start
    between = _looked_at(scene, shot, [shot.frame_start + round(place * span) for place in _PLACES])
    if max(ends) > _SAME:
        return "returns" if sum(ends) <= _RETURN * max(map(sum, between)) else "goes"
    seen = any(max(differences) > _SAME for differences in between)
    if not seen and _is_told_to_move(shot):
        (differences,) = _looked_at(scene, shot, [_farthest_frame(scene, shot)])
        seen = max(differences) > _SAME
    return "returns" if seen else "stands"


def _looked_at(scene: bpy.types.Scene, shot: Shot, frames: Iterable[float]) -> list[list[float]]:
    """How frames between the first and the last differ from the first, in small renders."""
    inner = sorted({min(max(frame, shot.frame_start + 1), shot.frame_end - 1) for frame in frames})
    size = (_WIDTH, max(_LEAST_HEIGHT, round(_WIDTH / frame_shape(scene))))
    with scratch_folder() as folder:
        names = {str(frame): frame for frame in (shot.frame_start, *inner)}
        first, *others = render_frames(scene, shot, size, folder, names, _SAMPLES).values()
        return [_differences(first, other) for other in others]


def _farthest_frame(scene: bpy.types.Scene, shot: Shot) -> int:
    """The frame at which the scene's objects are farthest from where they are at the shot's first."""
    with preserved(scene), simulations.played(scene, shot.frame_end):
        places = {}
        for frame in range(shot.frame_start, shot.frame_end):
            scene.frame_set(frame)
            places[frame] = [value for item in scene.objects for row in item.matrix_world for value in row]
    start = places.pop(shot.frame_start)
    return max(places, key=lambda frame: sum(abs(a - b) for a, b in zip(places[frame], start, strict=True)))


def _differences(one: Path, other: Path) -> list[float]:
    """Of the blocks of two pictures of one size, by channel, 0..1."""
    pairs = zip(block_means(one, *_GRID), block_means(other, *_GRID), strict=True)
    return [abs(a - b) for a, b in pairs]


def _is_told_to_move(shot: Shot) -> bool:
    moves = any(move.kind != "static" for move in shot.camera_path.moves)
    return moves or any(subject.motion is not None and subject.motion.kind != "static" for subject in shot.subjects)
