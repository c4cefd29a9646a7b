# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of a shot between its first and its last, with which the segments of a long clip begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import bpy

from ..scene.brief import Shot
from .frames import SAMPLES, render_frames
from .passes.sweep import in_background, live, pauses


def render_keyframes(
    scene: bpy.types.Scene, shot: Shot, size: tuple[int, int], folder: Path, frames: Mapping[str, float]
) -> Iterator[float]:
    """Render `folder`/NAME.png for every name and frame in `frames`, which may lie between two, as `render_first_last`
    does; yields the share that is done. In a window the scene is as it was then, and one frame is rendered at a time,
    unless simulations have to be played. Raises SceneError.
    """
    uid, name = scene.session_uid, scene.name
    at_once = in_background() or not pauses(scene)
    groups = [dict(frames)] if at_once else [{key: frame} for key, frame in frames.items()]
    for done, group in enumerate(groups, 1):
        render_frames(live(uid, name), shot, size, folder, group, SAMPLES)
        yield done / len(groups)
