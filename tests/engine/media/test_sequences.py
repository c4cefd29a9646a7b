# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips as movies and as folders of numbered pictures."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from movies import write
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
    with pytest.raises(UsageError, match="is a single picture"):
        read_sequence(tmp_path / "1.png")
    with pytest.raises(UsageError, match="does not exist"):
        read_sequence(tmp_path / "none")


def frames(count=9, size=(32, 48)):
    """Few colours, so that a GIF can hold them."""
    grid = np.random.default_rng(2).integers(0, 4, (count, *size, 3)) * 85
    return [frame for frame in grid.astype(np.uint8)]


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [
        ("clip.mkv", "ffv1", "bgr0"),
        ("clip.mp4", "libx264rgb", "rgb24"),
        ("clip.avi", "rawvideo", "bgr24"),
        ("clip.mov", "qtrle", "rgb24"),
        ("clip.webm", "libvpx-vp9", "gbrp"),
        ("clip", "ffv1", "bgr0"),  # what a file is, its content tells
    ],
)
def test_a_movie_without_loss_is_the_same_as_its_pictures(name, codec, layout, tmp_path):
    options = {"libx264rgb": {"qp": "0"}, "libvpx-vp9": {"lossless": "1"}}.get(codec, {})
    shown = frames()
    write(tmp_path / (name if "." in name else f"{name}.mkv"), shown, codec, layout, **options)
    if "." not in name:
        (tmp_path / f"{name}.mkv").rename(tmp_path / name)
    (tmp_path / "pictures").mkdir()
    for number, frame in enumerate(shown):
        Image.fromarray(frame).save(tmp_path / "pictures" / f"{number}.png")
    movie, pictures = read_sequence(tmp_path / name), read_sequence(tmp_path / "pictures")
    assert (len(movie), movie.size, movie.digest) == (9, (48, 32), pictures.digest)
    assert movie.fps == 24 and pictures.fps is None
    for number in (0, 1, 5, 5, 2, 8, 0):
        assert np.array_equal(movie[number], shown[number])


def test_a_gif_is_a_movie(tmp_path):
    shown = frames(5)
    first, *more = (Image.fromarray(frame).quantize(256) for frame in shown)
    first.save(tmp_path / "clip.gif", save_all=True, append_images=more, duration=100, loop=0)
    notes = []
    movie = read_sequence(tmp_path / "clip.gif", notes)
    assert (len(movie), movie.fps, notes) == (5, 10, [])
    assert all(np.array_equal(movie[number], shown[number]) for number in range(5))


def test_a_movie_tells_when_its_frames_begin(tmp_path):
    write(tmp_path / "clip.mp4", frames(4), "libx264", "yuv420p", times=[0, 1, 2, 6], bf="0")
    assert [round(24 * start) for start in read_sequence(tmp_path / "clip.mp4").starts] == [0, 1, 2, 6]


def test_broken_movies_and_what_is_none_are_told(tmp_path):
    write(tmp_path / "whole.mp4", frames(), "libx264", "yuv420p")
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "broken.mp4").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.webm").write_bytes(b"")
    (tmp_path / "words.txt").write_text("no movie at all")
    for name in ("broken.mp4", "empty.webm", "words.txt"):
        with pytest.raises(UsageError, match="cannot be read as a video"):
            read_sequence(tmp_path / name)


def test_a_playlist_opens_no_address(tmp_path):
    """Only what lies on the disk is read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/clip.ts"
        (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n")
        with pytest.raises(UsageError, match=r"list\.m3u8"):
            read_sequence(tmp_path / "list.m3u8")
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_in_a_movie_ends_in_words_or_in_frames(seed, tmp_path):
    ending, codec, layout = [
        ("mp4", "libx264", "yuv420p"),
        ("mkv", "ffv1", "bgr0"),
        ("webm", "libvpx-vp9", "yuv420p"),
        ("gif", "gif", "rgb8"),
    ][seed % 4]
    path = tmp_path / f"clip.{ending}"
    write(path, frames(), codec, layout)
    data, random = bytearray(path.read_bytes()), np.random.default_rng(seed)
    for place in random.integers(0, len(data), 20):
        data[place] = random.integers(0, 256)
    path.write_bytes(data)
    try:
        movie = read_sequence(path)
    except UsageError as error:
        assert path.name in str(error)
    else:
        assert movie[len(movie) - 1].shape == (movie.size[1], movie.size[0], 3)
