# SPDX-License-Identifier: GPL-3.0-or-later
"""How a job ends that no engine has in hand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

import bpy

from ..bridge.jobs import JobFolder
from ..bridge.state import JobBusy, JobError

_PAUSE, _TRIES = 0.1, 600  # seconds between tries in a window, and how many


def end_job(job: JobFolder, state: str, message: str, exit_status: int) -> None:
    """As the job's `mark_ended`; but a window does not wait for another process that looks at the job just then: it
    goes on, and the end is written a little later. Raises JobError, JobTaken.
    """
    try:
        job.mark_ended(state, message, exit_status, wait=bpy.app.background)
    except JobBusy:
        if bpy.app.background:
            raise
        tries = iter(range(_TRIES))
        later = partial(_later, job, (state, message, exit_status), tries)
        bpy.app.timers.register(later, first_interval=_PAUSE, persistent=True)


def _later(job: JobFolder, end: tuple[str, str, int], tries: Iterator[int]) -> float | None:
    """Seconds to the next try; None where it is done, or there is nobody left to tell why it cannot be."""
    with contextlib.suppress(JobError):
        try:
            job.mark_ended(*end, wait=False)
        except JobBusy:
            return _PAUSE if next(tries, None) is not None else None
    return None
