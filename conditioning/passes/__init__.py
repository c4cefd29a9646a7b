# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scene gives of every frame that the video model makes, as pictures and numbers: see `write_passes`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import bpy

from ...scene.brief import SceneError, Shot
from ...scene.subjects.occluders import GEOMETRY
from ...scene.visibility import rendered_objects
from ...scratch import scratch_folder
from ..staging import camera_of, check_writable
from .camera_path import CameraPass
from .depth import Curve, DepthPass, Range
from .eye import KINDS, check_camera
from .lines import LinesOverPass
from .marks import check_marks, marks_of
from .masks import AreaPass, MaskPass
from .motion import CameraMotionPass, ObjectMotionPass
from .pictures import ClipPass, KeepPass
from .pose import PosePass, check_bodies
from .seen import Seen
from .sweep import is_played, live, look, pauses, sweeps
from .tracks import TracksPass

__all__ = [
    "KINDS", "AreaPass", "CameraMotionPass", "CameraPass", "ClipPass", "Curve", "DepthPass", "KeepPass",
    "LinesOverPass", "MaskPass", "ObjectMotionPass", "Pass", "PosePass", "Range", "TracksPass", "check_bodies",
    "check_marks", "check_shot", "clip_times", "has_tracks",
    "is_perspective", "live", "marks_of", "write_passes",
]  # fmt: skip


class Pass(Protocol):
    """Something that is written of every frame: `layers` are what it needs of a frame (see `Seen`), `add` takes the
    frames in order, once for each render that gives some of these, `finish` writes what is left. Raises SceneError,
    OSError."""

    @property
    def layers(self) -> Sequence[str]:
        """The layers that `add` reads."""

    def add(self, seen: Seen) -> None:
        """Take the next frame, or another render of the same one."""

    def finish(self) -> None:
        """Write what all frames together make."""


def clip_times(shot: Shot, count: int) -> list[float]:
    """The frames of the scene, also between two, that the `count` frames of a clip show: from the shot's first to its
    last, evenly, as the clip is spread over the shot when it is finished."""
    span = shot.frame_end - shot.frame_start
    return [shot.frame_start + span * i / max(1, count - 1) for i in range(count)]


def is_perspective(scene: bpy.types.Scene, shot: Shot) -> bool:
    """Whether the shot's camera has a focal length."""
    return bool(camera_of(scene, shot).data.type == "PERSP")


def has_tracks(scene: bpy.types.Scene, shot: Shot) -> bool:
    """Whether tracks of a shot can be had without more ado: there is something before a camera whose picture is a
    plane, for more than one frame, and no simulation has to be played for it."""
    plane = camera_of(scene, shot).data.type in KINDS
    return plane and shot.frame_count > 1 and _shows_surfaces(scene) and not is_played(scene)


def check_shot(scene: bpy.types.Scene, shot: Shot, kinds: Sequence[str]) -> None:
    """Raises SceneError for a shot in which there is nothing to follow, before anything is rendered; `kinds` are the
    types of camera that will do."""
    check_camera(camera_of(scene, shot), shot, kinds)
    if scene.library is not None:
        raise SceneError(
            f'The scene "{scene.name}" is linked from another file, where no camera of our own can be put for what a '
            "clip follows. Make it local, open that file, or choose mode first_last, first or text."
        )
    if not _shows_surfaces(scene) and scene.background_set is None:
        raise SceneError(
            f'Nothing in the scene "{scene.name}" has a surface that renders, so there is nothing to follow. Add '
            "objects, or choose mode text."
        )
    if shot.frame_count < 2:
        raise SceneError(
            f'Shot "{shot.name}" is one frame long, so nothing moves in it that a clip could follow. Make it '
            "longer, or choose mode first_last, first or text."
        )


def _shows_surfaces(scene: bpy.types.Scene) -> bool:
    return any(_has_surfaces(layer) for layer in scene.view_layers if layer.use)


def _has_surfaces(layer: bpy.types.ViewLayer) -> bool:
    """Whether anything could be seen, also what is placed by an empty or hidden on some frames."""
    return any(item.type in GEOMETRY or item.instance_type != "NONE" for item in rendered_objects(layer))


def write_passes(
    scene: bpy.types.Scene,
    shot: Shot,
    size: tuple[int, int],
    folder: Path,
    count: int,
    wanted: Callable[[Path], Sequence[Pass]],
) -> Iterator[float]:
    """Write what is `wanted` of the `count` frames of a clip into `folder`; yields the share that is done after every
    frame, unless the scene must not be let go of between them. `wanted` is given a folder for what is written only to
    be read again. One render serves all. Leaves the scene as it was. Raises SceneError.
    """
    check_writable(folder)
    pausing, times = pauses(scene), clip_times(shot, count)
    with scratch_folder() as scratch:
        passes = wanted(scratch)
        rounds = sweeps({layer for item in passes for layer in item.layers})
        try:
            for number, layers in enumerate(rounds):
                plain = [item for item in passes if not item.layers and number == 0]
                needing = [item for item in passes if set(item.layers) & set(layers)] + plain
                watches = [item.watch for item in plain if isinstance(item, TracksPass | PosePass)]
                for done, seen in enumerate(look(scene, shot, size, times, layers, watches), 1):
                    for item in needing:
                        item.add(seen)
                    if pausing:
                        yield (number + done / count) / len(rounds)
            for item in passes:
                item.finish()
        except OSError as error:
            raise SceneError(
                f'The passes of shot "{shot.name}" could not be saved in "{folder}" ({error.strerror or error}). Free '
                "space on the disk and try again."
            ) from error
