# SPDX-License-Identifier: GPL-3.0-or-later
"""What a killed process left half written of a file or a sequence goes with the next one of that name."""

import os
import subprocess
import sys

import pytest

from wan_engine.media.atomic_write import write_json, write_whole_sequence


@pytest.fixture(scope="module")
def ended():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.mark.skipif(sys.platform == "win32", reason="there it is told by its age")
def test_it_is_swept_and_what_others_are_at_stays(tmp_path, ended):
    (tmp_path / f".raw.{ended}.partial").mkdir()
    (tmp_path / f".raw.{ended}.partial" / "frame.png").write_bytes(b"x")
    (tmp_path / f".report.json.{ended}.partial").write_bytes(b"x")
    kept = [
        f".report.json.{os.getppid()}.partial",
        f".other.json.{ended}.partial",
        f".report.json.{ended}.partial.txt",
        f"report.json.{ended}.partial",
    ]
    for name in kept:
        (tmp_path / name).write_bytes(b"x")
    for path in tmp_path.iterdir():
        os.utime(path, (1e9, 1e9))
    (tmp_path / f".report.json.{2**22 + 1}.partial").write_bytes(b"x")  # no process of this computer, and just written
    kept.append(f".report.json.{2**22 + 1}.partial")
    write_json(tmp_path / "report.json", {"a": 1})
    write_whole_sequence(tmp_path / "raw", "*.png", lambda folder: (folder / "frame.png").write_bytes(b"y"))
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "raw", *kept}


@pytest.mark.skipif(sys.platform == "win32", reason="there it is told by its age")
def test_a_link_of_such_a_name_is_removed_and_not_followed(tmp_path, ended):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_bytes(b"x")
    (tmp_path / f".raw.{ended}.partial").symlink_to(tmp_path / "mine")
    os.utime(tmp_path / f".raw.{ended}.partial", (1e9, 1e9), follow_symlinks=False)
    write_json(tmp_path / "raw", {})
    assert (tmp_path / "mine" / "a.txt").exists() and not (tmp_path / f".raw.{ended}.partial").is_symlink()
