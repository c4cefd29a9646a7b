# SPDX-License-Identifier: GPL-3.0-or-later
"""A job folder from someone else: whatever it asks for, the worker writes and deletes nothing outside of it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from real_jobs import POSIX, ROOT, ends, engine_client, make_job, poll_until
from wan_previs.bridge.files import unfinished
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.state import JobState
from wan_previs.wan_engine.request import OUTPUTS

FOLDERS = ("frames_out", "prompt_cache")
LEAVING = ("/absolute", "../beside", "sub/../../beside", "C:\\drive", "..\\beside", "\\\\server\\share", ".", "...mp4")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    client = engine_client(tmp_path_factory.mktemp("worker"))
    with contextlib.closing(client):
        yield client


@pytest.fixture
def outside(tmp_path):
    """What is dear to the user: a file, and a folder with the names that the engine writes and deletes."""
    folder = tmp_path / "outside"
    (folder / "sub").mkdir(parents=True)
    for name in ("file", "frame_0001.png", "old.prompt.safetensors", "sub/clip.mp4", "first.png"):
        (folder / name).write_bytes(b"dear " + name.encode())
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run(client, job: JobFolder):
    client.submit(job)
    return poll_until(client, ends)[-1]


def ask(job: JobFolder, **fields: str) -> None:
    """Put into the request what no program of ours would."""
    job.request.write_text(json.dumps({**job.read_request(), **fields}), encoding="utf-8")


@pytest.mark.parametrize("field", OUTPUTS)
def test_an_output_that_leaves_the_job_folder_is_refused(client, tmp_path, outside, field):
    beside = JobFolder.create(tmp_path, "neighbour")
    before = everything(tmp_path)
    targets = [str(outside / "file"), str(outside), f"../outside/{'sub' if field in FOLDERS else 'file'}"]
    for name in (*LEAVING, *targets, f"../{beside.path.name}/state.json"):
        job = make_job(tmp_path / "jobs", 1)
        ask(job, **{field: name})
        end = run(client, job)
        assert (end.kind, end.exit_status) == ("failed", 2) and field in end.text, name
        assert job.read_state().message == end.text and not job.clip.exists()
    after = everything(tmp_path)
    assert {name: data for name, data in after.items() if not name.startswith("jobs/")} == before
    assert len(list((tmp_path / "jobs").iterdir())) == len(LEAVING) + len(targets) + 1


def test_an_output_that_is_the_jobs_own_is_refused(client, tmp_path):
    job = make_job(tmp_path / "jobs", 1)
    own = everything(job.path / "conditioning")
    names = (
        "state.json",
        "Request.JSON",
        "events.jsonl.",
        "log.txt",
        "identity.json",
        "brief.json",
        "Job.lock",
        "\u017ftate.json",
        "state.json::$DATA",
    )
    for field, name in [*(("report", name) for name in names), ("latents", "conditioning/first.png"),
                        ("frames_out", "conditioning"), ("out", "conditioning.mp4")]:  # fmt: skip
        asked = json.dumps({**make_job(tmp_path / "models", 1).read_request(), field: name})
        job.request.write_text(asked, encoding="utf-8")
        end = run(client, job)
        assert (end.kind, end.exit_status) == ("failed", 2) and field in end.text, name
        assert job.request.read_text(encoding="utf-8") == asked and everything(job.path / "conditioning") == own


def test_a_sequence_cannot_climb_out_by_losing_its_ending(client, tmp_path):
    job = make_job(tmp_path / "jobs", 1, codec="png")
    for name in ("...mp4", "..mp4"):
        ask(job, out=name)
        assert run(client, job).exit_status == 2
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [job.path.name]


@POSIX
@pytest.mark.parametrize(
    ("link", "target"),
    [
        *((name, "file") for name in (
            "clip.mp4", "report.json", "report.png", "preview.png", "resume.safetensors", "log.txt", "events.jsonl",
            "latents.safetensors", "raw/frame_0001.png", "raw/nothing/deep", "conditioning/first.png", "request.json",
            "state.json", ".anything.partial",
        )),
        *((name, ".") for name in ("raw", "prompts", "sub", "conditioning", "clip.mp4", ".raw.1.partial")),
        ("clip.mp4", "nowhere"), ("raw", "nowhere"),
    ],
)  # fmt: skip
def test_no_link_in_a_job_folder_is_followed(client, tmp_path, outside, link, target):
    job = make_job(tmp_path / "jobs", 1, frames_out="raw", prompt_cache="prompts", latents="latents.safetensors")
    ask(job, preview="sub/preview.png", page="sub/deep/page.png")
    place = job.path / link
    place.parent.mkdir(parents=True, exist_ok=True)
    if link == "request.json":
        place.rename(tmp_path / "request.json")
        target = "../request.json"
    elif place.is_dir():
        for path in place.iterdir():
            path.unlink()
        place.rmdir()
    place.unlink(missing_ok=True)
    before = everything(outside)
    place.symlink_to(outside / target)
    end = run(client, job)
    assert end.kind == "failed" and end.exit_status == 5 and "link" in end.text
    assert everything(outside) == before and not (outside / "nowhere").exists()
    assert not job.state.is_symlink() and job.read_state().message == end.text


@POSIX
def test_a_file_shared_by_a_hard_link_is_not_written_into(client, tmp_path, outside):
    job = make_job(tmp_path / "jobs", 1, frames_out="raw")
    job.state.unlink()
    (job.path / "raw").mkdir()
    before = everything(outside)
    names = ("clip.mp4", "report.json", "report.png", "preview.png", "log.txt", "events.jsonl", "state.json")
    for name in (*names, "raw/frame_0001.png"):
        os.link(outside / "file", job.path / name)
    assert run(client, job).kind == "done"
    assert everything(outside) == before and job.log.read_bytes() and job.read_state().state == "done"


@POSIX
def test_temporary_files_of_a_state_are_not_written_through_links(tmp_path, outside):
    job = JobFolder.create(tmp_path / "jobs", "A")
    before = everything(outside)
    unfinished(job.state).symlink_to(outside / "file")
    job.write_state(JobState("failed"))
    assert everything(outside) == before and job.read_state().state == "failed" and not job.state.is_symlink()


def test_a_repair_writes_where_its_job_is(client, tmp_path):
    """The request of the mended take comes from the job folder of the take before it."""
    source = make_job(tmp_path / "jobs", 1, frames_out="raw")
    assert run(client, source).kind == "done"
    job, victim = JobFolder.create(tmp_path / "jobs", "mended"), tmp_path / "victim.mp4"
    victim.write_bytes(b"dear")
    command = [str(client.python), "-B", "-m", "wan_engine.commands.repair"]
    for name, status in ((str(victim), 2), ("../../victim.mp4", 2), ("clip.mp4", 0)):
        ask(source, out=name)
        task = json.dumps({"source": str(source.path), "job": str(job.path), "repair": ["deflicker"]})
        done = subprocess.run(command, input=task, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == status, done.stdout + done.stderr
    assert victim.read_bytes() == b"dear" and job.clip.is_file()


def test_names_inside_the_job_folder_are_fine(client, tmp_path):
    names = {
        "out": "clips/a.mp4", "latents": "l/latents.safetensors", "frames_out": "frames/all", "report": "r/report.json",
        "resume": "r/state.safetensors", "preview": "p/p.png", "prompt_cache": "prompts", "page": "r/page.png",
    }  # fmt: skip
    job = make_job(tmp_path, 1, **names)
    assert run(client, job).kind == "done"
    gone = {"resume"}  # not needed any more
    assert [field for field, name in names.items() if not (job.path / name).exists() and field not in gone] == []
