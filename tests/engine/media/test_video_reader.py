# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips that others made: transparency, 10 bits, variable frame rates, damaged files."""

import os

import av
import numpy as np
import pytest
from movies import write

from wan_engine.errors import UsageError
from wan_engine.media.video_reader import read_clip


def gray(level, channels=3):
    return np.full((48, 64, channels), level, np.uint8)


def test_transparency_is_laid_over_black(tmp_path):
    pixels = gray(200, 4)
    pixels[:, :32, 3], pixels[:, 32:, 3] = 255, 102  # all, two fifths
    write(tmp_path / "clip.mkv", [pixels], "ffv1", "bgra", "rgba")
    footage = read_clip(tmp_path / "clip.mkv")
    assert footage.frames[0, 5, 5].tolist() == [200] * 3
    assert footage.frames[0, 5, 50].tolist() == [80] * 3
    assert any("transparency" in note for note in footage.notes)


def test_ten_bits_are_rounded(tmp_path):
    write(tmp_path / "clip.mkv", [gray(120)] * 2, "ffv1", "yuv444p10le")
    footage = read_clip(tmp_path / "clip.mkv")
    assert np.abs(footage.frames.astype(int) - 120).max() <= 1
    assert any("10 bits" in note for note in footage.notes)


def test_a_variable_frame_rate_is_laid_out_evenly(tmp_path):
    """Five frames, the third one shown for four frames' time: over eight 24ths, one every two of them."""
    write(tmp_path / "clip.mp4", [gray(20 * k) for k in range(5)], "libx264", "yuv420p", times=[0, 1, 2, 6, 8], bf="0")
    footage = read_clip(tmp_path / "clip.mp4")
    levels = [round(frame.mean() / 20) for frame in footage.frames]
    assert levels == [0, 2, 2, 3, 4]
    assert footage.fps == 12
    assert any("frame rate varies" in note for note in footage.notes)


def test_a_constant_rate_is_left_alone(tmp_path):
    write(tmp_path / "clip.mp4", [gray(20 * k) for k in range(5)], "libx264", "yuv420p", bf="2")
    footage = read_clip(tmp_path / "clip.mp4")
    assert [round(frame.mean() / 20) for frame in footage.frames] == [0, 1, 2, 3, 4]
    assert (footage.fps, footage.notes) == (24, ())


@pytest.mark.parametrize("content", [None, b"", b"no video at all" * 100])
def test_what_is_no_video_is_told(tmp_path, content):
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"clip\.mp4 cannot be read as a video"):
        read_clip(path)


def test_a_file_without_video_is_told(tmp_path):
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(UsageError, match="holds no video"):
        read_clip(tmp_path / "sound.wav")


def test_a_movie_that_was_filmed_upright_is_turned(tmp_path):
    """Telephones write the picture lying down and how it is to be turned."""
    pixels = gray(40)
    pixels[:24, :32] = 200  # the top left
    write(tmp_path / "clip.mp4", [pixels] * 3, "libx264", "yuv420p")
    data = (tmp_path / "clip.mp4").read_bytes()
    one, whole = (1 << 16).to_bytes(4, "big"), (1 << 30).to_bytes(4, "big")
    zero, minus = bytes(4), (-(1 << 16)).to_bytes(4, "big", signed=True)
    lying = one + zero * 3 + one + zero * 3 + whole
    place = data.index(lying, data.index(b"tkhd"))
    turned = zero + one + zero + minus + zero * 4 + whole  # by 90 degrees, clockwise
    (tmp_path / "clip.mp4").write_bytes(data[:place] + turned + data[place + len(turned) :])
    frame = read_clip(tmp_path / "clip.mp4").frames[0]
    assert frame.shape == (64, 48, 3)
    assert frame[4, -4, 0] > 150 > frame[4, 4, 0] and frame[-4, -4, 0] < 150


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_movie_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "clip.mp4")
    with pytest.raises(UsageError, match="it is no file"):
        read_clip(tmp_path / "clip.mp4")
