# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and control clips of any size, as VideoX-Fun prepares them."""

from __future__ import annotations

import golden
import pytest
import torch
from PIL import Image

from wan_engine.errors import UsageError
from wan_engine.inputs import images
from wan_engine.inputs.control_video import read_control

SIZE, FRAMES = (64, 48), 9


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
    clip, notes = read_control(folder, SIZE, FRAMES)
    golden.assert_close(of_bytes(torch.cat(list(clip.pixels(SIZE)), 1)), case["out.control"], 1e-6, 0)
    assert notes == ["The control clip of 110x60 is stretched to the clip's 64x48."]


def test_a_longer_control_clip_is_cut_and_a_shorter_one_refused(folder):
    clip, notes = read_control(folder, (110, 60), 5)
    assert len(list(clip.pixels((110, 60)))) == 5
    assert notes == ["The control clip has 9 frames; the first 5 are used."]
    with pytest.raises(UsageError, match=r"13 frames .* ask for 9 frames"):
        read_control(folder, SIZE, 13)
