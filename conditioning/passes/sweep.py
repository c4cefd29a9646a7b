# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames of a clip one after the other, as the camera sees them: in numbers, as a blockout, or as rendered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import bpy

from ...scene.animation import simulations
from ...scene.brief import SceneError, Shot
from ...scene.camera.camera import CameraState, read_camera
from ...scene.reader import metres_per_unit
from ...scratch import scratch_folder
from ..staging import camera_of, set_picture, staged, view_layer
from .eye import check_camera, eye_of
from .lines import Lines
from .pictures import Blockout, Filmed, Rough, StudioBlockout
from .seen import Seen
from .surfaces import Surfaces

# What can be rendered of a frame, each in a way of its own; one layer is had by one of them.
_SOURCES = (Surfaces(), Lines(), Blockout(), StudioBlockout(), Filmed(), Rough())


Watch = Callable[[bpy.types.Scene, CameraState], None]


def sweeps(layers: Collection[str]) -> list[list[str]]:
    """The layers, those together that one render gives; one sweep without layers where none is needed."""
    found = [[name for name in source.layers if name in layers] for source in _SOURCES]
    return [names for names in found if names] or [[]]


def look(
    scene: bpy.types.Scene,
    shot: Shot,
    size: tuple[int, int],
    frames: Sequence[float],
    layers: Collection[str],
    watches: Sequence[Watch] = (),
) -> Iterator[Seen]:
    """Every one of `frames`, in order, at `size` (width, height); framed as `render_first_last` does it. While the
    scene stands at a frame, each of `watches` is called.

    Without a window, and where simulations have to be played, the scene stays ready to be rendered between two frames;
    else it is as it was then, so that a user may work on. Raises SceneError.
    """
    uid, name = scene.session_uid, scene.name
    at_once = in_background() or is_played(scene)
    for group in [frames] if at_once else [[frame] for frame in frames]:
        found: Seen | None = None
        scene = live(uid, name)
        camera = camera_of(scene, shot)
        check_camera(camera, shot)
        with scratch_folder() as folder, _ready(scene, camera, size, frames[-1], layers, watches) as see:
            for frame in group:
                found = see(shot, frame, folder / "layers.exr")
                if at_once:
                    yield found
        if not at_once and found is not None:
            yield found


def live(uid: int, name: str) -> bpy.types.Scene:
    """The scene by its session-wide number: an undo step between two frames replaces the object."""
    for scene in bpy.data.scenes:
        if scene.session_uid == uid:
            return scene
    raise SceneError(f'The scene "{name}" was removed while its frames were rendered.')


def pauses(scene: bpy.types.Scene) -> bool:
    """Whether others may do something between two frames: not while a window's scene is held at a simulation."""
    return in_background() or not is_played(scene)


def in_background() -> bool:
    """Whether there is no window."""
    return bool(bpy.app.background)


def is_played(scene: bpy.types.Scene) -> bool:
    """Whether there are simulations that have to be played from their start."""
    return any(item.playable for item in simulations.unbaked(scene))


@contextmanager
def _seeing(
    scene: bpy.types.Scene, camera: bpy.types.Object, source: Surfaces | Lines | Blockout | Filmed | None
) -> Iterator[tuple[bpy.types.Object, Callable[[], CameraState]]]:
    """What is rendered through, and a function that tells where the shot's camera is. A camera of our own is put into
    the scene where something is rendered through it."""
    if source is None:
        yield camera, lambda: read_camera(camera, view_layer(scene).depsgraph, metres_per_unit(scene))
        return
    with eye_of(scene, camera) as (eye, follow):
        yield camera if source.as_filmed else eye, follow


@contextmanager
def _ready(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    size: tuple[int, int],
    last: float,
    layers: Collection[str],
    watches: Sequence[Watch],
) -> Iterator[Callable[[Shot, float, Path], Seen]]:
    """A function that renders a frame of a shot by way of a file."""
    unit = metres_per_unit(scene)
    source = next((source for source in _SOURCES if set(layers) & set(source.layers)), None)
    with _seeing(scene, camera, source) as (through, follow), source.ready(scene, layers) if source else nullcontext():

        def settle() -> None:
            scale = 1 if source is None else source.scale
            set_picture(scene, (size[0] * scale, size[1] * scale))
            if source is not None:
                source.settle(scene, layers)

        with staged(scene, through, last, settle) as at:

            def see(shot: Shot, frame: float, path: Path) -> Seen:
                at(frame)
                state = follow()
                for watch in watches:
                    watch(scene, state)
                found = source.render(scene, shot, frame, path, unit) if source is not None else {}
                return Seen(frame, state, {name: found[name] for name in layers})

            yield see
