# SPDX-License-Identifier: GPL-3.0-or-later
"""Shots cut by camera markers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import bpy

from .brief import SceneError

_MOST_NAMES = 8


@dataclass(frozen=True)
class Cut:
    """A shot before anything is read about it: `camera` is the object that sees it, frames inclusive."""

    name: str
    frame_start: int
    frame_end: int
    camera: bpy.types.Object


def read_cuts(scene: bpy.types.Scene) -> tuple[list[Cut], list[str]]:
    """The shots of a scene in order, and warnings about markers left out.

    A marker bound to a camera starts a shot; the last marker before the range counts from its start, frames before the
    first marker belong to the first shot. Raises SceneError for an empty range or when no camera sees the frames.
    """
    first, last = scene.frame_start, scene.frame_end
    if last < first:
        raise SceneError(
            f"The frame range of scene {scene.name!r} is empty ({first} to {last}): "
            f"set its end frame to {first} or later."
        )
    markers, warnings = _camera_markers(scene)
    inside = {frame: marker for frame, marker in markers.items() if first < frame <= last}
    before = [frame for frame in markers if frame <= first]
    if before:
        inside[first] = markers[max(before)]
    if not inside:
        return [Cut(_camera_of(scene).name, first, last, _camera_of(scene))], warnings
    frames = sorted(inside)
    starts = [first, *frames[1:]]
    ends = [start - 1 for start in starts[1:]] + [last]
    names = unique_names([inside[frame].name or inside[frame].camera.name for frame in frames])
    cameras = [inside[frame].camera for frame in frames]
    return [Cut(*cut) for cut in zip(names, starts, ends, cameras, strict=True)], warnings


def unique_names(names: Sequence[str]) -> list[str]:
    """The names in order, a repeated one followed by " (2)", " (3)" and so on."""
    taken: set[str] = set(names)
    seen: set[str] = set()
    result = []
    for name in names:
        unique, count = name, 1
        while unique in seen or (count > 1 and unique in taken):
            count += 1
            unique = f"{name} ({count})"
        seen.add(unique)
        result.append(unique)
    return result


def _camera_markers(scene: bpy.types.Scene) -> tuple[dict[int, bpy.types.TimelineMarker], list[str]]:
    """The marker that Blender obeys on each frame: the first of the list, cameras that do not render passed over."""
    markers: dict[int, bpy.types.TimelineMarker] = {}
    warnings = []
    for marker in scene.timeline_markers:
        camera = marker.camera
        if camera is None or camera.hide_render:
            continue
        if camera.type != "CAMERA":
            fault = f"is missing from {camera.library.name!r}" if camera.is_missing else "is no camera"
            warnings.append(f"Marker {marker.name!r} is bound to {camera.name!r}, which {fault}; it was left out.")
            continue
        markers.setdefault(marker.frame, marker)
    return markers, warnings


def scene_named(name: str) -> bpy.types.Scene:
    """The scene of the open file with that name, its own before a linked one. Raises SceneError."""
    own = _named(bpy.data.scenes, name)
    if not own:
        raise SceneError(f"There is no scene {name!r}. There are: {_listed(bpy.data.scenes)}.")
    if len(own) > 1:
        raise SceneError(f"Several scenes have that name: {_listed(own)}. Open the file that you mean.")
    return own[0]


def _named(blocks: Iterable[Any], name: str) -> list[Any]:
    """The data-blocks of that name: the file's own, else the linked ones."""
    found = [block for block in blocks if block.name == name]
    return [block for block in found if block.library is None] or found


def own_first(blocks: Iterable[Any], name: str) -> Any:
    """The data-block of that name, the file's own before a linked one; None where there is none."""
    return next(iter(_named(blocks, name)), None)


def why_no_camera(scene: bpy.types.Scene) -> str:
    """What to tell about a scene without a camera, with the scenes that have one; "" for a scene that has."""
    if _has_camera(scene):
        return ""
    camera = scene.camera
    if camera is not None and camera.is_missing:
        return (
            f"The camera of scene {scene.name!r} is {camera.name!r} of {bpy.path.basename(camera.library.filepath)}, "
            "which is missing. Find that file again, or choose another camera in the scene properties."
        )
    if camera is not None:
        return (
            f"The camera of scene {scene.name!r} is {camera.name!r}, which is no camera object. "
            "Choose a camera in the scene properties."
        )
    others = [other for other in bpy.data.scenes if other != scene and _has_camera(other)]
    if others:
        return (
            f"Scene {scene.name!r} has no camera, but there is one in: {_listed(others)}. "
            "Work in that scene (on the command line with --scene), or add a camera here."
        )
    late = any(_camera_markers(scene)[0])
    return (
        f"Scene {scene.name!r} has no camera{' for its frames' if late else ''}. "
        "Add one and make it the scene's camera, or bind a camera to a timeline marker"
        + (f" at its last frame, {scene.frame_end}, or before." if late else ".")
    )


def _has_camera(scene: bpy.types.Scene) -> bool:
    """Whether a camera sees the scene's frames; a marker after the last does not count."""
    seen = scene.camera is not None and scene.camera.type == "CAMERA"
    return seen or any(frame <= scene.frame_end for frame in _camera_markers(scene)[0])


def _listed(scenes: Iterable[bpy.types.Scene]) -> str:
    """Names of scenes in a sentence, those of libraries with their file."""
    names = [
        repr(scene.name) + (f" of {bpy.path.basename(scene.library.filepath)}" if scene.library else "")
        for scene in scenes
    ]
    return ", ".join(names[:_MOST_NAMES]) + (
        f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    )


def _camera_of(scene: bpy.types.Scene) -> bpy.types.Object:
    camera = scene.camera
    if camera is None or camera.type != "CAMERA":
        raise SceneError(why_no_camera(scene))
    return camera
