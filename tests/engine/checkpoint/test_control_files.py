# SPDX-License-Identifier: GPL-3.0-or-later
"""Control models in the files that people have: fewer bits, GGUF, all in one, and LoRAs of the control branch."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cases import Case
from safetensors.torch import load_file, save_file
from saved import from_fp8, save_gguf, to_fp8

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.pipeline import load
from wan_engine.request_parts import Lora

FILE = "diffusion_pytorch_model*.safetensors"
# Golden cases, and what the files of their models are called.
MODELS = {
    ("control/", "Wan2.2-Fun-A14B-Control", "control_all"): "wan2.2_fun_control_{}_noise_14B",
    ("control/", "Wan2.2-Fun-A14B-Control-Camera", "camera_image"): "Wan2_2-Fun-Control-Camera-A14B-{}_KJ",
    ("control/", "Wan2.2-Fun-A14B-InP", "image_last"): "wan2.2_fun_inpaint_{}_noise_14B",
    ("control/", "Wan2.2-Fun-5B-Control", "control_ref"): "wan2.2_fun_control_5B",
    ("control/", "Wan2.2-Fun-5B-Control-Camera", "camera_image"): "wan22_fun_camera_5B",
    ("control/", "Wan2.1-Fun-V1.1-14B-Control", "control_ref"): "Wan2_1-Fun-V1_1-14B-Control",
    ("vace/", "Wan2.1-VACE-14B", "masked_references"): "wan2.1_vace_14B",
    ("vace/", "Wan2.2-VACE-Fun-A14B", "masked"): "wan2.2_fun_vace_{}_noise_14B",
}


@pytest.fixture(params=MODELS, ids=lambda words: words[1])
def case(request) -> tuple[Case, str]:
    root, model, name = request.param
    return Case(model, name, root), MODELS[request.param]


def experts(checkpoint: Path) -> dict[str, dict[str, torch.Tensor]]:
    roots = {"high": checkpoint / "high_noise_model", "low": checkpoint / "low_noise_model", "dense": checkpoint}
    files = {name: sorted(root.glob(FILE)) for name, root in roots.items()}
    return {
        name: {k: v for path in paths for k, v in load_file(path).items()} for name, paths in files.items() if paths
    }


def others(checkpoint: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The networks beside the transformer, by the prefix that they have in a file of everything."""
    found = {
        "vae.": "Wan2.*_VAE.pth",
        "text_encoders.umt5xxl.transformer.": "models_t5*.pth",
        "clip_vision.": "*clip*.pth",
    }
    return {
        prefix: {name: data.clone() for name, data in torch.load(path).items()}
        for prefix, pattern in found.items()
        for path in checkpoint.glob(pattern)
    }


def beside(folder: Path, checkpoint: Path) -> Path:
    """What a folder of single files has besides: the tokenizer, and what no tensor of so small a model tells."""
    shutil.copy(checkpoint / "google/umt5-xxl/tokenizer.json", folder)
    config = json.loads(min(checkpoint.rglob("config.json")).read_text(encoding="utf-8"))
    own = checkpoint / "wan_previs.json"
    told = json.loads(own.read_text(encoding="utf-8")) if own.is_file() else {}
    told |= {"schema": "wan_previs.checkpoint/1", "transformer": {"num_heads": config["num_heads"]}}
    (folder / "wan_previs.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def single_files(folder: Path, checkpoint: Path, name: str, how: str) -> dict[str, dict[str, torch.Tensor]]:
    """Write them; returns the numbers that the experts' files stand for."""
    numbers = {}
    for expert, state in experts(checkpoint).items():
        stem = str(folder / name.format(expert))
        if how == "gguf":
            numbers[expert] = save_gguf(
                Path(f"{stem}.gguf"), "wan", {k: v.float() for k, v in state.items()}, "Q8_0", drop_axes=True
            )
            continue
        stored = to_fp8({k: v.float() for k, v in state.items()}, how)
        numbers[expert] = from_fp8(stored)
        save_file({k: v.contiguous() for k, v in stored.items()}, f"{stem}.safetensors")
    for prefix, state in others(checkpoint).items():
        save_file(state, folder / f"{prefix.split('.')[0]}.safetensors")
    beside(folder, checkpoint)
    return numbers


def latents(case: Case, checkpoint: Path, folder: Path, **changes) -> torch.Tensor:
    asked = replace(case.request(), checkpoint=str(checkpoint), steps=2, latents="x.safetensors", **changes)
    load(checkpoint, loras=asked.loras).generate(asked, folder)
    return load_file(folder / "x.safetensors")["latents"]


@pytest.mark.parametrize("how", ["old", "new", "plain", "gguf"])
def test_files_of_fewer_bits_hold_the_numbers_they_stand_for(how, case, tmp_path):
    (asked, name), folder = case, tmp_path / "files"
    folder.mkdir()
    numbers = single_files(folder, asked.checkpoint, name, how)
    opened = open_checkpoint(folder)
    opened.verify()
    assert opened.model.title == open_checkpoint(asked.checkpoint).model.title
    assert set(opened.experts) == set(numbers)
    for expert, file in opened.experts.items():
        got = {key: data.float() for key, data in file.tensors()}
        assert got.keys() == numbers[expert].keys()
        for key, want in numbers[expert].items():
            assert got[key].shape == want.shape and torch.allclose(got[key], want.float(), rtol=1e-6, atol=0), key
    if how == "gguf":
        want = latents(asked, asked.checkpoint, tmp_path)
        assert 0 < (latents(asked, folder, tmp_path) - want).abs().mean() < 0.1 * want.std()


def test_everything_in_one_file_makes_the_same_clip(case, tmp_path):
    """Of two experts each in a file of its own, one with the other networks."""
    (asked, name), folder = case, tmp_path / "files"
    folder.mkdir()
    more = {f"{prefix}{key}": data for prefix, state in others(asked.checkpoint).items() for key, data in state.items()}
    for number, (expert, state) in enumerate(experts(asked.checkpoint).items()):
        held = {f"model.diffusion_model.{key}": data.contiguous() for key, data in state.items()}
        save_file(held if number else held | more, folder / f"{name.format(expert)}_aio.safetensors")
    beside(folder, asked.checkpoint)
    assert torch.equal(latents(asked, folder, tmp_path), latents(asked, asked.checkpoint, tmp_path))


@pytest.mark.parametrize(
    "spelled",
    [
        lambda layer: f"diffusion_model.{layer}",
        lambda layer: f"lora_unet__{layer.replace('.', '_')}",
        lambda layer: f"transformer.{layer.replace('self_attn.q', 'attn1.to_q').replace('after_proj', 'proj_out')}",
    ],
    ids=["comfyui", "fun", "diffusers"],
)
def test_a_lora_of_the_control_branch_changes_it(spelled, tmp_path):
    """As much as the same change of the weights themselves."""
    case = Case("Wan2.1-VACE-1.3B", "masked_soft", "vace/")
    state = experts(case.checkpoint)["dense"]
    generator, lora = torch.Generator().manual_seed(1), {}
    for layer in ("vace_blocks.0.self_attn.q", "vace_blocks.1.after_proj"):
        rows, columns = state[f"{layer}.weight"].shape
        down, up = torch.randn(2, columns, generator=generator), torch.randn(rows, 2, generator=generator)
        lora |= {f"{spelled(layer)}.lora_down.weight": down, f"{spelled(layer)}.lora_up.weight": up}
        state[f"{layer}.weight"] = state[f"{layer}.weight"] + 0.5 * up @ down
    save_file(lora, tmp_path / "lora.safetensors")
    changed = shutil.copytree(case.checkpoint, tmp_path / "changed")
    (changed / "diffusion_pytorch_model.safetensors").unlink()
    save_file(
        {name: data.contiguous() for name, data in state.items()}, changed / "diffusion_pytorch_model.safetensors"
    )
    got = latents(case, case.checkpoint, tmp_path, loras=(Lora(str(tmp_path / "lora.safetensors"), 0.5),))
    want = latents(case, changed, tmp_path)
    assert (got - want).abs().max() < 1e-4 < (want - latents(case, case.checkpoint, tmp_path)).abs().max()
