# SPDX-License-Identifier: GPL-3.0-or-later
"""VACE models through the command line and step by step, against the original pipelines."""

from __future__ import annotations

from pathlib import Path

import golden
import pytest
import torch
from cases import Case, assert_command_line_makes

from wan_engine.inputs.conditioning import condition, encode_texts
from wan_engine.inputs.plan import make_plan, noise
from wan_engine.pipeline import load
from wan_engine.runtime.run import Run
from wan_engine.sampling.denoise import Denoiser, _Guided
from wan_engine.sampling.resume import ResumeFile

CASES = [
    ("Wan2.1-VACE-1.3B", "control_reference"),
    ("Wan2.1-VACE-1.3B", "first_last_frame"),
    ("Wan2.1-VACE-1.3B", "masked_soft"),
    ("Wan2.1-VACE-1.3B", "references_only"),
    ("Wan2.1-VACE-1.3B", "resized"),
    ("Wan2.1-VACE-14B", "control"),
    ("Wan2.1-VACE-14B", "masked_references"),
    ("Wan2.2-VACE-Fun-A14B", "control_reference"),
    ("Wan2.2-VACE-Fun-A14B", "masked"),
    ("Wan2.2-VACE-Fun-A14B", "references_only"),
]


@pytest.fixture(params=CASES, ids=lambda pair: "-".join(pair))
def case(request) -> Case:
    return Case(*request.param, "vace/")


def test_command_line_makes_the_original_clip(case, tmp_path, capsys):
    assert_command_line_makes(case, tmp_path, capsys)


@torch.inference_mode()
def test_every_stage_and_step_matches(case, monkeypatch):
    pipeline, run = load(case.checkpoint), Run()
    plan = make_plan(case.request(), pipeline.checkpoint, (4, 8, 8), Path("."))
    assert list(plan.latent_shape) == case.asked["expected"]["full_latent_shape"]
    assert torch.equal(noise(plan.seed, plan.latent_shape), case.want["noise"])
    texts = encode_texts(plan, pipeline.pool, run)
    golden.assert_close(texts[0], case.want["context"], 1e-4, 1e-4, "context")
    conditioning = condition(plan, pipeline.pool, run)
    golden.assert_close(conditioning.vace[0], case.want["vace_context"], 5e-4, 1e-4, "vace_context")
    velocities, after = [], []
    guided = _Guided.velocity
    monkeypatch.setattr(_Guided, "velocity", lambda *given: velocities.append(guided(*given)) or velocities[-1])
    monkeypatch.setattr(ResumeFile, "save", lambda self, state: after.append(state.latents.clone()))
    latents, sigmas = Denoiser(plan, pipeline.pool, texts, conditioning, run).sample()
    golden.assert_close(sigmas, case.want["sigmas"], 1e-6, 0, "sigmas")
    golden.assert_close(velocities[0], case.want["velocity0"], 3e-4, 3e-4, "velocity0")
    golden.assert_close(torch.stack(after), case.want["latents_steps"], 3e-4, 3e-4, "latents_steps")
    golden.assert_close(latents, case.want["latents"], 3e-4, 3e-4, "latents")
