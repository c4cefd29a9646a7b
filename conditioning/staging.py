# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene made ready to be rendered from by this room: through the shot's camera, at a size of our own, frame by frame,
and as it was when that is over.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import bpy

from .. import compat
from ..scene.animation import simulations
from ..scene.brief import SceneError, Shot, find_block
from .preserve import preserved, render_result


def frame_shape(scene: bpy.types.Scene) -> float:
    """Width over height of the scene's frame as it is looked at: pixels that are not square count."""
    render = scene.render
    return render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)


@contextmanager
def staged(
    scene: bpy.types.Scene, camera: bpy.types.Object, last: float, settle: Callable[[], None]
) -> Iterator[Callable[[float], None]]:
    """A function that brings the scene to a frame (or between two) as it is when played from the start, ready to be
    rendered through `camera` whatever the timeline markers say; `last` is the last frame asked for. `settle` makes the
    settings of the render: before anything is played, for a change of the renderer drops what rigid bodies have
    computed, and after each change of frame, for animation may have touched them. The scene is left as it was (see
    `preserved`). Raises SceneError for what Blender cannot render here.
    """
    _check_fluids(scene)
    with preserved(scene), bpy.context.temp_override(scene=scene):
        for marker in scene.timeline_markers:
            marker.camera = None  # a bound marker would switch the camera again when the render starts
        settle()

        def at(frame: float) -> None:
            scene.frame_set(math.floor(frame), subframe=frame - math.floor(frame))
            scene.camera = camera
            settle()

        with simulations.played(scene, math.ceil(last)):
            yield at


def camera_of(scene: bpy.types.Scene, shot: Shot) -> bpy.types.Object:
    """The shot's own camera: of several data-blocks that its name and library allow, the one bound to a marker."""
    bound = [marker.camera for marker in scene.timeline_markers]
    candidates = chain(bound, [scene.camera], scene.objects, bpy.data.objects)
    camera: bpy.types.Object | None = find_block(candidates, shot.camera, shot.camera_library)
    if camera is None:
        raise SceneError(
            f'Shot "{shot.name}": there is no camera "{shot.camera}" in the scene "{scene.name}". '
            "Bind a camera to the shot's marker or set the scene's camera."
        )
    return camera


def _check_fluids(scene: bpy.types.Scene) -> None:
    """The fluid solver of Blender's Python module ends the process at the second render."""
    if compat.is_module() and (names := simulations.fluids(scene)):
        raise SceneError(
            f"Blender as a Python module crashes when it renders a fluid ({simulations.few(names)}). Use Blender "
            "itself (blender -b FILE.blend -c wan_previs), or hide the fluid from renders."
        )


def check_writable(folder: Path) -> None:
    """Find out before the render, which may take long."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SceneError(
            f'The folder "{folder}" for the conditioning frames cannot be written ({error.strerror}). '
            "Choose another output folder or free space on the disk."
        ) from error


def set_picture(scene: bpy.types.Scene, size: tuple[int, int]) -> None:
    """The whole frame of one view layer at `size` (width, height), squeezed where the shapes differ, nothing added."""
    render = scene.render
    squeeze = frame_shape(scene) * size[1] / size[0]
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = 100
    # Blender allows no pixel aspect below 1.
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, squeeze), max(1.0, 1 / squeeze)
    render.use_border = render.use_crop_to_border = False
    render.use_sequencer = render.use_compositing = False
    render.use_multiview = render.use_stamp = render.film_transparent = False
    render.use_single_layer = render.use_render_cache = False
    chosen = view_layer(scene)
    for layer in scene.view_layers:
        layer.use = layer == chosen


def set_png(image: bpy.types.ImageFormatSettings) -> None:
    """RGB, 8 bit, shown through the scene's colour management."""
    if image.file_format != "PNG":  # setting it again would still reset the colour space of the output
        if hasattr(image, "media_type"):  # from 5.0 on it decides which file formats there are
            image.media_type = "IMAGE"
        image.file_format = "PNG"
    image.color_mode, image.color_depth = "RGB", "8"
    image.color_management = "FOLLOW_SCENE"


def view_layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    """The one that makes the picture. Raises SceneError where none renders."""
    layer = compat.render_layer(scene)
    if layer is None:
        raise SceneError(f'No view layer of the scene "{scene.name}" is used for rendering. Switch one on.')
    return layer


def change(owner: Any, name: str, value: Any) -> None:
    """Set a property that has another value; setting it at all would mark the whole scene as changed."""
    if getattr(owner, name) != value:
        setattr(owner, name, value)


def rendered(scene: bpy.types.Scene, shot: Shot, frame: float, path: Path) -> None:
    """Render the frame that the scene stands at and save it as its settings say. Raises SceneError."""
    where = where_of(shot, frame)
    try:
        with _renderer_silent():
            finished = bpy.ops.render.render()
    except RuntimeError as error:
        raise SceneError(f"{where} could not be rendered: {_plain(error)}") from error
    if finished != {"FINISHED"}:
        raise SceneError(f"{where} was not rendered because rendering was stopped. Start it again.")
    result = render_result()
    if result is None:
        raise SceneError(f"{where} was rendered but left no picture. Try again.")
    with in_words(shot, frame, path):
        # Not through scene.render.filepath, which reads braces and number signs in folder names as placeholders.
        path.unlink(missing_ok=True)
        result.save_render(str(path), scene=scene)


def where_of(shot: Shot, frame: float) -> str:
    """The frame in words, the beginning of a sentence."""
    return f'Frame {frame:g} of shot "{shot.name}"'


@contextmanager
def in_words(shot: Shot, frame: float, path: Path) -> Iterator[None]:
    """What goes wrong with the file of a frame, as a SceneError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise SceneError(f'{where_of(shot, frame)} could not be saved as "{path}": {_plain(error)}') from error


@contextmanager
def _renderer_silent() -> Iterator[None]:
    """Without a window Blender prints dozens of lines per frame on stdout, which would bury our own progress."""
    if not bpy.app.background:
        yield
        return
    sys.stdout.flush()
    with open(os.devnull, "wb") as nothing:
        stdout = os.dup(1)
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


def _plain(error: Exception) -> str:
    """Blender's operator errors as one line without their prefix."""
    return " ".join(str(error).replace("Error: ", "").split())
