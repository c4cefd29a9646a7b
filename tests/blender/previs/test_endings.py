# SPDX-License-Identifier: GPL-3.0-or-later
"""A job's end that another process keeps waiting keeps no window waiting, and is not lost."""

from types import SimpleNamespace

import pytest
from wan_previs.bridge import jobs, process
from wan_previs.bridge.jobs import JobFolder
from wan_previs.previs import endings
from wan_previs.previs.endings import end_job


@pytest.fixture
def timers(monkeypatch):
    """Those registered in what is a window from here on."""
    registered = []
    app = SimpleNamespace(background=False, timers=SimpleNamespace(register=lambda call, **_: registered.append(call)))
    monkeypatch.setattr(endings, "bpy", SimpleNamespace(app=app))
    monkeypatch.setattr(jobs.time, "sleep", lambda _: pytest.fail("the window stands still"))
    return registered


def test_the_end_is_written_once_the_other_lets_go(tmp_path, timers):
    job = JobFolder.create(tmp_path, "A")
    with job.lock.open("ab") as other:
        assert process.lock(other)
        end_job(job, "cancelled", "Cancelled.", 130)
        (later,) = timers
        assert job.read_state().state == "queued" and later() > 0
    assert later() is None and job.read_state().state == "cancelled"


def test_a_job_that_another_engine_took_meanwhile_is_left_to_it(tmp_path, timers):
    job = JobFolder.create(tmp_path, "A")
    with job.lock.open("ab") as other:
        assert process.lock(other)
        end_job(job, "failed", "No frames.", 5)
    job.mark_running()
    job.write_state(jobs.replace(job.read_state(), worker="another/system/1/1", host="elsewhere"))
    (later,) = timers
    assert later() is None and job.read_state().state == "running"


def test_one_that_nobody_looks_at_ends_at_once(tmp_path, timers):
    job = JobFolder.create(tmp_path, "A")
    end_job(job, "done", "", 0)
    assert timers == [] and job.read_state().state == "done"
