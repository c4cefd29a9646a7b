# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way a worker can fail to start, die, hang or be left alone; and job folders run without a client."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from real_jobs import (
    PATIENCE,
    POSIX,
    ROOT,
    SHORT,
    ends,
    engine_client,
    engine_python,
    gone,
    make_job,
    poll_until,
    stepping,
)
from wan_previs.bridge import process
from wan_previs.bridge.client import EngineClient
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.messages import Message
from wan_previs.wan_engine.errors import CheckpointError, UsageError


def test_a_python_that_is_not_there_is_told_at_once(tmp_path):
    client = EngineClient(tmp_path / "none", ROOT, tmp_path / "worker.log")
    job = make_job(tmp_path, 1)
    with pytest.raises(CheckpointError, match=r"cannot be started.*preferences"):
        client.submit(job)
    assert job.read_state().state == "failed" and job.read_state().exit_status == 4


@POSIX
def test_a_python_that_may_not_be_run_is_told_at_once(tmp_path):
    (tmp_path / "python").write_text("")
    with pytest.raises(CheckpointError, match="Permission denied"):
        EngineClient(tmp_path / "python", ROOT, tmp_path / "worker.log").start()


def test_a_python_without_torch_is_told(tmp_path):
    client = EngineClient(Path(sys.executable), ROOT, tmp_path / "worker.log")
    job = make_job(tmp_path, 1)
    client.submit(job)
    end = poll_until(client, ends)[-1]
    assert (end.kind, end.exit_status) == ("failed", 4) and "lacks torch" in end.text
    assert job.read_state().message == end.text and not client.alive


@POSIX
def test_a_process_that_ends_before_it_says_hello_is_told_with_its_last_words(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'error while loading shared libraries' >&2\nexit 127\n")
    python.chmod(0o755)
    client = EngineClient(python, ROOT, tmp_path / "worker.log")
    client.start()
    (message,) = poll_until(client, lambda message: message.kind == "stopped")
    assert message.exit_status == 4 and "127" in message.text and "shared libraries" in message.text


@POSIX
def test_a_process_that_never_says_hello_is_stopped(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    client = EngineClient(python, ROOT, tmp_path / "worker.log", load_grace=1.0)
    client.start()
    (message,) = poll_until(client, lambda message: message.kind == "stopped")
    assert "did not start within 1 seconds" in message.text and not client.alive


@POSIX
def test_a_worker_of_another_version_is_told(tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho noise\necho \'{"type":"hello","protocol":99}\'\nexec sleep 60\n')
    python.chmod(0o755)
    client = EngineClient(python, ROOT, tmp_path / "worker.log")
    job = make_job(tmp_path, 1)
    client.submit(job)
    end = poll_until(client, ends)[-1]
    assert end.kind == "failed" and "Restart Blender" in end.text and not client.alive
    assert job.read_state().message == end.text


@POSIX
def test_a_worker_killed_in_the_middle_of_a_job_is_told(held_client, held_engine, tmp_path):
    client = held_client
    job = make_job(tmp_path, SHORT)
    client.submit(job)
    poll_until(client, stepping)
    os.kill(client.pid, signal.SIGKILL)
    end = poll_until(client, ends)[-1]
    assert (end.kind, end.exit_status) == ("failed", 5) and "signal 9" in end.text and "memory" in end.text
    assert job.read_state().state == "failed" and job.read_state().message == end.text
    assert not client.alive
    held_engine.go_on()
    client.submit(make_job(tmp_path, 1))
    assert poll_until(client, ends)[-1].kind == "done"


@POSIX
def test_an_end_that_another_process_keeps_waiting_keeps_no_window_waiting(client, tmp_path, monkeypatch):
    """Its message comes once it is written; until then the client is busy with the job."""
    job = make_job(tmp_path, 1)
    client.submit(job)
    os.kill(client.pid, signal.SIGKILL)
    with job.lock.open("ab") as other:
        assert process.lock(other)
        monkeypatch.setattr("wan_previs.bridge.jobs.time.sleep", lambda _: pytest.fail("it waits"))
        deadline = time.monotonic() + 60
        while client._ending is None and time.monotonic() < deadline:
            assert client.poll() == []
        monkeypatch.setattr(client, "_end_by", float("inf"))
        assert client.poll() == [] and job.read_state().state == "queued"
        with pytest.raises(UsageError, match="busy"):
            client.submit(job)
    (message,) = client.poll()
    assert message.kind == "failed" and job.read_state().finished


def test_a_worker_killed_while_it_starts_blames_no_environment(client, tmp_path):
    client.submit(make_job(tmp_path, 1))
    poll_until(client, lambda message: message.kind == "starting")
    os.kill(client.pid, signal.SIGKILL)
    end = poll_until(client, ends)[-1]
    assert end.exit_status == 5 and "memory" in end.text and "preferences" not in end.text


@POSIX
def test_a_worker_that_dies_without_a_job_is_told(client):
    client.start()
    poll_until(client, lambda message: message.kind == "ready")
    os.kill(client.pid, signal.SIGSEGV)
    end = poll_until(client, lambda message: message.kind == "stopped")[-1]
    assert "SIGSEGV" in end.text and end.exit_status == 5 and not client.alive


@POSIX
def test_a_hung_worker_is_stopped_and_told(held_engine, tmp_path):
    client = engine_client(tmp_path, held_engine.python, hang_after=2.0)
    job = make_job(tmp_path, SHORT)
    client.submit(job)
    poll_until(client, stepping)
    pid = client.pid
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    polls = 0
    messages: list[Message] = []
    while not any(map(ends, messages)):
        messages += client.poll()
        polls += 1
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.02)
    assert polls > 1, "Blender is not kept waiting meanwhile"
    assert messages[-1].kind == "failed" and "not answered for 2 seconds" in messages[-1].text
    assert job.read_state().message == messages[-1].text and gone(pid)


@POSIX
def test_a_computer_that_slept_condemns_no_worker(tmp_path):
    """After sleep neither side has done anything for a long time: the worker gets the chance to speak."""
    client = engine_client(tmp_path, hang_after=5.5)
    with contextlib.closing(client):
        client.start()
        poll_until(client, lambda message: message.kind == "ready")
        os.kill(client.pid, signal.SIGSTOP)
        client.poll()
        time.sleep(6.5)
        assert client.poll() == [] and client.alive
        os.kill(client.pid, signal.SIGCONT)
        client.submit(make_job(tmp_path, 1))
        assert poll_until(client, ends)[-1].kind == "done"


@POSIX
def test_a_worker_that_does_not_heed_a_cancel_is_stopped(held_engine, tmp_path):
    client = engine_client(tmp_path, held_engine.python, cancel_grace=1.0)
    job = make_job(tmp_path, SHORT)
    client.submit(job)
    poll_until(client, stepping)
    pid = client.pid
    os.kill(pid, signal.SIGSTOP)
    client.cancel()
    end = poll_until(client, ends)[-1]
    assert (end.kind, end.exit_status) == ("cancelled", 130) and "stopped" in end.text
    assert job.read_state().state == "cancelled" and gone(pid)


@POSIX
@pytest.mark.parametrize("stopped", [False, True])
def test_closing_is_bounded_whatever_the_worker_does(held_client, tmp_path, stopped):
    client = held_client
    job = make_job(tmp_path, SHORT)
    client.submit(job)
    poll_until(client, stepping)
    pid = client.pid
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    client.close()
    assert gone(pid)
    state = job.read_state()
    assert (state.state, state.exit_status) == ("cancelled", 130)
    client.close()


PARENT = """
import sys, time
from pathlib import Path
from wan_previs.bridge import process
from wan_previs.bridge.client import EngineClient
from wan_previs.bridge.jobs import JobFolder
client = EngineClient(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
client.submit(JobFolder(sys.argv[4]))
while not any(message.event.get("event") == "step" for message in client.poll()):
    time.sleep(0.05)
print(client.pid, flush=True)
if sys.argv[5] == "leave":
    sys.exit()
while True:
    client.poll()
    time.sleep(0.05)
"""


@POSIX
@pytest.mark.parametrize("how", ["leave", "killed"])
def test_the_worker_ends_when_its_parent_does(held_engine, tmp_path, how):
    job = make_job(tmp_path, SHORT)
    arguments = [str(value) for value in (held_engine.python, ROOT, tmp_path / "worker.log", job.path, how)]
    with subprocess.Popen([sys.executable, "-c", PARENT, *arguments], stdout=subprocess.PIPE) as parent:
        worker = int(parent.stdout.readline())
        if how == "killed":
            parent.kill()
        parent.wait(PATIENCE)
    assert gone(worker)
    state = JobFolder(job.path).read_state()
    assert state.ended and state.interrupted and "Continue" in state.message if how == "killed" else state.ended


def run_alone(folder: Path, python: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(python or engine_python()), "-B", "-m", "bridge.worker", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_a_job_folder_alone_is_enough_to_run(tmp_path):
    job = make_job(tmp_path, 2)
    moved = job.path.rename(tmp_path / "elsewhere")
    with run_alone(moved) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    messages = [json.loads(line) for line in out.splitlines()]
    assert messages[-1]["type"] == "done" and (moved / "clip.mp4").exists()
    assert JobFolder(moved).read_state().state == "done"


def test_a_job_folder_alone_ends_with_the_exit_status(tmp_path):
    job = make_job(tmp_path, 2, checkpoint="/no/such/folder")
    with run_alone(job.path) as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4 and err.strip() == job.read_state().message
    with run_alone(tmp_path / "none") as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2 and "job folder" in err


@POSIX
def test_a_job_folder_alone_is_cancelled_by_ctrl_c(held_engine, tmp_path):
    job = make_job(tmp_path, SHORT)
    with run_alone(job.path, held_engine.python) as process:
        for line in process.stdout:
            if '"step"' in line:
                process.send_signal(signal.SIGINT)
                break
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and job.read_state().state == "cancelled"


def test_nothing_is_compiled_into_the_addon_folder(tmp_path):
    """An add-on's folder may be read-only, and belongs to Blender's Python."""
    addon = tmp_path / "addon"
    for name in ("bridge", "wan_engine"):
        shutil.copytree(ROOT / name, addon / name, ignore=shutil.ignore_patterns("__pycache__"))
    python = engine_python()
    with contextlib.closing(EngineClient(python, addon, tmp_path / "worker.log")) as client:
        client.start()
        poll_until(client, lambda message: message.kind == "ready")
    assert list(addon.rglob("*.pyc")) == []


@POSIX
def test_a_log_and_a_preview_that_cannot_be_written_cost_no_clip(held_client, held_engine, tmp_path):
    client = held_client
    job = make_job(tmp_path, SHORT, prompt=r"It costs $\frac{$ in $x_{$.")
    for path in (job.log, job.preview, job.page):
        path.mkdir()
    client.submit(job)
    seen = poll_until(client, stepping)
    job.events.unlink()
    job.events.mkdir()
    held_engine.go_on()
    seen += poll_until(client, ends)
    assert seen[-1].kind == "done" and job.read_state().state == "done" and job.clip.is_file()
    notes = [message.event["message"] for message in seen if message.event.get("event") == "note"]
    report = json.loads(job.report.read_text(encoding="utf-8"))
    for words in ("There is no preview", "There is no report picture"):
        assert len([note for note in notes if words in note]) == len([w for w in report["warnings"] if words in w]) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_console_that_takes_nothing_costs_no_clip(tmp_path):
    job = make_job(tmp_path, SHORT)
    job.log.mkdir()
    python = engine_python()
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [str(python), "-m", "bridge.worker", str(job.path)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=full
        )
    assert ended.returncode == 0 and job.read_state().state == "done" and job.clip.is_file()


@POSIX
def test_of_two_engines_the_one_that_is_at_a_job_keeps_it(held_client, tmp_path):
    client = held_client
    others = engine_client(tmp_path / "other")
    others.start()
    poll_until(others, lambda message: message.kind == "ready")
    job = make_job(tmp_path, SHORT)
    client.submit(job)
    poll_until(client, stepping)
    others.submit(JobFolder(job.path))
    (refused,) = [message for message in poll_until(others, ends) if message.ends_job]
    assert (refused.kind, refused.exit_status) == ("failed", 5) and "Another engine is at work" in refused.text
    assert job.read_state().pid == client.pid
    others.submit(JobFolder(job.path))
    others.close()
    assert job.read_state().state == "running"
    client.cancel()
    assert poll_until(client, ends)[-1].kind == "cancelled" and job.read_state().state == "cancelled"
    assert [event["step"] for event in job.read_events() if event["event"] == "step"] == [1]
