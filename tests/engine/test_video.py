# SPDX-License-Identifier: GPL-3.0-or-later
"""Retiming and encoding: exact counts, exact rates, true colours, and nothing half written."""

import itertools
import subprocess
import sys
from fractions import Fraction

import av
import golden
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wan_engine.request import GenerationError
from wan_engine.video import exact_rate, retime, write_mp4, write_pngs


def moving_ball(times, width=96, height=64):
    """A red ball moving 3 pixels per unit of time over a gradient."""
    y, x = np.mgrid[:height, :width]
    background = np.stack([x * 2, y * 3, np.full_like(x, 40)], -1).clip(0, 255)
    frames = []
    for time in times:
        ball = (x - 20 - 3 * time) ** 2 + (y - 30) ** 2 < 100
        frames.append(np.where(ball[..., None], (200, 30, 30), background))
    return np.stack(frames).astype(np.uint8)


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (24, Fraction(24)),
        (24 / 1.001, Fraction(24000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (25, Fraction(25)),
        (12.5, Fraction(25, 2)),
        (16.0, Fraction(16)),
    ],
)
def test_exact_rate(fps, rate):
    assert exact_rate(fps) == rate


@settings(max_examples=40, deadline=None)
@given(total=st.integers(1, 6), count=st.integers(1, 15))
def test_retiming_gives_any_count_and_keeps_the_ends(total, count):
    frames = moving_ball(range(total), 40, 34)
    result = retime(frames, count)
    assert result.shape == (count, 34, 40, 3)
    assert result.dtype == np.uint8
    assert np.array_equal(result[0], frames[0])
    if count > 1:
        assert np.array_equal(result[-1], frames[-1])


def test_frames_between_follow_the_motion():
    frames, truth = moving_ball(range(0, 11, 2)), moving_ball(range(11))
    result = retime(frames, 11)
    assert np.array_equal(result[::2], frames)
    error = np.abs(result[1::2].astype(int) - truth[1::2]).mean()
    fade = np.abs((frames[:-1].astype(float) + frames[1:]) / 2 - truth[1::2]).mean()
    assert error < 0.5 * fade


def test_still_frames_stay_still_and_light_changes_evenly():
    still = moving_ball([0, 0])
    assert np.abs(retime(still, 5).astype(int) - still[0]).max() <= 1
    light = np.stack([np.full((48, 64, 3), level, np.uint8) for level in (40, 200)])
    assert np.array_equal(retime(light, 5)[:, 20, 20, 0], [40, 80, 120, 160, 200])


def test_tiny_frames_are_blended():
    frames = moving_ball([0, 1], 16, 16)
    assert retime(frames, 3).shape == (3, 16, 16, 3)


@pytest.mark.parametrize(("fps", "count"), [(24 / 1.001, 49), (24, 1), (60, 130), (16, 17)])
def test_clip_has_exact_frames_rate_and_tags(tmp_path, fps, count):
    path = tmp_path / "clip.mp4"
    write_mp4(moving_ball(np.linspace(0, 9, count)), fps, path)
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        assert (stream.frames, stream.average_rate) == (count, exact_rate(fps))
        assert stream.duration * stream.time_base == count / exact_rate(fps)
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        tags = context.colorspace, context.color_primaries, context.color_trc, context.color_range
        assert tuple(map(int, tags)) == (1, 1, 1, 1)
        keys = [k for k, packet in enumerate(p for p in clip.demux(stream) if p.size) if packet.is_keyframe]
        assert keys[0] == 0
        assert all(b - a <= exact_rate(fps) for a, b in itertools.pairwise(keys))
    with av.open(str(path)) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == count
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_colours_are_bt709_limited_range(tmp_path):
    """Luma and chroma of pure colours by the BT.709 equations, and back."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 120, 200)]
    for colour in colours:
        path = tmp_path / "colour.mp4"
        write_mp4(np.full((1, 64, 64, 3), colour, np.uint8), 24, path)
        with av.open(str(path)) as clip:
            planes = next(clip.decode(video=0)).to_ndarray()
        r, g, b = (value / 255 for value in colour)
        luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
        want = 16 + 219 * luma, 128 + 224 * (b - luma) / 1.8556, 128 + 224 * (r - luma) / 1.5748
        got = planes[32, 32], planes[64 + 8, 10], planes[64 + 16 + 8, 10]
        assert np.abs(np.array(got, float) - want).max() <= 2, (colour, got, want)


def test_odd_sizes_are_padded(tmp_path):
    write_mp4(moving_ball(range(3), 65, 49), 24, tmp_path / "odd.mp4")
    with av.open(str(tmp_path / "odd.mp4")) as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == (66, 50)


def test_a_clip_is_replaced_whole(tmp_path):
    path = tmp_path / "clip.mp4"
    write_mp4(moving_ball(range(3)), 24, path)
    write_mp4(moving_ball(range(5)), 24, path)
    with av.open(str(path)) as clip:
        assert clip.streams.video[0].frames == 5


def test_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GenerationError, match="cannot be written"):
        write_mp4(moving_ball(range(2)), 24, tmp_path / "file" / "clip.mp4")


def test_full_disk_is_told_and_nothing_stays(tmp_path):
    """A limit on the size of written files stands in for a disk without room."""
    code = (
        "import resource, sys, pathlib, numpy as np\n"
        "from wan_engine.request import GenerationError\n"
        "from wan_engine.video import write_mp4\n"
        "frames = np.random.default_rng(1).integers(0, 256, (9, 128, 128, 3), np.uint8)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try:\n"
        "    write_mp4(frames, 24, pathlib.Path(sys.argv[1]))\n"
        "except GenerationError as error:\n"
        "    print('told:', error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "clip.mp4")]
    result = subprocess.run(command, cwd=golden.REPOSITORY, capture_output=True, text=True)
    assert result.stdout.startswith("told:"), result.stdout + result.stderr
    assert "cannot be written" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_pngs_replace_those_of_an_earlier_run(tmp_path):
    write_pngs(moving_ball(range(4)), tmp_path / "frames")
    write_pngs(moving_ball(range(2)), tmp_path / "frames")
    assert sorted(file.name for file in (tmp_path / "frames").iterdir()) == ["frame_0001.png", "frame_0002.png"]
