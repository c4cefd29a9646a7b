# SPDX-License-Identifier: GPL-3.0-or-later
"""What `inspect` tells, from headers alone."""

from pathlib import Path

import golden
import pytest

from wan_engine.checkpoint import models
from wan_engine.cli import main
from wan_engine.commands.inspect import _longer, describe
from wan_engine.errors import CheckpointError
from wan_engine.runtime import memory_plan
from wan_engine.weights.weight_file import WeightFile

NANO = Path(__file__).parents[3] / "checkpoints" / "nano"


def test_it_tells_model_layout_parameters_and_plan():
    text = describe(NANO)
    for words in ("Wan Previs nano", "original folder", "160x96", "6.01 M", "memory plan for --size 160x96", "peak"):
        assert words in text


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (models.T2V_A14B, "in overlapping windows of 81 frames, between which the scene may wander"),
        (models.VACE_14B_V21, "in overlapping windows of 81 frames, each under its part of what it follows"),
        (models.I2V_A14B, "from a picture in segments of up to 81 frames, steady with a --keyframe"),
        (models.FLF2V_14B_V21, "in segments of up to 81 frames between keyframes (--keyframe), else in overlapping"),
        (models.TI2V_5B, "else what goes wrong in one stays; without, in overlapping windows of 121 frames"),
    ],
    ids=lambda row: getattr(row, "name", ""),
)
def test_it_tells_how_longer_clips_are_made(row, told):
    assert told in _longer(row)


def test_the_plan_is_for_the_settings_asked_for():
    text = describe(NANO, (640, 384), 33, "bfloat16", "block")
    assert "--size 640x384 --frames 33 --window 17 --dtype bfloat16 --offload block" in text


def test_no_weights_are_read(monkeypatch):
    def read(self, name):
        raise AssertionError(f"{name} was read")

    monkeypatch.setattr(WeightFile, "read", read)
    monkeypatch.setattr(WeightFile, "rows", read)
    assert "memory plan" in describe(NANO)


def test_when_it_does_not_fit_the_nearest_settings_follow(monkeypatch):
    monkeypatch.setattr(memory_plan, "available_memory", lambda device: 600 * 2**20)
    text = describe(NANO, (1280, 768), 81)
    assert "does not fit" in text
    assert "nearest that fits" in text
    monkeypatch.setattr(memory_plan, "available_memory", lambda device: 2**20)
    assert "nothing smaller fits either" in describe(NANO)


def test_a_folder_without_a_checkpoint_is_told(tmp_path):
    with pytest.raises(CheckpointError):
        describe(tmp_path)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--size", "1x1"], "16x16"),
        (["--size", "0x0"], "from 1 to 65536"),
        (["--size", "999999999999x9999999999"], "from 1 to 65536"),
        (["--frames", "-4"], "from 1 to"),
        (["--frames", "0"], "from 1 to"),
        (["--frames", "6"], "5 and 9"),
    ],
)
def test_settings_that_cannot_be_are_told(more, words, capsys):
    assert main(["inspect", "--checkpoint", str(NANO), *more]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (
            "Wan2.2-Fun-A14B-Control",
            "a control clip (--control-video), a share of steps with control (--control-share), "
            "reference pictures (--reference)",
        ),
        ("Wan2.2-Fun-5B-Control-Camera", "a camera (--camera)"),
    ],
)
def test_it_tells_what_a_control_model_can_be_given(model, told):
    words = describe(golden.path(f"control/fullstack/{model}/checkpoint"))
    assert f"control:     {told}" in words and model.removeprefix("Wan2.2-") in words


def test_a_model_without_control_is_told_none():
    assert "control:" not in describe(NANO)
