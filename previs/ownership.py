# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a job folder is, from Blender's side: signing new ones, finding those that can go on, letting old ones go.

A job folder belongs to a shot of a scene of a file. What another file may claim is not deleted, and not gone on with
unasked.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy

from ..bridge import history
from ..bridge.identity import (
    Identity,
    asked_for,
    changes,
    fingerprint,
    is_same,
    place_of,
    read_identity,
    write_identity,
)
from ..bridge.jobs import JobFolder
from ..bridge.state import JobError
from ..scene.brief import Brief, Shot
from ..scene.identity import keep_identifiers, part_copies, scene_identifier, shot_identifiers
from ..sequencer import Take, next_take
from ..wan_engine.request import GenerationRequest

FINISHING = frozenset(("repair", "upscale", "upscaler", "upscale_model", "refine", "interpolation_model", "codec"))


@dataclass(frozen=True)
class Wish:
    """What would be asked for now: a shot's request without its light, what tells the expected light, the brief, and
    the `marks` of objects by name; None where the clip does not go by these."""

    shot: Shot
    request: GenerationRequest
    expected_light: str
    brief: Brief
    mode: str
    size: tuple[int, int]
    marks: dict[str, str] | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What decides which clip it makes, as job folders are fingerprinted with."""
        return asked_for(self.request, self.expected_light)

    @property
    def facts(self) -> dict[str, Any]:
        """The brief of this shot alone, and the marks."""
        marks = {} if self.marks is None else {"marks": sorted(self.marks.items())}
        return {**replace(self.brief, shots=(self.shot,)).to_json(), **marks}


def open_file() -> Path | None:
    """The .blend that is open; None for one that was never saved."""
    return Path(bpy.data.filepath) if bpy.data.filepath else None


def sign(job: JobFolder, scene: bpy.types.Scene, wish: Wish) -> None:
    """Write into a new job folder whose it is and what the scene was like. Raises JobError."""
    keep_identifiers(scene, _file_name())
    shot = shot_identifiers(scene).get(wish.shot.name, "")
    write_identity(job, _identity(job, scene, shot, fingerprint(wish.asked)))
    job.write_json(job.brief, wish.facts)


def sign_repair(job: JobFolder, scene: bpy.types.Scene, source: JobFolder) -> None:
    """As `sign`, for a repair of the clip in `source`. Raises JobError."""
    keep_identifiers(scene, _file_name())
    before = read_identity(source)
    write_identity(job, _identity(job, scene, "", before.fingerprint if before else ""))


def job_identifier(job: JobFolder) -> str:
    """What a take remembers its job by; "" when the folder has none."""
    identity = read_identity(job)
    return identity.job if identity else ""


def unfinished(scene: bpy.types.Scene, root: Path) -> dict[str, history.Unfinished]:
    """Of each shot, by name, the work below `root` that was cut short and can go on."""
    jobs = history.jobs_of(root, history.Asker(open_file(), lambda name: scene_identifier(scene, name)))
    found = {name: history.unfinished(jobs, shot, name) for name, shot in shot_identifiers(scene).items()}
    return {name: offer for name, offer in found.items() if offer is not None}


def doubts(offer: history.Unfinished, wish: Wish, as_then: Collection[str] = ()) -> list[str]:
    """What speaks against going on with it, each for a sentence that begins with the job's name; fields of the request
    in `as_then` may have changed, and how the clip is finished where that alone is to be done. Raises JobError.
    """
    if offer.sampled:
        as_then = {*as_then, *FINISHING}
    words = [] if offer.found.sure else [offer.found.owner]
    identity = offer.found.identity
    if identity is not None and is_same(identity, wish.asked):
        as_then = {*as_then, "last_image", "keyframes"}  # left out since, because the shot ends as it begins
    if changed := changes(offer.job, wish.asked, wish.facts, as_then):
        *others, last = changed
        words.append(f"since then changed: {', '.join(others)}{' and ' if others else ''}{last}")
    return words


def finished(scene: bpy.types.Scene, root: Path) -> dict[str, list[JobFolder]]:
    """Of each shot, by name, the folders below `root` in which this file's and scene's clips are done, first to last;
    those of repairs too."""
    jobs = history.jobs_of(root, history.Asker(open_file(), lambda name: scene_identifier(scene, name)))
    return {name: history.finished(jobs, shot, name) for name, shot in shot_identifiers(scene).items()}


def discard_unrendered(scene: bpy.types.Scene, root: Path) -> None:
    """Move this file's and scene's jobs that Blender left before their frames were rendered into the trash folder:
    nothing can go on with them.
    """
    for found in history.jobs_of(root, history.Asker(open_file(), lambda name: scene_identifier(scene, name))):
        if found.standing == "own" and not os.path.exists(found.job.request):
            with suppress(JobError):
                state = found.job.read_state()
                if state.interrupted and state.started is None:
                    history.discard(found.job)


def other_heirs(offer: history.Unfinished) -> list[str]:
    """What to ask before going on with the work of a file that is gone, where another one beside may be its copy."""
    identity, file = offer.found.identity, open_file()
    if offer.found.standing != "moved" or identity is None or identity.file is None or file is None:
        return []
    folders = {file.parent.resolve(), (offer.job.path.parent / identity.file).parent.resolve()}
    others = sorted(path.name for folder in folders for path in folder.glob("*.blend") if path.name != file.name)
    if not others:
        return []
    told = f"{others[0]} and {len(others) - 1} more" if len(others) > 1 else others[0]
    return [f"{Path(identity.file).name}, which asked for it, is gone, and {told} may be a copy of it too"]


def take_up(
    offer: history.Unfinished, scene: bpy.types.Scene, root: Path, wish: Wish, as_then: Collection[str] = ()
) -> JobFolder:
    """The folder in which the work goes on: its own, or a copy where another file may claim that. A clip that has only
    to be finished is finished as it is wished now, but for the fields `as_then`. Raises JobError.
    """
    job, identity = offer.job, offer.found.identity
    if identity is None or not offer.found.sure:
        job = history.copied(job, root, wish.shot.name, next_take(scene, wish.shot.name))
        keep_identifiers(scene, _file_name())
        shot = shot_identifiers(scene).get(wish.shot.name, "")
        write_identity(job, _identity(job, scene, shot, identity.fingerprint if identity else ""))
    elif offer.found.standing == "moved":
        keep_identifiers(scene, _file_name())
        write_identity(job, replace(_identity(job, scene, identity.shot, identity.fingerprint), job=identity.job))
    if offer.sampled:
        then = GenerationRequest.from_json(job.read_request())
        now = {name: getattr(wish.request, name) for name in FINISHING.difference(as_then)}
        job.write_request(replace(then, **now))
    return job


def why_kept(take: Take, roots: Collection[Path]) -> str:
    """Why the job folder of a take would stay when that is deleted; "" where it would not, or is gone already. `roots`
    are the folders in which this file's job folders lie.
    """
    job = JobFolder(take.folder)

    def moved(identity: Identity) -> bool:
        name = Path(identity.file or _file_name()).name
        of_ours = any(scene_identifier(scene, name) == identity.scene for scene in bpy.data.scenes)
        return of_ours and os.path.realpath(job.path.parent) in map(os.path.realpath, roots)

    return history.why_kept(job, take.job, open_file(), moved) if take.folder and os.path.isdir(job.path) else ""


def hand_over(takes: Iterable[Take], file: Path) -> None:
    """The takes were saved into another file than the open one: their jobs are that file's. Raises JobError."""
    for take in takes:
        job = JobFolder(take.folder)
        identity = read_identity(job)
        if identity is not None and identity.job == take.job:
            write_identity(job, replace(identity, file=place_of(file, job.path.parent)))


def before_saving() -> None:
    """Copied scenes and cameras become their own. On the first save scenes keep what their jobs know them by, which
    undo may have taken away."""
    part_copies(_file_name())
    for scene in bpy.data.scenes if open_file() is None else ():
        if hasattr(scene, "wan_previs") and scene.wan_previs.output:
            keep_identifiers(scene, "")


def after_saving(takes: Iterable[Take]) -> None:
    """The jobs of these takes that were asked for before the file was ever saved are this file's. Raises JobError."""
    file = open_file()
    if file is not None:
        hand_over((take for take in takes if _never_saved(take)), file)


def _never_saved(take: Take) -> bool:
    identity = read_identity(JobFolder(take.folder)) if take.folder else None
    return identity is not None and identity.file is None


def _identity(job: JobFolder, scene: bpy.types.Scene, shot: str, asked: str) -> Identity:
    file = open_file()
    return Identity(place_of(file, job.path.parent), scene_identifier(scene, _file_name()), shot, asked)


def _file_name() -> str:
    file = open_file()
    return file.name if file else ""
