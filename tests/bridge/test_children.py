# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing outlives the program that started it, however that ends; and nothing of it lies where it has no business."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from real_jobs import PATIENCE, ROOT, ends, engine_client, engine_python, make_job, poll_until
from wan_previs.bridge.tool import EngineTool
from wan_previs.wan_engine.errors import GenerationError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs POSIX signals and /proc")

SLOW = """
import json, pathlib, subprocess, sys, time
task = json.load(sys.stdin)
child = subprocess.Popen(["sleep", "10000"])
pathlib.Path(task["pids"]).write_text(f"{__import__('os').getpid()} {child.pid} .")
time.sleep(10000)
"""
TOOL = """
import sys, time
from pathlib import Path
from wan_previs.bridge.tool import EngineTool
tool = EngineTool(Path(sys.executable), Path(sys.argv[1]), "slow", {"pids": sys.argv[2]})
while not tool.poll():
    time.sleep(0.05)
"""
SETUP = """
import sys, time
from pathlib import Path
from wan_previs.bridge.engine_setup import EngineSetup
setup = EngineSetup(Path(sys.executable), Path(sys.argv[1]), Path(sys.argv[2]), allow_network=True)
setup.run(print)
"""


def living(*words: str) -> list[int]:
    """The processes whose command line holds all the words."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (place / "cmdline").read_bytes().decode(errors="replace")
            if all(word in line for word in words) and int(place.name) != os.getpid():
                found.append(int(place.name))
    return found


def wait_for(condition, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_tool_and_its_children_end_with_the_program_that_asked(tmp_path, how):
    (tmp_path / "slow.py").write_text(SLOW)
    pids = tmp_path / "pids"
    with subprocess.Popen([sys.executable, "-c", TOOL, str(tmp_path), str(pids)]) as parent:
        wait_for(lambda: pids.exists() and pids.read_text().endswith("."))
        tool, child = map(int, pids.read_text().split()[:2])
        assert alive(tool) and alive(child)
        parent.send_signal(how)
        parent.wait()
    wait_for(lambda: not alive(tool) and not alive(child))


def test_a_tool_is_stopped_with_its_children(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    pids = tmp_path / "pids"
    tool = EngineTool(Path(sys.executable), tmp_path, "slow", {"pids": str(pids)})
    wait_for(lambda: pids.exists() and pids.read_text().endswith("."))
    assert not tool.poll()
    tool.stop()
    wait_for(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()[:2]))


def test_a_tool_that_is_killed_is_told_as_that(tmp_path):
    (tmp_path / "slow.py").write_text("import os; os.kill(os.getpid(), 9)")
    tool = EngineTool(Path(sys.executable), tmp_path, "slow", {})
    with pytest.raises(GenerationError, match="SIGKILL"):
        wait_for(tool.poll)


def test_a_set_up_ends_with_the_program_that_asked(tmp_path):
    """uv, or pip, waits for a server that does not answer, for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        lock = tmp_path / "engine.lock"
        lock.write_text(f"--index-url http://127.0.0.1:{server.getsockname()[1]}/\nsomething\n")
        folder = tmp_path / "engine"
        words = [sys.executable, "-c", SETUP, str(folder), str(lock)]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as parent:
            wait_for(lambda: living("pip", "install", str(lock)) or parent.poll() is not None, 3 * PATIENCE)
            assert parent.poll() is None
            parent.kill()
            parent.wait()
        wait_for(lambda: not living(str(tmp_path)))


def test_the_engine_writes_in_folders_of_its_own_only(tmp_path, monkeypatch):
    for variable, name in (("HOME", "home"), ("TMPDIR", "tmp"), ("XDG_CACHE_HOME", "home/.cache")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    for variable in ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "TORCHINDUCTOR_CACHE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    cache = tmp_path / "cache"
    with contextlib.closing(engine_client(tmp_path, cache=cache)) as client:
        job = make_job(tmp_path / "jobs", 1)
        client.submit(job)
        assert poll_until(client, ends)[-1].kind == "done" and job.page.is_file()
    assert [path for name in ("home", "tmp") for path in (tmp_path / name).rglob("*") if path.is_file()] == []
    assert any(cache.rglob("*.json"))


def test_the_next_run_sweeps_what_a_killed_one_left(tmp_path):
    job = make_job(tmp_path, 1)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (job.path / f".raw.{ended.pid}.partial").mkdir()
    (job.path / f".preview.png.{ended.pid}.partial").write_bytes(b"x")
    python = engine_python()
    done = subprocess.run([python, "-B", "-m", "bridge.worker", job.path], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in job.path.iterdir() if path.name.startswith(".")] == []
