# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished jobs as takes: imported, shown, deleted, reported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from .. import sequencer
from ..bridge import history
from ..bridge.jobs import JobFolder
from ..bridge.state import JobError
from . import ownership
from .jobs import jobs_root
from .log import log
from .settings import Settings

Take = sequencer.Take


def import_take(scene: bpy.types.Scene, shot: str, frames: range, job: JobFolder) -> Take:
    """Puts a finished job's clip on the shot's frames as its next take. Raises SequencerError, JobError."""
    request, report = job.read_request(), history.read_report(job)
    provenance = {
        "prompt": request["prompt"], "seed": request["seed"], "model": request["checkpoint"],
        "job_folder": sequencer.stored_path(job.path), "job_id": ownership.job_identifier(job),
        **_verdict(report, frames.start), **_follow(report, frames.start), "repaired": "repaired" in report,
        "redo_of": request.get("redo_of") or "",
    }  # fmt: skip
    strip = sequencer.add_take(scene, shot, frames.start, frames.stop - 1, clip_of(job), provenance, job.number)
    sequencer.show(scene)
    return sequencer.read_take(strip)


def clip_of(job: JobFolder) -> Path:
    """A finished job's clip; a folder where that is a sequence of pictures. Found also where the report was lost."""
    facts = history.read_report(job).get("clip")
    if isinstance(facts, dict) and isinstance(facts.get("path"), str):
        return job.path / facts["path"]
    other = (path for path in sorted(job.path.glob("clip*")) if path.stem == job.clip.stem)
    return job.clip if os.path.exists(job.clip) else next(other, job.clip)


def _verdict(report: dict[str, Any], frame_start: int) -> dict[str, str | int]:
    """What the report says of the light, as a take keeps it: the code of the `verdict`, `verdict_held_to`,
    `verdict_frame` (of the scene) and a sentence in `verdict_words`; {} when nothing was measured.
    """
    light = report.get("light")
    verdict = light.get("verdict") if isinstance(light, dict) else None
    if not isinstance(verdict, dict) or not verdict.get("word"):
        return {}
    code = str(verdict.get("code") or verdict["word"])  # earlier reports have but the word
    words = {"verdict_words": str(verdict.get("sentence") or ""), "verdict_held_to": str(verdict.get("held_to") or "")}
    facts: dict[str, str | int] = {"verdict": code, **words}
    if isinstance(verdict.get("frame"), int):
        facts["verdict_frame"] = frame_start + verdict["frame"]
    return facts


def _follow(report: dict[str, Any], frame_start: int) -> dict[str, str | int]:
    """Likewise what it says of whether the clip follows the scene: the word in `follow`, `follow_frame`,
    `follow_words`."""
    follow = report.get("follow")
    verdict = follow.get("verdict") if isinstance(follow, dict) else None
    if not isinstance(verdict, dict) or not verdict.get("word"):
        return {}
    facts: dict[str, str | int] = {"follow": str(verdict["word"]), "follow_words": str(verdict.get("sentence") or "")}
    if isinstance(verdict.get("frame"), int):
        facts["follow_frame"] = frame_start + verdict["frame"]
    return facts


def takes_of(scene: bpy.types.Scene, shot_name: str) -> list[Take]:
    """The takes of a shot, first to last."""
    return [sequencer.read_take(strip) for strip in sequencer.takes(scene, shot_name)]


def lost_takes(scene: bpy.types.Scene) -> list[str]:
    """Names of the takes whose clips are gone; looks at the disk."""
    found = (sequencer.read_take(strip) for strip in sequencer.all_strips(scene) if sequencer.is_take(strip))
    return [take.name for take in found if take.missing]


def show_take(scene: bpy.types.Scene, name: str) -> Take:
    """Makes a take the one that is seen. Raises SequencerError."""
    sequencer.show_take(scene, name)
    sequencer.show(scene)
    return sequencer.read_take(sequencer.find_take(scene, name))


def star_take(scene: bpy.types.Scene, name: str, starred: bool) -> None:
    """Notes whether the user likes a take. Raises SequencerError."""
    sequencer.star_take(scene, name, starred)


def why_files_stay(scene: bpy.types.Scene, name: str) -> str:
    """Why deleting a take would leave its files where they are: a sentence, "" where they would go to the trash folder
    or are gone already. Raises SequencerError.
    """
    take = sequencer.read_take(sequencer.find_take(scene, name))
    if take.folder and sequencer.others_use(name, take.folder):
        return f"Another strip shows this take's clip, so {take.folder} stays."
    return ownership.why_kept(take, _own_roots(scene))


def _own_roots(scene: bpy.types.Scene) -> list[Path]:
    """Where the job folders of this file and scene lie, as far as the file tells."""
    output = scene.wan_previs.output if hasattr(scene, "wan_previs") else ""
    outputs = ([Path(output)] if output else []) + ([None] if bpy.data.filepath else [])
    return [jobs_root(Settings(output=place)) for place in outputs]


def delete_take(scene: bpy.types.Scene, name: str) -> str:
    """Removes a take, and moves its job folder into the trash folder among the job folders where it is provably this
    take's alone; returns a sentence about where its files are now. Raises SequencerError, JobError.
    """
    take = sequencer.read_take(sequencer.find_take(scene, name))
    words = why_files_stay(scene, name)
    if not words and os.path.isdir(take.folder or "?"):
        words = f"Its files are in {history.discard(JobFolder(take.folder))} now."
    sequencer.remove_take(scene, name)
    log(f"deleted {name} of {take.folder or 'an unknown folder'}. {words}")
    return words


def saved_elsewhere(takes: Sequence[Take], file: Path) -> None:
    """These new takes were saved into another file than the open one: that is theirs now. Raises JobError."""
    ownership.hand_over(takes, file)


def before_saving() -> None:
    """To be called before Blender writes the file."""
    ownership.before_saving()


def after_saving() -> None:
    """To be called once Blender has written the file. Raises JobError."""
    strips = (strip for scene in bpy.data.scenes for strip in sequencer.all_strips(scene))
    ownership.after_saving([sequencer.read_take(strip) for strip in strips if strip.get("job_id")])


def report_picture(scene: bpy.types.Scene, name: str) -> Path:
    """The page about a take's light. Raises SequencerError, or JobError when there is none."""
    take = sequencer.read_take(sequencer.find_take(scene, name))
    picture = JobFolder(take.folder).page
    if os.path.isfile(picture):
        return picture
    if not take.folder or not os.path.isdir(take.folder):
        raise JobError(f"The job folder of {name} is gone, and its report with it. The strip stays.")
    reason = next(
        (words for words in history.read_report(JobFolder(take.folder)).get("warnings", []) if "report" in words), ""
    )
    raise JobError(f"{name} has no report picture. {reason or 'Generate the shot again to get one.'}")


def overview_task(made: Sequence[Take], out: Path) -> dict[str, Any]:
    """What `wan_engine.commands.overview` is to draw."""
    shots = []
    for take in made:
        job = JobFolder(take.folder)
        light = history.read_report(job).get("light") or {}
        shots.append(
            {
                "name": take.name,
                "clip": str(clip_of(job)),
                "verdict": take.verdict,
                "follow": take.follow,
                "light": light,
            }
        )
    return {"title": Path(bpy.data.filepath).stem or "Previs", "out": str(out), "shots": shots}
