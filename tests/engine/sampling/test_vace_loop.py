# SPDX-License-Identifier: GPL-3.0-or-later
"""The denoise loop with a VACE branch, step by step against the original, with given text states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import golden
import numpy as np
import pytest
import torch
from cases import kept_steps
from PIL import Image
from test_loop import write_checkpoint

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.inputs.conditioning import condition
from wan_engine.inputs.plan import make_plan, noise
from wan_engine.inputs.vace import VaceClip
from wan_engine.request import GenerationRequest
from wan_engine.runtime.model_pool import LoadOptions, ModelPool
from wan_engine.runtime.run import Run
from wan_engine.sampling.denoise import Denoiser, SamplingOptions


@dataclass(frozen=True)
class SoftlyMasked(VaceClip):
    """A clip whose mask [1, F, H, W] is finer than 8 bits."""

    soft: torch.Tensor | None = None

    def softness(self, number):
        return super().softness(number) if self.soft is None else self.soft[:, number]


def save(folder, frames):
    """[3, F, H, W] uint8 as a folder of pictures."""
    folder.mkdir()
    for number, frame in enumerate(frames.permute(1, 2, 3, 0).numpy()):
        Image.fromarray(np.ascontiguousarray(frame)).save(folder / f"{number:04}.png")


def setting(name, folder):
    """Case, pool and plan of a golden loop."""
    facts, case = golden.facts(f"vace/{name}"), golden.tensors(f"vace/{name}")
    write_checkpoint(folder, {**facts, "weights_file": "vace/" + facts["weights_file"]})
    asked = facts["generate_kwargs"]
    save(folder / "control", case["in.video_u8"])
    save(
        folder / "references",
        case["in.refs_u8"][:, :, 0].transpose(0, 1) if "in.refs_u8" in case else torch.empty(3, 0, 1, 1),
    )
    request = GenerationRequest(
        checkpoint=str(folder),
        prompt="",
        control_video="control",
        reference=tuple(f"references/{path.name}" for path in sorted((folder / "references").iterdir())),
        control_scale=asked["context_scale"],
        size=tuple(asked["size"]),
        frames=asked["frame_num"],
        steps=asked["sampling_steps"],
        shift=asked["shift"],
        guide=(asked["guide_scale"],) * 2,
        solver=asked["sample_solver"],
        seed=asked["seed"],
    )
    pool = ModelPool(open_checkpoint(folder), LoadOptions(torch.float32, "none"), "cpu")
    plan = make_plan(request, pool.checkpoint, (4, 8, 8), folder)
    assert plan.vace is not None
    clip = SoftlyMasked(plan.size, plan.vace.numbers, plan.vace.video, soft=case.get("in.mask"))
    return case, pool, replace(plan, vace=clip)


@pytest.mark.parametrize("name", ["loop_vace_unipc", "loop_vace_dpmpp"])
@torch.inference_mode()
def test_every_step_of_the_original(name, tmp_path, monkeypatch):
    case, pool, plan = setting(name, tmp_path)
    run = Run()
    assert torch.equal(noise(plan.seed, plan.latent_shape), case["in.noise"])
    conditioning = condition(plan, pool, run)
    golden.assert_close(conditioning.vace[0], case["out.context"], 5e-4, 1e-4, "context")
    (velocities, after), clean = kept_steps(monkeypatch), []
    options = SamplingOptions(on_clean=lambda step, latents: clean.append(latents.shape[1]))
    texts = [case["in.context"], case["in.context_null"]]
    latents, sigmas = Denoiser(plan, pool, texts, conditioning, run, options).sample()
    golden.assert_close(sigmas, case["out.sigmas"], 1e-6, 0, "sigmas")
    golden.assert_close(torch.stack(velocities), case["out.velocity"], 1e-3, 1e-3, "velocity")
    golden.assert_close(torch.stack(after), case["out.latents"], 1e-3, 1e-3, "latents")
    assert [int(step["timestep"]) for step in run.steps] == case["out.timesteps"].tolist()
    frames = pool.vae().decode(latents[None])[0].clamp(-1, 1)
    golden.assert_close(frames, case["out.frames"], 1e-3, 1e-3, "frames")
    # Preview and light see the clip alone, without its references.
    assert set(clean) == {latents.shape[1]} == {plan.latent_shape[1] - plan.lead}


@torch.inference_mode()
def test_what_the_branch_reads_is_embedded_once_for_all_steps_and_prompts(tmp_path, monkeypatch):
    case, pool, plan = setting("loop_vace_unipc", tmp_path)
    calls = []
    network = pool.expert("dense")
    network.vace_patch_embedding.register_forward_hook(lambda *_: calls.append(1))
    conditioning = condition(plan, pool, Run())
    Denoiser(plan, pool, [case["in.context"], case["in.context_null"]], conditioning, Run()).sample()
    assert calls == [1]
