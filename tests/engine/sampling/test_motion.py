# SPDX-License-Identifier: GPL-3.0-or-later
"""Time-to-Move against the original: every step of the loop, whole clips, and what is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import golden
import numpy as np
import pytest
import torch
from cases import Case, assert_command_line_makes, assert_refused_before_loading, kept_steps
from movies import write_frames
from PIL import Image
from safetensors.torch import load_file
from test_loop import write_checkpoint

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.errors import Cancelled, UsageError
from wan_engine.inputs.conditioning import condition
from wan_engine.inputs.motion import Motion
from wan_engine.inputs.plan import make_plan, noise
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.runtime.model_pool import LoadOptions, ModelPool
from wan_engine.runtime.run import Run
from wan_engine.sampling import denoise
from wan_engine.sampling.denoise import Denoiser
from wan_engine.sampling.resume import fingerprint
from wan_engine.sampling.solvers import UniPC

LOOPS = ("loop_ttm_unipc", "loop_ttm_dpmpp", "loop_ttm_diffusers", "loop_ttm_no_start")
MODEL = "Wan2.2-I2V-A14B"
CASES = ("object", "camera", "resized")


def on_grid(case):
    """Diffusers' own schedule under our UniPC."""

    def make(name, steps, shift, highest, fresh):
        solver = UniPC(steps, shift)
        solver.sigmas, solver.timesteps = case["out.sigmas"], case["out.timesteps"]
        solver._alphas = 1 - solver.sigmas
        solver._lambdas = solver._alphas.log() - solver.sigmas.log()
        return solver

    return make


@pytest.mark.parametrize("name", LOOPS)
@torch.inference_mode()
def test_every_step_of_the_original(name, tmp_path, monkeypatch):
    facts, case = golden.facts(f"ttm/{name}"), golden.tensors(f"ttm/{name}")
    write_checkpoint(tmp_path, {**facts, "weights_file": "ttm/" + facts["weights_file"]})
    asked = facts["request"]
    Image.fromarray(case["in.image_hwc_u8"].numpy()).save(tmp_path / "image.png")
    write_frames(tmp_path / "motion", case["in.motion_thwc_u8"].numpy())
    write_frames(tmp_path / "mask", case["in.mask_thw_u8"].numpy())
    request = GenerationRequest(
        checkpoint=str(tmp_path),
        prompt="",
        image="image.png",
        motion_video="motion",
        motion_mask="mask",
        motion_start=asked["motion_start"],
        motion_end=asked["motion_end"],
        size=tuple(asked["size"]),
        exact_size=True,
        frames=asked["frames"],
        steps=asked["steps"],
        shift=asked["shift"],
        guide=tuple(asked["guide_scale"]),
        boundary=facts["boundary"],
        solver="dpm++" if "DPM" in facts["solver"] else "unipc",
        seed=asked["seed"],
    )
    pool = ModelPool(open_checkpoint(tmp_path), LoadOptions(torch.float32, "none"), "cpu")
    vae, run = pool.vae(), Run()
    plan = make_plan(request, pool.checkpoint, vae.stride, tmp_path)
    conditioning = condition(plan, pool, run)
    motion = conditioning.motion
    assert torch.equal(noise(plan.seed, plan.latent_shape), case["in.noise_first"])
    assert torch.equal(motion.noise, case["in.noise"])
    assert torch.equal(motion.mask, case["out.motion_mask"])
    golden.assert_close(motion.latents, case["out.motion_latents"], 5e-4, 1e-4, "motion latents")
    golden.assert_close(conditioning.channels[0], case["out.y"], 5e-4, 1e-4, "y")
    if "out.motion_video" in case:
        pixels = torch.cat(list(plan.motion.pixels(plan.size, plan.frames)), 1)
        golden.assert_close(pixels, case["out.motion_video"], 1e-5, 0, "motion video")
    if name == "loop_ttm_diffusers":
        monkeypatch.setattr(denoise, "make_solver", on_grid(case))
    velocities, after = kept_steps(monkeypatch)
    denoiser = Denoiser(plan, pool, [case["in.context"], case["in.context_null"]], conditioning, run)
    golden.assert_close(denoiser._begin(), case["out.latents_start"], 1e-4, 0, "start")
    latents, sigmas = denoiser.sample()
    golden.assert_close(sigmas, case["out.sigmas"], 1e-6, 0, "sigmas")
    golden.assert_close(torch.stack(velocities), case["out.velocity"], 1e-3, 1e-3, "velocity")
    golden.assert_close(torch.stack(after), case["out.latents_steps"], 1e-3, 1e-3, "latents after each step")
    golden.assert_close(latents, case["out.latents"], 1e-3, 1e-3, "latents")
    first = max(asked["motion_start"], 0)
    assert [step["step"] for step in run.steps] == list(range(first + 1, asked["steps"] + 1))
    assert [int(step["timestep"]) for step in run.steps] == case["out.timesteps"].tolist()[first:]
    assert [step["expert"] for step in run.steps] == facts["experts_per_step"]
    golden.assert_close(vae.decode(latents[None])[0].clamp(-1, 1), case["out.frames"], 1e-3, 1e-3, "frames")


@pytest.mark.parametrize("name", CASES)
def test_command_line_makes_the_original_clip(name, tmp_path, capsys):
    assert_command_line_makes(Case(MODEL, name, "ttm/"), tmp_path, capsys)


def request(**changes) -> GenerationRequest:
    """A case's request with other values."""
    return Case(MODEL, "object", "ttm/").request(**changes)


def test_steps_left_out_are_those_of_the_authors_noise_levels():
    """Steps 2, 3, 5 and 7 of 50 at shift 3 lie at 2.6, 3.8, 6.2 and 8.5 of 40 at shift 5; 6 lies between 5 and 7."""
    empty = torch.zeros(1, 1, 1, 1)
    sigmas = UniPC(40, 5.0).sigmas
    found = Motion(empty, empty, empty).scheduled(sigmas)
    assert (found.start, found.end) == (4, 7)
    assert Motion(empty, empty, empty, end=2).scheduled(sigmas).start == 2
    assert Motion(empty, empty, empty, start=20).scheduled(sigmas).end == 20


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"motion_start": 4}, "motion_start <= motion_end < 8"),
        ({"motion_end": 8}, "motion_start <= motion_end < 8"),
        ({"motion_end": None, "motion_start": 8}, "motion_start <= motion_end < 8"),
        ({"frames": 13}, "holds 9 pictures, but the clip has 13 frames"),
        ({"frames": 5}, "holds 9 pictures, but the clip has 5 frames"),
        ({"motion_mask": None}, "belong together"),
        ({"motion_video": None, "motion_mask": None}, "for a motion clip"),
        ({"motion_video": "nowhere"}, "does not exist"),
        ({"image": None}, "starts from its first picture"),
    ],
)
def test_what_cannot_be_followed_is_told_before_anything_is_loaded(changes, told, tmp_path, monkeypatch):
    assert_refused_before_loading(request(**changes), told, tmp_path, monkeypatch)


def test_a_text_model_follows_no_motion(tmp_path):
    asked = request(checkpoint=str(golden.path("fullstack/Wan2.2-T2V-A14B/checkpoint")))
    for image in (asked.image, None):
        with pytest.raises(UsageError, match=r"text only|to a model that takes one"):
            load(asked.checkpoint).generate(replace(asked, image=image), tmp_path)


def test_a_few_frames_too_many_are_left_out_as_in_the_original(tmp_path):
    """The autoencoder reads four frames at a time and leaves out what makes no whole four."""
    case = Case(MODEL, "object", "ttm/")
    for name in ("motion", "mask"):
        folder = Path(case.given[f"motion_{'video' if name == 'motion' else name}"])
        shutil.copytree(folder, tmp_path / name)
        for number in (9, 10):
            shutil.copy(folder / "0000.png", tmp_path / name / f"{number:04}.png")
    asked = request(motion_video="motion", motion_mask="mask", latents="latents.safetensors")
    report = load(asked.checkpoint).generate(asked, tmp_path)
    golden.assert_close(load_file(tmp_path / "latents.safetensors")["latents"], case.want["latents"], 3e-4, 3e-4)
    assert "The motion clip has 11 frames; the first 9 are used." in report["warnings"]


@pytest.mark.parametrize("solver", ["unipc", "dpm++", "euler"])
def test_cancelled_in_between_it_goes_on_bit_equal(solver, tmp_path):
    """Also with the step cache, and streamed block by block."""
    asked = request(solver=solver, latents="latents.safetensors", resume="state", step_cache=0.3)
    whole = load(asked.checkpoint).generate(asked, tmp_path)
    want = load_file(tmp_path / "latents.safetensors")["latents"]
    streamed, done = load(asked.checkpoint, offload="block"), []
    with pytest.raises(Cancelled):
        streamed.generate(asked, tmp_path, done.append, lambda: sum(event["event"] == "step" for event in done) == 3)
    report = streamed.generate(asked, tmp_path)
    assert report["resumed_from_step"] == 3 and "resumed_from_step" not in whole
    assert [step["step"] for step in report["steps"]] == list(range(2, 9))
    assert torch.equal(load_file(tmp_path / "latents.safetensors")["latents"], want)


def test_other_pictures_are_another_request_to_resume(tmp_path):
    pipeline = load(request().checkpoint)
    asked = request(motion_mask="mask")
    shutil.copytree(Case(MODEL, "object", "ttm/").given["motion_mask"], tmp_path / "mask")
    prints = []
    for _ in range(2):
        plan = make_plan(asked, pipeline.checkpoint, (4, 8, 8), tmp_path)
        prints.append(fingerprint(plan, pipeline.checkpoint.folder, {}))
        write_frame = np.asarray(Image.open(tmp_path / "mask" / "0003.png")).copy()
        write_frame[0, 0] ^= 255
        Image.fromarray(write_frame).save(tmp_path / "mask" / "0003.png")
    assert prints[0] != prints[1]


def test_a_model_that_holds_its_first_picture_follows_motion_too(tmp_path):
    """Text-and-picture models put the first latent back over everything; cells are 16 pixels wide."""
    checkpoint = golden.path("fullstack/Wan2.2-TI2V-5B/checkpoint")
    pipeline = load(checkpoint)
    frames = np.random.default_rng(1).integers(0, 256, (5, 32, 64, 3), np.uint8)
    write_frames(tmp_path / "motion", frames)
    write_frames(tmp_path / "mask", np.full((5, 32, 64), 255, np.uint8))
    Image.fromarray(frames[0]).save(tmp_path / "a.png")
    asked = GenerationRequest(
        str(checkpoint), "a cube", image="a.png", motion_video="motion", motion_mask="mask", motion_start=1,
        motion_end=3, size=(64, 32), frames=5, steps=4, latents="latents.safetensors",
    )  # fmt: skip
    plan = make_plan(asked, pipeline.checkpoint, (4, 16, 16), tmp_path)
    with torch.inference_mode():
        conditioning = condition(plan, pipeline.pool, Run()).scheduled(UniPC(4, 5.0).sigmas)
    assert conditioning.motion.mask.shape == (1, 2, 2, 4)
    x = conditioning.impose(torch.zeros(plan.latent_shape), conditioning.motion.until)
    assert torch.equal(x[:, :1], conditioning.held)
    assert torch.equal(x[:, 1:], conditioning.motion.noised(conditioning.motion.until)[:, 1:])
    report = pipeline.generate(asked, tmp_path)
    assert [step["step"] for step in report["steps"]] == [2, 3, 4]
