# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole small checkpoints through the command line, against what the original pipelines make of the same prompt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import golden
import pytest
import torch
from cases import Case, assert_command_line_makes
from safetensors.torch import load_file

from wan_engine.inputs.conditioning import condition, encode_texts
from wan_engine.inputs.plan import make_plan, noise
from wan_engine.pipeline import load
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


@pytest.fixture(params=CASES, ids=lambda pair: "-".join(pair))
def case(request) -> Case:
    return Case(*request.param)


def test_command_line_makes_the_original_clip(case, tmp_path, capsys):
    assert_command_line_makes(case, tmp_path, capsys)


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
            request = case.request(latents=f"{offload}{run}.safetensors")
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
    asked = case.request(steps=3, guide=(1.0, 1.0))
    pipeline.generate(replace(asked, boundary=0.0), tmp_path)
    assert opened == ["high"]
    pipeline.generate(replace(asked, boundary=1.0), tmp_path)
    assert opened == ["high", "low"]
