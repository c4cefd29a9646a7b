# SPDX-License-Identifier: GPL-3.0-or-later
"""Generations that are cancelled, or meet NaN, damage and the end of memory."""

from __future__ import annotations

import json
import math
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import golden
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_requests import T2V, request

from wan_engine.errors import Cancelled, CheckpointError, GenerationError
from wan_engine.networks import transformer_blocks, umt5, vae_layers
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest


@pytest.mark.parametrize("moment", ["step", "decode"])
def test_cancel_leaves_no_clip(tmp_path, moment):
    (tmp_path / "clip.mp4").write_bytes(b"an earlier take")
    seen = []

    def at_the_moment():
        return any(moment in (event["event"], event.get("stage")) for event in seen)

    with pytest.raises(Cancelled):
        load(golden.path(T2V)).generate(
            request(T2V, size=(64, 48)), tmp_path, on_event=seen.append, should_cancel=at_the_moment
        )
    assert sum(event["event"] == "step" for event in seen) == (1 if moment == "step" else 2)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("clip.mp4", b"an earlier take")]


class Stop:
    """Cancels from the moment on at which a layer of some kind has run."""

    def __init__(self) -> None:
        self.asked = False
        self.layers = 0

    def layer(self, *_) -> None:
        self.asked = True
        self.layers += 1


def _empty(module: torch.nn.Module) -> bool:
    """Whether it only estimates the peak, without weights, for the memory plan."""
    return next(module.parameters()).is_meta


def cancelled_in(network: torch.nn.Module, pipeline, asked: GenerationRequest, folder: Path) -> int:
    """How many modules like `network` still run once the first has and cancelling is asked for."""
    stop = Stop()
    hook = torch.nn.modules.module.register_module_forward_hook(
        lambda module, *_: stop.layer() if isinstance(module, network) and not _empty(module) else None
    )
    try:
        with pytest.raises(Cancelled):
            pipeline.generate(asked, folder, should_cancel=lambda: stop.asked)
    finally:
        hook.remove()
    return stop.layers


@pytest.mark.parametrize(
    ("offload", "network", "blocks"),
    [
        ("none", transformer_blocks.Block, 1),
        ("block", transformer_blocks.Block, 1),
        ("none", umt5.Block, 1),
        ("expert", umt5.Block, 2),  # both prompts take a layer before the next one is read
        ("none", vae_layers.ResidualBlock, 1),
    ],
)
def test_cancel_comes_before_the_next_block(offload, network, blocks, tmp_path):
    """Also within the autoencoder and the text encoder: no further block runs, and nothing is left half written."""
    pipeline = load(golden.path(T2V), offload=offload)
    assert cancelled_in(network, pipeline, request(T2V, size=(64, 48)), tmp_path) == blocks
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def overflowing(tmp_path) -> Path:
    """A checkpoint whose feed-forward goes beyond the range of float16, and back into it."""
    folder = shutil.copytree(golden.path(T2V), tmp_path / "overflowing")
    for shard in folder.glob("*_noise_model/*.safetensors"):
        state = load_file(shard)
        for name, factor in (("ffn.0.weight", 2.0**15), ("ffn.0.bias", 2.0**15), ("ffn.2.weight", 2.0**-14)):
            key = f"blocks.0.{name}"
            if key in state:
                state[key] = state[key] * factor
        save_file(state, shard)
    return folder


@pytest.mark.parametrize("offload", ["none", "block"])
def test_a_step_with_nan_is_computed_again_in_a_safer_setting(offload, overflowing, tmp_path):
    """float16 overflows, bfloat16 does not: what is retried must come out as good as what need not be."""
    latents, reports = [], []
    for dtype in ("bfloat16", "float16"):
        events = []
        asked = request(T2V, size=(64, 48), dtype=dtype, latents=f"{dtype}.safetensors")
        asked = replace(asked, checkpoint=str(overflowing))
        pipeline = load(overflowing, dtype=dtype, offload=offload)
        reports.append(pipeline.generate(asked, tmp_path, on_event=events.append))
        latents.append(load_file(tmp_path / f"{dtype}.safetensors")["latents"])
    assert "retried_steps" not in reports[0] and reports[1]["retried_steps"] == [1, 2]
    assert [event["step"] for event in events if event["event"] == "retry"] == [1, 2]
    assert any("float32" in warning for warning in reports[1]["warnings"])
    assert (latents[0] - latents[1]).square().mean().sqrt() < 0.1 * latents[0].std()
    again = pipeline.generate(asked, tmp_path)  # the network is what it was before
    assert again["retried_steps"] == [1, 2]
    assert torch.equal(load_file(tmp_path / "float16.safetensors")["latents"], latents[1])


def test_running_out_of_memory_lets_go_of_everything(tmp_path, monkeypatch):
    pipeline = load(golden.path(T2V))
    pipeline.generate(request(T2V, size=(64, 48)), tmp_path)
    assert pipeline.pool.held_bytes > 0
    kept = []

    def decode(latents, tile=0):
        kept.append(weakref.ref(latents))
        return torch.empty(2**60)

    monkeypatch.setattr(pipeline.pool.vae(), "decode_stream", decode)
    with pytest.raises(GenerationError, match="memory plan for --size 64x48"):
        pipeline.generate(request(T2V, size=(64, 48)), tmp_path)
    assert pipeline.pool.held_bytes == 0 and kept[0]() is None


def test_nan_ends_the_generation(tmp_path):
    with pytest.raises(GenerationError, match="NaN"):
        load(golden.path(T2V)).generate(request(T2V, size=(64, 48), guide=(1e38, 1e38)), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("offload", ["none", "block"])
@pytest.mark.parametrize("part", ["transformer", "text", "vae"])
def test_a_damaged_tensor_is_named(part, offload, tmp_path):
    folder = shutil.copytree(golden.path(T2V), tmp_path / "checkpoint")
    index = json.loads((folder / "high_noise_model/diffusion_pytorch_model.safetensors.index.json").read_text())
    shard = folder / "high_noise_model" / index["weight_map"]["blocks.1.ffn.2.bias"]
    path, name = {
        "transformer": (shard, "blocks.1.ffn.2.bias"),
        "text": (folder / "models_t5_umt5-xxl-enc-bf16.pth", "blocks.0.ffn.fc2.weight"),
        "vae": (folder / "Wan2.1_VAE.pth", "decoder.head.2.bias"),
    }[part]
    read = load_file if path.suffix == ".safetensors" else torch.load
    state = dict(read(path))
    state[name] = state[name].clone()
    state[name].view(-1)[0] = math.nan
    (save_file if path.suffix == ".safetensors" else torch.save)(state, path)
    asked = request(T2V, size=(64, 48), offload=offload)
    pipeline = load(folder, offload=offload)
    with pytest.raises(CheckpointError, match=f"the tensor {name} holds NaN or infinite values") as error:
        pipeline.generate(asked, tmp_path)
    place = path.parent if part == "transformer" else path
    assert str(place) in str(error.value) and "damaged" in str(error.value) and "float32" not in str(error.value)


@pytest.mark.parametrize(("dtype", "words"), [("float32", "try less guidance"), ("bfloat16", "try --dtype float32")])
def test_float32_is_no_advice_in_float32(dtype, words, tmp_path):
    asked = request(T2V, size=(64, 48), guide=(1e38, 1e38), dtype=dtype)
    with pytest.raises(GenerationError, match=words):
        load(golden.path(T2V), dtype=dtype).generate(asked, tmp_path)
