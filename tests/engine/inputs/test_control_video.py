# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and control clips of any size, as VideoX-Fun prepares them."""

from __future__ import annotations

import golden
import pytest
import torch
from movies import write
from PIL import Image

from wan_engine.errors import UsageError
from wan_engine.inputs import images
from wan_engine.inputs.control_video import read_control

SIZE, FRAMES, FPS = (64, 48), 9, 16.0


@pytest.fixture(scope="module")
def case():
    return golden.tensors("control/preproc_control")


@pytest.fixture
def folder(case, tmp_path):
    for number, frame in enumerate(case["in.control"]):
        Image.fromarray(frame.numpy()).save(tmp_path / f"{number:04}.png")
    return tmp_path


def of_bytes(values: torch.Tensor) -> torch.Tensor:
    """-1..1 as 0..1, which the references are in."""
    return (values + 1) / 2


@pytest.mark.parametrize(
    ("given", "made"), [("image", "start.first"), ("image", "start_end.first"), ("last", "start_end.last")]
)
def test_pictures_are_stretched_as_in_the_original(case, given, made):
    picture = Image.fromarray(case[f"in.{given}"].numpy())
    golden.assert_close(of_bytes(images.resized(picture, SIZE)), case[f"out.{made}"], 1e-6, 0, made)


def test_control_frames_are_stretched_as_in_the_original(case, folder):
    clip, notes = read_control(folder, SIZE, FRAMES, FPS)
    golden.assert_close(of_bytes(torch.cat(list(clip.pixels(SIZE)), 1)), case["out.control"], 1e-6, 0)
    assert notes == ["The control clip of 110x60 is stretched to the clip's 64x48."]


def test_a_longer_control_clip_is_cut_and_a_shorter_one_refused(folder):
    clip, notes = read_control(folder, (110, 60), 5, FPS)
    assert len(list(clip.pixels((110, 60)))) == 5
    assert notes == ["The control clip has 9 frames; the first 5 are used."]
    with pytest.raises(UsageError, match=r"9 pictures.* 13 frames .* ask for 9 with"):
        read_control(folder, SIZE, 13, FPS)


@pytest.mark.parametrize(
    ("fps", "step", "told"),
    [
        (24, 1, "plays at 24 frames per second, the clip at 24: "),
        (16, 1, "plays at 24 frames per second, the clip at 16: motion has 0.667 times its speed"),
        (12, 2, "Of every 2 frames of the control clip one is used"),
        (7, 3, "motion has 0.875 times its speed"),
        (60, 1, "motion has 2.5 times its speed"),
    ],
)
def test_a_movie_of_another_rate_is_thinned_as_in_the_original_and_told(fps, step, told, case, tmp_path):
    """Every int(rate // fps)-th frame of it is read."""
    frames = [*case["in.control"].numpy(), *case["in.control"].numpy()]
    write(tmp_path / "clip.mkv", frames, "ffv1", "bgr0", fps=24)
    clip, notes = read_control(tmp_path / "clip.mkv", (110, 60), 5, fps)
    got = torch.cat(list(clip.pixels((110, 60))), 1)
    want = torch.stack([torch.from_numpy(frame) for frame in frames[: 5 * step : step]]).permute(3, 0, 1, 2)
    assert torch.equal(((got + 1) * 127.5).round().byte(), want)
    assert (told in " ".join(notes)) == (fps != 24)


def test_a_movie_that_is_too_short_at_the_clips_rate_is_refused(case, tmp_path):
    write(tmp_path / "clip.mkv", [*case["in.control"].numpy()] * 2, "ffv1", "bgr0", fps=24)
    with pytest.raises(UsageError, match=r"18 frames, every 3 of which give one: 6, .* 9 frames .* ask for 5 with"):
        read_control(tmp_path / "clip.mkv", SIZE, FRAMES, 8.0)
