# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips as they are read back: exact frames, rates and tags, true colours, seeking, and nothing half written."""

import itertools
import subprocess
import sys
import weakref
from fractions import Fraction

import av
import golden
import moving
import numpy as np
import pytest
from PIL import Image

from wan_engine.errors import GenerationError, UsageError
from wan_engine.media import video_writer
from wan_engine.media.srgb import from_linear, to_linear
from wan_engine.media.video_reader import read_clip
from wan_engine.media.video_writer import CODECS, Codec, check_codec, exact_rate, place, write_clip

MOVIES = ("h264", "prores", "ffv1")
COLOURS = np.uint8(
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 120, 200), (18, 18, 18), (200, 150, 120)]
)


def numbered(count, width=64, height=48):
    """Frames that tell their number: eight vertical bars are its bits, dark or bright."""
    bits = (np.arange(count)[:, None] >> np.arange(8)) & 1
    bars = np.repeat(40 + 170 * bits, width // 8, axis=1).astype(np.uint8)
    return np.broadcast_to(bars[:, None, :, None], (count, height, width, 3))


def number_of(pixels):
    middles = pixels[pixels.shape[0] // 2, 4 :: pixels.shape[1] // 8, 0][:8]
    return int(((middles > 125) << np.arange(8)).sum())


def patches():
    return np.repeat(np.repeat(COLOURS[None], 32, 0), 32, 1)


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


@pytest.mark.parametrize("codec", ["h264", "prores"])
@pytest.mark.parametrize(("fps", "count"), [(23.976, 49), (24, 1), (25, 26), (29.97, 31), (30, 2), (59.94, 130)])
def test_count_rate_tags_and_keyframes(tmp_path, codec, fps, count):
    path = place(tmp_path / "clip", codec)
    written = write_clip(numbered(count), fps, path, codec)
    assert (written.frames, written.fps, written.size) == (count, exact_rate(fps), (64, 48))
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        assert (stream.frames, stream.average_rate) == (count, exact_rate(fps))
        assert stream.duration * stream.time_base == count / exact_rate(fps)
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ((codec, CODECS[codec].pixels))
        tags = context.colorspace, context.color_primaries, context.color_trc, context.color_range
        assert tuple(map(int, tags)) == (1, 1, 1, 1)
        packets = [packet for packet in clip.demux(stream) if packet.size]
    keys = [k for k, packet in enumerate(packets) if packet.is_keyframe]
    assert keys[0] == 0
    assert all(b - a <= exact_rate(fps) for a, b in itertools.pairwise([*keys, count]))
    assert [packet.pts for packet in packets] == [packet.dts for packet in packets]  # in the order they are shown
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("codec", MOVIES)
@pytest.mark.parametrize("fps", [23.976, 24, 59.94])
def test_every_frame_is_found_by_seeking(tmp_path, codec, fps):
    path = place(tmp_path / "clip", codec)
    write_clip(numbered(60), fps, path, codec)
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        for k in [59, 0, 24, 23, 25, 41, 1, 58]:
            moment = Fraction(k) / exact_rate(fps)
            clip.seek(int(moment / stream.time_base), stream=stream, backward=True)
            near = next(f for f in clip.decode(stream) if f.time > float(moment) - 0.5 / fps)
            assert number_of(near.to_ndarray(format="rgb24")) == k


@pytest.mark.parametrize(("codec", "off"), [("h264", 2), ("prores", 3), ("ffv1", 0)])
def test_colours_come_back(tmp_path, codec, off):
    path = place(tmp_path / "clip", codec)
    write_clip([patches()] * 3, 24, path, codec)
    for frame in read_clip(path).frames:
        assert np.abs(frame[16, 16::32].astype(int) - COLOURS).max() <= off


@pytest.mark.parametrize(("codec", "depth"), [("h264", 8), ("prores", 10)])
def test_luma_and_chroma_are_bt709_limited_range(tmp_path, codec, depth):
    """By the BT.709 equations."""
    path = place(tmp_path / "clip", codec)
    write_clip([patches()], 24, path, codec)
    with av.open(str(path)) as clip:
        planes = next(clip.decode(video=0))
    kind = np.uint8 if depth == 8 else np.uint16
    values = [np.frombuffer(p, kind).reshape(p.height, -1)[:, : p.width] for p in planes.planes]
    r, g, b = COLOURS.T / 255
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    want = 16 + 219 * luma, 128 + 224 * (b - luma) / 1.8556, 128 + 224 * (r - luma) / 1.5748
    for plane, component in zip(values, want, strict=True):
        step = plane.shape[1] // len(COLOURS)
        got = plane[plane.shape[0] // 2, step // 2 :: step] / 2 ** (depth - 8)
        assert np.abs(got - component).max() <= 2, (got, component)


def test_raw_frames_lose_nothing(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (5, 33, 47, 3), np.uint8)
    write_clip(frames, 16, tmp_path / "raw.mkv", "ffv1")
    footage = read_clip(tmp_path / "raw.mkv")
    assert np.array_equal(footage.frames, frames)
    assert (footage.fps, footage.notes) == (16, ())


def test_pngs_are_the_values_and_say_srgb(tmp_path):
    frames = moving.scene(range(2), 41, 33)
    assert write_clip(frames, 24, tmp_path / "frames", "png").frames == 2
    for k, frame in enumerate(frames, 1):
        with Image.open(tmp_path / "frames" / f"frame_{k:04}.png") as picture:
            assert np.array_equal(np.asarray(picture), frame)
            assert "srgb" in picture.info


def test_exrs_hold_linear_light_as_half_floats(tmp_path):
    write_clip([patches()], 24, tmp_path / "frames", "exr")
    data = (tmp_path / "frames" / "frame_0001.exr").read_bytes()
    assert data.startswith(b"\x76\x2f\x31\x01")
    with av.open(str(tmp_path / "frames" / "frame_0001.exr")) as picture:
        frame = next(picture.decode(video=0))
    assert frame.format.name == "gbrpf16le"
    planes = [np.frombuffer(p, np.float16).reshape(p.height, -1)[:, : p.width] for p in frame.planes]
    got = np.stack([planes[2], planes[0], planes[1]], -1)[16, 16::32].astype(float)
    encoded = COLOURS / 255
    want = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    assert np.allclose(got, want, rtol=1e-3, atol=1e-6)


def test_linear_light_and_back_is_exact():
    values = np.arange(256, dtype=np.uint8)
    assert np.array_equal(from_linear(to_linear(values)), values)


@pytest.mark.parametrize(
    ("codec", "size"), [("h264", (66, 50)), ("prores", (66, 49)), ("ffv1", (65, 49))], ids=lambda value: str(value)
)
def test_odd_sizes_are_padded_where_they_must(tmp_path, codec, size):
    path = place(tmp_path / "odd", codec)
    assert write_clip(moving.scene(range(2), 65, 49), 24, path, codec).size == (65, 49)
    with av.open(str(path)) as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == size


@pytest.mark.parametrize("codec", CODECS)
def test_one_frame(tmp_path, codec):
    path = place(tmp_path / "one", codec)
    assert write_clip(numbered(1), 24, path, codec).frames == 1
    if not CODECS[codec].sequence:
        assert read_clip(path).frames.shape == (1, 48, 64, 3)


def test_no_frame_is_told(tmp_path):
    with pytest.raises(GenerationError, match="at least one"):
        write_clip([], 24, tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_frames_are_taken_one_by_one(tmp_path):
    """Only the frame at hand is held, so that memory does not grow with the clip."""
    alive = []

    def frames():
        for k in range(20):
            frame = numbered(k + 1)[k].copy()
            alive.append(weakref.ref(frame))
            yield frame
            del frame
            assert sum(reference() is not None for reference in alive) <= 2

    write_clip(frames(), 24, tmp_path / "clip.mp4")
    assert len(alive) == 20


def test_a_clip_is_replaced_whole(tmp_path):
    for count in (3, 5):
        write_clip(numbered(count), 24, tmp_path / "clip.mp4")
        assert len(read_clip(tmp_path / "clip.mp4").frames) == count


def test_a_failure_midway_leaves_the_old_clip_and_nothing_else(tmp_path):
    def failing():
        yield from numbered(2)
        raise RuntimeError("stopped")

    for codec in CODECS:
        path = place(tmp_path / "clip", codec)
        write_clip(numbered(3), 24, path, codec)
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(RuntimeError, match="stopped"):
            write_clip(failing(), 24, path, codec)
        assert sorted(tmp_path.rglob("*")) == before


def test_a_sequence_replaces_its_own_pictures_only(tmp_path):
    folder = tmp_path / "frames"
    write_clip(numbered(4), 24, folder, "png")
    (folder / "notes.txt").write_text("mine")
    write_clip(numbered(2), 24, folder, "png")
    assert sorted(file.name for file in folder.iterdir()) == ["frame_0001.png", "frame_0002.png", "notes.txt"]


@pytest.mark.parametrize("codec", ["h264", "png"])
def test_unwritable_place(tmp_path, codec):
    (tmp_path / "file").write_text("")
    with pytest.raises(GenerationError, match="cannot be written"):
        write_clip(numbered(2), 24, place(tmp_path / "file" / "clip", codec), codec)


@pytest.mark.parametrize("codec", CODECS)
def test_full_disk_is_told_and_nothing_stays(tmp_path, codec):
    """A limit on the size of written files stands in for a disk without room."""
    code = (
        "import resource, sys, pathlib, numpy as np\n"
        "from wan_engine.errors import GenerationError\n"
        "from wan_engine.media.video_writer import place, write_clip\n"
        "frames = np.random.default_rng(1).integers(0, 256, (9, 128, 128, 3), np.uint8)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try:\n"
        "    write_clip(frames, 24, place(pathlib.Path(sys.argv[1]), sys.argv[2]), sys.argv[2])\n"
        "except GenerationError as error:\n"
        "    print('told:', error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "clip"), codec]
    result = subprocess.run(command, cwd=golden.REPOSITORY, capture_output=True, text=True)
    assert result.stdout.startswith("told:"), result.stdout + result.stderr
    assert "cannot be written" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_unknown_and_absent_codecs_are_told(monkeypatch):
    with pytest.raises(UsageError, match="h264, prores, ffv1, png, exr"):
        check_codec("vp9")
    absent = Codec("Another", ".mp4", "no_such_encoder", "yuv420p", container="mp4")
    monkeypatch.setattr(video_writer, "CODECS", {**CODECS, "another": absent})
    with pytest.raises(UsageError, match=r"cannot write Another \(.*no_such_encoder\); it can write h264, prores"):
        check_codec("another")


def test_an_ending_that_is_not_the_codecs_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"call the clip clip\.mov"):
        write_clip(numbered(1), 24, tmp_path / "clip.mp4", "prores")


@pytest.mark.parametrize("frame", [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_other_frames_are_refused(tmp_path, frame):
    with pytest.raises(ValueError, match="uint8"):
        write_clip([frame], 24, tmp_path / "clip.mp4")
