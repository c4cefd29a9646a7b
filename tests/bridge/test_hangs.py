# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker that stands still, whatever it waits for, is told; one that works long without a word is left alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from real_jobs import GOLDEN, PATIENCE, SHORT, ends, engine_client, gone, held, make_job, poll_until, stepping
from wan_previs.bridge import protocol
from wan_previs.bridge.client import EngineClient
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.process import TELLS_WORK
from wan_previs.bridge.pulse import LONG_SECONDS, Pulse, WakingClock
from wan_previs.wan_engine.request_parts import Lora

pytestmark = pytest.mark.skipif(not TELLS_WORK, reason="needs Linux: pipes, leases, and what it tells of processes")


@pytest.fixture
def impatient(tmp_path):
    """A client that waits for two seconds."""
    with contextlib.closing(engine_client(tmp_path, hang_after=2.0)) as client:
        client.start()
        poll_until(client, lambda message: message.kind == "ready")
        yield client


def assert_told(client: EngineClient, job: JobFolder) -> None:
    pid = client.pid
    end = poll_until(client, ends)[-1]
    assert (end.kind, end.exit_status) == ("failed", 5) and "not answered for 2 seconds" in end.text
    assert job.read_state().state == "failed" and job.read_state().message == end.text and gone(pid)


def test_without_a_sign_of_work_ten_seconds_suffice(tmp_path):
    assert protocol.HANG_SECONDS + 2 * protocol.HEARTBEAT_SECONDS < 10
    assert engine_client(tmp_path)._hang_after == protocol.HANG_SECONDS


def test_a_picture_that_is_a_pipe(impatient, tmp_path):
    job = make_job(tmp_path, SHORT)
    (job.conditioning / "first.png").unlink()
    os.mkfifo(job.conditioning / "first.png")
    impatient.submit(job)
    end = poll_until(impatient, ends)[-1]
    assert end.kind == "failed" and job.read_state().state == "failed"


def test_a_picture_on_a_drive_that_does_not_answer(impatient, tmp_path):
    job = make_job(tmp_path, SHORT)
    with held(job.conditioning / "first.png"):
        impatient.submit(job)
        assert_told(impatient, job)


def test_a_lora_that_is_a_pipe(impatient, tmp_path):
    os.mkfifo(tmp_path / "style.safetensors")
    job = make_job(tmp_path, SHORT, loras=(Lora(str(tmp_path / "style.safetensors")),))
    impatient.submit(job)
    end = poll_until(impatient, ends)[-1]
    assert end.kind == "failed" and job.read_state().state == "failed"


@pytest.mark.parametrize("name", ["low_noise_model/diffusion_pytorch_model.safetensors", "Wan2.1_VAE.pth"])
def test_a_checkpoint_on_a_drive_that_does_not_answer(impatient, tmp_path, name):
    """Whoever opens the file waits, as on a share that is gone: another process holds a lease on it."""
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(GOLDEN / "checkpoint", checkpoint)
    job = make_job(tmp_path, SHORT, checkpoint=str(checkpoint))
    with held(checkpoint / name):
        impatient.submit(job)
        assert_told(impatient, job)
    impatient.submit(job)
    assert poll_until(impatient, ends)[-1].kind == "done"


def test_a_worker_stopped_while_it_starts_is_told_as_soon(tmp_path):
    with contextlib.closing(engine_client(tmp_path, hang_after=2.0, load_grace=10 * PATIENCE)) as client:
        client.submit(make_job(tmp_path, 1))
        poll_until(client, lambda message: message.kind == "starting")
        os.kill(client.pid, signal.SIGSTOP)
        end = poll_until(client, ends)[-1]
    assert end.kind == "failed" and "did not start within 2 seconds" in end.text


def test_alone_it_ends_itself(tmp_path):
    """Without a client nobody else looks."""
    from test_faults import run_alone

    job = make_job(tmp_path, SHORT)
    with held(job.conditioning / "first.png"), run_alone(job.path) as process:
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 5 and "not answered" in said
    assert job.read_state().state == "failed" and "not answered" in job.read_state().message


def test_alone_it_ends_itself_also_where_nobody_listens(tmp_path):
    from test_faults import run_alone

    job = make_job(tmp_path, SHORT)
    with held(job.conditioning / "first.png"), run_alone(job.path) as process:
        process.stdout.close()
        process.stderr.close()
        process.wait(PATIENCE)
    assert process.returncode == 5 and job.read_state().state == "failed"


def test_one_that_works_for_long_is_left_alone(tmp_path):
    """Steps that take longer than the patience: what they take of the processor tells."""
    with contextlib.closing(engine_client(tmp_path, hang_after=0.6)) as client:
        client.submit(make_job(tmp_path, 1, size=(480, 320), frames=17))
        assert poll_until(client, ends, 3 * PATIENCE)[-1].kind == "done"


def beats_while(work, seconds: float) -> list[bool]:
    """What the pulse says of this thread during `work`, asked by another one."""
    pulse, seen, over = Pulse(), [], threading.Event()

    def ask() -> None:
        pulse.beats()
        while not over.wait(seconds / 10):
            seen.append(pulse.beats())

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        work()
    finally:
        over.set()
        thread.join()
    return seen


def test_work_in_native_code_is_a_sign():
    began = time.process_time()

    def work() -> None:
        while time.process_time() - began < 1.0:
            hashlib.pbkdf2_hmac("sha256", b"", b"", 200_000)

    assert any(beats_while(work, 1.0))


def test_a_read_that_does_not_return_is_none(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    def work() -> None:
        opener = threading.Timer(2.0, lambda: (tmp_path / "pipe").open("wb").close())
        opener.start()
        (tmp_path / "pipe").read_bytes()
        opener.join()

    seen = beats_while(work, 2.0)
    assert seen and not any(seen[1:-1])


def test_rest_and_declared_long_work_need_no_sign():
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    pulse.beats()
    with pulse.resting():
        now[0] += 1000
        assert pulse.beats()
    pulse.sign(long=True)
    assert pulse.beats()
    now[0] += LONG_SECONDS - 1
    assert pulse.beats()
    now[0] += 2
    assert not pulse.beats() and pulse.quiet == LONG_SECONDS + 1
    pulse.sign()
    assert pulse.beats()
    now[0] += 1
    assert not pulse.beats()


def test_a_worker_that_was_made_to_stand_still_may_go_on():
    """Ctrl-Z and fg in a terminal, or a computer that slept: nothing was looked at meanwhile."""
    now = [0.0]
    pulse = Pulse(WakingClock(lambda: now[0]))
    pulse.beats()
    now[0] += 1000
    pulse.beats()
    assert pulse.quiet < protocol.HANG_SECONDS / 2
    for _ in range(round(protocol.HANG_SECONDS / protocol.HEARTBEAT_SECONDS)):
        now[0] += protocol.HEARTBEAT_SECONDS
        pulse.beats()
    assert pulse.quiet >= protocol.HANG_SECONDS


def test_a_stopped_worker_without_a_client_holds_its_job_not_for_ever(held_client, tmp_path):
    job = make_job(tmp_path, SHORT)
    held_client.submit(job)
    poll_until(held_client, stepping)
    os.kill(held_client.pid, signal.SIGSTOP)
    assert job.read_state().state == "running"
    os.utime(job.state, (time.time() - 600,) * 2)
    assert job.read_state().state == "failed" and job.read_state().interrupted


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", place], capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "other").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_disk_that_fills_up_ends_the_job_in_words(held_client, held_engine, small_disk):
    """Also the last byte is gone: there is no room for another state.json."""
    job = make_job(small_disk, SHORT)
    held_client.submit(job)
    poll_until(held_client, stepping)
    fill(small_disk)
    held_engine.go_on()
    end = poll_until(held_client, ends)[-1]
    assert end.kind == "failed" and "disk" in end.text
    state = JobFolder(job.path).read_state()
    assert state.state == "failed" and "disk" in state.message and held_client.alive
    assert not list(job.path.glob(".*"))


def test_a_disk_that_is_full_at_the_end_leaves_no_job_running(small_disk, tmp_path):
    """Whether the clip still fitted is a matter of moments; what the job says of it is not."""
    with contextlib.closing(engine_client(tmp_path)) as client:
        job = make_job(small_disk, SHORT)
        client.submit(job)
        poll_until(client, lambda message: message.event.get("stage") == "finish")
        fill(small_disk)
        end = poll_until(client, ends)[-1]
        state = JobFolder(job.path).read_state()
        assert end.kind == state.state == ("done" if job.clip.is_file() else "failed") and client.alive
        assert state.state == "done" or "disk" in state.message


def test_an_end_that_could_not_be_written_is_written_later(held_client, held_engine, tmp_path):
    job = make_job(tmp_path, SHORT)
    held_client.submit(job)
    poll_until(held_client, stepping)
    job.path.rename(tmp_path / "unplugged")
    job.path.write_text("")  # nothing can be made here
    held_engine.go_on()
    assert poll_until(held_client, ends)[-1].kind == "failed"
    job.path.unlink()
    (tmp_path / "unplugged").rename(job.path)
    deadline = time.monotonic() + PATIENCE
    while job.read_state().state == "running" and time.monotonic() < deadline:
        time.sleep(0.1)
    state = job.read_state()
    assert held_client.alive and state.state == "failed" and not state.interrupted
