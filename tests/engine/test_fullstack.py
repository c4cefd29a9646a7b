# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole small checkpoints through the command line, against what the original pipelines make of the same prompt."""

from __future__ import annotations

import json
from pathlib import Path

import av
import golden
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from wan_engine.cli import main
from wan_engine.inputs.conditioning import condition, encode_texts
from wan_engine.inputs.plan import make_plan, noise
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.runtime.run import Run

CASES = [
    ("Wan2.2-T2V-A14B", "en"),
    ("Wan2.2-T2V-A14B", "zh"),
    ("Wan2.2-I2V-A14B", "en"),
    ("Wan2.2-I2V-A14B", "zh"),
    ("Wan2.2-TI2V-5B", "en"),
    ("Wan2.2-TI2V-5B", "zh"),
    ("Wan2.2-TI2V-5B", "en_image"),
    ("Wan2.2-TI2V-5B", "zh_image"),
    ("Wan2.1-T2V-1.3B", "en"),
    ("Wan2.1-T2V-1.3B", "zh"),
    ("Wan2.1-I2V-14B", "en"),
    ("Wan2.1-I2V-14B", "zh"),
    ("Wan2.1-FLF2V-14B", "en"),
    ("Wan2.1-FLF2V-14B", "zh"),
]


class Case:
    def __init__(self, model: str, name: str) -> None:
        folder = f"fullstack/{model}/cases/{name}"
        self.checkpoint = golden.path(f"fullstack/{model}/checkpoint")
        self.asked = golden.facts(f"{folder}/request")
        self.want = golden.tensors(f"{folder}/expected")
        names = [self.asked.get("image") or self.asked.get("first_frame"), self.asked.get("last_frame")]
        self.image, self.last = (str(golden.path(f"{folder}/{name}")) if name else None for name in names)

    @property
    def size(self) -> tuple[int, int]:
        """For a picture only the area counts: any two sides of the right product."""
        return tuple(self.asked["size"]) if "size" in self.asked else (self.asked["max_area"], 1)

    @property
    def guide(self) -> list[float]:
        guide = self.asked["guide_scale"]
        return guide if isinstance(guide, list) else [guide]

    def request(self) -> GenerationRequest:
        return GenerationRequest(
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
        )

    def command(self, out: Path) -> list[str]:
        words = ["generate", "--checkpoint", str(self.checkpoint), "--prompt", self.asked["prompt"]]
        words += ["--size", "x".join(map(str, self.size)), "--frames", str(self.asked["frame_num"])]
        words += ["--steps", str(self.asked["sampling_steps"]), "--shift", str(self.asked["shift"])]
        words += ["--guide", ",".join(map(str, self.guide)), "--solver", self.asked["solver"]]
        words += ["--seed", str(self.asked["seed"]), "--out", str(out / "clip.mp4")]
        words += ["--latents", str(out / "latents.safetensors"), "--frames-out", str(out / "frames")]
        words += ["--report", str(out / "report.json")]
        words += ["--image", self.image] if self.image else []
        return [*words, "--last-image", self.last] if self.last else words


@pytest.fixture(params=CASES, ids=lambda pair: "-".join(pair))
def case(request) -> Case:
    return Case(*request.param)


def test_command_line_makes_the_original_clip(case, tmp_path, capsys):
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
    assert [int(step["timestep"]) for step in report["steps"]] == case.want["timesteps"].tolist()
    experts = facts.get("experts_per_step", ["dense"] * case.asked["sampling_steps"])
    assert [step["expert"] for step in report["steps"]] == experts
    assert report["negative"] == case.asked["negative_prompt"]
    assert report["fps"] == case.asked["sample_fps"]
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        stream = clip.streams.video[0]
        assert (stream.frames, stream.average_rate) == (case.asked["frame_num"], case.asked["sample_fps"])


@torch.inference_mode()
def test_every_stage_matches(case):
    pipeline, run = load(case.checkpoint), Run()
    vae = pipeline.pool.vae()
    plan = make_plan(case.request(), pipeline.checkpoint, vae.stride, Path("."))
    assert torch.equal(noise(plan.seed, plan.latent_shape), case.want["noise"])
    prompt, negative = encode_texts(plan, pipeline.pool, run)
    golden.assert_close(prompt, case.want["context"], 1e-4, 1e-4, "context")
    golden.assert_close(negative, case.want["context_null"], 1e-4, 1e-4, "context_null")
    conditioning = condition(plan, pipeline.pool, run)
    if conditioning.channels is not None:
        golden.assert_close(conditioning.channels[0], case.want["y"], 5e-4, 1e-4, "y")
    if conditioning.clip is not None:
        golden.assert_close(conditioning.clip[0], case.want["clip_fea"].flatten(0, 1), 1e-4, 1e-4, "clip_fea")
    assert (conditioning.clip is None) == ("clip_fea" not in case.want)
    if conditioning.held is not None:
        golden.assert_close(conditioning.held, case.want["vae_encode_out"], 5e-4, 1e-4, "vae_encode_out")
    frames = torch.cat(list(vae.decode_stream(case.want["latents"][None])), 2)[0].clamp(-1, 1)
    golden.assert_close(frames, case.want["frames"], 1e-3, 5e-4, "frames")


def test_one_pipeline_serves_many_requests(tmp_path):
    """Second use, other order of experts left in memory, offloading: always the same latents."""
    case = Case("Wan2.2-I2V-A14B", "en")
    for offload in ("none", "expert"):
        pipeline = load(case.checkpoint, offload=offload)
        for run in range(2):
            request = GenerationRequest(**{**case.request().__dict__, "latents": f"{offload}{run}.safetensors"})
            pipeline.generate(request, tmp_path)
            got = load_file(tmp_path / f"{offload}{run}.safetensors")["latents"]
            golden.assert_close(got, case.want["latents"], 3e-4, 3e-4)


def test_an_expert_no_step_uses_is_not_opened(tmp_path, monkeypatch):
    case = Case("Wan2.2-T2V-A14B", "en")
    pipeline = load(case.checkpoint)
    opened = []
    original = type(pipeline.checkpoint).load_transformer
    monkeypatch.setattr(
        type(pipeline.checkpoint),
        "load_transformer",
        lambda self, name, *rest: opened.append(name) or original(self, name, *rest),
    )
    values = {**case.request().__dict__, "steps": 3, "guide": (1.0, 1.0)}
    pipeline.generate(GenerationRequest(**{**values, "boundary": 0.0}), tmp_path)
    assert opened == ["high"]
    pipeline.generate(GenerationRequest(**{**values, "boundary": 1.0}), tmp_path)
    assert opened == ["high", "low"]
