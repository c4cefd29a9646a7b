# SPDX-License-Identifier: GPL-3.0-or-later
"""The denoise loop step by step against the original, with given text states."""

from __future__ import annotations

import json
from pathlib import Path

import golden
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.checkpoint.layouts import EXPERT_FOLDERS
from wan_engine.inputs.conditioning import Conditioning, condition
from wan_engine.inputs.plan import make_plan
from wan_engine.request import GenerationRequest
from wan_engine.runtime.model_pool import LoadOptions, ModelPool
from wan_engine.runtime.run import Run
from wan_engine.sampling.denoise import Denoiser, _Guided

LOOPS = [
    "loop_t2v_unipc",
    "loop_t2v_dpmpp",
    "loop_i2v_unipc",
    "loop_i2v_dpmpp",
    "loop_ti2v_text_unipc",
    "loop_ti2v_image_unipc",
    "loop_ti2v_image_dpmpp",
]
TOKENIZER = "google/umt5-xxl/tokenizer.json"
TEXT_ENCODER = "fullstack/Wan2.2-T2V-A14B/checkpoint/models_t5_umt5-xxl-enc-bf16.pth"


def write_checkpoint(folder: Path, facts: dict) -> None:
    """The loop's weights as a folder in the published layout; its text encoder is never asked."""
    weights = golden.tensors(facts["weights_file"].removesuffix(".safetensors"))
    roots = {"high": folder / EXPERT_FOLDERS["high"], "low": folder / EXPERT_FOLDERS["low"], "model": folder}
    for name, root in roots.items():
        state = {key.removeprefix(f"{name}."): data for key, data in weights.items() if key.startswith(f"{name}.")}
        if state:
            root.mkdir(exist_ok=True)
            save_file(state, root / "diffusion_pytorch_model.safetensors")
            (root / "config.json").write_text(json.dumps(facts["transformer_config"]))
    vae = {key.removeprefix("vae."): data for key, data in weights.items() if key.startswith("vae.")}
    torch.save(vae, folder / ("Wan2.2_VAE.pth" if facts["vae_stride"][1] == 16 else "Wan2.1_VAE.pth"))
    (folder / TOKENIZER).parent.mkdir(parents=True)
    (folder / TOKENIZER).symlink_to(golden.path("tokenizer/tokenizer.json"))
    (folder / "models_t5_umt5-xxl-enc-bf16.pth").symlink_to(golden.path(TEXT_ENCODER))


@pytest.mark.parametrize("name", LOOPS)
@torch.inference_mode()
def test_every_step_of_the_original(name, tmp_path, monkeypatch):
    facts, case = golden.facts(name), golden.tensors(name)
    write_checkpoint(tmp_path, facts)
    asked = facts["generate_kwargs"]
    guide = asked["guide_scale"] if isinstance(asked["guide_scale"], list) else [asked["guide_scale"]] * 2
    if "in.image_hwc_u8" in case:
        Image.fromarray(case["in.image_hwc_u8"].numpy()).save(tmp_path / "image.png")
    request = GenerationRequest(
        checkpoint=str(tmp_path),
        prompt="",
        image="image.png" if "in.image_hwc_u8" in case else None,
        size=tuple(asked["size"]) if "size" in asked else (asked["max_area"], 1),
        frames=asked["frame_num"],
        steps=asked["sampling_steps"],
        shift=asked["shift"],
        guide=tuple(guide),
        boundary=facts["boundary"],
        solver=asked["sample_solver"],
        seed=asked["seed"],
    )
    pool = ModelPool(open_checkpoint(tmp_path), LoadOptions(torch.float32, "none"), "cpu")
    vae = pool.vae()
    plan = make_plan(request, pool.checkpoint, vae.stride, tmp_path)
    run = Run()
    conditioning = condition(plan, pool, run)
    velocities = []
    guided = _Guided.velocity
    monkeypatch.setattr(_Guided, "velocity", lambda *given: velocities.append(guided(*given)) or velocities[-1])
    levels = []
    impose = Conditioning.impose
    monkeypatch.setattr(Conditioning, "impose", lambda self, x, sigma: levels.append(sigma) or impose(self, x, sigma))
    texts = [case["in.context"], case["in.context_null"]]
    latents, sigmas = Denoiser(plan, pool, texts, conditioning, run).sample()
    # What is given is put back into the noise, into each prediction of the clean latents, and behind each step.
    assert levels == [float(sigmas[0]), *(level for sigma in sigmas[1:] for level in (0.0, float(sigma)))]
    golden.assert_close(torch.stack(velocities), case["out.velocity"], 1e-3, 1e-3, "velocity")
    golden.assert_close(latents, conditioning.impose(case["out.latents"][-1], 0.0), 1e-3, 1e-3, "latents")
    assert [int(step["timestep"]) for step in run.steps] == case["out.timesteps"].tolist()
    experts = [name.replace("model", "dense") for name in facts["experts_per_step"]]
    assert [step["expert"] for step in run.steps] == experts
    golden.assert_close(vae.decode(latents[None])[0].clamp(-1, 1), case["out.frames"], 1e-3, 1e-3, "frames")
