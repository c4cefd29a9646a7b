# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame of a take's clip as a picture file."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from .handling import find_take
from .takes import PICTURES, SequencerError, content_frames, content_start, file_of, files_of, new_strip


def save_still(scene: bpy.types.Scene, name: str, frame: int, target: Path) -> None:
    """Write what the clip of a take shows on a frame of the scene as PNG, at the clip's size and in its own colours.
    Raises SequencerError where it shows nothing there, its clip is gone, or the picture cannot be written."""
    strip = find_take(scene, name)
    start, count, file = round(content_start(strip)), content_frames(strip), file_of(strip)
    if not os.path.exists(file):
        raise SequencerError(f'The clip of {name}, "{file}", is not there. Put it back, or choose another take.')
    if not start <= frame < start + count:
        raise SequencerError(
            f"{name} has the frames {start} to {start + count - 1}. Move the current frame (now {frame}) into it."
        )
    alone = bpy.data.scenes.new("Still")
    try:
        clip = file.parent if file.suffix in PICTURES else file
        copy = new_strip(alone.sequence_editor_create(), "Still", files_of(clip), 1, 1)
        copy.colorspace_settings.name = strip.colorspace_settings.name if file.suffix == ".exr" else "sRGB"
        element = copy.elements[0]
        _settle(alone, (element.orig_width, element.orig_height), target)
        alone.frame_set(1 + frame - start)
        with bpy.context.temp_override(scene=alone):
            bpy.ops.render.render(write_still=True, scene=alone.name)
    except RuntimeError as error:
        raise SequencerError(f"The frame of {name} cannot be written to {target} ({error}).") from error
    finally:
        bpy.data.scenes.remove(alone)
    if not os.path.isfile(target):
        raise SequencerError(f"The frame of {name} was not written to {target}. Free some space on the disk.")


def _settle(scene: bpy.types.Scene, size: tuple[int, int], target: Path) -> None:
    """Have a render write the sequencer's picture as it is."""
    render, image = scene.render, scene.render.image_settings
    render.resolution_x, render.resolution_y, render.resolution_percentage = *size, 100
    render.use_sequencer, render.use_file_extension = True, False
    render.filepath = str(target)
    if hasattr(image, "media_type"):  # from 5.0 on it decides which file formats there are
        image.media_type = "IMAGE"
    image.file_format, image.color_mode, image.color_depth = "PNG", "RGB", "8"
    render.dither_intensity = 0.0
    for name in (name for name in dir(render) if name.startswith("use_stamp_")):
        setattr(render, name, False)  # the date would make equal pictures other files
    scene.display_settings.display_device = "sRGB"
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
