# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames on disk while a clip is finished: the same to the bit, held one at a time, and gone afterwards."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from wan_engine.errors import GenerationError
from wan_engine.media.frame_store import Changed, FrameStore

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), np.uint8)


@pytest.fixture
def store(tmp_path) -> FrameStore:
    made = FrameStore(tmp_path, 6, 8)
    for frame in FRAMES:
        made.append(frame[:, ::-1][:, ::-1])
    return made


def test_frames_come_back_to_the_bit_in_any_order_and_again(store):
    assert len(store) == 5 and np.array_equal(list(store), FRAMES) and np.array_equal(list(store), FRAMES)
    assert np.array_equal(store[3], FRAMES[3]) and np.array_equal(store[-1], FRAMES[-1])
    with pytest.raises(IndexError):
        store[5]


def test_a_frame_may_be_added_between_two_looks(store):
    assert np.array_equal(store[1], FRAMES[1])
    store.append(FRAMES[0])
    assert len(store) == 6 and np.array_equal(store[5], FRAMES[0]) and np.array_equal(store[4], FRAMES[4])


def test_no_file_is_left_in_the_folder(store, tmp_path):
    del store
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_another_size_or_kind_is_refused(store):
    for frame in (FRAMES[0, :4], FRAMES[0].astype(float)):
        with pytest.raises(ValueError, match="frames must be uint8"):
            store.append(frame)


def test_a_place_that_takes_no_file_is_told(tmp_path):
    with pytest.raises(GenerationError, match="cannot be written"):
        FrameStore(tmp_path / "missing", 6, 8)


def test_a_full_disk_is_told_at_the_frame_that_has_no_room(tmp_path):
    """A limit on the size of written files stands in for a disk without room."""
    resource = pytest.importorskip("resource")
    store, (soft, hard) = FrameStore(tmp_path, 6, 8), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        with pytest.raises(GenerationError, match="cannot be written"):
            for frame in FRAMES:
                store.append(frame)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(store) == 2


def test_frames_are_changed_when_they_are_asked_for(store):
    seen: list[int] = []

    def change(number: int, frame: np.ndarray) -> np.ndarray:
        seen.append(number)
        return 255 - frame

    changed = Changed(store, change)
    assert len(changed) == 5 and seen == []
    assert np.array_equal(changed[-1], 255 - FRAMES[-1]) and seen == [4]
    assert np.array_equal(list(changed), 255 - FRAMES)
