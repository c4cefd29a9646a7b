# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of others that are read as text: none of them without end, and what is wrong is told in words."""

import os

import pytest

from wan_engine import text_files
from wan_engine.errors import UsageError, WanError, reason_of
from wan_engine.inputs.camera_rays import read_camera
from wan_engine.light_curve import read_light


@pytest.mark.parametrize("read", [read_camera, read_light])
@pytest.mark.parametrize("place", ["pipe", "folder", "loop", "long", "none", "device"])
def test_what_is_no_file_is_told_at_once(read, place, tmp_path):
    path = tmp_path / ("x" * 300 if place == "long" else place)
    if place == "pipe":
        os.mkfifo(path)
    elif place == "folder":
        path.mkdir()
    elif place == "loop":
        path.symlink_to(path)
    elif place == "device":
        path.symlink_to("/dev/zero")
    with pytest.raises(UsageError):
        read(path)


@pytest.mark.parametrize("read", [read_camera, read_light])
def test_a_file_without_end_is_not_read_to_it(read, tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "LARGEST", 1 << 20)
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UsageError, match="larger than 1 MB"):
        read(path)


@pytest.mark.parametrize("content", [b"\xff\xfe{}", b"[" * 100_000, b"9" * 6000, b"", b"\0" * 100])
@pytest.mark.parametrize("read", [read_camera, read_light])
def test_what_is_no_json_is_told(read, content, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(WanError) as told:
        read(path)
    assert not any(word in str(told.value) for word in ("codec", "Expecting", "Errno", "Extra data"))


@pytest.mark.parametrize("said", ["", "one\nor two\x1b[31m\tlines", "x" * 5000, "\ud800 half", "ends so. "])
def test_a_reason_is_one_line_of_a_sentence(said):
    words = reason_of(ValueError(said))
    assert 0 < len(words) <= 160
    assert words.isprintable()
    assert not words.endswith(".")


def test_the_system_says_it_without_its_number():
    assert reason_of(FileNotFoundError(2, "No such file or directory", "/x")) == "No such file or directory"
