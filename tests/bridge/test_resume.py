# SPDX-License-Identifier: GPL-3.0-or-later
"""A job that was interrupted is run again from its folder and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys

import pytest
from real_jobs import GOLDEN, ends, held, make_job, poll_until, stepping
from wan_previs.bridge import history
from wan_previs.bridge.jobs import JobFolder
from wan_previs.wan_engine.request_parts import Lora

STEPS = 40
KEPT = {"latents": "latents.safetensors", "frames_out": "frames"}


def outcome(job: JobFolder) -> list[bytes]:
    frames = sorted((job.path / "frames").iterdir())
    return [path.read_bytes() for path in [job.path / "latents.safetensors", *frames]]


@pytest.mark.skipif(sys.platform != "linux", reason="needs leases")
def test_a_killed_job_goes_on_where_it_was_and_ends_bit_equal(client, tmp_path):
    """It cannot come to its end before it is killed: the second expert's file is not let open."""
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(GOLDEN / "checkpoint", checkpoint)
    whole, broken = (make_job(tmp_path, STEPS, checkpoint=str(checkpoint), offload="expert", **KEPT) for _ in range(2))
    client.submit(whole)
    assert poll_until(client, ends)[-1].kind == "done"
    client.submit(broken)
    with held(checkpoint / "low_noise_model" / "diffusion_pytorch_model.safetensors"):
        poll_until(client, lambda message: message.event.get("step") == 5 and stepping(message))
        os.kill(client.pid, signal.SIGKILL)
        assert poll_until(client, ends)[-1].kind == "failed"
    assert broken.resume.exists() and not broken.clip.exists() and broken.read_state().state == "failed"
    client.submit(broken)
    seen = poll_until(client, ends)
    assert seen[-1].kind == "done"
    steps = [message.event["step"] for message in seen if stepping(message)]
    assert steps == list(range(steps[0], STEPS + 1)) and steps[0] >= 6
    assert json.loads(broken.report.read_text(encoding="utf-8"))["resumed_from_step"] == steps[0] - 1
    assert outcome(broken) == outcome(whole)
    assert not any("resume" in path.name for path in broken.path.iterdir())


def test_a_cancelled_job_can_go_on(client, tmp_path):
    job = make_job(tmp_path, STEPS)
    client.submit(job)
    poll_until(client, stepping)
    client.cancel()
    assert poll_until(client, ends)[-1].kind == "cancelled" and job.resume.exists()
    client.submit(job)
    assert poll_until(client, ends)[-1].kind == "done" and not job.resume.exists()
    assert json.loads(job.report.read_text(encoding="utf-8"))["resumed_from_step"] >= 1


def test_a_running_job_shows_a_preview(client, tmp_path):
    job = make_job(tmp_path, 3)
    client.submit(job)
    first = poll_until(client, lambda message: message.event.get("event") == "preview")[-1]
    assert first.event["path"] == job.preview.name and job.preview.read_bytes()[1:4] == b"PNG"
    assert poll_until(client, ends)[-1].kind == "done"


def test_other_load_options_load_anew(client, tmp_path):
    """A pipeline is shared only by jobs that ask for the same weights in the same way."""
    logs = []
    for changes in ({}, {"attention": "math"}, {"attention": "math", "step_cache": 0.1}):
        job = make_job(tmp_path, 1, **changes)
        client.submit(job)
        assert poll_until(client, ends)[-1].kind == "done"
        logs.append(job.log.read_text(encoding="utf-8"))
    assert ["still loaded" in log for log in logs] == [False, False, True]
    client.submit(make_job(tmp_path, 1, loras=(Lora(str(tmp_path / "none.safetensors")),)))
    end = poll_until(client, ends)[-1]
    assert (end.kind, end.exit_status) == ("failed", 4) and "LoRA" in end.text


def test_a_clip_that_could_not_be_finished_is_finished_without_another_step(client, tmp_path):
    whole, broken = (make_job(tmp_path, 3, clip_frames=12, clip_fps=24.0, **KEPT) for _ in range(2))
    client.submit(whole)
    assert poll_until(client, ends)[-1].kind == "done"
    client.submit(broken)
    poll_until(client, stepping)
    broken.clip.mkdir()  # which the finish cannot write over
    for again in (True, False):  # it has to be offered after a second failure too
        assert poll_until(client, ends)[-1].kind == "failed" and (broken.path / "frames").is_dir()
        offer = history.unfinished([history.Found(broken, None, "own")], "", "Wide shot")
        assert offer is not None and offer.sampled and offer.words == "Continue: finish the clip"
        if again:
            client.submit(broken)
    broken.clip.rmdir()
    client.submit(broken)
    seen = poll_until(client, ends)
    assert seen[-1].kind == "done" and not any(map(stepping, seen)) and broken.clip.is_file()
    assert outcome(broken) == outcome(whole) and not broken.resume.exists()
