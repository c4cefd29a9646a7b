# SPDX-License-Identifier: GPL-3.0-or-later
"""First and last frame of a shot, rendered through its own camera at the video model's size."""

from __future__ import annotations

import os
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import bpy

from .. import compat
from ..scene.animation import simulations
from ..scene.brief import SceneError, Shot, find_block
from .preserve import preserved, render_result

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB\x60\x82"


def frame_shape(scene: bpy.types.Scene) -> float:
    """Width over height of the scene's frame as it is looked at: pixels that are not square count."""
    render = scene.render
    return render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)


def render_first_last(
    scene: bpy.types.Scene,
    shot: Shot,
    size: tuple[int, int],
    folder: Path,
    last: bool = True,
    samples: int = 16,
) -> dict[str, Path]:
    """Render `folder`/first.png and, with `last`, `folder`/last.png: RGB, 8 bit, exactly `size` (width, height) pixels.

    The picture is what the scene's camera and colour management show at `shot.frame_start` and `shot.frame_end`,
    through `shot.camera` whatever the timeline markers say. Compositing, sequencer strips, render border, burnt-in
    metadata, stereo views and a transparent film are left out. The scene need not be the active one and is left as it
    was (see `preserved`). The folder is made when it is missing.

    Engine: the scene's own, with at most `samples` samples per pixel. An EEVEE scene is rendered by Cycles when Blender
    runs in the background, where EEVEE has only software graphics and takes half a minute. Cycles denoises where the
    build can. Of several view layers that render, the window's active one is taken, else the first.

    Framing: the picture shows exactly what the scene's own frame shows. When `size` has another aspect ratio than the
    scene, as a video model's sizes do by a few percent, the picture is squeezed, not cropped: the clip, stretched back
    over the frame, lies on the scene edge to edge.

    Raises SceneError when the camera is missing, the folder cannot be written or Blender cannot render.
    """
    frames = {"first": shot.frame_start} | ({"last": shot.frame_end} if last else {})
    return render_frames(scene, shot, size, folder, frames, samples)


def render_frames(
    scene: bpy.types.Scene,
    shot: Shot,
    size: tuple[int, int],
    folder: Path,
    frames: Mapping[str, int],
    samples: int,
) -> dict[str, Path]:
    """Render `folder`/NAME.png for every name and frame in `frames`, as `render_first_last` does."""
    camera = camera_of(scene, shot)
    _check_fluids(scene)
    _check_writable(folder)
    with preserved(scene), bpy.context.temp_override(scene=scene):
        for marker in scene.timeline_markers:
            marker.camera = None  # a bound marker would switch the camera again when the render starts
        # Before anything is played: a change of the renderer's settings drops what rigid bodies have computed.
        _set_engine(scene, samples)
        with simulations.played(scene, max(frames.values())):
            paths = {}
            for name, frame in frames.items():
                scene.frame_set(frame)
                scene.camera = camera
                # After the change of frame: animation may have touched the settings.
                _set_picture(scene, size)
                _set_engine(scene, samples)
                paths[name] = _render(scene, shot, frame, size, folder / f"{name}.png")
    return paths


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


def _check_writable(folder: Path) -> None:
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


def _set_picture(scene: bpy.types.Scene, size: tuple[int, int]) -> None:
    render, image = scene.render, scene.render.image_settings
    squeeze = frame_shape(scene) * size[1] / size[0]
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = 100
    # Blender allows no pixel aspect below 1.
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, squeeze), max(1.0, 1 / squeeze)
    render.use_border = render.use_crop_to_border = False
    render.use_sequencer = render.use_compositing = False
    render.use_multiview = render.use_stamp = render.film_transparent = False
    render.use_single_layer = render.use_render_cache = False
    set_png(image)
    chosen = _view_layer(scene)
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


def _view_layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    layer = compat.render_layer(scene)
    if layer is None:
        raise SceneError(f'No view layer of the scene "{scene.name}" is used for rendering. Switch one on.')
    return layer


def _set_engine(scene: Any, samples: int) -> None:
    # Any: which engines a scene has is known only at run time.
    if bpy.app.background and scene.render.engine.startswith("BLENDER_EEVEE"):
        scene.render.engine = "CYCLES"
    if scene.render.engine == "CYCLES":
        cycles = scene.cycles
        _change(cycles, "samples", min(cycles.samples, samples))
        _change(cycles, "use_layer_samples", "IGNORE")
        _change(cycles, "use_denoising", _can_denoise())
        if cycles.use_denoising:
            _change(cycles, "denoiser", "OPENIMAGEDENOISE")
    elif scene.render.engine.startswith("BLENDER_EEVEE"):
        _change(scene.eevee, "taa_render_samples", min(scene.eevee.taa_render_samples, samples))


def _change(owner: Any, name: str, value: Any) -> None:
    """Set a property that has another value; setting it at all would mark the whole scene as changed."""
    if getattr(owner, name) != value:
        setattr(owner, name, value)


def _can_denoise() -> bool:
    """Some builds (Debian's) come without the denoiser; asking for it would fail the render there."""
    import _cycles  # exists only where Blender is built with Cycles

    return bool(_cycles.with_openimagedenoise)


def _render(scene: bpy.types.Scene, shot: Shot, frame: int, size: tuple[int, int], path: Path) -> Path:
    where = f'Frame {frame} of shot "{shot.name}"'
    try:
        with _renderer_silent():
            finished = bpy.ops.render.render()
    except RuntimeError as error:
        raise SceneError(f"{where} could not be rendered: {_plain(error)}") from error
    if finished != {"FINISHED"}:
        raise SceneError(f"{where} was not rendered because rendering was stopped. Start it again.")
    try:
        # Not through scene.render.filepath, which reads braces and number signs in folder names as placeholders.
        path.unlink(missing_ok=True)
        result = render_result()
        if result is None:
            raise SceneError(f"{where} was rendered but left no picture. Try again.")
        result.save_render(str(path), scene=scene)
        complete = _is_complete_png(path, size)
    except (OSError, RuntimeError) as error:
        raise SceneError(f'{where} could not be saved as "{path}": {_plain(error)}') from error
    if not complete:
        raise SceneError(f'{where} could not be saved whole as "{path}". Free space on the disk and try again.')
    return path


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


def _is_complete_png(path: Path, size: tuple[int, int]) -> bool:
    """A full disk can leave a file that is cut off, without an error from Blender."""
    data = path.read_bytes()
    return data.startswith(_PNG_SIGNATURE) and data.endswith(_PNG_END) and struct.unpack(">2I", data[16:24]) == size
