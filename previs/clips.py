# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips that are done, with or without a strip: undo, a deleted strip and a file that was not saved lose none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from .. import sequencer
from ..bridge import history
from ..bridge.jobs import JobFolder
from ..bridge.state import JobError
from ..scene.brief import SceneError
from . import ownership
from .jobs import jobs_root
from .log import log
from .settings import Settings
from .shots import read_shots
from .takes import Take, import_take


@dataclass(frozen=True)
class Clip:
    """A clip that is done, in its job `folder`, whether or not a strip shows it; `job` is the job's identifier,
    `number` that of the take it became.
    """

    shot: str
    number: int
    job: str
    folder: Path


def clips_of(scene: bpy.types.Scene, settings: Settings) -> list[Clip]:
    """All clips that this file's scene had made and whose folders are there; looks at the disk."""
    try:
        found = ownership.finished(scene, jobs_root(settings))
    except SceneError:
        return []
    jobs = [(shot, job) for shot, folders in found.items() for job in folders]
    return [Clip(shot, job.number, ownership.job_identifier(job), job.path) for shot, job in jobs]


def shown_jobs() -> set[str]:
    """Identifiers of the jobs whose clips strips of this file show."""
    strips = (strip for scene in bpy.data.scenes for strip in sequencer.all_strips(scene))
    return {str(strip["job_id"]) for strip in strips if strip.get("job_id")}


def put_back(scene: bpy.types.Scene, settings: Settings, job: str) -> Take:
    """A clip without a strip as a take again, where its shot begins now. Raises SequencerError, JobError,
    SceneError."""
    clip = _clip_without_strip(scene, settings, job)
    folder, (brief, _) = JobFolder(clip.folder), read_shots(scene, [clip.shot])
    start = brief.shot(clip.shot).frame_start
    take = import_take(scene, clip.shot, range(start, start + folder.read_request()["clip_frames"]), folder)
    log(f"put back {take.name} from {clip.folder}")
    return take


def discard_clip(scene: bpy.types.Scene, settings: Settings, job: str) -> str:
    """Moves the folder of a clip without a strip into the trash folder; returns a sentence about where it is now.
    Raises JobError.
    """
    clip = _clip_without_strip(scene, settings, job)
    if sequencer.others_use("", str(clip.folder)):
        raise JobError(f"Another strip shows files of {clip.folder}, so that folder stays.")
    place = history.discard(JobFolder(clip.folder))
    log(f"discarded a clip: {place}")
    return f"Its files are in {place} now."


def _clip_without_strip(scene: bpy.types.Scene, settings: Settings, job: str) -> Clip:
    clip = next((clip for clip in clips_of(scene, settings) if clip.job == job), None)
    if clip is None:
        raise JobError("The clip's job folder is gone, or not this scene's. Read the shots again.")
    if job in shown_jobs():
        raise JobError(f"Take {clip.number} of {clip.shot} has its strip already.")
    return clip
