# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes: movie strips on a shot's frames that remember how they were generated.

Only the data API is used, never sequencer operators: those need a window with a sequencer in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import bpy

from .colors import keep_colors

SCHEMA = "wan_previs.take/1"
_MARK = "wan_previs"  # the custom property that makes a strip a take
_NAME_BYTES = 60  # Blender cuts a strip's name after this many bytes
_CHANNELS = 128
PICTURES = (".png", ".exr")
_INT32 = range(-(2**31), 2**31)

Strip: TypeAlias = Any  # bpy.types.Sequence up to 4.3, bpy.types.Strip from 4.4 on


class SequencerError(Exception):
    """The clip cannot be put into the sequencer; the message says what to do."""

    exit_status = 5


class LinkedSceneError(SequencerError):
    """A scene that no strip can be put into, whatever is made of it."""

    exit_status = 3


def add_take(
    scene: bpy.types.Scene,
    shot_name: str,
    frame_start: int,
    frame_end: int,
    clip: Path,
    provenance: Mapping[str, str | int | float],
    number: int = 0,
) -> Strip:
    """Put `clip` on the frames `frame_start` to `frame_end` (both inclusive) of `scene` as the shot's take `number`,
    which its job folder was given; where a strip has that number already, or with 0, as the shot's next one.

    The clip is a movie, or a folder with a sequence of pictures.

    The strip is named "SHOT take N" (an overlong shot name is shortened). It lies on the lowest channel above all
    strips in that range, so that it is the picture seen; locked and muted channels are passed over. When nothing is
    free above, it takes the highest free channel below. The clip is stretched over the whole frame, as its conditioning
    frames were squeezed, and keeps its own colours under the scene's colour management as it is now (see
    `keep_colors`). Its path is stored relative to a saved .blend.

    Custom properties on the strip: `wan_previs` (the schema), `shot`, `take`, `created` (UTC, ISO 8601) and everything
    in `provenance`. Whole numbers beyond 32 bits, which Blender cannot hold, are stored as text.

    Raises SequencerError, with the scene unchanged, when the clip is missing, is no readable video or has another
    number of frames than the shot, when the scene is linked from a library or when no channel is free.
    """
    files = files_of(clip)
    if not files:
        raise SequencerError(f'The clip "{clip}" is not there. Generate the shot "{shot_name}" again.')
    check_scene(scene)
    had_editor = scene.sequence_editor is not None
    editor = scene.sequence_editor or scene.sequence_editor_create()
    try:
        channel = _free_channel(editor, frame_start, frame_end)
        take = number if number > 0 and _is_free(scene, shot_name, number) else next_take(scene, shot_name)
        strip = new_strip(editor, _take_name(shot_name, take), files, channel, frame_start)
        try:
            _check_clip(strip, clip, shot_name, frame_end - frame_start + 1)
        except SequencerError:
            _strips(editor).remove(strip)
            raise
    except SequencerError:
        if not had_editor:
            scene.sequence_editor_clear()
        raise
    _fit(scene, strip)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {"created": created, **provenance, _MARK: SCHEMA, "shot": shot_name, "take": take}
    for key, value in facts.items():
        strip[key] = str(value) if isinstance(value, int) and value not in _INT32 else value
    refresh_colors(scene)
    return strip


def check_scene(scene: bpy.types.Scene) -> None:
    """Raises LinkedSceneError for a scene that no take can be added to."""
    if scene.library is not None:
        raise LinkedSceneError(f'The scene "{scene.name}" is linked from another file. Open that file to add a take.')


def takes(scene: bpy.types.Scene, shot_name: str) -> list[Strip]:
    """The takes of a shot in `scene`, first to last; also those that were put into a meta strip."""
    found = [strip for strip in all_strips(scene) if is_take(strip) and strip.get("shot") == shot_name]
    return sorted(found, key=number_of)


def is_take(strip: Strip) -> bool:
    """Whether a strip carries the mark of a take."""
    return bool(strip.get(_MARK) == SCHEMA)


def number_of(strip: Strip) -> int:
    """A take's number; 0 where a user has made something else of it."""
    number = strip.get("take")
    return number if type(number) is int and number > 0 else 0


def next_take(scene: bpy.types.Scene, shot_name: str) -> int:
    """One more than the shot's highest take in the scene."""
    take = 1 + max(map(number_of, takes(scene, shot_name)), default=0)
    while not _is_free(scene, shot_name, take):  # someone named a strip like that by hand
        take += 1
    return take


def _is_free(scene: bpy.types.Scene, shot_name: str, number: int) -> bool:
    name = _take_name(shot_name, number)
    numbers = map(number_of, takes(scene, shot_name))
    return number not in numbers and all(strip.name != name for strip in all_strips(scene))


def refresh_colors(scene: bpy.types.Scene) -> None:
    """Show all takes of the scene in their own colours again: its colour management may have been changed."""
    keep_colors(scene, [s for s in all_strips(scene) if s.get(_MARK) == SCHEMA and getattr(s, "elements", None)])


def show(scene: bpy.types.Scene) -> None:
    """Let open sequencers show `scene` where they show none: from 5.0 on a workspace begins without a scene to edit."""
    for window in bpy.context.window_manager.windows if bpy.context.window_manager else ():
        if getattr(window.workspace, "sequencer_scene", scene) is None:
            window.workspace.sequencer_scene = scene


def _take_name(shot_name: str, take: int) -> str:
    suffix = f" take {take}"
    shortened = shot_name.encode()[: _NAME_BYTES - len(suffix)].decode(errors="ignore")
    return shortened + suffix


def _free_channel(editor: bpy.types.SequenceEditor, frame_start: int, frame_end: int) -> int:
    taken = {
        strip.channel for strip in _strips(editor) if first_frame(strip) <= frame_end and end_frame(strip) > frame_start
    }
    top = max(taken, default=0)
    free = [
        channel
        for channel in range(1, _CHANNELS + 1)
        if channel not in taken and not editor.channels[channel].lock and not editor.channels[channel].mute
    ]
    if not free:
        raise SequencerError(
            f"No sequencer channel is free on the frames {frame_start} to {frame_end}. Remove or move strips there."
        )
    return next((channel for channel in free if channel > top), free[-1])


def files_of(clip: Path) -> list[Path]:
    """A movie, or the pictures of a sequence in their order; empty when there is nothing."""
    if os.path.isfile(clip):
        return [clip]
    return sorted(path for path in clip.glob("frame_*") if os.path.isfile(path)) if os.path.isdir(clip) else []


def new_strip(editor: bpy.types.SequenceEditor, name: str, files: list[Path], channel: int, frame_start: int) -> Strip:
    """A strip of a movie, or of the pictures of a sequence in their order."""
    place = {"name": name, "filepath": stored_path(files[0]), "channel": channel, "frame_start": frame_start}
    if files[0].suffix not in PICTURES:
        return _strips(editor).new_movie(**place)
    strip = _strips(editor).new_image(**place)
    for file in files[1:]:
        strip.elements.append(file.name)
    return strip


def stored_path(place: Path) -> str:
    """As a strip names a file or folder: relative to the .blend, where that is saved."""
    path = os.path.abspath(place)
    if bpy.data.filepath:
        with suppress(ValueError):  # another drive has no relative path
            return bpy.path.relpath(path)
    return path


def _check_clip(strip: Strip, clip: Path, shot_name: str, frames: int) -> None:
    if not strip.elements or not strip.elements[0].orig_width:
        raise SequencerError(f'Blender cannot read "{clip}" as a video. Generate the shot "{shot_name}" again.')
    length = content_frames(strip)
    if length != frames:
        raise SequencerError(
            f'The clip "{clip}" has {length} frames but the shot "{shot_name}" has {frames}. '
            "Generate the shot again, or give the shot its old frame range."
        )


def _fit(scene: bpy.types.Scene, strip: bpy.types.MovieStrip) -> None:
    """Stretch the strip over the whole frame: a clip shows the scene's frame, at a size that the model could make."""
    element, render = strip.elements[0], scene.render
    strip.transform.scale_x = render.resolution_x / element.orig_width
    strip.transform.scale_y = render.resolution_y / element.orig_height


# What differs between Blender versions.


def _strips(editor: bpy.types.SequenceEditor) -> Any:
    """The strips of the timeline itself. Up to 4.3 they are called sequences."""
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def all_strips(scene: bpy.types.Scene) -> Iterable[Strip]:
    """The strips of a scene's timeline and those inside meta strips."""
    editor = scene.sequence_editor
    if editor is None:
        return []
    return editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all


def holder_of(scene: bpy.types.Scene, strip: Strip) -> Any:
    """The collection that holds a strip: its meta strip's, or the timeline's."""
    return _strips(strip.parent_meta() or scene.sequence_editor)


def file_of(strip: Strip) -> Path:
    """The strip's movie, or the first picture of its sequence; an empty path for a strip without a file."""
    if hasattr(strip, "directory"):
        return absolute(strip, strip.directory) / (strip.elements[0].filename if strip.elements else "")
    return absolute(strip, getattr(strip, "filepath", ""))


def absolute(strip: Strip, stored: str) -> Path:
    """The place that a path of the strip's file stands for."""
    return Path(os.path.normpath(bpy.path.abspath(stored, library=strip.id_data.library))) if stored else Path()


def first_frame(strip: Strip) -> int:
    """Before 5.1 the handles have other names."""
    return int(strip.left_handle if hasattr(strip, "left_handle") else strip.frame_final_start)


def end_frame(strip: Strip) -> int:
    """The frame after the last one."""
    return int(strip.right_handle if hasattr(strip, "right_handle") else strip.frame_final_end)


def content_start(strip: Strip) -> float:
    """The frame on which the file's first picture lies, also where the strip is cut."""
    return float(strip.content_start if hasattr(strip, "content_start") else strip.frame_start)


def content_frames(strip: Strip) -> int:
    """How many frames the file has."""
    return int(strip.content_duration if hasattr(strip, "content_duration") else strip.frame_duration)
