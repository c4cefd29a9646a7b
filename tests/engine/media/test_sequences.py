# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips as folders of numbered pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from wan_engine.errors import UsageError
from wan_engine.media.sequences import read_sequence


def save(path, value=0, size=(4, 2), mode="RGB"):
    Image.new(mode, size, value if mode != "RGB" else (value, 0, 0)).save(path)


def test_pictures_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 1, 2):
        save(tmp_path / f"shot2_depth_{number}.png", number)
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    found = read_sequence(tmp_path)
    assert (len(found), found.size) == (4, (4, 2))
    assert [int(frame[0, 0, 0]) for frame in found] == [1, 2, 9, 10]
    assert found[3].shape == (2, 4, 3) and found[3].dtype == np.uint8


def test_one_picture_may_have_no_number(tmp_path):
    save(tmp_path / "plain.png", 7)
    assert len(read_sequence(tmp_path)) == 1


def test_the_digest_tells_pixels_and_not_names(tmp_path):
    for folder, value in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / f"{folder}_01.png", value)
    one, same, other = (read_sequence(tmp_path / folder).digest for folder in "abc")
    assert one == same != other


def test_what_is_done_to_each_picture_is_told_once(tmp_path):
    for number in range(3):
        save(tmp_path / f"{number}.png", 40000, mode="I;16")
    notes = []
    read_sequence(tmp_path, notes)
    assert notes == [f"Each picture of {tmp_path.name} has more than 8 bits per channel; it was rounded to 8."]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "holds no pictures"),
        (["a_1.png", "b_2.png"], "several clips"),
        (["a_1.png", "a_2.jpg"], "several clips"),
        (["a_1.png", "a_01.png"], "more than once"),
    ],
)
def test_folders_that_are_no_clip(names, told, tmp_path):
    for name in names:
        save(tmp_path / name)
    with pytest.raises(UsageError, match=told):
        read_sequence(tmp_path)


def test_sizes_that_differ_and_pictures_that_cannot_be_read(tmp_path):
    save(tmp_path / "1.png")
    save(tmp_path / "2.png", size=(6, 2))
    with pytest.raises(UsageError, match=r"1\.png is 4x2, 2\.png 6x2"):
        read_sequence(tmp_path)
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:40])
    with pytest.raises(UsageError, match=r"2\.png cannot be read"):
        read_sequence(tmp_path)
    with pytest.raises(UsageError, match="no folder"):
        read_sequence(tmp_path / "1.png")
    with pytest.raises(UsageError, match="does not exist"):
        read_sequence(tmp_path / "none")
