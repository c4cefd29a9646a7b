# SPDX-License-Identifier: GPL-3.0-or-later
"""What one does with takes: look at them, pick one to be seen, throw one away. A take goes by its strip's name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import bpy

from .colors import NOTE
from .takes import (
    SCHEMA,
    SequencerError,
    Strip,
    absolute,
    all_strips,
    content_frames,
    content_start,
    end_frame,
    file_of,
    first_frame,
    holder_of,
    number_of,
    refresh_colors,
    takes,
)


@dataclass(frozen=True)
class Take:
    """A take as its strip tells it. Only `missing` and `folder` look at the disk, whenever they are asked for.

    The clip has `frames` frames, the first one on the scene's frame `start`. `code` is the verdict's, as in
    reports ("flickers", "jumps"), "" where nothing was measured; `held_to` what one that holds was held to; `frame` the
    scene's frame that it is about.
    `follow_word` ("follows", "strays", "cannot be told"), `follow_frame` and `follow_sentence` tell likewise whether it
    follows the scene. `folder` is the job folder, "" when unknown, `job` the identifier of the job that made it, "" for
    takes of earlier versions;
    `missing` when the clip is gone, `repaired` when it is the repair of another take, `redo_of` the name of the
    take of which a part was made anew, "" for others; `starred` when the user likes it. `note` tells where its colours
    are not seen as they are.
    """

    name: str
    shot: str
    number: int
    start: int
    frames: int
    seen: bool
    clip: Path
    noted_folder: Path
    job: str = ""
    code: str = ""
    frame: int | None = None
    sentence: str = ""
    held_to: str = ""
    follow_word: str = ""
    follow_frame: int | None = None
    follow_sentence: str = ""
    repaired: bool = False
    redo_of: str = ""
    starred: bool = False
    note: str = ""

    @property
    def missing(self) -> bool:
        """Whether the clip is gone."""
        return not os.path.exists(self.clip)

    @property
    def folder(self) -> str:
        """The job folder, "" when unknown."""
        return _folder_of(self.clip, self.noted_folder)

    @property
    def verdict(self) -> str:
        """The verdict in a few words: "drifts in colour", "jumps at frame 31", "holds within 10 %"."""
        told = f"{self.code.replace('_', ' ')} {self.held_to}".rstrip()
        return f"{told} at frame {self.frame}" if self.code == "jumps" and self.frame is not None else told

    @property
    def follow(self) -> str:
        """Whether the clip follows the scene, in a few words: "strays at frame 31"; "" where not measured."""
        return self.follow_word if self.follow_frame is None else f"{self.follow_word} at frame {self.follow_frame}"

    @property
    def strays(self) -> bool:
        """Whether the clip was measured and does not follow the scene."""
        return self.follow_word == "strays"

    @property
    def fails(self) -> bool:
        """Whether the light was measured and does not hold."""
        return self.code not in ("", "holds", "unmeasured")


def read_take(strip: Strip) -> Take:
    """The take that a strip is. What a user has changed about the custom properties is taken as it is, or left out."""
    frame, strays = strip.get("verdict_frame"), strip.get("follow_frame")
    return Take(
        name=strip.name,
        shot=str(strip.get("shot", "")),
        number=number_of(strip),
        start=round(content_start(strip)),
        frames=content_frames(strip),
        seen=not strip.mute and not _covered(strip),
        clip=file_of(strip),
        noted_folder=_noted_folder(strip),
        job=str(strip.get("job_id", "")),
        code=str(strip.get("verdict", "")),
        frame=frame if isinstance(frame, int) else None,
        sentence=str(strip.get("verdict_words", "")),
        held_to=str(strip.get("verdict_held_to", "")),
        follow_word=str(strip.get("follow", "")),
        follow_frame=strays if isinstance(strays, int) else None,
        follow_sentence=str(strip.get("follow_words", "")),
        repaired=bool(strip.get("repaired", False)),
        redo_of=str(strip.get("redo_of", "")),
        starred=bool(strip.get("starred", False)),
        note=str(strip.get(NOTE, "")),
    )


def _noted_folder(strip: Strip) -> Path:
    return absolute(strip, str(strip.get("job_folder", "")))


def _folder_of(clip: Path, noted: Path) -> str:
    """The job folder: where the strip's clip lies, whose path Blender keeps right when a file is moved or saved
    elsewhere; else what was noted of it, which earlier versions did as a whole path. "" when unknown.
    """
    near = [place for place in clip.parents[:2] if os.path.isfile(place / "request.json")]
    place = next(iter(near), noted)
    return str(place) if place != Path() else ""


def _covered(strip: Strip) -> bool:
    """Whether another take of the shot lies above."""
    others = takes(strip.id_data, strip.get("shot", ""))
    return any(other.channel > strip.channel and not other.mute for other in others)


def find_take(scene: bpy.types.Scene, name: str) -> Strip:
    """The strip of a take. Raises SequencerError when there is none."""
    for strip in all_strips(scene):
        if strip.name == name and strip.get("wan_previs") == SCHEMA:
            return strip
    raise SequencerError(f'There is no take "{name}" in the scene "{scene.name}" any more.')


def show_take(scene: bpy.types.Scene, name: str) -> None:
    """Of its shot's takes only this one is seen and selected; the current frame moves into it when it is elsewhere. All
    takes get their own colours again under the scene's colour management as it is now.

    Raises SequencerError when there is no such take, or its clip is gone.
    """
    chosen = find_take(scene, name)
    if not os.path.exists(file_of(chosen)):
        raise SequencerError(f'The clip of {name}, "{file_of(chosen)}", is not there. Put it back, or delete the take.')
    for strip in takes(scene, chosen.get("shot", "")):
        strip.mute = strip != chosen
    for strip in all_strips(scene):
        strip.select = strip == chosen
    scene.sequence_editor.active_strip = chosen
    if not first_frame(chosen) <= scene.frame_current < end_frame(chosen):
        scene.frame_set(first_frame(chosen))
    refresh_colors(scene)


def star_take(scene: bpy.types.Scene, name: str, starred: bool) -> None:
    """Note on a take's strip whether the user likes it. Raises SequencerError."""
    find_take(scene, name)["starred"] = starred


def remove_take(scene: bpy.types.Scene, name: str) -> None:
    """Remove the strip of a take; where it was the one seen, the shot's latest other take is. Raises SequencerError."""
    strip = find_take(scene, name)
    shot, seen = strip.get("shot", ""), not strip.mute
    holder_of(scene, strip).remove(strip)
    rest = takes(scene, shot)
    if rest and seen and all(other.mute for other in rest):
        rest[-1].mute = False


def others_use(name: str, folder: str) -> bool:
    """Whether a strip of any scene of this file, but the one of that name, lives from the same job folder."""
    using = [
        strip.name
        for scene in bpy.data.scenes
        for strip in all_strips(scene)
        if folder in (_folder_of(file_of(strip), _noted_folder(strip)), str(_noted_folder(strip)))
        or Path(folder) in file_of(strip).parents
    ]
    return using.count(name) > 1 or any(other != name for other in using)
