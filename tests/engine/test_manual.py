# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual's example commands for control and long clips, run as they stand, but small, on small checkpoints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import golden
import pytest
from PIL import Image

from wan_engine.cli import main

MANUAL = (golden.REPOSITORY / "docs" / "engine.md").read_text(encoding="utf-8")
CHECKPOINTS = {
    "Time-to-Move": "ttm/fullstack/Wan2.2-I2V-A14B/checkpoint",
    "VACE": "vace/fullstack/Wan2.1-VACE-1.3B/checkpoint",
    "Long clips": "fullstack/Wan2.2-T2V-A14B/checkpoint",
}
STARTED = {"Long clips": "fullstack/Wan2.2-I2V-A14B/checkpoint"}  # for clips that start from a picture
SMALL = ["--frames", "5", "--steps", "2"]
LONG = ["--frames", "9", "--window", "5", "--steps", "2"]


def commands(topic: str) -> list[str]:
    """The commands under the heading that names the topic."""
    sections = re.split(r"^## ", MANUAL, flags=re.MULTILINE)
    section = next(section for section in sections if topic in section.splitlines()[0])
    return re.findall(r"^    python -m wan_engine (generate .*)$", section, flags=re.MULTILINE)


EXAMPLES = [(topic, command) for topic in CHECKPOINTS for command in commands(topic)]


@pytest.mark.parametrize(("topic", "command"), EXAMPLES, ids=[f"{topic} {k}" for k, (topic, _) in enumerate(EXAMPLES)])
def test_an_example_makes_a_clip(topic, command, tmp_path, monkeypatch, capsys):
    words = shlex.split(command)
    checkpoints = STARTED if "--image" in words and topic in STARTED else CHECKPOINTS
    words[words.index("DIR")] = str(golden.path(checkpoints[topic]))
    words = [re.sub(r"^\d+:", "4:", word) for word in words]  # a keyframe inside the small clip
    for word in words:
        if word.endswith(".png"):
            Image.new("RGB", (32, 32), (90, 120, 150)).save(tmp_path / word.rpartition(":")[2])
    for flag in ("--control-video", "--control-mask", "--motion-video", "--motion-mask"):
        if flag in words:
            folder = tmp_path / words[words.index(flag) + 1]
            folder.mkdir()
            for number in range(5):
                Image.new("RGB", (32, 32), (40 * number,) * 3).save(folder / f"frame_{number:04}.png")
    if "--size" in words:
        words[words.index("--size") + 1] = "32x32"
    else:
        words += ["--size", "32x32"]
    monkeypatch.chdir(tmp_path)
    assert main([*words, *(LONG if topic == "Long clips" else SMALL)]) == 0
    told = capsys.readouterr().err
    assert Path("clip.mp4").is_file()
    assert ("9 frames are made in 2" in told) == (topic == "Long clips"), told


def test_every_kind_of_control_and_of_long_clips_has_an_example():
    used = {word for _, command in EXAMPLES for word in shlex.split(command) if word.startswith("--")}
    assert {"--control-video", "--control-mask", "--reference", "--motion-video", "--motion-mask"} <= used
    assert "--keyframe" in used
