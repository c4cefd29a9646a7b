# SPDX-License-Identifier: GPL-3.0-or-later
"""What the job folders of a project tell afterwards: which work was cut short, what became of a finished clip, and
which folder goes when its take does."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..wan_engine.saved_state import SCHEMA
from .files import disk_trouble, is_link, read_own
from .identity import Identity, Standing, read_identity, standing
from .jobs import TAKE, TRASH, JobFolder, safe_name
from .state import JobError, JobState

_HEADER_LIMIT = 16 << 20  # of a saved state, which tells every step


@dataclass(frozen=True)
class Asker:
    """Who looks for its jobs: a file (None when it was never saved) and one of its scenes, whose identifier `scene_in`
    tells for the name that the file has or had.
    """

    file: Path | None
    scene_in: Callable[[str], str]


@dataclass(frozen=True)
class Found:
    """A job folder of the project that may be the asker's. `identity` is None for one of an earlier version, which does
    not tell whose it is."""

    job: JobFolder
    identity: Identity | None
    standing: Standing

    @property
    def sure(self) -> bool:
        """Whether no other file claims it."""
        return self.standing != "other"

    def is_of(self, shot: str, name: str) -> bool:
        """By the shot's identifier; by its name where the folder tells nothing better."""
        if self.identity is not None:
            return self.identity.shot == shot != ""
        return self._named(name)

    def makes(self, shot: str, name: str) -> bool:
        """Whether its clip is one of the shot's. A repair has no shot, but a folder named after it."""
        return self.is_of(shot, name) or (self.identity is not None and not self.identity.shot and self._named(name))

    def _named(self, name: str) -> bool:
        match = TAKE.fullmatch(self.job.path.name)
        return match is not None and match["stem"].lower() == safe_name(name).lower()

    @property
    def owner(self) -> str:
        """Whose it is, in words."""
        if self.identity is None:
            return "an earlier version made it, which did not note for which file"
        return f"{self.identity.file or 'a file that was never saved'} claims it too"


@dataclass(frozen=True)
class Unfinished:
    """A job that ended before its clip was there and can go on; `step` of `steps` is done (0 of 0: the engine had not
    begun), of `frames` frames. `checkpoint` and `loras` are what it was asked for with, `weights` what its saved state
    says of their files; where they are others by now, or the state is another version's, nothing of it is `kept`.
    """

    found: Found
    step: int
    steps: int
    frames: int
    checkpoint: str = ""
    loras: tuple[str, ...] = ()
    weights: str = ""
    kept: bool = True

    @property
    def job(self) -> JobFolder:
        """Its folder."""
        return self.found.job

    @property
    def sampled(self) -> bool:
        """Whether every step is done, so that the clip has only to be finished."""
        return self.kept and 0 < self.steps == self.step

    @property
    def words(self) -> str:
        """What going on with it means, as a button says it."""
        if self.sampled:
            return "Continue: finish the clip"
        if not self.steps:
            return "Continue where Blender ended"
        if not self.kept:
            return f"Continue from step 1 of {self.steps}"
        return f"Continue at step {min(self.step + 1, self.steps)} of {self.steps}"


def jobs_of(root: Path, asker: Asker) -> list[Found]:
    """The job folders below `root` that may be the asker's, of all its shots, latest first."""
    try:
        folders = [path for path in root.iterdir() if TAKE.fullmatch(path.name) and not is_link(path)]
    except OSError:
        return []
    found = (_found(JobFolder(path), root, asker) for path in folders)
    return sorted(filter(None, found), key=_age, reverse=True)


def _found(job: JobFolder, root: Path, asker: Asker) -> Found | None:
    identity = read_identity(job)
    if identity is None:
        return Found(job, None, "other") if os.path.isfile(job.request) else None
    place = standing(identity, root, asker.file)
    file = Path((asker.file if place == "other" else identity.file or asker.file) or "").name
    return Found(job, identity, place) if identity.scene == asker.scene_in(file) != "" else None


def _age(found: Found) -> tuple[str, int]:
    return found.identity.made if found.identity else "", found.job.number


def unfinished(jobs: list[Found], shot: str, name: str) -> Unfinished | None:
    """Of `jobs_of`: the shot's latest work that was cut short and saved its state, before another file's the asker's
    own. What ended with nothing to go on from is passed over; what came before a finished clip is not offered.
    """
    of_others: Unfinished | None = None
    others_over = False
    for found in jobs:
        if not found.is_of(shot, name):
            continue
        offer, over = _offer(found)
        if found.sure and (over or offer):
            return offer or of_others
        others_over |= over
        of_others = of_others or (None if others_over else offer)
    return of_others


def finished(jobs: list[Found], shot: str, name: str) -> list[JobFolder]:
    """Of `jobs_of`: the shot's whose clips are done and that are the asker's for sure, first to last."""
    return [found.job for found in reversed(jobs) if found.sure and found.makes(shot, name) and _is_done(found.job)]


def _is_done(job: JobFolder) -> bool:
    try:
        return job.read_state().state == "done" and isinstance(job.read_request().get("clip_frames"), int)
    except JobError:
        return False


def _offer(found: Found) -> tuple[Unfinished | None, bool]:
    """What there is to go on from, and whether the work is done or still being done."""
    job = found.job
    try:
        state = job.read_state()
        if state.state in ("done", "running"):
            return None, True
        request = job.read_request()
        steps = [event for event in job.read_events() if event.get("event") in ("step", "before")]
    except JobError:
        return None, False
    frames = request.get("clip_frames")
    if not isinstance(frames, int):
        return None, False
    if not steps and state.interrupted and state.started is None:
        return Unfinished(found, 0, 0, frames), False
    step, count = (steps[-1].get("step"), steps[-1].get("steps")) if steps else (None, None)
    if not (isinstance(step, int) and isinstance(count, int) and os.path.isfile(job.resume)):
        return None, False
    saved, loras = _header(job.resume), request.get("loras")
    paths = [lora.get("path") for lora in loras if isinstance(lora, dict)] if isinstance(loras, list) else []
    return Unfinished(
        found, step, count, frames,
        checkpoint=str(request.get("checkpoint")),
        loras=tuple(map(str, paths)),
        weights=str(saved.get("weights")),
        kept=saved.get("schema") == SCHEMA,
    ), False  # fmt: skip


def _header(path: Path) -> dict[str, Any]:
    """What a saved state (a safetensors file) says of itself; {} for what is none."""
    try:
        length = int.from_bytes(read_own(path, 8), "little")
        facts = json.loads(read_own(path, 8 + min(length, _HEADER_LIMIT))[8:]).get("__metadata__")
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def copied(job: JobFolder, root: Path, stem: str, number: int = 1) -> JobFolder:
    """A new job folder, of that take or a later one, that goes on from where `job` was cut short and leaves that one as
    it is. Raises JobError."""
    job.check_links()
    copy = JobFolder.create(root, stem, number)
    try:
        for source in (job.request, job.brief, job.events, *job.states()):
            if os.path.isfile(source):
                shutil.copyfile(source, copy.path / source.name)
        for source, target in ((job.conditioning, copy.conditioning), (job.control, copy.control)):
            if os.path.isdir(source):
                shutil.copytree(source, target, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        words = f"{job.path} cannot be copied ({error}). Free some space, or generate the shot again."
        with contextlib.suppress(JobError):  # the first error is the one to tell
            copy.mark_ended("failed", words, JobError.exit_status)
        raise JobError(words) from error
    copy.write_state(JobState("cancelled", "Cut short in another folder.", queued=copy.read_state().queued))
    return copy


def read_report(job: JobFolder) -> dict[str, Any]:
    """The job's report; {} when there is none that can be read."""
    try:
        report = json.loads(read_own(job.report))
    except (OSError, ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def why_kept(job: JobFolder, take: str, file: Path | None, moved: Callable[[Identity], bool]) -> str:
    """Why a folder stays when a take goes: a sentence, "" where it is provably that take's own and this file's.

    `take` is the job identifier that the take carries, `file` the .blend (None: never saved); `moved` tells whether the
    job of a file that is gone was this file's under another name.
    """
    identity = read_identity(job)
    if (
        is_link(job.path)
        or identity is None
        or not take
        or not os.path.isfile(job.request)
        or not os.path.isfile(job.state)
    ):
        return f"Nothing in {job.path} proves that it is this take's own, so that folder stays."
    if identity.job != take:
        return f"{job.path} is another take's, so that folder stays."
    place = standing(identity, job.path.parent, file)
    if place == "other" or (place == "moved" and not moved(identity)):
        owner = identity.file or "a file that was never saved"
        return f"{job.path} is the job of {owner}, so that folder stays."
    return ""


def discard(job: JobFolder) -> Path:
    """Move a job folder into the trash folder beside it, from where it can be taken back; returns its place there.

    Raises JobError when its job still runs, or the system does not let us.
    """
    if job.read_state().state == "running":
        raise JobError(f"The engine still works in {job.path}. Cancel that first.")
    trash = job.path.parent / TRASH
    try:
        if is_link(trash):
            raise JobError(f"{trash} is a link to another place. Remove it, so that deleted takes stay in the project.")
        trash.mkdir(exist_ok=True)
        place = next(place for place in _names(trash / job.path.name) if not os.path.lexists(place))
        job.path.rename(place)
    except OSError as error:
        raise JobError(disk_trouble(error, job.path)) from error
    return place


def _names(path: Path):
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.name} ({number})")
        number += 1
