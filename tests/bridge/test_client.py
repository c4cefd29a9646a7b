# SPDX-License-Identifier: GPL-3.0-or-later
"""The client with real workers: starting, failing to start, jobs, cancelling, and every way a worker can go."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wan_previs.bridge.client import EngineClient, Message
from wan_previs.bridge.environment import find_engine
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.process import process_alive
from wan_previs.wan_engine.request import Cancelled, CheckpointError, GenerationRequest, UsageError

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "fullstack" / "Wan2.2-I2V-A14B"
LONG = 1000  # steps: some ten seconds and more
SHORT = 3
PATIENCE = 120.0  # for a machine under load; what is measured is bounded on its own
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def make_job(root: Path, steps: int, **changes: object) -> JobFolder:
    job = JobFolder.create(root, "Wide shot")
    shutil.copy(GOLDEN / "cases" / "en" / "image.png", job.conditioning / "first.png")
    values: dict = {
        "checkpoint": str(GOLDEN / "checkpoint"),
        "prompt": "A small red fox runs through fresh snow at dawn.",
        "image": "conditioning/first.png",
        "size": (64, 48),
        "frames": 9,
        "steps": steps,
        **changes,
    }
    job.write_request(GenerationRequest(**values))
    return job


def poll_until(client: EngineClient, done: Callable[[Message], bool], seconds: float = PATIENCE) -> list[Message]:
    """Poll until a message fits; all messages so far, the fitting one last."""
    seen: list[Message] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for message in client.poll():
            seen.append(message)
            if done(message):
                return seen
        time.sleep(0.02)
    raise AssertionError(f"nothing fitting within {seconds} seconds, only {seen[-5:]}")


def stepping(message: Message) -> bool:
    return message.event.get("event") == "step"


def ends(message: Message) -> bool:
    return message.ends_job


def gone(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while process_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not process_alive(pid)


def engine_client(tmp_path: Path, **options: float) -> EngineClient:
    python = find_engine(None, ROOT, ROOT / "nowhere").python
    return EngineClient(python, ROOT, tmp_path / "worker.log", **options)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[EngineClient]:
    client = engine_client(tmp_path)
    yield client
    client.close()


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    """A worker for the tests that leave it alive."""
    client = engine_client(tmp_path_factory.mktemp("warm"))
    client.start()
    poll_until(client, lambda message: message.kind == "ready")
    yield client
    client.close()


def test_starting_says_hello_before_the_slow_imports(client):
    client.start()
    assert client.alive and not client.ready and not client.busy
    seen = poll_until(client, lambda message: message.kind == "ready")
    assert [message.kind for message in seen] == ["starting", "ready"]
    assert "torch 2." in seen[-1].text and client.ready
    pid = client.pid
    client.start()
    assert client.pid == pid
    client.close()
    assert not client.alive and gone(pid) and client.poll() == []


def test_a_job_runs_to_its_clip(warm, tmp_path):
    job = make_job(tmp_path, SHORT, clip_frames=12, clip_fps=24.0)
    warm.submit(job)
    assert warm.busy
    seen = poll_until(warm, ends)
    assert seen[-1] == Message("done", job=job.path) and not warm.busy
    events = [message.event for message in seen if message.kind == "event"]
    assert [event["step"] for event in events if event["event"] == "step"] == list(range(1, SHORT + 1))
    assert [event["stage"] for event in events if event["event"] == "stage"][-1] == "finish"
    assert [{k: v for k, v in e.items() if k != "at"} for e in job.read_events()] == events
    state = job.read_state()
    assert state.state == "done" and state.exit_status == 0 and state.pid == warm.pid
    assert state.queued <= state.started <= state.finished
    assert job.clip.stat().st_size > 500 and job.log.exists()
    assert isinstance(json.loads(job.report.read_text(encoding="utf-8")), dict)


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


def test_cancel_comes_between_steps_and_keeps_the_worker(warm, tmp_path):
    pid = warm.pid
    job = make_job(tmp_path, LONG)
    warm.submit(job)
    poll_until(warm, stepping)
    warm.cancel()
    end = poll_until(warm, ends)[-1]
    assert (end.kind, end.exit_status) == ("cancelled", 130)
    assert job.read_state().state == "cancelled" and not job.clip.exists()
    warm.submit(make_job(tmp_path, 1))
    assert poll_until(warm, ends)[-1].kind == "done" and warm.pid == pid


def test_cancel_right_after_submitting(warm, tmp_path):
    job = make_job(tmp_path, LONG)
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
def test_a_full_disk_is_told(warm, tmp_path):
    job = make_job(tmp_path, 1)
    job.events.symlink_to("/dev/full")
    warm.submit(job)
    end = poll_until(warm, ends)[-1]
    assert (end.kind, end.exit_status) == ("failed", 5) and "disk is full" in end.text
    assert job.read_state().state == "failed"


def test_a_client_that_does_not_look_holds_up_no_job(warm, tmp_path):
    """The events of this job are more than a pipe holds."""
    job = make_job(tmp_path, LONG)
    warm.submit(job)
    deadline = time.monotonic() + PATIENCE
    while not job.read_state().ended and time.monotonic() < deadline:
        time.sleep(0.1)
    assert job.read_state().state == "done"
    assert sum(map(stepping, poll_until(warm, ends))) == LONG


@POSIX
def test_stray_prints_cannot_reach_the_message_pipe(warm):
    if sys.platform != "linux":
        pytest.skip("looks into /proc")
    descriptors = Path(f"/proc/{warm.pid}/fd")
    assert os.readlink(descriptors / "1") == os.readlink(descriptors / "2") == str(warm.log)


def test_run_blocking_returns_or_raises(warm, tmp_path):
    seen: list[Message] = []
    job = make_job(tmp_path, 1)
    assert warm.run_blocking(job, seen.append).kind == "done" and job.clip.exists()
    assert seen[-1].kind == "done"
    with pytest.raises(CheckpointError):
        warm.run_blocking(make_job(tmp_path, 1, checkpoint="/no/such/folder"), seen.append)


def test_ctrl_c_cancels_a_blocking_run(warm, tmp_path):
    job = make_job(tmp_path, LONG)

    def interrupt(message: Message) -> None:
        if message.event.get("step") == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Cancelled):
        warm.run_blocking(job, interrupt)
    assert job.read_state().state == "cancelled" and warm.alive and not warm.busy


def test_a_python_that_is_not_there_is_told_at_once(tmp_path):
    client = EngineClient(tmp_path / "none", ROOT, tmp_path / "worker.log")
    job = make_job(tmp_path, 1)
    with pytest.raises(CheckpointError, match=r"cannot be started.*preferences"):
        client.submit(job)
    assert not client.busy and job.read_state().state == "failed" and job.read_state().exit_status == 4


@POSIX
def test_a_python_that_may_not_be_run_is_told_at_once(tmp_path):
    (tmp_path / "python").write_text("")
    with pytest.raises(CheckpointError, match="Permission denied"):
        EngineClient(tmp_path / "python", ROOT, tmp_path / "worker.log").start()


def test_a_python_without_torch_is_told(tmp_path):
    client = EngineClient(Path(sys.executable), ROOT, tmp_path / "worker.log")
    job = make_job(tmp_path, 1)
    client.submit(job)
    end = poll_until(client, ends, 20)[-1]
    assert (end.kind, end.exit_status) == ("failed", 4) and "lacks torch" in end.text
    assert job.read_state().message == end.text and not client.alive


@POSIX
def test_a_process_that_ends_before_it_says_hello_is_told_with_its_last_words(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'error while loading shared libraries' >&2\nexit 127\n")
    python.chmod(0o755)
    client = EngineClient(python, ROOT, tmp_path / "worker.log")
    client.start()
    (message,) = poll_until(client, lambda message: message.kind == "stopped", 10)
    assert message.exit_status == 4 and "127" in message.text and "shared libraries" in message.text


@POSIX
def test_a_process_that_never_says_hello_is_stopped(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    client = EngineClient(python, ROOT, tmp_path / "worker.log", load_grace=1.0)
    client.start()
    began = time.monotonic()
    (message,) = poll_until(client, lambda message: message.kind == "stopped", 10)
    assert "did not start within 1 seconds" in message.text and time.monotonic() - began < 5 and not client.alive


@POSIX
def test_a_worker_of_another_version_is_told(tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho noise\necho \'{"type":"hello","protocol":99}\'\nexec sleep 60\n')
    python.chmod(0o755)
    client = EngineClient(python, ROOT, tmp_path / "worker.log")
    job = make_job(tmp_path, 1)
    client.submit(job)
    end = poll_until(client, ends, 10)[-1]
    assert end.kind == "failed" and "Restart Blender" in end.text and not client.alive
    assert job.read_state().message == end.text


@POSIX
def test_a_worker_killed_in_the_middle_of_a_job_is_told_within_seconds(client, tmp_path):
    job = make_job(tmp_path, LONG)
    client.submit(job)
    poll_until(client, stepping)
    began = time.monotonic()
    os.kill(client.pid, signal.SIGKILL)
    end = poll_until(client, ends)[-1]
    assert time.monotonic() - began < 3
    assert (end.kind, end.exit_status) == ("failed", 5) and "signal 9" in end.text and "memory" in end.text
    assert job.read_state().state == "failed" and job.read_state().message == end.text
    assert not client.alive and not client.busy
    client.submit(make_job(tmp_path, 1))
    assert poll_until(client, ends)[-1].kind == "done"


@POSIX
def test_a_worker_that_dies_without_a_job_is_told(client):
    client.start()
    poll_until(client, lambda message: message.kind == "ready")
    os.kill(client.pid, signal.SIGSEGV)
    end = poll_until(client, lambda message: message.kind == "stopped")[-1]
    assert "SIGSEGV" in end.text and end.exit_status == 5 and not client.alive


@POSIX
def test_a_hung_worker_is_stopped_and_told(tmp_path):
    client = engine_client(tmp_path, hang_after=2.0)
    job = make_job(tmp_path, LONG)
    client.submit(job)
    poll_until(client, stepping)
    pid = client.pid
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    longest = 0.0
    messages: list[Message] = []
    while not any(map(ends, messages)):
        before = time.monotonic()
        messages += client.poll()
        longest = max(longest, time.monotonic() - before)
        assert before - began < 10
        time.sleep(0.02)
    assert 1.5 < time.monotonic() - began < 6 and longest < 2
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
def test_a_worker_that_does_not_heed_a_cancel_is_stopped(tmp_path):
    client = engine_client(tmp_path, cancel_grace=1.0)
    job = make_job(tmp_path, LONG)
    client.submit(job)
    poll_until(client, stepping)
    pid = client.pid
    os.kill(pid, signal.SIGSTOP)
    client.cancel()
    end = poll_until(client, ends, 5)[-1]
    assert (end.kind, end.exit_status) == ("cancelled", 130) and "stopped" in end.text
    assert job.read_state().state == "cancelled" and gone(pid)


@pytest.mark.parametrize("stopped", [False, pytest.param(True, marks=POSIX)])
def test_closing_is_bounded_whatever_the_worker_does(tmp_path, stopped):
    client = engine_client(tmp_path)
    job = make_job(tmp_path, LONG)
    client.submit(job)
    poll_until(client, stepping)
    pid = client.pid
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 6 and gone(pid)
    state = job.read_state()
    assert (state.state, state.exit_status) == ("cancelled", 130) and not client.busy
    client.close()


PARENT = """
import sys, time
from pathlib import Path
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


@pytest.mark.parametrize("how", ["leave", pytest.param("killed", marks=POSIX)])
def test_the_worker_ends_when_its_parent_does(tmp_path, how):
    job = make_job(tmp_path, LONG)
    python = find_engine(None, ROOT, ROOT / "nowhere").python
    arguments = [str(value) for value in (python, ROOT, tmp_path / "worker.log", job.path, how)]
    with subprocess.Popen([sys.executable, "-c", PARENT, *arguments], stdout=subprocess.PIPE) as parent:
        worker = int(parent.stdout.readline())
        if how == "killed":
            parent.kill()
        parent.wait(20)
    assert gone(worker, 5)
    state = JobFolder(job.path).read_state()
    assert state.ended and state.interrupted and "Generate" in state.message if how == "killed" else state.ended


def run_alone(folder: Path) -> subprocess.Popen[str]:
    python = find_engine(None, ROOT, ROOT / "nowhere").python
    return subprocess.Popen(
        [str(python), "-B", "-m", "bridge.worker", str(folder)],
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
def test_a_job_folder_alone_is_cancelled_by_ctrl_c(tmp_path):
    job = make_job(tmp_path, LONG)
    with run_alone(job.path) as process:
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
    python = find_engine(None, ROOT, ROOT / "nowhere").python
    with contextlib.closing(EngineClient(python, addon, tmp_path / "worker.log")) as client:
        client.start()
        poll_until(client, lambda message: message.kind == "ready")
    assert list(addon.rglob("*.pyc")) == []
