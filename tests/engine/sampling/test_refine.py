# SPDX-License-Identifier: GPL-3.0-or-later
"""The refining pass on the shipped checkpoint: the low-noise expert alone, the clip's light and composition kept."""

from dataclasses import replace
from pathlib import Path

import golden
import moving
import numpy as np
import pytest
import torch

from wan_engine import pipeline
from wan_engine.errors import Cancelled, UsageError
from wan_engine.finishing.upscale import upscale
from wan_engine.media.srgb import to_linear
from wan_engine.request import GenerationRequest
from wan_engine.runtime.run import Run
from wan_engine.sampling.refine import Refiner, refined_plan, with_light_of
from wan_engine.sampling.solvers import make_solver

DATA = golden.REPOSITORY / "tests" / "data"


@pytest.fixture(scope="module")
def nano():
    return pipeline.load(golden.REPOSITORY / "checkpoints" / "nano")


@pytest.fixture(scope="module")
def request_():
    return GenerationRequest(
        checkpoint=str(golden.REPOSITORY / "checkpoints" / "nano"),
        prompt=(DATA / "dusk_prompt.txt").read_text(),
        image=str(DATA / "dusk_first.png"),
        last_image=str(DATA / "dusk_last.png"),
        frames=5,
    )


@pytest.mark.parametrize("solver", ["unipc", "dpm++", "euler"])
@pytest.mark.parametrize("shift", [1.0, 3.0, 5.0])
def test_a_schedule_begins_where_it_is_told(solver, shift):
    made = make_solver(solver, 4, shift, 0.3)
    assert made.sigmas[0] == pytest.approx(0.3, abs=1e-6)
    assert (made.sigmas.diff() < 0).all()
    assert made.sigmas[-1] == 0
    assert len(made.timesteps) == 4


@pytest.mark.parametrize("solver", ["unipc", "dpm++", "euler"])
def test_the_true_velocity_leads_back_to_the_clean_latents(solver):
    made = make_solver(solver, 4, 3.0, 0.3)
    clean, pure = torch.randn(2, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    x = 0.7 * clean + 0.3 * pure
    for _ in made.timesteps:
        x = made.step(pure - clean, x)
    assert torch.allclose(x, clean, atol=1e-5)


@pytest.mark.parametrize("strength", [0.0, 0.04, 0.7, 2.0])
def test_strengths_out_of_range_are_told(nano, request_, strength):
    plan = nano._plan(request_, Path())
    with pytest.raises(UsageError, match="refining strength"):
        refined_plan(plan, 2, strength)


def test_the_high_noise_part_is_refused(nano, request_):
    plan = replace(nano._plan(request_, Path()), boundary=0.25)
    with pytest.raises(UsageError, match=r"below 0\.25"):
        refined_plan(plan, 2, 0.3)


def test_refined_frames_are_the_clip_made_larger(nano, request_):
    run = Run()
    with torch.inference_mode():
        plan = nano._plan(request_, Path())
        texts = nano._encode_texts(request_, plan, Path(), run)
        small = np.stack([np.array(picture) for picture in _between(plan)])
        large = upscale(small, 2)
        bigger = refined_plan(plan, 2, 0.3)
        latents = Refiner(large, bigger, nano.pool, texts, run, 0.3).refine(bigger, 0)
        frames = np.stack(list(with_light_of(large, np.stack(list(nano._decode(latents, run))))))
    assert frames.shape == large.shape
    assert {step["expert"] for step in run.facts["refine"]["steps"]} == {"low"}
    assert run.facts["refine"]["steps"][0]["sigma"] == pytest.approx(0.3, abs=1e-6)
    assert run.steps == []
    assert np.allclose(*(to_linear(clip).mean((1, 2)) for clip in (frames, large)), rtol=0.03)  # per frame and channel
    assert not np.array_equal(frames, large)
    assert moving.psnr(frames, large) > 24


def test_light_is_put_back_and_drawing_kept():
    """A redrawing that is too warm and has texture of its own loses the tint and keeps the texture."""
    frames = moving.scene([0, 1], light=lambda time, x, y: 0.8 - 0.3 * time)
    grain = np.random.default_rng(0).integers(-9, 10, frames.shape)
    redrawn = np.clip(frames * (1.15, 1.0, 0.85) + grain, 0, 255).astype(np.uint8)
    result = np.stack(list(with_light_of(frames, redrawn)))
    assert np.abs(result.mean((1, 2)) - frames.mean((1, 2))).max() < 1.5
    kept = np.corrcoef((result.astype(float) - frames).ravel(), grain.ravel())[0, 1]
    assert kept > 0.75


def test_refining_stops_when_asked(nano, request_):
    run = Run(should_cancel=lambda: True)
    with torch.inference_mode(), pytest.raises(Cancelled):
        plan = refined_plan(nano._plan(request_, Path()), 2, 0.3)
        frames = np.zeros((5, plan.size[1], plan.size[0], 3), np.uint8)
        Refiner(frames, plan, nano.pool, [], run, 0.3).refine(plan, 0)


def _between(plan):
    """Five frames that fade from the first picture to the last."""
    pictures = [((picture + 1) * 127.5).round().byte().permute(1, 2, 0).numpy() for picture in (plan.first, plan.last)]
    for time in np.linspace(0, 1, plan.frames):
        yield (pictures[0] * (1 - time) + pictures[1] * time).astype(np.uint8)
