# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a job as Windows makes it, by a stand-in that keeps real processes out (`windows_locks.py`)."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from wan_previs.bridge import process
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.state import JobBusy, JobTaken

if sys.platform != "linux":
    pytest.skip("the stand-in needs locks of open files", allow_module_level=True)

import windows_locks

BEGIN = (
    f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    + """
import time, windows_locks
from wan_previs.bridge import process
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.state import JobTaken
asked = windows_locks.install()
"""
)
HOLDER = (
    BEGIN
    + """
file = open(sys.argv[1], "ab")
print(process.lock(file), flush=True)
sys.stdin.readline()
process.unlock(file)
print("free", flush=True)
time.sleep(600)
"""
)
TAKER = (
    BEGIN
    + """
job = JobFolder(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    job.mark_running()
    print("took", flush=True)
    sys.stdin.readline()
except JobTaken:
    print("left", flush=True)
"""
)


@pytest.fixture
def locks(monkeypatch):
    monkeypatch.setitem(sys.modules, "msvcrt", None)
    for name in ("lock", "unlock"):
        monkeypatch.setattr(process, name, getattr(process, name))
    monkeypatch.setattr(windows_locks, "_held", {})
    return windows_locks.install()


@contextlib.contextmanager
def running(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def say(child):
    child.stdin.write("\n")
    child.stdin.flush()


@pytest.mark.parametrize("content", [b"", b"of another version"])
def test_who_holds_a_job_keeps_others_out_until_it_lets_go_or_is_killed(tmp_path, locks, content):
    job = JobFolder.create(tmp_path, "A")
    job.lock.write_bytes(content)
    for ends_by_kill in (False, True):
        with running(HOLDER, job.lock) as holder:
            assert holder.stdout.readline() == "True\n"
            with pytest.raises(JobBusy, match="Another engine"):
                job.mark_ended("failed", "Stopped.", 5, wait=False)
            assert job.read_state().state in ("queued", "done") and locks == ["try"]
            if ends_by_kill:
                holder.kill()
                holder.wait()
            else:
                say(holder)
                assert holder.stdout.readline() == "free\n"
            locks.clear()
            job.mark_ended("done", "", 0, wait=False)
            assert job.read_state().state == "done" and locks == ["try", "unlock"]
            locks.clear()


def test_it_waits_a_second_and_is_told(tmp_path, locks, monkeypatch):
    job = JobFolder.create(tmp_path, "A")
    monkeypatch.setattr("wan_previs.bridge.jobs.LOCK_PAUSE", 0.0)
    with running(HOLDER, job.lock) as holder:
        assert holder.stdout.readline() == "True\n"
        with pytest.raises(JobTaken):
            job.mark_running()
        assert locks == ["try"] * 100


def test_of_two_that_begin_at_once_one_gets_it(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    job.release()
    with running(TAKER, job.path) as one, running(TAKER, job.path) as two:
        assert [child.stdout.readline() for child in (one, two)] == ["ready\n"] * 2
        for child in (one, two):
            say(child)
        assert sorted(child.stdout.readline() for child in (one, two)) == ["left\n", "took\n"]


def test_the_stand_in_is_as_strict_as_windows(tmp_path):
    """A second handle of the same process waits too; positions count; what is not locked cannot be let go of."""
    path = tmp_path / "a.lock"
    path.write_bytes(b"four")
    with path.open("rb+") as one, path.open("rb+") as two:
        windows_locks.locking(one.fileno(), windows_locks.LK_NBLCK, 1)
        for again in (one, two):
            with pytest.raises(PermissionError):
                windows_locks.locking(again.fileno(), windows_locks.LK_NBLCK, 1)
        two.seek(2)
        windows_locks.locking(two.fileno(), windows_locks.LK_NBLCK, 1)
        one.seek(1)
        with pytest.raises(PermissionError):
            windows_locks.locking(one.fileno(), windows_locks.LK_UNLCK, 1)
    for file in (one, two):
        assert file.closed
    windows_locks._held.clear()
