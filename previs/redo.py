# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of a take made anew, as a new take: from a frame on, or where marked objects are seen. The rest stays."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from .. import sequencer
from ..bridge.jobs import JobFolder
from ..bridge.state import JobError
from ..conditioning import passes
from ..scene.brief import SceneError, Shot
from ..sequencer.takes import PICTURES
from ..wan_engine.checkpoint.summary import Outline
from ..wan_engine.errors import UsageError, WanError
from ..wan_engine.request import GenerationRequest
from .settings import RAW, Note, Settings

Take = sequencer.Take

_CLIP, _MASK = "conditioning/redo", "conditioning/redo_mask"
_SEEDS = 2**64
_ANEW = ("follow", "free")  # marks of what is made anew where the marked area is


@dataclass(frozen=True)
class Redo:
    """What of a `take` is made anew: from the scene's `frame` on (None: over all its frames), and where `marked` only
    what is marked and not kept as rendered. `then` is what the take was asked for.
    """

    take: Take
    then: GenerationRequest
    frame: int | None
    marked: bool

    def settled(self, settings: Settings, note: Note) -> Settings:
        """The settings with the size and the number of frames that the take has, and another seed than its own."""
        seed = settings.seed
        if seed == self.then.seed:
            seed = (seed + 1) % _SEEDS
            note(f"{self.take.name} was made with the seed {self.then.seed}; its new part has the seed {seed}.")
        if self.then.light_strength == "off" != settings.guide_light:
            note(
                f"{self.take.name} was made without the light guide, and its new part is made with it: the light may "
                "jump where they meet. Set Light to Off (--guide-light off) to keep to the take's own."
            )
        return replace(settings, size=self.then.size, frames=self.then.frames, seed=seed)

    def kept_size(self, shape: float, found: tuple[int, int], multiple: int) -> tuple[int, int]:
        """The take's size (width, height), where clips of a frame of the aspect ratio `shape` can have it: as the one
        `found` for its area now, or to the nearest `multiple` of pixels. Raises UsageError."""
        width, height = self.then.size or found
        off = min(abs(width - shape * height), abs(height - width / shape))
        if (width, height) != found and off > multiple / 2:
            raise UsageError(
                f"{self.take.name} is {width}x{height}, but clips of this scene are {found[0]}x{found[1]} now. Give "
                "the scene its old shape and choose the model that made the take, or generate the shot again."
            )
        return width, height

    def asked(self, request: GenerationRequest, size: tuple[int, int]) -> GenerationRequest:
        """The request for it at that size, files relative to its job folder. Raises UsageError."""
        source = self.source
        clip = _CLIP if os.path.isdir(source) else f"{_CLIP}{source.suffix}"
        made = replace(
            request,
            size=size,
            redo=clip,
            redo_from=None if self.frame is None else self._clip_frame(self.frame),
            redo_mask=_MASK if self.marked else None,
            redo_of=self.take.name,
        )
        replace(made, guide_light=None).validate()  # the light that it goes by is not known yet
        return made

    def references(self, model: Outline, note: Note) -> tuple[str, ...]:
        """The reference pictures that the take was made with, as far as its model takes them, so that its new part
        looks like the rest. Raises JobError."""
        then = self.then.reference
        if missing := [name for name in then if not os.path.isfile(Path(self.take.folder) / name)]:
            raise JobError(
                f"The reference picture {missing[0]} of {self.take.name} is gone from {self.take.folder}. Put it back, "
                "or generate the shot again."
            )
        if len(then) > model.references:
            note(f"{model.title} takes {model.references} of the {len(then)} reference pictures of {self.take.name}.")
        return then[: model.references]

    def _clip_frame(self, frame: int) -> int:
        """The first of the model's frames that is shown on that frame of the scene or later."""
        last = (self.then.frames or 1) - 1
        return max(1, math.ceil((frame - self.take.start) * last / max(1, self.take.frames - 1) - 1e-6))

    @property
    def source(self) -> Path:
        """The frames as the model made them; the clip where they are gone."""
        raw = Path(self.take.folder) / RAW
        kept = len(list(raw.glob("*.png"))) if os.path.isdir(raw) else 0
        return raw if kept == self.then.frames else self.take.clip

    def write(
        self, scene: bpy.types.Scene, shot: Shot, request: GenerationRequest, folder: Path, note: Note
    ) -> Generator[float, None, None]:
        """Copy the take's frames into the job's `folder` and render where the marked objects are; yields the share that
        is done. Raises SceneError, JobError."""
        source = self.source
        if source == self.take.clip:
            note(f"The frames that {self.take.name} was made from are gone; its clip is taken instead, less exact.")
        try:
            if os.path.isdir(source):
                shutil.copytree(source, folder / str(request.redo))
            else:
                shutil.copyfile(source, folder / str(request.redo))
        except (OSError, shutil.Error) as error:
            raise JobError(f"The frames of {self.take.name} cannot be copied ({error}). Free some space.") from error
        if self.marked and request.size is not None and request.frames is not None:
            area = passes.AreaPass(folder / _MASK, _ANEW)
            yield from passes.write_passes(
                scene, shot, request.size, folder / _MASK, request.frames, lambda scratch: [area]
            )


def redo_of(scene: bpy.types.Scene, take: Take, frame: int | None = None, marked: bool = False) -> Redo:
    """What is to be made anew of a take, from the scene's `frame` on or where objects are marked. Raises SceneError,
    JobError for what cannot be, before anything is rendered."""
    if frame is None and not marked:
        raise UsageError(f"Say what of {take.name} is made anew: a frame to begin with, or the marked area.")
    if frame is not None and not take.start < frame < take.start + take.frames:
        raise SceneError(
            f"{take.name} can be made anew from frame {take.start + 1} to {take.start + take.frames - 1} on, not from "
            f"frame {frame}. Move the current frame into it, or name another."
        )
    if marked and not set(_ANEW) & set(passes.marks_of(scene).values()):
        raise SceneError(
            'Nothing is marked that could be made anew. Mark it "Free" or "Follow Exactly" (Object properties, Previs).'
        )
    if take.missing or not take.folder:
        raise JobError(
            f"The clip of {take.name} is gone, or its job folder, so no part of it can stay. Generate it again."
        )
    try:
        then = GenerationRequest.from_json(JobFolder(take.folder).read_request())
    except WanError as error:
        raise JobError(str(error)) from error
    if then.size is None or then.frames is None:
        raise JobError(
            f"{take.name} is of an earlier version, which did not note its size and frames. Generate it again."
        )
    redo = Redo(take, then, frame, marked)
    if redo.source == take.clip and take.clip.suffix in PICTURES:
        raise JobError(
            f"The frames that {take.name} was made from are gone, and its clip's pictures have another rate, so no "
            "part of it can stay. Generate it again."
        )
    return redo


def take_named(scene: bpy.types.Scene, name: str) -> Take:
    """The take whose strip has that name. Raises SequencerError."""
    return sequencer.read_take(sequencer.find_take(scene, name))


def take_numbered(scene: bpy.types.Scene, shot: str, number: int) -> Take:
    """A shot's take by its number. Raises SceneError where there is none."""
    takes = {take.number: take for take in map(sequencer.read_take, sequencer.takes(scene, shot))}
    if number not in takes:
        told = ", ".join(map(str, takes)) or "none"
        raise SceneError(f'The shot "{shot}" has no take {number} (it has {told}). Name one that is in the Sequencer.')
    return takes[number]
