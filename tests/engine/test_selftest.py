# SPDX-License-Identifier: GPL-3.0-or-later
"""The self-test makes its clip for real, and a device that computes wrong is told."""

from __future__ import annotations

import json

import pytest
import torch

from wan_engine import devices, selftest
from wan_engine.cli import main
from wan_engine.errors import UsageError


def test_this_machine_computes_right(tmp_path, capsys):
    assert main(["selftest", "--report", str(tmp_path / "self.json")]) == 0
    told = json.loads((tmp_path / "self.json").read_text())
    cpu = told["devices"][0]
    assert cpu["device"] == "cpu" and cpu["ok"] and 0 <= cpu["off"] < selftest.TOLERANCE
    assert "computes right" in capsys.readouterr().out


@pytest.mark.parametrize(
    "harm", [lambda x: x * 1.01, lambda x: x.roll(1, -1), lambda x: x.index_fill(-1, torch.tensor(0), float("nan"))]
)
def test_a_device_that_computes_wrong_is_told(tmp_path, capsys, monkeypatch, harm):
    """The second device is a stand-in: the processor's own latents, harmed."""
    right = torch.randn(48, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    figures = (float(right.mean()), float(right.std()), float(right.flatten()[0]))
    monkeypatch.setattr(selftest, "EXPECTED", figures)
    monkeypatch.setattr(devices, "available", lambda: ["cuda", "cpu"])
    monkeypatch.setattr(devices, "name_of", lambda device: f"a {device}")
    monkeypatch.setattr(selftest, "_latents", lambda device: right if device == "cpu" else harm(right))
    assert main(["selftest", "--report", str(tmp_path / "self.json")]) == 5
    told = json.loads((tmp_path / "self.json").read_text())["devices"]
    assert [row["ok"] for row in told] == [True, False]
    assert "a cuda computes wrong" in capsys.readouterr().out


def test_a_card_that_cannot_compute_leaves_the_processor(tmp_path, capsys, monkeypatch):
    right = torch.randn(48, 2, 4, 4, generator=torch.Generator().manual_seed(0))

    def latents(device):
        if device != "cpu":
            raise RuntimeError("CUDA error: no kernel image is available\nCompile with so and so")
        return right

    figures = (float(right.mean()), float(right.std()), float(right.flatten()[0]))
    monkeypatch.setattr(selftest, "EXPECTED", figures)
    monkeypatch.setattr(devices, "available", lambda: ["cuda", "cpu"])
    monkeypatch.setattr(devices, "name_of", lambda device: f"a {device}")
    monkeypatch.setattr(selftest, "_latents", latents)
    assert main(["selftest", "--report", str(tmp_path / "self.json")]) == 5
    cpu, cuda = json.loads((tmp_path / "self.json").read_text())["devices"]
    assert cpu["ok"] and not cuda["ok"] and cuda["error"] == "CUDA error: no kernel image is available"
    assert "a cuda cannot compute (CUDA error" in capsys.readouterr().out


def test_a_device_that_is_not_here_is_refused_in_words():
    absent = next(name for name in ("mps", "xpu", "cuda") if name not in devices.available())
    with pytest.raises(UsageError, match=rf"cannot use {absent} here, only .*cpu"):
        devices.choose(absent)
    assert devices.choose("auto") == devices.available()[0] and devices.choose("cpu") == "cpu"
