# SPDX-License-Identifier: GPL-3.0-or-later
"""The client with a real, warm worker: starting, jobs one after the other, failing and cancelled ones."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import sys
import time
from pathlib import Path

import pytest
from real_jobs import (
    GOLDEN,
    PATIENCE,
    POSIX,
    SHORT,
    ends,
    gone,
    make_job,
    poll_until,
    stepping,
)
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.messages import Message
from wan_previs.wan_engine.errors import UsageError


def test_starting_says_hello_before_the_slow_imports(client):
    client.start()
    assert client.alive
    seen = poll_until(client, lambda message: message.kind == "ready")
    assert [message.kind for message in seen] == ["starting", "ready"]
    assert "torch 2." in seen[-1].text
    pid = client.pid
    client.start()
    assert client.pid == pid
    client.close()
    assert not client.alive and gone(pid) and client.poll() == []


def test_a_job_runs_to_its_clip(warm, tmp_path):
    job = make_job(tmp_path, SHORT, clip_frames=12, clip_fps=24.0)
    warm.submit(job)
    seen = poll_until(warm, ends)
    assert seen[-1] == Message("done", job=job.path)
    events = [message.event for message in seen if message.kind == "event"]
    assert [event["step"] for event in events if event["event"] == "step"] == list(range(1, SHORT + 1))
    assert [event["stage"] for event in events if event["event"] == "stage"][-2:] == ["finish", "measure"]
    assert [{k: v for k, v in e.items() if k != "at"} for e in job.read_events()] == events
    state = job.read_state()
    assert state.state == "done" and state.exit_status == 0 and state.pid == warm.pid
    assert state.queued <= state.started <= state.finished
    assert job.clip.stat().st_size > 500 and job.log.exists()
    report = json.loads(job.report.read_text(encoding="utf-8"))
    assert report["light"]["verdict"]["word"] in ("holds", "drifts", "jumps")
    assert job.page.read_bytes().startswith(b"\x89PNG")


def test_one_warm_worker_serves_many_jobs_and_loads_once(warm, tmp_path):
    pid = warm.pid
    logs = []
    for seed in range(3):
        job = make_job(tmp_path, 1, seed=seed, dtype="bfloat16")
        warm.submit(job)
        assert poll_until(warm, ends)[-1].kind == "done"
        logs.append(job.log.read_text(encoding="utf-8"))
    assert ["still loaded" in log for log in logs] == [False, True, True]
    assert ["loading" in log for log in logs] == [True, False, False] and warm.pid == pid


def test_a_checkpoint_that_changed_on_disk_is_loaded_again(warm, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(GOLDEN / "checkpoint", checkpoint)
    warm.submit(make_job(tmp_path, 1, checkpoint=str(checkpoint)))
    poll_until(warm, ends)
    weights = checkpoint / "low_noise_model" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    job = make_job(tmp_path, 1, checkpoint=str(checkpoint))
    warm.submit(job)
    end = poll_until(warm, ends)[-1]
    assert (end.kind, end.exit_status) == ("failed", 4) and end.text == job.read_state().message
    assert "Traceback" not in end.text and "Traceback" in job.log.read_text(encoding="utf-8")


def test_only_one_job_at_a_time(warm, tmp_path):
    warm.submit(make_job(tmp_path, SHORT))
    with pytest.raises(UsageError, match="busy"):
        warm.submit(make_job(tmp_path, SHORT))
    assert poll_until(warm, ends)[-1].kind == "done"


def test_cancel_comes_between_steps_and_keeps_the_worker(warm, warm_engine, held, tmp_path):
    pid = warm.pid
    job = make_job(tmp_path, SHORT)
    warm.submit(job)
    poll_until(warm, stepping)
    warm.cancel()
    end = poll_until(warm, ends)[-1]
    assert (end.kind, end.exit_status) == ("cancelled", 130)
    assert job.read_state().state == "cancelled" and not job.clip.exists()
    warm_engine.go_on()
    warm.submit(make_job(tmp_path, 1))
    assert poll_until(warm, ends)[-1].kind == "done" and warm.pid == pid


def test_cancel_right_after_submitting(warm, held, tmp_path):
    job = make_job(tmp_path, SHORT)
    warm.submit(job)
    warm.cancel()
    assert poll_until(warm, ends)[-1].kind == "cancelled" and job.read_state().state == "cancelled"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"checkpoint": "/no/such/folder"}, 4),
        ({"image": "conditioning/none.png"}, 2),
    ],
)
def test_a_failing_job_is_told_in_words_and_the_worker_lives_on(warm, tmp_path, changes, status):
    job = make_job(tmp_path, 1, **changes)
    warm.submit(job)
    end = poll_until(warm, ends)[-1]
    assert (end.kind, end.exit_status) == ("failed", status)
    assert end.text and "unexpectedly" not in end.text and "Traceback" not in end.text
    state = job.read_state()
    assert (state.state, state.message, state.exit_status) == ("failed", end.text, status)
    assert warm.alive


def test_an_empty_or_vanished_job_folder_is_told(warm, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "vanished"):
        warm.submit(JobFolder(folder))
        end = poll_until(warm, ends)[-1]
        assert end.kind == "failed" and "no job folder" in end.text


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_events_that_cannot_be_kept_are_told_in_the_log_and_cost_no_clip(warm, tmp_path):
    """What a disk that is full altogether does stands in test_hangs.py."""
    job = make_job(tmp_path, 1)
    try:
        os.mknod(job.events, stat.S_IFCHR | 0o666, os.stat("/dev/full").st_rdev)
    except PermissionError:
        pytest.skip("only the administrator may make a device")
    warm.submit(job)
    end = poll_until(warm, ends)[-1]
    assert (end.kind, end.exit_status) == ("done", 0) and job.clip.is_file()
    assert "disk is full" in job.log.read_text(encoding="utf-8") and job.read_state().state == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small pipe")
def test_a_client_that_does_not_look_holds_up_no_job(warm, tmp_path):
    """The events of this job are more than the pipe holds."""
    room = fcntl.fcntl(warm._child.stdout, fcntl.F_SETPIPE_SZ, 4096)
    steps = 60
    job = make_job(tmp_path, steps)
    warm.submit(job)
    deadline = time.monotonic() + PATIENCE
    while not job.read_state().ended and time.monotonic() < deadline:
        time.sleep(0.1)
    assert job.read_state().state == "done"
    assert sum(map(stepping, poll_until(warm, ends))) == steps
    assert job.events.stat().st_size > 2 * room


@POSIX
def test_stray_prints_cannot_reach_the_message_pipe(warm):
    if sys.platform != "linux":
        pytest.skip("looks into /proc")
    descriptors = Path(f"/proc/{warm.pid}/fd")
    assert os.readlink(descriptors / "1") == os.readlink(descriptors / "2") == str(warm.log)
