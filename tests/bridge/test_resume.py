# SPDX-License-Identifier: GPL-3.0-or-later
"""A job that was interrupted is run again from its folder and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal

from real_jobs import POSIX, at_step, ends, make_job, poll_until, stepping
from wan_previs.bridge import history
from wan_previs.bridge.jobs import JobFolder
from wan_previs.wan_engine.request_parts import Lora

STEPS = 6
KEPT = {"latents": "latents.safetensors", "frames_out": "frames"}


def outcome(job: JobFolder) -> list[bytes]:
    frames = sorted((job.path / "frames").iterdir())
    return [path.read_bytes() for path in [job.path / "latents.safetensors", *frames]]


@POSIX
def test_a_killed_job_goes_on_where_it_was_and_ends_bit_equal(held_client, held_engine, tmp_path):
    """Killed while the first expert is at work; the other one is to come."""
    client, step = held_client, 2
    whole, broken = (make_job(tmp_path, STEPS, offload="expert", **KEPT) for _ in range(2))
    held_engine.hold(step)
    client.submit(broken)
    poll_until(client, at_step(step))
    os.kill(client.pid, signal.SIGKILL)
    assert poll_until(client, ends)[-1].kind == "failed"
    assert broken.resume.exists() and not broken.clip.exists() and broken.read_state().state == "failed"
    held_engine.go_on()
    client.submit(broken)
    seen = poll_until(client, ends)
    assert seen[-1].kind == "done"
    steps = [message.event for message in seen if stepping(message)]
    assert [event["step"] for event in steps] == list(range(step + 1, STEPS + 1))
    assert (steps[0]["expert"], steps[-1]["expert"]) == ("high", "low")
    assert json.loads(broken.report.read_text(encoding="utf-8"))["resumed_from_step"] == step
    client.submit(whole)
    assert poll_until(client, ends)[-1].kind == "done"
    assert outcome(broken) == outcome(whole)
    assert not any("resume" in path.name for path in broken.path.iterdir())


def test_a_cancelled_job_can_go_on(warm, warm_engine, held, tmp_path):
    job = make_job(tmp_path, 2)
    warm.submit(job)
    poll_until(warm, stepping)
    warm.cancel()
    assert poll_until(warm, ends)[-1].kind == "cancelled" and job.resume.exists()
    warm_engine.go_on()
    warm.submit(job)
    assert poll_until(warm, ends)[-1].kind == "done" and not job.resume.exists()
    assert json.loads(job.report.read_text(encoding="utf-8"))["resumed_from_step"] == 1


def test_a_running_job_shows_a_preview(warm, warm_engine, held, tmp_path):
    job = make_job(tmp_path, 2)
    warm.submit(job)
    shown = [m.event["path"] for m in poll_until(warm, stepping) if m.event.get("event") == "preview"]
    assert shown == [job.preview.name] and job.preview.read_bytes()[1:4] == b"PNG"
    warm_engine.go_on()
    assert poll_until(warm, ends)[-1].kind == "done"


def test_other_load_options_load_anew(warm, tmp_path):
    """A pipeline is shared only by jobs that ask for the same weights in the same way."""
    logs = []
    for changes in ({"attention": "math"}, {"attention": "math", "step_cache": 0.1}, {}):
        job = make_job(tmp_path, 1, **changes)
        warm.submit(job)
        assert poll_until(warm, ends)[-1].kind == "done"
        logs.append(job.log.read_text(encoding="utf-8"))
    assert ["still loaded" in log for log in logs] == [False, True, False]
    warm.submit(make_job(tmp_path, 1, loras=(Lora(str(tmp_path / "none.safetensors")),)))
    end = poll_until(warm, ends)[-1]
    assert (end.kind, end.exit_status) == ("failed", 4) and "LoRA" in end.text


def test_a_clip_that_could_not_be_finished_is_finished_without_another_step(warm, warm_engine, tmp_path):
    whole, broken = (make_job(tmp_path, 3, clip_frames=12, clip_fps=24.0, **KEPT) for _ in range(2))
    warm.submit(whole)
    assert poll_until(warm, ends)[-1].kind == "done"
    warm_engine.hold()
    warm.submit(broken)
    poll_until(warm, stepping)
    broken.clip.mkdir()  # which the finish cannot write over
    warm_engine.go_on()
    for again in (True, False):  # it has to be offered after a second failure too
        assert poll_until(warm, ends)[-1].kind == "failed" and (broken.path / "frames").is_dir()
        offer = history.unfinished([history.Found(broken, None, "own")], "", "Wide shot")
        assert offer is not None and offer.sampled and offer.words == "Continue: finish the clip"
        if again:
            warm.submit(broken)
    broken.clip.rmdir()
    warm.submit(broken)
    seen = poll_until(warm, ends)
    assert seen[-1].kind == "done" and not any(map(stepping, seen)) and broken.clip.is_file()
    assert outcome(broken) == outcome(whole) and not broken.resume.exists()
