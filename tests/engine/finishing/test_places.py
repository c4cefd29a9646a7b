# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs that would be written over each other, or over what the clip is made of, are refused before the work."""

import os
import sys

import pytest

from wan_engine.errors import UsageError
from wan_engine.finishing.places import check_places
from wan_engine.request import OUTPUTS, GenerationRequest
from wan_engine.request_parts import Lora

NAMES = {name: f"{name}.one" for name in OUTPUTS}
INPUTS = ("image", "last_image", "control_video", "control_mask", "camera", "motion_video", "motion_mask")


def request(**fields) -> GenerationRequest:
    return GenerationRequest("model", "a fox", **{"out": "clip.mp4", **fields})


@pytest.mark.parametrize("name", [name for name in OUTPUTS if name != "out"])
def test_no_output_takes_the_place_of_the_clip(tmp_path, name):
    for spelled in ("clip.mp4", "./clip.mp4", "nothing/../clip.mp4", str(tmp_path / "clip.mp4")):
        with pytest.raises(UsageError, match=f"out and {name} are both"):
            check_places(request(**{name: spelled}), tmp_path)
    with pytest.raises(UsageError, match=f"out and {name} are both"):
        check_places(request(out="clip.png", codec="exr", **{name: "clip"}), tmp_path)


def test_every_output_may_have_its_own_name(tmp_path):
    check_places(request(**{**NAMES, "out": "clip"}), tmp_path)


@pytest.mark.parametrize("read", [*INPUTS, "reference", "upscale_model", "interpolation_model", "loras"])
def test_no_output_is_written_over_what_the_clip_is_made_of(tmp_path, read):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "frame_0001.png").write_bytes(b"dear")
    given = {"reference": lambda path: (path,), "loras": lambda path: (Lora(str(tmp_path / path)),)}
    value = given.get(read, lambda path: path)
    for name in OUTPUTS:
        fields = {name: "raw/frame_0001.png", read: value("raw/frame_0001.png")}
        if name not in ("out", "frames_out", "prompt_cache"):
            with pytest.raises(UsageError, match=f"{name} would be written over"):
                check_places(request(**fields), tmp_path)
    for fields in ({"frames_out": "raw"}, {"out": "raw.png", "codec": "png"}):
        with pytest.raises(UsageError, match=r"raw.*another"):
            check_places(request(**fields, **{read: value("raw/frame_0001.png")}), tmp_path)
        with pytest.raises(UsageError, match=r"raw.*another"):
            check_places(request(**fields, **{read: value("raw")}), tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_hides_no_place(tmp_path):
    (tmp_path / "first.png").write_bytes(b"dear")
    (tmp_path / "link.png").symlink_to("first.png")
    os.symlink(tmp_path, tmp_path / "folder")
    for name in ("link.png", "folder/first.png", "folder/folder/link.png"):
        with pytest.raises(UsageError, match="page would be written over"):
            check_places(request(image="first.png", page=name), tmp_path)
