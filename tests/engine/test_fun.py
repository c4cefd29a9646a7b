# SPDX-License-Identifier: GPL-3.0-or-later
"""The Fun control models: whole small checkpoints through the command line, against what VideoX-Fun makes."""

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

CASES = [
    ("Wan2.2-Fun-A14B-Control", "control_all"),
    ("Wan2.2-Fun-A14B-Control", "control_image"),
    ("Wan2.2-Fun-A14B-Control", "control_only_flow"),
    ("Wan2.2-Fun-A14B-Control", "control_ref"),
    ("Wan2.2-Fun-A14B-Control-Camera", "camera_image"),
    ("Wan2.2-Fun-A14B-Control-Camera", "camera_zoom_flow"),
    ("Wan2.2-Fun-A14B-InP", "image"),
    ("Wan2.2-Fun-A14B-InP", "image_last"),
    ("Wan2.2-Fun-A14B-InP", "text"),
    ("Wan2.2-Fun-5B-Control", "control_image"),
    ("Wan2.2-Fun-5B-Control", "control_only"),
    ("Wan2.2-Fun-5B-Control", "control_ref"),
    ("Wan2.2-Fun-5B-Control-Camera", "camera_image"),
    ("Wan2.1-Fun-V1.1-14B-Control", "control_image"),
    ("Wan2.1-Fun-V1.1-14B-Control", "control_ref"),
]


@pytest.fixture(params=CASES, ids=lambda pair: "-".join(pair))
def case(request) -> Case:
    return Case(*request.param, root="control/")


def test_command_line_makes_the_original_clip(case, tmp_path, capsys):
    assert_command_line_makes(case, tmp_path, capsys)


@torch.inference_mode()
def test_every_stage_matches(case):
    pipeline, run = load(case.checkpoint), Run()
    plan = make_plan(case.request(), pipeline.checkpoint, pipeline.pool.vae().stride, Path("."))
    assert torch.equal(noise(plan.seed, plan.latent_shape), case.want["noise"])
    for name, rows in zip(("context", "context_null"), encode_texts(plan, pipeline.pool, run), strict=True):
        golden.assert_close(rows, case.want[name], 1e-4, 1e-4, name)
    given = condition(plan, pipeline.pool, run)
    assert given.channels is not None
    golden.assert_close(given.channels[0], case.want["y"], 5e-4, 1e-4, "y")
    assert (given.reference is None) == ("full_ref" not in case.want)
    if given.reference is not None:
        golden.assert_close(given.reference[0], case.want["full_ref"], 5e-4, 1e-4, "full_ref")
    assert (given.clip is None) == ("clip_fea" not in case.want)
    if given.clip is not None:
        golden.assert_close(given.clip[0], case.want["clip_fea"].flatten(0, -2), 1e-4, 1e-4, "clip_fea")
    assert (given.camera is None) == ("y_camera_every8" not in case.want)
    if given.camera is not None:
        rays = torch.stack([rays[:, ::8, ::8] for rays in given.camera.packed(plan.frames, plan.size)], 1)
        golden.assert_close(rays, case.want["y_camera_every8"], 2e-5, 2e-5, "rays")
    if "t0_tokens" in case.want:
        x = given.impose(case.want["noise"], 1.0)
        times = given.timestep(case.want["timesteps"][0], x)[0]
        assert torch.equal(times.expand_as(case.want["t0_tokens"]).float(), case.want["t0_tokens"].float())
        golden.assert_close(x, case.want.get("model_in0", x), 5e-4, 1e-4, "model_in0")
