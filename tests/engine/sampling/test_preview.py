# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview: near enough to the decoded clip in light and colour, cheap, and there after every step."""

from __future__ import annotations

from pathlib import Path

import golden
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from wan_engine.networks.latent_rgb import fit_light_map
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.sampling.preview import contact_strip

ROOT = Path(__file__).resolve().parents[3]
NANO = ROOT / "checkpoints" / "nano"
DATA = ROOT / "tests" / "data"
LUMA = torch.tensor([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def dusk(tmp_path_factory):
    """The latents, decoded frames [T,H,W,3] in 0..1, events and previews of a clip of the shipped checkpoint."""
    folder = tmp_path_factory.mktemp("dusk")
    request = GenerationRequest(
        checkpoint=str(NANO),
        prompt=(DATA / "dusk_prompt.txt").read_text(encoding="utf-8"),
        image=str(DATA / "dusk_first.png"),
        last_image=str(DATA / "dusk_last.png"),
        latents="latents.safetensors",
        frames_out="frames",
        preview="preview.png",
        seed=1,
    )
    pipeline = load(NANO)
    events, previews = [], []

    def on_event(event):
        events.append(event)
        if event["event"] == "preview":
            previews.append(np.asarray(Image.open(folder / event["path"])))

    pipeline.generate(request, folder, on_event)
    files = sorted((folder / "frames").iterdir())
    frames = torch.stack([torch.from_numpy(np.array(Image.open(file))) for file in files]) / 255
    latents = load_file(folder / "latents.safetensors")["latents"]
    return latents, frames, events, previews, fit_light_map(pipeline.pool.vae())


def per_latent_frame(values: torch.Tensor) -> torch.Tensor:
    """Averages over the frames that a latent frame stands for: the first, then four at a time."""
    return torch.stack([values[0], *(part.mean(0) for part in values[1:].split(4))])


def test_the_luminance_of_every_frame_follows_the_decoded_one(dusk):
    latents, frames, _, _, light_map = dusk
    seen = (light_map.rgb(latents).permute(1, 2, 3, 0) @ LUMA).mean((1, 2))
    decoded = per_latent_frame((frames @ LUMA).mean((1, 2)))
    assert torch.corrcoef(torch.stack([seen, decoded]))[0, 1] >= 0.9
    assert (seen - decoded).abs().max() < 0.12


def test_colours_and_places_follow_the_decoded_frames(dusk):
    latents, frames, _, _, light_map = dusk
    seen = light_map.rgb(latents).permute(1, 2, 3, 0)
    decoded = per_latent_frame(frames).permute(0, 3, 1, 2)
    decoded = torch.nn.functional.adaptive_avg_pool2d(decoded, seen.shape[1:3]).permute(0, 2, 3, 1)
    for channel in range(3):
        pair = torch.stack([seen[..., channel].flatten(), decoded[..., channel].flatten()])
        assert torch.corrcoef(pair)[0, 1] >= 0.8, channel


def test_there_is_one_after_every_step_and_it_becomes_clear(dusk):
    _, _, events, previews, _ = dusk
    kinds = [event["event"] for event in events if event["event"] in ("preview", "step")]
    steps = sum(kind == "step" for kind in kinds)
    assert kinds == ["preview", "step"] * steps
    assert all(strip.shape == previews[0].shape and strip.shape[1] <= 480 for strip in previews)
    last = previews[-1].astype(float)
    errors = [np.abs(strip - last).mean() for strip in previews]
    assert errors[-2] < errors[0] and last.std() > 10


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 3, 5), (5, 6, 10), (21, 60, 104)])
def test_the_strip_is_small_for_any_clip(shape):
    strip = contact_strip(torch.rand(*shape, 3))
    assert strip.dtype == np.uint8 and strip.shape[1] <= 480 and min(strip.shape) >= 1


@pytest.mark.parametrize("model", ["Wan2.2-T2V-A14B", "Wan2.2-TI2V-5B"])
def test_both_autoencoders_get_a_map_of_their_own(model):
    vae = load(golden.path(f"fullstack/{model}/checkpoint")).pool.vae()
    light_map = fit_light_map(vae)
    assert {one.weight.shape for one in light_map.frames} == {(3, vae.z_dim)}
    rgb = light_map.rgb(torch.randn(vae.z_dim, 2, 3, 4))
    assert rgb.shape == (3, 2, 3, 4) and torch.isfinite(rgb).all()


def test_the_map_is_opened_once_for_a_checkpoint(tmp_path):
    pipeline = load(NANO)
    request = GenerationRequest(str(NANO), "Dusk.", frames=5, steps=1, preview="preview.png")
    maps = []
    for _ in range(2):
        pipeline.generate(request, tmp_path)
        maps.append(pipeline._light_map)
    assert maps[0] is not None and maps[0] is maps[1]


def test_the_map_lets_gradients_through(dusk):
    latents, _, _, _, light_map = dusk
    x = latents.clone().requires_grad_()
    light_map.rgb(x).mean().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
