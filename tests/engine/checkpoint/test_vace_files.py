# SPDX-License-Identifier: GPL-3.0-or-later
"""VACE checkpoints in every layout that people have, and what is missing of them, told by headers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import golden
import pytest
import torch
from cases import Case
from safetensors.torch import load_file, save_file
from saved import save_gguf, to_fp8

from wan_engine.checkpoint import models
from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.cli import main
from wan_engine.commands.inspect import describe
from wan_engine.errors import CheckpointError
from wan_engine.pipeline import load
from wan_engine.runtime.memory_plan import MemorySettings, plan_memory

SMALL, PAIR = ("vace/fullstack/Wan2.1-VACE-1.3B/checkpoint", "vace/fullstack/Wan2.2-VACE-Fun-A14B/checkpoint")
FILE = "diffusion_pytorch_model.safetensors"
RULES = golden.REPOSITORY.parent / "shared" / "facts" / "manifests" / "mapping_rules_vace_transformer.json"


def weights(checkpoint=SMALL, folder=""):
    return load_file(golden.path(checkpoint) / folder / FILE)


def branch(state):
    return {name: data for name, data in state.items() if name.startswith("vace_")}


def text_model(state):
    return {name: data for name, data in state.items() if not name.startswith("vace_")}


def comfy(folder: Path, files: dict[str, dict[str, torch.Tensor]], checkpoint=SMALL) -> Path:
    """Single files beside the golden checkpoint's other parts."""
    source = golden.path(checkpoint)
    folder.mkdir(exist_ok=True)
    for name, state in files.items():
        save_file({key: data.contiguous() for key, data in state.items()}, folder / name)
    vae, text = (torch.load(source / name) for name in ("Wan2.1_VAE.pth", "models_t5_umt5-xxl-enc-bf16.pth"))
    save_file(dict(vae), folder / "wan_2.1_vae.safetensors")
    save_file({key: data.clone() for key, data in text.items()}, folder / "umt5_xxl_fp16.safetensors")
    shutil.copy(source / "google" / "umt5-xxl" / "tokenizer.json", folder)
    heads = json.loads(next(iter(sorted(source.rglob("config.json")))).read_text())["num_heads"]
    told = {"schema": "wan_previs.checkpoint/1", "transformer": {"num_heads": heads}}
    (folder / "wan_previs.json").write_text(json.dumps(told))
    return folder


def latents(checkpoint: Path, folder: Path, model="Wan2.1-VACE-1.3B", name="control_reference", **changes):
    """Of a golden case run on another checkpoint, and those of the original."""
    case = Case(model, name, "vace/")
    case.checkpoint = checkpoint
    folder.mkdir(exist_ok=True)
    assert main(case.command(folder)) == 0
    return load_file(folder / "latents.safetensors")["latents"], case.want["latents"]


def test_original_folders_are_told():
    found = {path: open_checkpoint(golden.path(path)).model for path in (SMALL, PAIR)}
    assert found[SMALL].title == models.VACE_1_3B_V21.title
    assert found[PAIR].title == models.VACE_FUN_A14B.title
    assert (found[SMALL].shift, found[SMALL].steps, found[SMALL].guide) == (16.0, 50, (5.0, 5.0))
    assert (found[PAIR].shift, found[PAIR].boundary, found[PAIR].guide) == (12.0, 0.875, (5.0, 5.0))


def test_a_diffusers_folder_makes_the_same_clip(tmp_path):
    if not RULES.exists():
        pytest.skip("the manifests are not beside the checkout")
    rules, source = json.loads(RULES.read_text()), golden.path(SMALL)
    theirs = {}
    for name, data in weights().items():
        parts = name.split(".")
        numbered = "blocks" in parts[0]
        rule = rules[".".join([parts[0], "{i}", *parts[2:]]) if numbered else name]
        theirs[rule.replace("{i}", parts[1]) if numbered else rule] = data.contiguous()
    folder = tmp_path / "diffusers"
    for part in ("transformer", "vae", "text_encoder", "tokenizer"):
        (folder / part).mkdir(parents=True)
    save_file(theirs, folder / "transformer" / FILE)
    config = json.loads((source / "config.json").read_text())
    told = {"num_attention_heads": config["num_heads"], "vace_layers": config["vace_layers"], "vace_in_channels": 96}
    (folder / "transformer" / "config.json").write_text(json.dumps(told))
    save_file(dict(torch.load(source / "Wan2.1_VAE.pth")), folder / "vae" / FILE)
    text = torch.load(source / "models_t5_umt5-xxl-enc-bf16.pth")
    save_file({key: data.clone() for key, data in text.items()}, folder / "text_encoder" / "model.safetensors")
    shutil.copy(source / "google" / "umt5-xxl" / "tokenizer.json", folder / "tokenizer")
    golden.assert_close(*latents(folder, tmp_path / "out"), 3e-4, 3e-4)


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_a_single_file_makes_the_same_clip(prefix, tmp_path):
    state = {prefix + name: data for name, data in weights().items()}
    folder = comfy(tmp_path / "files", {"wan2.1_vace_1.3B_fp16.safetensors": state})
    golden.assert_close(*latents(folder, tmp_path / "out"), 3e-4, 3e-4)


@pytest.mark.parametrize("stored", ["bfloat16", "float16", "fp8", "gguf"])
def test_files_of_fewer_bits_are_read(stored, tmp_path):
    state = weights()
    if stored == "gguf":
        folder = comfy(tmp_path / "files", {})
        save_gguf(folder / "wan2.1_vace_1.3B_Q8_0.gguf", "wan", state, "F16", drop_axes=True)
    else:
        kind = None if stored == "fp8" else getattr(torch, stored)
        fewer = to_fp8(state, "old") if kind is None else {name: data.to(kind) for name, data in state.items()}
        folder = comfy(tmp_path / "files", {"wan2.1_vace_1.3B.safetensors": fewer})
    assert open_checkpoint(folder).model.title == models.VACE_1_3B_V21.title
    got, want = latents(folder, tmp_path / "out")
    assert (got - want).abs().max() > 0 and (got - want).abs().mean() < 0.2 * want.std()


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_a_module_is_laid_over_a_text_model(prefix, tmp_path):
    """Given the module's file, or the folder of both; the text model's file alone stands for itself."""
    state = weights()
    over = {prefix + name: data for name, data in text_model(state).items()}
    text, module = "Wan2_1-T2V-1_3B_bf16.safetensors", "Wan2_1-VACE_module_1_3B_bf16.safetensors"
    folder = comfy(tmp_path / "files", {text: over, module: branch(state)})
    golden.assert_close(*latents(folder / module, tmp_path / "module"), 3e-4, 3e-4)
    golden.assert_close(*latents(folder, tmp_path / "folder"), 3e-4, 3e-4)
    assert open_checkpoint(folder / text).model.title == models.T2V_1_3B_V21.title
    load(folder / module, offload="block")


def test_a_module_is_laid_over_both_experts(tmp_path):
    """One for each expert by name, or one for both."""
    states = {name: weights(PAIR, f"{name}_noise_model") for name in ("high", "low")}
    files = {f"wan2.2_t2v_{name}_noise_14B.safetensors": text_model(state) for name, state in states.items()}
    modules = {f"Wan2_2_Fun_VACE_module_A14B_{name.upper()}.safetensors": branch(s) for name, s in states.items()}
    folder = comfy(tmp_path / "files", {**files, **modules}, PAIR)
    assert open_checkpoint(folder).model.title == models.VACE_FUN_A14B.title
    got, want = latents(folder, tmp_path / "out", "Wan2.2-VACE-Fun-A14B")
    golden.assert_close(got, want, 3e-4, 3e-4)
    one = comfy(tmp_path / "one", {**files, "Wan2_1-VACE_module_14B.safetensors": branch(states["high"])}, PAIR)
    found = open_checkpoint(one)
    assert found.model.title == models.VACE_FUN_A14B.title
    names = [dict(file.tensors())["vace_blocks.0.after_proj.weight"] for file in found.experts.values()]
    assert torch.equal(*names)


def test_a_module_without_its_text_model_is_told(tmp_path):
    state, other = weights(), weights(PAIR, "low_noise_model")
    module = "Wan2_1-VACE_module_1_3B_bf16.safetensors"
    folder = comfy(tmp_path / "files", {module: branch(state), "wan2.1_t2v_14B.safetensors": text_model(other)})
    with pytest.raises(CheckpointError, match="VACE module, to be laid over a text model"):
        open_checkpoint(folder / module)
    save_file(branch(state), folder / "Wan2_1-VACE_other_1_3B.safetensors")
    with pytest.raises(CheckpointError, match="several VACE modules"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ("vace_patch_embedding", "holds a part of a control branch, but lacks vace_patch_embedding.weight"),
        ("vace_blocks.1.", "vace_layers|lacks the tensor"),
        ("vace_blocks.1.after_proj.bias", "lacks the tensor vace_blocks.1.after_proj.bias"),
        ("vace_blocks.", "part of a control branch, but lacks vace_blocks.0.before_proj.weight"),
    ],
)
def test_half_a_branch_is_refused_before_anything_is_read(gone, told, tmp_path, capsys):
    folder = shutil.copytree(golden.path(SMALL), tmp_path / "half")
    save_file({n: d.clone() for n, d in weights().items() if not n.startswith(gone)}, folder / FILE)
    with pytest.raises(CheckpointError, match=told):
        load(folder)
    words = ["generate", "--checkpoint", str(folder), "--prompt", "x", "--out", str(tmp_path / "x.mp4")]
    assert main(words) == CheckpointError.exit_status == 4


def test_inspect_and_memory_plan_know_the_branch():
    checkpoint = open_checkpoint(golden.path(SMALL))
    told = describe(golden.path(SMALL))
    assert "Wan2.1 VACE-1.3B" in told
    asked = MemorySettings((64, 48), 9, "float32", "none", guided=True)
    whole = _transformer(checkpoint, asked)
    streamed = _transformer(checkpoint, MemorySettings((64, 48), 9, "float32", "block", guided=True))
    file = checkpoint.experts["dense"]
    kept = checkpoint.text_encoder.parameters + checkpoint.vae.parameters
    assert whole.weights == 4 * (file.parameters + kept)
    outside = sum(
        torch.Size(s).numel() for n, s in file.shapes.items() if not n.startswith(("blocks.", "vace_blocks."))
    )
    largest = sum(torch.Size(s).numel() for n, s in file.shapes.items() if n.startswith("vace_blocks.0."))
    assert streamed.weights == 4 * (outside + 2 * largest)
    more = _transformer(checkpoint, MemorySettings((64, 48), 9, "float32", "none", guided=True, lead=3))
    assert more.activations > whole.activations
    assert "picture" in [part.name for part in plan_memory(checkpoint, asked).parts]


def _transformer(checkpoint, settings):
    return next(part for part in plan_memory(checkpoint, settings).parts if part.name == "transformer")
