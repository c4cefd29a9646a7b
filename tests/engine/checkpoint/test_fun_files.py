# SPDX-License-Identifier: GPL-3.0-or-later
"""The Fun models as ComfyUI's single files, told by their headers."""

from __future__ import annotations

import json

import golden
import pytest

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.errors import CheckpointError


@pytest.fixture(params=[("Control", "control"), ("Control-Camera", "camera"), ("InP", "inpaint")], ids=lambda m: m[0])
def files(request, tmp_path):
    """Links to a small model's files, by the names that ComfyUI's repackaged ones have."""
    model, word = request.param
    published = golden.path(f"control/fullstack/Wan2.2-Fun-A14B-{model}/checkpoint")
    for expert in ("high", "low"):
        name = f"wan2.2_fun_{word}_{expert}_noise_14B_bf16.safetensors"
        (tmp_path / name).symlink_to(published / f"{expert}_noise_model" / "diffusion_pytorch_model.safetensors")
    (tmp_path / "wan_2.1_vae.pth").symlink_to(published / "Wan2.1_VAE.pth")
    (tmp_path / "umt5_xxl.pth").symlink_to(published / "models_t5_umt5-xxl-enc-bf16.pth")
    (tmp_path / "tokenizer.json").symlink_to(published / "google/umt5-xxl/tokenizer.json")
    heads = json.loads((published / "high_noise_model/config.json").read_text(encoding="utf-8"))["num_heads"]
    own = {"schema": "wan_previs.checkpoint/1", "transformer": {"num_heads": heads}}
    (tmp_path / "wan_previs.json").write_text(json.dumps(own), encoding="utf-8")
    return tmp_path, f"Wan2.2 Fun-A14B-{model}"


def test_both_experts_are_found(files):
    folder, title = files
    opened = open_checkpoint(folder)
    opened.verify()
    assert opened.model.title == title and list(opened.experts) == ["high", "low"]


def test_one_expert_alone_is_told(files):
    folder, _ = files
    next(folder.glob("*_low_noise_*")).unlink()
    with pytest.raises(CheckpointError, match="low-noise partner"):
        open_checkpoint(folder)
