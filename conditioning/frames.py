# SPDX-License-Identifier: GPL-3.0-or-later
"""First and last frame of a shot, rendered through its own camera at the video model's size."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy

from ..scene.brief import SceneError, Shot
from .staging import camera_of, change, check_writable, in_words, rendered, set_picture, set_png, staged, where_of

SAMPLES = 16  # per pixel, at most
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB\x60\x82"


def render_first_last(
    scene: bpy.types.Scene,
    shot: Shot,
    size: tuple[int, int],
    folder: Path,
    last: bool = True,
    samples: int = SAMPLES,
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
    frames: Mapping[str, float],
    samples: int,
) -> dict[str, Path]:
    """Render `folder`/NAME.png for every name and frame in `frames`, as `render_first_last` does."""
    camera = camera_of(scene, shot)
    check_writable(folder)

    def settle() -> None:
        set_picture(scene, size)
        set_png(scene.render.image_settings)
        set_engine(scene, samples)

    paths = {}
    with staged(scene, camera, max(frames.values()), settle) as at:
        for name, frame in frames.items():
            at(frame)
            paths[name] = _save(scene, shot, frame, size, folder / f"{name}.png")
    return paths


def set_engine(scene: Any, samples: int) -> None:
    """The scene's own renderer, or Cycles for EEVEE in the background, with at most so many samples."""
    # Any: which engines a scene has is known only at run time.
    if bpy.app.background and scene.render.engine.startswith("BLENDER_EEVEE"):
        scene.render.engine = "CYCLES"
    if scene.render.engine == "CYCLES":
        cycles = scene.cycles
        change(cycles, "samples", min(cycles.samples, samples))
        change(cycles, "use_layer_samples", "IGNORE")
        change(cycles, "use_denoising", _can_denoise())
        if cycles.use_denoising:
            change(cycles, "denoiser", "OPENIMAGEDENOISE")
    elif scene.render.engine.startswith("BLENDER_EEVEE"):
        change(scene.eevee, "taa_render_samples", min(scene.eevee.taa_render_samples, samples))


def _can_denoise() -> bool:
    """Some builds (Debian's) come without the denoiser; asking for it would fail the render there."""
    import _cycles  # exists only where Blender is built with Cycles

    return bool(_cycles.with_openimagedenoise)


def _save(scene: bpy.types.Scene, shot: Shot, frame: float, size: tuple[int, int], path: Path) -> Path:
    rendered(scene, shot, frame, path)
    with in_words(shot, frame, path):
        complete = _is_complete_png(path, size)
    if not complete:
        raise SceneError(
            f'{where_of(shot, frame)} could not be saved whole as "{path}". Free space on the disk and try again.'
        )
    return path


def _is_complete_png(path: Path, size: tuple[int, int]) -> bool:
    """A full disk can leave a file that is cut off, without an error from Blender."""
    data = path.read_bytes()
    return data.startswith(_PNG_SIGNATURE) and data.endswith(_PNG_END) and struct.unpack(">2I", data[16:24]) == size
