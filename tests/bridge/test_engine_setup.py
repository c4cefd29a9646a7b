# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up the engine's Python, with real virtual environments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wan_previs.bridge.engine_setup import MARK, EngineSetup, NetworkRefused
from wan_previs.bridge.environment import (
    REQUIRED,
    EnvironmentMissing,
    find_engine,
    inspect_engine,
    venv_python,
)
from wan_previs.bridge.messages import MOST_TEXT

ROOT = Path(__file__).resolve().parents[2]


pytestmark = pytest.mark.usefixtures("no_variable")


def a_lock(folder: Path) -> Path:
    (folder / "engine.lock").write_text("# nothing\n")
    return folder / "engine.lock"


def test_without_leave_nothing_is_downloaded(tmp_path):
    with pytest.raises(NetworkRefused, match="online access"):
        EngineSetup(Path(sys.executable), tmp_path / "engine", ROOT / "pyproject.toml", allow_network=False)
    assert list(tmp_path.iterdir()) == []


def test_setting_up_makes_an_environment_that_is_found(tmp_path):
    """With an empty lock file the whole way runs, but for the downloads."""
    lines: list[str] = []
    lock = a_lock(tmp_path)
    EngineSetup(Path(sys.executable), tmp_path / "user" / "engine", lock, allow_network=True).run(lines.append)
    found = find_engine(None, tmp_path, tmp_path / "user")
    assert inspect_engine(found.python)["missing"] == list(REQUIRED)


def test_a_failing_step_shows_its_output_and_says_so(tmp_path):
    lock = tmp_path / "engine.lock"
    lock.write_text("./no-such-folder-here\n")
    lines: list[str] = []
    with pytest.raises(EnvironmentMissing, match=r"ended with status 1 .*no-such-folder-here"):
        EngineSetup(Path(sys.executable), tmp_path / "engine", lock, allow_network=True).run(lines.append)
    assert any("no-such-folder-here" in line for line in lines)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for a Python")
def test_a_step_that_prints_a_line_without_end_is_heard_in_part(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nhead -c 8000000 /dev/zero | tr '\\0' x\nprintf 'y\\n\\033[31mno disk\\n'\nexit 3\n")
    python.chmod(0o755)
    lines: list[str] = []
    with pytest.raises(EnvironmentMissing, match="exit status 3"):
        EngineSetup(python, tmp_path / "engine", a_lock(tmp_path), allow_network=True).run(lines.append)
    assert max(map(len, lines)) <= MOST_TEXT
    assert lines[-1] == "[31mno disk"


def test_a_folder_that_is_no_environment_is_not_cleared(tmp_path):
    (tmp_path / "film.blend").write_text("precious")
    with pytest.raises(EnvironmentMissing, match="something else"):
        EngineSetup(Path(sys.executable), tmp_path, ROOT / "pyproject.toml", allow_network=True)
    assert (tmp_path / "film.blend").read_text() == "precious"


def test_an_environment_that_somebody_else_made_is_not_cleared(tmp_path):
    """It has the name and the looks of ours."""
    folder = tmp_path / "engine"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (folder / "film.blend").write_text("precious")
    before = sorted(folder.rglob("*"))
    with pytest.raises(EnvironmentMissing, match=r"left as it is.*Move it away"):
        EngineSetup(Path(sys.executable), folder, a_lock(tmp_path), allow_network=True)
    assert sorted(folder.rglob("*")) == before


def test_a_mark_that_is_a_link_makes_no_environment_ours(tmp_path):
    folder = tmp_path / "engine"
    folder.mkdir()
    (tmp_path / "film.blend").write_text("precious")
    (folder / MARK).symlink_to(tmp_path / "film.blend")
    with pytest.raises(EnvironmentMissing, match="left as it is"):
        EngineSetup(Path(sys.executable), folder, a_lock(tmp_path), allow_network=True)


def test_an_engine_folder_may_be_a_link_to_a_larger_disk(tmp_path):
    folder, disk, lock = tmp_path / "engine", tmp_path / "disk", a_lock(tmp_path)
    disk.mkdir()
    folder.symlink_to(disk)
    setup = EngineSetup(Path(sys.executable), folder, lock, allow_network=True)
    with pytest.raises(EnvironmentMissing, match="Another set-up"):
        EngineSetup(Path(sys.executable), disk, lock, allow_network=True)
    setup.run(lambda line: None)
    assert folder.is_symlink() and venv_python(disk).is_file()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_lock_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / ".engine.lock")
    with pytest.raises(EnvironmentMissing, match="cannot be written"):
        EngineSetup(Path(sys.executable), tmp_path / "engine", a_lock(tmp_path), allow_network=True)


def test_what_a_set_up_has_left_is_cleared_by_the_next(tmp_path):
    folder, lock = tmp_path / "engine", a_lock(tmp_path)
    setup = EngineSetup(Path(sys.executable), folder, lock, allow_network=True)
    setup.cancel()
    (folder / "lib").mkdir()
    (folder / "lib" / "half").write_text("")
    EngineSetup(Path(sys.executable), folder, lock, allow_network=True).run(lambda line: None)
    assert not (folder / "lib" / "half").exists() and venv_python(folder).is_file()


def test_two_set_ups_in_one_folder_are_one_too_many(tmp_path):
    folder, lock = tmp_path / "engine", a_lock(tmp_path)
    first = EngineSetup(Path(sys.executable), folder, lock, allow_network=True)
    first.poll()
    with pytest.raises(EnvironmentMissing, match="Another set-up"):
        EngineSetup(Path(sys.executable), folder, lock, allow_network=True)
    EngineSetup(Path(sys.executable), tmp_path / "other", lock, allow_network=True).cancel()
    first.cancel()
    EngineSetup(Path(sys.executable), folder, lock, allow_network=True).cancel()


def test_setting_up_can_be_cancelled(tmp_path):
    setup = EngineSetup(Path(sys.executable), tmp_path / "engine", a_lock(tmp_path), allow_network=True)
    setup.poll()
    setup.cancel()
    assert setup.finished and setup.poll() == []
