# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole tiny checkpoints and what the original pipelines make of a prompt: as requests, and as command lines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import golden
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from wan_engine.cli import main
from wan_engine.errors import UsageError
from wan_engine.pipeline import load
from wan_engine.request import OPTIONS, GenerationRequest
from wan_engine.runtime.model_pool import ModelPool
from wan_engine.sampling.denoise import _Guided
from wan_engine.sampling.resume import ResumeFile

# What a request may hold beside what every clip has, by the names of their options.
GIVEN = (
    "control_video",
    "control_mask",
    "control_scale",
    "reference",
    "camera",
    "motion_video",
    "motion_mask",
    "motion_start",
    "motion_end",
)


class Case:
    """One case of a tiny checkpoint; `root` is the folder of golden cases that it lies in."""

    def __init__(self, model: str, name: str, root: str = "") -> None:
        folder = f"{root}fullstack/{model}/cases/{name}"
        self.checkpoint = golden.path(f"{root}fullstack/{model}/checkpoint")
        self.asked = golden.facts(f"{folder}/request")
        self.want = golden.tensors(f"{folder}/expected")
        names = [self.asked.get("image") or self.asked.get("first_frame"), self.asked.get("last_frame")]
        self.image, self.last = (str(golden.path(f"{folder}/{name}")) if name else None for name in names)
        self.given = {name: self._given(folder, self.asked[name]) for name in GIVEN if name in self.asked}
        self.references = [str(golden.path(f"{folder}/{name}")) for name in self.asked.get("references", ())]

    def _given(self, folder: str, value: object) -> str:
        """A value as on the command line; files and folders lie beside the request."""
        return str(golden.path(f"{folder}/{value}")) if isinstance(value, str) else str(value)

    @property
    def size(self) -> tuple[int, int]:
        """For a picture only the area counts: any two sides of the right product."""
        return tuple(self.asked["size"]) if "size" in self.asked else (self.asked["max_area"], 1)

    @property
    def guide(self) -> list[float]:
        guide = self.asked["guide_scale"]
        return guide if isinstance(guide, list) else [guide]

    def request(self, **changes: object) -> GenerationRequest:
        """What the case asks, with `changes`."""
        asked = GenerationRequest(
            checkpoint=str(self.checkpoint),
            prompt=self.asked["prompt"],
            image=self.image,
            last_image=self.last,
            size=self.size,
            frames=self.asked["frame_num"],
            steps=self.asked["sampling_steps"],
            shift=self.asked["shift"],
            guide=(self.guide[0], self.guide[-1]),
            solver=self.asked["solver"],
            seed=self.asked["seed"],
            **({"reference": tuple(self.references)} if self.references else {}),
            **{name: self._parsed(name, value) for name, value in self.given.items()},
        )
        return replace(asked, **changes)

    @staticmethod
    def _parsed(name: str, value: str) -> object:
        kind = OPTIONS[name].kind
        return kind.collect([kind.parse(value)]) if kind.arguments else kind.parse(value)

    def command(self, out: Path) -> list[str]:
        words = ["generate", "--checkpoint", str(self.checkpoint), "--prompt", self.asked["prompt"]]
        words += ["--size", "x".join(map(str, self.size)), "--frames", str(self.asked["frame_num"])]
        words += ["--steps", str(self.asked["sampling_steps"]), "--shift", str(self.asked["shift"])]
        words += ["--guide", ",".join(map(str, self.guide)), "--solver", self.asked["solver"]]
        words += ["--seed", str(self.asked["seed"]), "--out", str(out / "clip.mp4")]
        words += ["--latents", str(out / "latents.safetensors"), "--frames-out", str(out / "frames")]
        words += ["--report", str(out / "report.json")]
        words += [word for name, value in self.given.items() for word in (OPTIONS[name].flag, value)]
        words += [word for name in self.references for word in ("--reference", name)]
        words += ["--image", self.image] if self.image else []
        return [*words, "--last-image", self.last] if self.last else words


def kept_steps(monkeypatch) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Two lists that sampling fills from now on: the velocity of each step, and the latents after it."""
    velocities, after = [], []
    guided = _Guided.velocity
    monkeypatch.setattr(_Guided, "velocity", lambda *given: velocities.append(guided(*given)) or velocities[-1])
    monkeypatch.setattr(ResumeFile, "save", lambda self, state: after.append(state.latents.clone()))
    return velocities, after


def assert_refused_before_loading(asked: GenerationRequest, told: str, folder: Path, monkeypatch) -> None:
    pipeline = load(asked.checkpoint)
    monkeypatch.setattr(ModelPool, "text_encoder", lambda self: pytest.fail("loaded"))
    with pytest.raises(UsageError, match=told):
        pipeline.generate(asked, folder)


def assert_command_line_makes(case: Case, tmp_path: Path, capsys) -> None:
    """The command line gives what the original gives, in every number that is written."""
    assert main(case.command(tmp_path)) == 0, capsys.readouterr().err
    got = load_file(tmp_path / "latents.safetensors")
    golden.assert_close(got["sigmas"], case.want["sigmas"], 1e-6, 0, "sigmas")
    golden.assert_close(got["latents"], case.want["latents"], 3e-4, 3e-4, "latents")
    files = sorted((tmp_path / "frames").iterdir())
    frames = np.stack([np.array(Image.open(file)) for file in files]).astype(int)
    assert frames.shape == case.want["frames_uint8"].shape
    assert np.abs(frames - case.want["frames_uint8"].numpy()).max() <= 1
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    facts = case.asked["expected"]
    assert report["size"] == [facts["width"], facts["height"]]
    run = facts.get("steps_run", case.asked["sampling_steps"])
    timesteps = torch.tensor([step["timestep"] for step in report["steps"]])
    if not case.want["timesteps"].is_floating_point():
        timesteps = timesteps.to(case.want["timesteps"].dtype)
    torch.testing.assert_close(timesteps, case.want["timesteps"][-run:], atol=1e-3, rtol=0)
    experts = facts.get("experts_per_step", ["dense"] * case.asked["sampling_steps"])
    assert [step["expert"] for step in report["steps"]] == experts
    assert report["negative"] == case.asked["negative_prompt"]
    assert report["fps"] == case.asked["sample_fps"]
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        stream = clip.streams.video[0]
        assert (stream.frames, stream.average_rate) == (case.asked["frame_num"], case.asked["sample_fps"])
