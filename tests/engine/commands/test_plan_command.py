# SPDX-License-Identifier: GPL-3.0-or-later
"""`plan`: what a clip is made with on a machine, told before."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import golden
import pytest

from wan_engine.cli import main
from wan_engine.commands import plan as command
from wan_engine.commands.plan import duration, plan_of
from wan_engine.errors import UsageError
from wan_engine.options import AUTO
from wan_engine.runtime import speed

GIB = 2**30
NANO = Path(__file__).parents[3] / "checkpoints" / "nano"
TINY = "fullstack/Wan2.2-T2V-A14B/checkpoint"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Says how much memory is free, and how fast the machine is, in operations a second."""
    monkeypatch.setenv("WAN_PREVIS_CACHE", str(tmp_path / "cache"))

    def facts(free: int, operations: float) -> None:
        monkeypatch.setattr(command, "available_memory", lambda device: free)
        monkeypatch.setattr(speed, "_measured", lambda device, dtype: operations / speed._REACHED)

    return facts


def test_the_largest_size_that_takes_bearable_time_and_smaller_ones_where_memory_is_short(machine):
    checkpoint = golden.path(TINY)
    machine(64 * GIB, 1e18)
    large = plan_of(checkpoint)
    assert large["size"] == [1280, 720] and large["fits"] and not large["smaller"] and not large["refusal"]
    assert (large["dtype"], large["offload"], large["vae_tiles"]) == ("float32", "none", 0)
    assert "float32, all in memory, 1280x720 · about" in large["words"] and "this CPU" in large["words"]
    machine(64 * GIB, 2e10)
    slow = plan_of(checkpoint)
    assert slow["size"] == [832, 480] and "1280x720" in slow["smaller"] and "take about" in slow["smaller"]
    machine(round(slow["peak"] * 0.6), 1e18)
    short = plan_of(checkpoint)
    assert short["fits"] and short["peak"] <= short["available"]
    assert "need" in short["smaller"] or (short["size"] == [1280, 720] and short["vae_tiles"])
    machine(2**20, 1e18)
    none = plan_of(checkpoint)
    assert not none["fits"] and "1 MiB are free" in none["refusal"]


def test_what_is_stated_is_kept_and_refused_in_words_where_it_cannot_be(machine):
    checkpoint = golden.path(TINY)
    machine(64 * GIB, 1e10)
    stated = {"size": (640, 384), "dtype": "bfloat16", "offload": "block", "vae_tiles": 128, "frames": 17}
    found = plan_of(checkpoint, **stated)
    assert {**stated, "size": [640, 384]} == {name: found[name] for name in stated}
    machine(found["peak"] // 2, 1e10)
    tight = plan_of(checkpoint, **{**stated, "vae_tiles": 0})
    assert not tight["fits"] and tight["size"] == [640, 384]
    assert "The nearest settings that fit: --size" in tight["refusal"]
    for wrong in ({"size": (641, 384)}, {"frames": 18}, {"dtype": "float8"}, {"colour": 1}):
        with pytest.raises(UsageError):
            plan_of(checkpoint, **wrong)


def test_time_is_that_of_earlier_clips_once_there_are_any(machine, monkeypatch):
    machine(64 * GIB, 1e9)
    guessed = plan_of(NANO)
    assert guessed["seconds_from"] == "measure" and guessed["dtype"] == "float32"
    speed.remember("cpu", "float32", 5e9, 100.0)  # too small a clip to tell
    assert plan_of(NANO) == guessed
    speed.remember("cpu", "float32", 5e12, 1000.0)
    told = plan_of(NANO)
    assert told["seconds_from"] == "clips" and told["seconds"] == pytest.approx(guessed["seconds"] / 5, abs=1)
    (speed._path()).write_text("damaged", encoding="utf-8")
    assert plan_of(NANO)["seconds_from"] == "measure"
    assert [duration(n) for n in (0.2, 40, 2400, 7300, 3e5)] == ["1 s", "40 s", "40 min", "2 h", "3 days"]


def test_twice_the_frames_take_more_than_twice_and_guidance_twice():
    checkpoint = command.open_checkpoint(golden.path(TINY))
    asked, steps = command._wish(checkpoint, None, {"frames": 17, "dtype": "float32"}, "cpu")
    one = speed.operations_of(checkpoint, asked, steps)
    assert speed.operations_of(checkpoint, asked, 2 * steps) == 2 * one
    longer = dataclasses.replace(asked, frames=37)
    assert speed.operations_of(checkpoint, longer, steps) > 2 * one
    assert speed.operations_of(checkpoint, dataclasses.replace(asked, guided=False), steps) == one / 2


def test_the_command_prints_it(machine, capsys):
    machine(64 * GIB, 1e12)
    assert main(["plan", "--checkpoint", str(NANO), "--shape", "1.7778", "--device", "cpu"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["size"] == [160, 96] and told["attention"] == AUTO and told["device"] == "cpu"
