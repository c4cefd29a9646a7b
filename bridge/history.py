# SPDX-License-Identifier: GPL-3.0-or-later
"""What the job folders of a project tell afterwards: which work was cut short, and what became of a finished clip."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .jobs import JobError, JobFolder, disk_trouble, safe_name


@dataclass(frozen=True)
class Unfinished:
    """A job that ended before its clip was there and can go on; `step` of `steps` is done."""

    job: JobFolder
    step: int
    steps: int

    @property
    def words(self) -> str:
        return f"Continue at step {min(self.step + 1, self.steps)} of {self.steps}"


def unfinished(root: Path, stem: str, frames: int) -> Unfinished | None:
    """The latest job of a shot below `root`, if it was cut short, saved its state and makes `frames` frames."""
    job = _latest(root, stem)
    try:
        if job is None or not job.resume.is_file() or job.read_state().state in ("done", "running"):
            return None
        if job.read_request().get("clip_frames") != frames:
            return None
        steps = [event for event in job.read_events() if event.get("event") == "step"]
    except JobError:
        return None
    if not steps:
        return None
    step, count = steps[-1].get("step"), steps[-1].get("steps")
    return Unfinished(job, step, count) if isinstance(step, int) and isinstance(count, int) else None


def read_report(job: JobFolder) -> dict[str, Any]:
    """The job's report; {} when there is none that can be read."""
    try:
        report = json.loads(job.report.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def remove(job: JobFolder) -> None:
    """Delete a job folder with all that is in it. One that is gone already is no error.

    Raises JobError for a folder that is no job's, whose job still runs, or which the system does not let us delete.
    """
    if not job.path.exists():
        return
    if not job.request.is_file() or not job.state.is_file() or job.path.is_symlink():
        raise JobError(f"{job.path} is no job folder, so it is left alone. Delete it by hand if it is not needed.")
    if job.read_state().state == "running":
        raise JobError(f"The engine still works in {job.path}. Cancel that first.")
    try:
        shutil.rmtree(job.path)
    except OSError as error:
        raise JobError(disk_trouble(error, job.path)) from error


def _latest(root: Path, stem: str) -> JobFolder | None:
    pattern = re.compile(re.escape(safe_name(stem)) + r"-take-(\d+)", re.IGNORECASE)
    try:
        found = {int(match[1]): path for path in root.iterdir() if (match := pattern.fullmatch(path.name))}
    except OSError:
        return None
    return JobFolder(found[max(found)]) if found else None
