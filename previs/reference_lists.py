# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference pictures that the file holds: one more for a scene, a collection or an object, also a take's frame."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import bpy

from .. import sequencer
from ..bridge.jobs import safe_name
from ..bridge.state import JobError
from ..scene.brief import Reference, SceneError
from ..scene.references import Owner
from .jobs import jobs_root
from .references import fault_of
from .settings import Settings

_STILLS = "references"  # the folder of takes' frames among the job folders


def add_reference(owner: Owner, file: Path, origin: str = "") -> None:
    """Give the scene, a collection or an object one more picture; one that it has already stays one. `origin` tells the
    take that it is from. Raises SceneError for an owner of another file, and for what is no picture."""
    check_own(owner)
    if fault := fault_of(Reference("scene", "", str(file))):
        raise SceneError(f'"{file}" {fault}.')
    image = bpy.data.images.load(sequencer.stored_path(file), check_existing=True)
    if all(entry.image != image for entry in owner.wan_previs.references):
        entry = owner.wan_previs.references.add()
        entry.image, entry.origin = image, origin


def check_own(owner: Owner) -> None:
    """Raises SceneError for an owner that this file cannot change: what is linked, and overrides of it, whose lists
    Blender does not save."""
    override = owner.override_library
    library = owner.library or (override.reference.library if override is not None else None)
    if library is not None:
        raise SceneError(
            f'"{owner.name}" is linked from {bpy.path.basename(library.filepath)}. Give it its pictures in that file, '
            "or give them to a collection or the scene of this one."
        )


def still_of(scene: bpy.types.Scene, settings: Settings, take: str, frame: int) -> tuple[Path, str]:
    """The file of what a take shows on a frame of the scene, among the job folders, and words about where it is from.
    Equal pictures are one file. Raises SceneError, SequencerError, JobError."""
    place = jobs_root(settings) / _STILLS
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as folder:
            made = Path(folder) / "still.png"
            sequencer.save_still(scene, take, frame, made)
            digest = hashlib.sha256(made.read_bytes()).hexdigest()[:16]
            target = place / f"{safe_name(take)}-{frame}-{digest}.png"
            os.replace(made, target)
    except OSError as error:
        raise JobError(
            f"The picture cannot be written to {place} ({error}). Free some space, or check its rights."
        ) from error
    return target, f"{take}, frame {frame}"
