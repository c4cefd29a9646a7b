# SPDX-License-Identifier: GPL-3.0-or-later
"""Job folders: names, states, events, and what a broken disk or a dead worker leaves behind."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wan_previs.bridge import jobs, process
from wan_previs.bridge.files import replacing, unfinished, write_json
from wan_previs.bridge.jobs import MAX_STEM_BYTES, JobFolder, safe_name
from wan_previs.bridge.state import STALE_SECONDS, JobBusy, JobError, JobState, JobTaken
from wan_previs.wan_engine.request import GenerationRequest

ANY_TEXT = st.text(st.characters(), max_size=300)


@given(ANY_TEXT)
def test_every_shot_name_gives_a_portable_folder_name(name):
    folder = safe_name(name)
    assert 0 < len(folder.encode("utf-8")) <= MAX_STEM_BYTES
    assert not set(folder) & set('<>:"/\\|?*. \0\n\t')
    assert folder.isprintable()
    assert safe_name(folder) == folder


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Wide", "Wide"),
        ("Wide (2)", "Wide-2"),
        ("夜景 镜头", "夜景-镜头"),
        ("कैमरा", "कैमरा"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "shot"),
        ("", "shot"),
        ("café", "café"),
    ],
)
def test_names_keep_what_people_read(name, folder):
    assert safe_name(name) == folder


@given(ANY_TEXT)
def test_any_name_can_be_made_on_this_disk(tmp_path_factory, name):
    root = tmp_path_factory.mktemp("jobs")
    job = JobFolder.create(root, name)
    assert job.path.parent == root and job.conditioning.is_dir()


def test_takes_count_up_and_sort(tmp_path):
    names = [JobFolder.create(tmp_path / "new" / "root", "Wide").path.name for _ in range(3)]
    assert names == ["Wide-take-001", "Wide-take-002", "Wide-take-003"]
    (tmp_path / "new" / "root" / "wide-take-007").mkdir()
    assert JobFolder.create(tmp_path / "new" / "root", "Wide").path.name == "Wide-take-008"


def test_two_at_once_get_two_folders(tmp_path):
    made: list[Path] = []
    threads = [
        threading.Thread(target=lambda: made.extend(JobFolder.create(tmp_path, "A").path for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 80


def test_a_request_comes_back(tmp_path):
    request = GenerationRequest(
        checkpoint="/ckpt", prompt="日落, “wide shot”", size=(64, 32), guide=(3.0, 4.0), seed=2**63
    )
    job = JobFolder.create(tmp_path, "A")
    job.write_request(request)
    assert "日落" in job.request.read_text(encoding="utf-8")
    assert GenerationRequest.from_json(JobFolder(job.path).read_request()) == request


def test_a_path_that_is_no_text_survives(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    job.write_request(GenerationRequest(checkpoint="/ckpt/\udcff", prompt="日落"))
    assert job.read_request()["checkpoint"] == "/ckpt/\udcff"
    assert job.read_request()["prompt"] == "日落"


def test_a_job_folder_without_or_with_a_damaged_request_is_told(tmp_path):
    with pytest.raises(JobError, match=r"no request\.json"):
        JobFolder(tmp_path).read_request()
    for damaged in (b"{", b"[]", b"\xff", b"[" * 100_000):
        (tmp_path / "request.json").write_bytes(damaged)
        with pytest.raises(JobError, match="damaged"):
            JobFolder(tmp_path).read_request()


def test_states_follow_each_other(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    assert job.read_state().state == "queued" and not job.read_state().ended
    job.mark_ended("failed", "Because.", 5)
    state = job.read_state()
    assert (state.state, state.message, state.exit_status, state.ended) == ("failed", "Because.", 5, True)
    assert state.queued and state.finished and state.queued <= state.finished
    assert json.loads(job.state.read_text())["schema"] == "wan_previs.state/1"
    assert [path.name for path in job.path.iterdir() if path.name.endswith(".tmp")] == []


def test_a_reader_never_sees_half_a_state(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    texts = {"x" * 50_000, "y" * 10}
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for text in sorted(texts):
                job.write_state(JobState("failed", text))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        seen = {job.read_state().message for _ in range(300)}
    finally:
        stop.set()
        thread.join()
    assert seen - {""} <= texts


def test_running_by_a_dead_process_is_interrupted(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    job = JobFolder.create(tmp_path, "A")
    job.write_state(JobState("running", pid=child.pid, host=socket.gethostname()))
    state = job.read_state()
    assert state.state == "failed" and state.interrupted and state.exit_status == 5 and "Generate" in state.message


@pytest.mark.skipif(sys.platform != "linux", reason="only there the system tells what a process is")
def test_a_process_number_given_to_another_program_is_no_worker(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    job.write_state(JobState("running", pid=os.getppid(), host=socket.gethostname()))
    assert job.read_state().interrupted


def test_running_on_another_computer_is_believed(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    job.write_state(JobState("running", pid=1, host="elsewhere.example"))
    assert job.read_state().state == "running"


def test_running_on_another_computer_is_believed_while_its_heart_beats(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    job.write_state(JobState("running", pid=1, host="elsewhere.example", worker="boot/4/1/7"))
    assert job.read_state().state == "running"
    os.utime(job.state, (time.time() - 2 * STALE_SECONDS,) * 2)
    state = job.read_state()
    assert state.state == "failed" and state.interrupted and "Generate" in state.message
    job.beat()
    assert job.read_state().state == "running"


@pytest.mark.skipif(not process.TELLS_WORK, reason="only there the system tells one process from any other")
def test_a_computer_that_got_another_name_is_the_same(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    worker = process.identity(os.getpid())
    job.write_state(JobState("running", pid=os.getpid(), host="name-of-yesterday", worker=worker))
    assert job.read_state().state == "running"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        gone = process.identity(child.pid)
        child.stdin.close()
    job.write_state(JobState("running", pid=child.pid, host="name-of-yesterday", worker=gone))
    assert job.read_state().interrupted


@pytest.mark.skipif(not process.TELLS_WORK, reason="only there the system tells one process from any other")
def test_a_process_number_given_to_a_later_worker_does_not_hold_the_job(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    *place, began = process.identity(os.getpid()).split("/")
    worker = "/".join([*place, str(int(began) - 1)])
    job.write_state(JobState("running", pid=os.getpid(), host=socket.gethostname(), worker=worker))
    assert job.read_state().interrupted


@pytest.fixture
def ended_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_what_killed_processes_left_half_written_is_swept(tmp_path, ended_pid):
    job = JobFolder.create(tmp_path, "A")
    (job.path / "control" / f".raw.{ended_pid}.partial").mkdir(parents=True)
    (job.path / "control" / f".raw.{ended_pid}.partial" / "frame_00001.png").write_bytes(b"x")
    litter = [
        f".preview.png.{ended_pid}.partial",
        f".wan_previs.{ended_pid}-1234.tmp.json",
        f".state.json.{ended_pid}-1234.tmp",
        f"control/.raw.{ended_pid}.partial",
    ]
    for name in litter[:3]:
        (job.path / name).write_bytes(b"x")
    kept = [
        f".preview.png.{os.getpid()}.partial",
        f".wan_previs.{os.getpid()}-1.tmp.json",
        ".notes.partial",
        f"notes.{ended_pid}.partial",
        f".notes.{ended_pid}.txt",
    ]
    for name in kept:
        (job.path / name).write_bytes(b"x")
    outside = tmp_path / f".clip.mp4.{ended_pid}.partial"
    outside.write_bytes(b"x")
    job.sweep()
    assert not any((job.path / name).exists() for name in litter)
    assert all((job.path / name).exists() for name in kept) and outside.exists() and job.state.exists()


def test_the_next_take_of_a_shot_sweeps_what_killed_ones_left(tmp_path, ended_pid):
    """A repair has a folder of its own, which nobody goes on with."""
    job, other, running = (JobFolder.create(tmp_path, name) for name in ("A", "A-b", "A"))
    job.mark_ended("cancelled", "Cancelled.", 130)
    running.write_state(JobState("running", pid=ended_pid, host="another computer"))
    litter = job.path / "control" / f".raw.{ended_pid}.partial"
    litter.mkdir(parents=True)
    (job.path / f".report.png.{ended_pid}.partial").write_bytes(b"x")
    outside = tmp_path / "link-target"
    outside.mkdir()
    (outside / "state.json").write_bytes(b"{}")
    kept = [
        running.path / f".clip.mp4.{ended_pid}.partial",
        job.path / f".report.png.{os.getpid()}.partial",
        other.path / litter.name,
        outside / litter.name,
    ]
    for path in kept:
        path.write_bytes(b"x")
    (tmp_path / "A-take-009").symlink_to(outside)
    JobFolder.create(tmp_path, "A")
    assert not litter.exists() and not (job.path / f".report.png.{ended_pid}.partial").exists()
    assert all(path.exists() for path in kept) and job.read_state().state == "cancelled"


def test_what_a_killed_save_left_beside_a_file_goes_with_the_next_one(tmp_path, ended_pid):
    left, other = (
        tmp_path / f".wan_previs.{ended_pid}-77.tmp.blend@",
        tmp_path / f".wan_previs.{os.getpid()}-7.tmp.blend",
    )
    fresh = tmp_path / f".wan_previs.{ended_pid}-78.tmp.blend"  # of a process of another computer, for all we know
    for path in (left, other, fresh):
        path.write_bytes(b"x")
    os.utime(left, (time.time() - 100,) * 2)
    write_json(tmp_path / "any.json", {})
    assert not left.exists() and other.exists() and fresh.exists()


@pytest.mark.skipif(not process.TELLS_WORK, reason="only there the system tells when a process began")
def test_a_process_number_given_again_protects_no_litter(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    left = job.path / f".clip.mp4.{os.getpid()}.partial"
    left.write_bytes(b"x")
    os.utime(left, (process.began(os.getpid()) - 60,) * 2)
    job.sweep()
    assert not left.exists()


def test_the_end_of_a_job_has_its_room_before_it_comes(tmp_path):
    """Where no second file can be made, as on a full disk, it is written over what is there."""
    job = JobFolder.create(tmp_path, "A")
    job.mark_running()
    room = job.state.stat().st_size
    unfinished(job.state).mkdir()
    job.mark_ended("failed", "夜" * 5000, 5)
    state = job.read_state()
    assert state.state == "failed" and state.message.startswith("夜夜") and job.state.stat().st_size == room


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": "wan_previs.state/1", "state": "lost"}', b"\xff"])
def test_a_damaged_state_is_a_failure_in_words(tmp_path, content):
    job = JobFolder.create(tmp_path, "A")
    job.state.write_bytes(content)
    assert job.read_state().state == "failed" and "damaged" in job.read_state().message


TAKERS = """
import sys
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.state import JobTaken
print("here", flush=True)
for line in sys.stdin:
    try:
        JobFolder(line.strip()).mark_running()
        print("got", flush=True)
    except JobTaken as refused:
        print(refused, flush=True)
"""


def test_of_engines_that_begin_at_once_one_gets_the_job(tmp_path):
    jobs = [JobFolder.create(tmp_path, "A") for _ in range(20)]
    for job in jobs:
        job.release()
    with contextlib.ExitStack() as stack:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        takers = [stack.enter_context(subprocess.Popen([sys.executable, "-c", TAKERS], **pipes)) for _ in range(3)]
        assert all(taker.stdout.readline() == "here\n" for taker in takers)
        for job in jobs:
            for taker in takers:
                taker.stdin.write(f"{job.path}\n")
                taker.stdin.flush()
            got, *refused = sorted((taker.stdout.readline() for taker in takers), key=lambda said: said != "got\n")
            assert got == "got\n" and all("Another engine is at work" in said for said in refused)
            assert job.read_state().state == "running"


def test_a_job_that_goes_on_is_not_ended_for_the_engine_that_had_it(tmp_path, monkeypatch, ended_pid):
    """It has died. In the moment in which one Blender writes that down, another one presses Continue."""
    job = JobFolder.create(tmp_path, "A")
    job.write_state(JobState("running", pid=ended_pid, host=socket.gethostname()))
    look, taken = JobFolder.check_free, []

    def look_as_another_takes_it_up(job: JobFolder) -> JobState:
        state = look(job)
        monkeypatch.setattr(JobFolder, "check_free", look)
        with contextlib.suppress(JobTaken):
            JobFolder(job.path).mark_running()
            taken.append(job)
        return state

    monkeypatch.setattr(jobs, "LOCK_PAUSE", 0.0)
    monkeypatch.setattr(JobFolder, "check_free", look_as_another_takes_it_up)
    job.mark_ended("failed", "The engine stopped.", 5)
    assert job.read_state().state == ("running" if taken else "failed")
    job.mark_running()
    assert job.read_state().state == "running"


def test_an_end_is_written_though_another_engine_looks_in_just_then(tmp_path, monkeypatch):
    job = JobFolder.create(tmp_path, "A")
    job.mark_running()
    with job.lock.open("ab") as file:
        assert process.lock(file)
        monkeypatch.setattr(jobs.time, "sleep", lambda _: file.close())
        job.mark_ended("done", "", 0)
    assert job.read_state().state == "done"


def test_who_may_not_wait_is_told_at_once_that_another_looks_in(tmp_path, monkeypatch):
    job = JobFolder.create(tmp_path, "A")
    job.mark_running()
    monkeypatch.setattr(jobs.time, "sleep", lambda _: pytest.fail("it waits"))
    with job.lock.open("ab") as file:
        assert process.lock(file)
        with pytest.raises(JobBusy):
            job.mark_ended("done", "", 0, wait=False)
        process.unlock(file)
        job.mark_ended("done", "", 0, wait=False)
    assert job.read_state().state == "done"


def test_an_end_is_written_where_there_can_be_no_lock(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    job.lock.mkdir()
    job.mark_ended("failed", "The disk is full.", 5)
    assert job.read_state().state == "failed"


HOLDER = """
import sys, time
from wan_previs.bridge import process
file = open(sys.argv[1], "ab")
print(process.lock(file), flush=True)
time.sleep(600)
"""


def test_a_job_is_free_again_when_who_took_it_up_is_killed(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(job.lock)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        before = job.state.read_bytes()
        with pytest.raises(JobTaken, match="Another engine"):
            job.mark_running()
        assert job.state.read_bytes() == before and not job.events.exists()
        holder.kill()
        holder.wait()
    job.mark_running()
    assert job.read_state().state == "running"


def test_a_file_system_without_locks_keeps_no_job_waiting(tmp_path, monkeypatch):
    if sys.platform == "win32":
        pytest.skip("has other calls for it")
    import fcntl

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    job = JobFolder.create(tmp_path, "A")
    monkeypatch.setattr(fcntl, "flock", none)
    job.mark_running()
    assert job.read_state().state == "running"


def test_a_folder_with_a_request_alone_is_queued(tmp_path):
    assert JobFolder(tmp_path).read_state() == JobState("queued")


def test_events_come_back_without_the_torn_line(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    assert job.read_events() == []
    for step in (1, 2):
        job.append_event({"event": "step", "step": step})
    with job.events.open("ab") as file:
        file.write(b'{"event": "step", "st')
    assert [event["step"] for event in job.read_events()] == [1, 2]
    assert all(event["at"] > 1e9 for event in job.read_events())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_told_in_words(tmp_path):
    class OnFullDisk(JobFolder):
        events = Path("/dev/full")

    job = OnFullDisk.create(tmp_path, "A")
    with pytest.raises(JobError, match=r"disk is full.*Free some space") as caught:
        job.append_event({"event": "step"})
    assert caught.value.exit_status == 5


def test_an_output_folder_that_is_a_file_is_told_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JobError, match="Choose another output folder"):
        JobFolder.create(tmp_path / "file", "A")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    path.chmod(0o640)
    kept = []
    with pytest.raises(KeyError), replacing(path, kept.append) as new:
        new.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and kept == [] and list(tmp_path.iterdir()) == [path]
    with replacing(path, kept.append) as new:
        assert new.suffix == ".json" and path.read_text() == "old"
        new.write_text("new")
    assert path.read_text() == "new" and kept == [path] and list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_job_whose_maker_is_gone_before_the_engine_began_was_interrupted(tmp_path, ended_pid):
    job = JobFolder.create(tmp_path, "A")
    assert job.read_state().state == "queued" and job.read_state().pid == os.getpid()
    gone = f"{process.identity(os.getpid()).rsplit('/', 2)[0]}/{ended_pid}/7" if process.TELLS_WORK else None
    job.write_state(JobState("queued", pid=ended_pid, host=socket.gethostname(), worker=gone))
    state = job.read_state()
    assert state.state == "failed" and state.interrupted and "Blender ended" in state.message
    job.write_state(JobState("queued", pid=ended_pid, host="elsewhere.example", worker="boot/4/1/7"))
    assert job.read_state().state == "queued", "of another computer nothing is known"
    job.release()
    assert job.read_state().state == "queued" and job.read_state().pid is None


FIELDS = ("message", "exit_status", "queued", "started", "finished", "pid", "host", "worker", "interrupted")
ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=2)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), ODD), st.sampled_from(["queued", "running", "done"]))
def test_whatever_a_state_holds_it_is_read_or_told(fields, word):
    with tempfile.TemporaryDirectory() as folder:
        job = JobFolder(folder)
        job.state.write_text(json.dumps({"schema": "wan_previs.state/1", "state": word, **fields}))
        state = job.read_state()
        assert isinstance(state.message, str)
        assert state.exit_status is None or (type(state.exit_status) is int and state.exit_status >= 0)
