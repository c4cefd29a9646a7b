# SPDX-License-Identifier: GPL-3.0-or-later
"""Which scene and which shot this is, whatever they are called: identifiers kept in the file as custom properties.

A file that was not saved since has none of them yet; what they will be is then made from names, the same each time. A
copied scene or camera carries the identifier of the one it was copied from, which is the older of the two.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import Any

import bpy

from .brief import SceneError
from .shots import Cut, read_cuts

KEY = "wan_previs_id"
_SPACE = uuid.UUID("6f0c1d0e-6c2c-4a55-9d4b-1c7f0f4b8a35")
_SESSION = uuid.uuid4().hex  # this run of Blender, in which undo may take stored identifiers away


def scene_identifier(scene: bpy.types.Scene, file_name: str) -> str:
    """`file_name` is the name, without folders, that the scene's file has or had; "" for one that was never saved,
    whose scenes are told apart from those of all other runs of Blender.
    """
    if scene.library is not None:
        return _made("linked scene", bpy.path.basename(scene.library.filepath), scene.get(KEY) or scene.name)
    if not file_name:
        return _kept(scene, bpy.data.scenes) or _made("unsaved scene", _SESSION, str(scene.session_uid))
    return _identifier(scene, bpy.data.scenes, "scene", file_name)


def shot_identifiers(scene: bpy.types.Scene) -> dict[str, str]:
    """Of each shot by its name: its camera, and the how many-th of the camera's shots it is. {} without shots."""
    cuts = _cuts(scene)
    cameras = [_camera_identifier(cut.camera) for cut in cuts]
    seen: Counter[str] = Counter()
    shots = {}
    for cut, camera in zip(cuts, cameras, strict=True):
        seen[camera] += 1
        shots[cut.name] = f"{camera}/{seen[camera]}"
    return shots


def keep_identifiers(scene: bpy.types.Scene, file_name: str) -> None:
    """Store them in the scene and its shots' cameras, as far as these are of this file."""
    if scene.library is None:
        scene[KEY] = scene_identifier(scene, file_name)
    for cut in _cuts(scene):
        if cut.camera.library is None and cut.camera.override_library is None:
            cut.camera[KEY] = _camera_identifier(cut.camera)


def part_copies(file_name: str) -> None:
    """Give copied scenes and cameras identifiers of their own, while the file still tells which is the older."""
    for block in (*bpy.data.scenes, *_cameras()):
        if KEY in block and block.library is None and _kept(block, _kin(block)) is None:
            block[KEY] = _identifier(block, _kin(block), "copy", file_name)


def _cuts(scene: bpy.types.Scene) -> list[Cut]:
    try:
        return read_cuts(scene)[0]
    except SceneError:
        return []


def _camera_identifier(camera: bpy.types.Object) -> str:
    if camera.library is not None:
        return _made("linked camera", bpy.path.basename(camera.library.filepath), camera.name)
    return _identifier(camera, _cameras(), "camera")


def _identifier(block: Any, kin: Iterable[Any], *facts: str) -> str:
    """The one stored in a data-block of this file, else one that none of its kin has."""
    if kept := _kept(block, kin):
        return kept
    taken = {other.get(KEY) for other in kin}
    made = (_made(*facts, block.name, str(number)) for number in count())
    return next(name for name in made if name not in taken)


def _kept(block: Any, kin: Iterable[Any]) -> str | None:
    """The identifier stored in a data-block, unless an older one of this file has the same."""
    kept = block.get(KEY)
    if not isinstance(kept, str) or not kept:
        return None
    older = [other for other in kin if other.library is None and other.session_uid < block.session_uid]
    return None if any(other.get(KEY) == kept for other in older) else kept


def _kin(block: Any) -> Iterable[Any]:
    return bpy.data.scenes if isinstance(block, bpy.types.Scene) else _cameras()


def _cameras() -> list[bpy.types.Object]:
    return [item for item in bpy.data.objects if item.type == "CAMERA"]


def _made(*facts: str) -> str:
    return uuid.uuid5(_SPACE, "\0".join(facts)).hex
