# SPDX-License-Identifier: GPL-3.0-or-later
"""The same tiny weights in every layout give equal outputs; Diffusers' own networks say which these are."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import golden
import numpy as np
import pytest
import saved
import torch
from safetensors.torch import load_file, save_file

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.checkpoint.summary import outline
from wan_engine.cli import main
from wan_engine.errors import CheckpointError
from wan_engine.inputs.prompt_tokens import PromptTokenizer
from wan_engine.weights.weight_file import WeightFile

IDS = torch.tensor([[5, 7, 300, 12, 1]])
T2V_INDEX = {"_class_name": "WanPipeline", "boundary_ratio": 0.875, "transformer_2": ["diffusers", "X"]}
GIVEN = torch.Generator().manual_seed(7)
NOISE = torch.randn(1, 36, 2, 4, 6, generator=GIVEN)
TEXT = torch.randn(5, 32, generator=GIVEN)
PICTURE = torch.randn(3, 50, 70, generator=GIVEN).clamp(-1, 1)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A Diffusers folder of a two-expert text model, and the networks it was saved from."""
    torch.manual_seed(1)
    experts = [saved.diffusers_transformer(), saved.diffusers_transformer()]
    with torch.no_grad():
        experts[1].proj_out.weight.mul_(-1)
    parts = (experts, saved.diffusers_vae(), saved.transformers_text_encoder())
    folder = saved.save_diffusers(tmp_path_factory.mktemp("two") / "Wan2.2-T2V-A14B", *parts, index=T2V_INDEX)
    return folder, parts


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A Diffusers folder of a 2.1 image model."""
    expert = saved.diffusers_transformer((36, 16), pictures=1)
    parts = ([expert], saved.diffusers_vae(), saved.transformers_text_encoder(), saved.transformers_clip())
    index = {"_class_name": "WanImageToVideoPipeline", "transformer_2": [None, None], "boundary_ratio": None}
    return saved.save_diffusers(tmp_path_factory.mktemp("i2v") / "Wan2.1-I2V", *parts, index=index), parts


@torch.inference_mode()
def outputs(folder):
    """What every network of a checkpoint makes of the same input."""
    checkpoint = open_checkpoint(folder)
    checkpoint.verify()
    made = {}
    clip = None
    if checkpoint.clip is not None:
        vision = checkpoint.load_clip("cpu")
        clip = made["clip"] = vision(vision.prepare(PICTURE)[None])
    for name in checkpoint.experts:
        network = checkpoint.load_transformer(name, torch.float32, "cpu")
        context = network.embed_text([TEXT], clip)
        made[name] = network(NOISE[:, : checkpoint.config.in_dim], torch.tensor([650.0]), context)
    made["text"] = checkpoint.load_text_encoder(torch.float32, "cpu")(IDS)
    made["vae"] = checkpoint.load_vae("cpu").decode(NOISE[:, :16])
    made["ids"] = torch.tensor(PromptTokenizer(checkpoint.tokenizer)("A red fox, 日落。"))
    return made


def assert_equal(got, want):
    assert got.keys() == want.keys()
    for name, data in want.items():
        assert torch.equal(got[name], data), f"{name}: off by {(got[name] - data).abs().max():.3g}"


@torch.inference_mode()
def test_diffusers_and_transformers_compute_the_same(two):
    folder, (experts, vae, text) = two
    made = outputs(folder)
    embedded = torch.nn.functional.pad(TEXT, (0, 0, 0, 507))[None]
    for name, expert in zip(("high", "low"), experts, strict=True):
        want = expert(NOISE[:, :16], torch.tensor([650.0]), embedded).sample
        golden.assert_close(made[name], want, 1e-4, 1e-4, name)
    assert (made["high"] - made["low"]).abs().max() > 0.1
    golden.assert_close(made["text"], text(IDS).last_hidden_state, 1e-5, 1e-5, "text")
    mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1)
    std = torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1)
    want = vae.decode(NOISE[:, :16] * std + mean).sample
    golden.assert_close(made["vae"].clamp(-1, 1), want, 1e-4, 1e-4, "vae")


@torch.inference_mode()
@pytest.mark.parametrize("count", [1, 2])
def test_picture_models_compute_the_same(pictures, count, tmp_path):
    folder, (experts, vae, text, clip) = pictures
    if count == 2:
        experts = [saved.diffusers_transformer((36, 16), pictures=2)]
        folder = saved.save_diffusers(tmp_path / "flf", experts, vae, text, clip)
    checkpoint = open_checkpoint(folder)
    assert checkpoint.model.clip_pictures == count
    vision = checkpoint.load_clip("cpu")
    pixels = torch.stack([vision.prepare(PICTURE), vision.prepare(PICTURE.flip(2))][:count])
    features = clip(pixels, output_hidden_states=True).hidden_states[-2]
    golden.assert_close(vision(pixels), features, 1e-4, 1e-4, "clip")
    network = checkpoint.load_transformer("dense", torch.float32, "cpu")
    got = network(NOISE, torch.tensor([650.0]), network.embed_text([TEXT], features.flatten(0, 1)[None]))
    embedded = torch.nn.functional.pad(TEXT, (0, 0, 0, 507))[None]
    want = experts[0](NOISE, torch.tensor([650.0]), embedded, features).sample
    golden.assert_close(got, want, 1e-4, 1e-4, "transformer")


def test_facts_of_a_diffusers_folder(two, pictures):
    checkpoint = open_checkpoint(two[0])
    assert checkpoint.layout == "Diffusers folder, F32"
    assert (checkpoint.model.title, checkpoint.model.shift, checkpoint.model.boundary) == ("Wan2.2 T2V-A14B", 12, 0.875)
    assert outline(two[0]).title == "Wan2.2 T2V-A14B"
    image = open_checkpoint(pictures[0])
    assert image.model.title == outline(pictures[0]).title == "Wan2.1 I2V-14B"
    assert image.clip_heads == 3


def test_diffusers_boundary_counts(two, tmp_path):
    folder = shutil.copytree(two[0], tmp_path / "copy")
    (folder / "model_index.json").write_text(json.dumps({**T2V_INDEX, "boundary_ratio": 0.9}))
    assert open_checkpoint(folder).model.boundary == 0.9
    shutil.rmtree(folder / "transformer_2")
    with pytest.raises(CheckpointError, match="transformer_2"):
        open_checkpoint(folder)


def test_sharded_diffusers_folder(two, tmp_path):
    folder, (experts, vae, text) = two
    sharded = saved.save_diffusers(tmp_path / "sharded", experts, vae, text, shard="100KB")
    assert len(list((sharded / "transformer").glob("*-of-*.safetensors"))) > 2
    assert (sharded / "text_encoder/model.safetensors.index.json").is_file()
    assert_equal(outputs(sharded), outputs(folder))


@pytest.mark.parametrize("how", ["safetensors", "shards", "pth"])
def test_original_folders(two, how, tmp_path):
    checkpoint = open_checkpoint(two[0])
    folder = saved.save_original(tmp_path, saved.states(checkpoint), saved.settings(checkpoint), how=how)
    assert open_checkpoint(folder).layout.startswith("original folder, F32")
    assert_equal(outputs(folder), outputs(two[0]))


def test_original_and_comfy_folder_of_a_picture_model(pictures, tmp_path):
    folder, (_, _, text, clip) = pictures
    checkpoint = open_checkpoint(folder)
    parts = saved.states(checkpoint)
    original = saved.save_original(tmp_path / "original", parts, saved.settings(checkpoint))
    (original / "wan_previs.json").write_text('{"schema": "wan_previs.checkpoint/1", "clip": {"num_heads": 3}}')
    assert_equal(outputs(original), outputs(folder))
    parts["clip"] = {f"vision_model.{name}": data for name, data in clip.state_dict().items()}
    parts["clip"]["visual_projection.weight"] = torch.ones(4, 48)
    comfy = saved.save_comfy(tmp_path / "comfy", parts, text.state_dict())
    shutil.copy(golden.path(saved.TOKENIZER), comfy)
    assert_equal(outputs(comfy), outputs(folder))
    assert open_checkpoint(comfy).model.title == outline(comfy).title == "Wan2.1 I2V-14B"


@pytest.fixture
def plain(two, tmp_path):
    """Saves weights the plain way, for outputs to compare with."""

    def save(parts):
        config = saved.settings(open_checkpoint(two[0]))
        return outputs(saved.save_original(tmp_path / "plain", parts, config))

    return save


def text_names(state, folder):
    """A text encoder's state in transformers' names, as in the published files read back under the published ones."""
    save_file(saved._contiguous(state), folder / "text.safetensors")
    return dict(WeightFile.open(folder / "text.safetensors", "text").tensors())


@pytest.mark.parametrize("subfolders", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_comfy_files_of_16_bits(two, plain, dtype, subfolders, tmp_path):
    folder, (_, _, text) = two
    parts = {
        name: {key: data.to(dtype) for key, data in state.items()} if name != "vae" else state
        for name, state in saved.states(open_checkpoint(folder)).items()
    }
    half = {key: data.to(dtype) for key, data in text.state_dict().items()}
    prefix = "model.diffusion_model." if subfolders else ""
    comfy = saved.save_comfy(tmp_path / "comfy", parts, half, subfolders=subfolders, prefix=prefix)
    shutil.copy(golden.path(saved.TOKENIZER), comfy)
    assert_equal(
        outputs(comfy), plain({name: {k: d.float() for k, d in state.items()} for name, state in parts.items()})
    )
    checkpoint = open_checkpoint(comfy)
    assert checkpoint.layout == f"ComfyUI files, {'F16' if dtype == torch.float16 else 'BF16'}"
    assert outline(comfy).title == checkpoint.model.title == "Wan2.2 T2V-A14B"
    file = next((comfy / "diffusion_models" if subfolders else comfy).glob("*high*"))
    assert open_checkpoint(file).experts["high"].label == str(file)


@pytest.mark.parametrize("dialect", ["old", "new", "plain"])
def test_comfy_files_of_8_bits(two, plain, dialect, tmp_path):
    folder, (_, _, text) = two
    parts = saved.states(open_checkpoint(folder))
    comfy = saved.save_comfy(
        tmp_path / "comfy", parts, text.state_dict(), word="fp8", convert=lambda state: saved.to_fp8(state, dialect)
    )
    shutil.copy(golden.path(saved.TOKENIZER), comfy)
    numbers = {name: saved.from_fp8(saved.to_fp8(parts[name], dialect)) for name in ("high", "low")}
    encoder = saved.from_fp8(saved.to_fp8(text.state_dict(), dialect))
    assert_equal(outputs(comfy), plain({**parts, **numbers, "text": text_names(encoder, tmp_path)}))
    checkpoint = open_checkpoint(comfy)
    assert all("scale" not in name for name in checkpoint.experts["high"].shapes)
    assert ("scaled" in checkpoint.layout) == (dialect != "plain")


LLAMA = {
    "shared.": "token_embd.",
    "encoder.final_layer_norm.": "enc.output_norm.",
    "encoder.block.": "enc.blk.",
    "layer.0.SelfAttention.relative_attention_bias": "attn_rel_b",
    "layer.0.SelfAttention.": "attn_",
    "layer.0.layer_norm": "attn_norm",
    "layer.1.layer_norm": "ffn_norm",
    "layer.1.DenseReluDense.wi_0": "ffn_gate",
    "layer.1.DenseReluDense.wi_1": "ffn_up",
    "layer.1.DenseReluDense.wo": "ffn_down",
}


def llama_names(state):
    out = {}
    for name, data in state.items():
        for theirs, ours in LLAMA.items():
            name = name.replace(theirs, ours)
        if not name.startswith("encoder."):  # the tied copy
            out[name] = data
    return out


@pytest.mark.parametrize("drop_axes", [False, True])
@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0"])
def test_gguf_files(two, plain, kind, drop_axes, tmp_path):
    folder, (_, _, text) = two
    parts = saved.states(open_checkpoint(folder))
    names = {"high": f"Wan2.2-T2V-A14B-HighNoise-{kind}.gguf", "low": f"Wan2.2-T2V-A14B-LowNoise-{kind}.gguf"}
    comfy = tmp_path / "gguf"
    comfy.mkdir()
    numbers = {name: saved.save_gguf(comfy / file, "wan", parts[name], kind, drop_axes) for name, file in names.items()}
    encoder = llama_names(text.state_dict())
    read = saved.save_gguf(comfy / f"umt5-xxl-encoder-{kind}.gguf", "t5encoder", encoder, kind)
    back = {llama: name for name, llama in zip(text_names_in_order(text), encoder, strict=True)}
    numbers["text"] = text_names({back[name]: data for name, data in read.items()}, tmp_path)
    save_file(saved._contiguous(parts["vae"]), comfy / "Wan2.1_VAE.safetensors")
    (comfy / "config.json").write_text(json.dumps({"num_heads": 2}))
    shutil.copy(golden.path(saved.TOKENIZER), comfy)
    assert_equal(outputs(comfy), plain({**parts, **numbers}))
    assert open_checkpoint(comfy).layout == f"ComfyUI files, {kind}"
    assert outline(comfy).title == "Wan2.2 T2V-A14B"


@pytest.mark.parametrize("kind", ["Q4_K", "Q6_K", "Q5_0"])
def test_gguf_blocks_are_unpacked_as_the_gguf_package_does(kind, tmp_path):
    """Random blocks, more of them than are unpacked at a time; rows alone are the same rows."""
    import gguf

    qtype = gguf.GGMLQuantizationType[kind]
    per_block, size = gguf.GGML_QUANT_SIZES[qtype]
    packed = np.random.default_rng(3).integers(0, 60, (5000, 512 // per_block * size), dtype=np.uint8)
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "wan")
    writer.add_array("comfy.gguf.orig_shape.folded", [1250, 4, 512])
    for name in ("plain", "folded"):
        writer.add_tensor(name, packed, raw_dtype=qtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    file = WeightFile.open(tmp_path / "m.gguf")
    want = torch.from_numpy(gguf.dequantize(packed, qtype))
    assert file.shapes == {"plain": (5000, 512), "folded": (1250, 4, 512)}
    assert torch.equal(file.read("plain"), want)
    assert torch.equal(file.read("folded"), want.view(1250, 4, 512))
    assert torch.equal(file.rows("plain", torch.tensor([4999, 3, 3])), want[[4999, 3, 3]])
    data = (tmp_path / "m.gguf").read_bytes()
    for keep in (len(data) // 2, 100, 30):
        (tmp_path / "m.gguf").write_bytes(data[:keep])
        with pytest.raises(CheckpointError, match=r"m\.gguf"):
            WeightFile.open(tmp_path / "m.gguf")


def text_names_in_order(text):
    return [name for name in text.state_dict() if "embed_tokens" not in name]


def test_several_models_in_one_folder(two, tmp_path):
    parts = saved.states(open_checkpoint(two[0]))
    comfy = saved.save_comfy(tmp_path, parts, two[1][2].state_dict())
    shutil.copy(golden.path(saved.TOKENIZER), comfy)
    save_file(saved._contiguous(parts["high"]), comfy / "wan2.1_t2v_14B_fp16.safetensors")
    with pytest.raises(CheckpointError, match=r"several models.*give the path"):
        open_checkpoint(comfy)
    dense = open_checkpoint(comfy / "wan2.1_t2v_14B_fp16.safetensors")
    assert list(dense.experts) == ["dense"]
    (comfy / "wan2.2_t2v_low_noise_14B_fp16.safetensors").unlink()
    with pytest.raises(CheckpointError, match="low-noise partner"):
        open_checkpoint(comfy / "wan2.2_t2v_high_noise_14B_fp16.safetensors")


@pytest.mark.parametrize(
    ("gone", "told"), [("*vae*", "autoencoder"), ("umt5*", "UMT5 text encoder"), ("tokenizer.json", "tokenizer.json")]
)
def test_missing_single_files_are_named(two, gone, told, tmp_path):
    comfy = saved.save_comfy(tmp_path, saved.states(open_checkpoint(two[0])), two[1][2].state_dict())
    shutil.copy(golden.path(saved.TOKENIZER), comfy)
    next(comfy.glob(gone)).unlink()
    with pytest.raises(CheckpointError, match=told):
        open_checkpoint(comfy)


def test_other_text_encoders_loras_and_the_wrong_autoencoder_are_passed_over(two, tmp_path):
    text = two[1][2].state_dict()
    comfy = saved.save_comfy(tmp_path, saved.states(open_checkpoint(two[0])), text)
    shutil.copy(golden.path(saved.TOKENIZER), comfy)
    bias = "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight"
    larger = {name: torch.cat([data, data]) for name, data in text.items() if name != bias}
    save_file(saved._contiguous(larger), comfy / "t5xxl_fp16.safetensors")
    save_file({"blocks.0.self_attn.q.lora_down.weight": torch.ones(4, 64)}, comfy / "lora.safetensors")
    wide = {"encoder.conv1.weight": torch.ones(9, 12, 3, 3, 3), "conv2.weight": torch.ones(48, 48, 1, 1, 1)}
    save_file({**wide, "more": torch.ones(9_000_000)}, comfy / "wan2.2_vae.safetensors")
    checkpoint = open_checkpoint(comfy)
    checkpoint.verify()
    assert checkpoint.vae.label.endswith("wan_2.1_vae.safetensors")
    assert checkpoint.text_encoder.label.endswith("umt5_xxl_fp16.safetensors")


def test_heads_that_nothing_tells(two, tmp_path):
    comfy = saved.save_comfy(tmp_path, saved.states(open_checkpoint(two[0])), two[1][2].state_dict())
    shutil.copy(golden.path(saved.TOKENIZER), comfy)
    (comfy / "wan_previs.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json beside"):
        open_checkpoint(comfy)


def test_unknown_formats_and_lost_scales(two, tmp_path):
    high = saved.states(open_checkpoint(two[0]))["high"]
    state = saved._contiguous(saved.to_fp8(high, "new"))
    path = tmp_path / "m.safetensors"
    name = "blocks.0.self_attn.q"
    described = torch.frombuffer(bytearray(b'{"format": "nvfp4"}'), dtype=torch.uint8)
    save_file({**state, f"{name}.comfy_quant": described}, path)
    with pytest.raises(CheckpointError, match=f"{name} is stored as nvfp4"):
        WeightFile.open(path, "transformer")
    save_file({**state, f"{name}.weight_scale": torch.ones(5)}, path)
    with pytest.raises(CheckpointError, match=rf"{name}\.weight_scale has shape \[5\]"):
        WeightFile.open(path, "transformer")
    del state[f"{name}.weight"]
    save_file(state, path)
    with pytest.raises(CheckpointError, match=rf"without {name}\.weight"):
        WeightFile.open(path, "transformer")


@pytest.mark.parametrize("gone", ["one", "all", "all but those of activations"])
@pytest.mark.parametrize("dialect", ["old", "new"])
@pytest.mark.parametrize(
    ("part", "prefix"), [("transformer", ""), ("transformer", "model.diffusion_model."), ("text", "")]
)
def test_scaled_weights_without_their_scale_are_refused(part, prefix, dialect, gone, two, tmp_path):
    """Taken as they are they would be some hundred times too large."""
    plain = two[1][2].state_dict() if part == "text" else saved.states(open_checkpoint(two[0]))["high"]
    state = {prefix + name: data for name, data in saved.to_fp8(plain, dialect).items()}
    scales = [name for name in state if name.endswith((".scale_weight", ".weight_scale"))]
    weights = [f"{name.rpartition('.')[0]}.weight" for name in scales]
    for name in scales[3:4] if gone == "one" else scales:
        del state[name]
    if gone == "all but those of activations":
        state = {name: data for name, data in state.items() if "comfy_quant" not in name and "scaled_fp8" not in name}
        ending = "scale_input" if dialect == "old" else "input_scale"
        state[f"{weights[3].removesuffix('weight')}{ending}"] = torch.ones(())
    save_file(saved._contiguous(state), tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="lacks the scale of") as error:
        WeightFile.open(tmp_path / "m.safetensors", part)
    told = str(error.value)
    assert (
        any(f"of {name}" in told for name in (weights[3:4] if gone == "one" else weights))
        and "download it again" in told
    )


def test_scaled_weights_that_nothing_tells_are_known_by_their_range(two, tmp_path):
    high = saved.states(open_checkpoint(two[0]))["high"]
    state = saved.to_fp8(high, "old")
    state = {name: data for name, data in state.items() if not name.endswith(("scale_weight", "scaled_fp8"))}
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        eight = {
            name: data if data.dtype == torch.float32 else (data.float() * torch.finfo(dtype).max / 448).to(dtype)
            for name, data in state.items()
        }
        save_file(saved._contiguous(eight), tmp_path / "m.safetensors")
        file = WeightFile.open(tmp_path / "m.safetensors", "transformer")
        with pytest.raises(CheckpointError, match=r"lacks the scale of blocks\.\d\."):
            list(file.tensors())
        save_file(saved._contiguous({n: d.to(dtype) for n, d in high.items()}), tmp_path / "m.safetensors")
        plain = dict(WeightFile.open(tmp_path / "m.safetensors", "transformer").tensors())
        assert all(torch.equal(plain[name], data.to(dtype).float()) for name, data in high.items())


@pytest.mark.parametrize("dialect", ["old", "new"])
def test_scales_that_make_no_weights_are_refused(dialect, two, tmp_path):
    state = saved.to_fp8(saved.states(open_checkpoint(two[0]))["high"], dialect)
    name = next(name for name in state if name.endswith((".scale_weight", ".weight_scale")))
    path = tmp_path / "m.safetensors"
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        save_file(saved._contiguous({**state, name: torch.full_like(state[name], wrong)}), path)
        with pytest.raises(CheckpointError, match=r"the scale of .* makes no weights"):
            list(WeightFile.open(path, "transformer").tensors())
    weight = f"{name.rpartition('.')[0]}.weight"
    empty = {weight: torch.zeros_like(state[weight]), name: torch.zeros_like(state[name])}
    save_file(saved._contiguous({**state, **empty}), path)
    assert not WeightFile.open(path, "transformer").read(weight).any()


def test_norms_and_biases_of_8_bits_need_no_scale(two, tmp_path):
    high = saved.states(open_checkpoint(two[0]))["high"]
    state = saved.to_fp8(high, "old")
    state |= {name: data.to(torch.float8_e4m3fn) for name, data in high.items() if data.dim() == 1}
    save_file(saved._contiguous(state), tmp_path / "m.safetensors")
    read = dict(WeightFile.open(tmp_path / "m.safetensors", "transformer").tensors())
    want = saved.from_fp8(state)
    assert all(torch.equal(read[name].float(), want[name].float()) for name in high)


def test_scales_per_row_and_rows_of_8_bits(tmp_path):
    data = torch.randn(6, 8).to(torch.float8_e4m3fn)
    scale = torch.rand(6, 1) + 0.5
    save_file({"a.weight": data, "a.weight_scale": scale}, tmp_path / "m.safetensors")
    file = WeightFile.open(tmp_path / "m.safetensors")
    assert torch.equal(file.read("a.weight"), data.float() * scale)
    assert torch.equal(file.rows("a.weight", torch.tensor([4, 0, 4])), (data.float() * scale)[[4, 0, 4]])


def test_prefix_and_tied_copies(two, tmp_path):
    state = two[1][2].state_dict()
    assert "encoder.embed_tokens.weight" in state
    prefixed = {f"text_encoders.umt5xxl.transformer.{name}": data for name, data in state.items()}
    save_file(saved._contiguous(prefixed), tmp_path / "m.safetensors")
    file = WeightFile.open(tmp_path / "m.safetensors", "text")
    assert torch.equal(file.read("token_embedding.weight"), state["shared.weight"])
    assert len(file.shapes) == len(load_file(tmp_path / "m.safetensors")) - 1


@pytest.mark.parametrize("model", ["Wan2.2-T2V-A14B", "Wan2.1-I2V-14B"])
def test_the_command_line_makes_the_original_clip_from_single_files(model, tmp_path, capsys):
    folder = golden.path(f"fullstack/{model}/checkpoint")
    case = golden.path(f"fullstack/{model}/cases/en")
    checkpoint = open_checkpoint(folder)
    parts = saved.states(checkpoint)
    comfy = saved.save_comfy(tmp_path, parts, parts.pop("text"), subfolders=True, prefix="model.diffusion_model.")
    shutil.copy(folder / "google/umt5-xxl/tokenizer.json", comfy / "text_encoders")
    heads = {"transformer": {"num_heads": checkpoint.config.num_heads}, "clip": {"num_heads": 2}}
    (comfy / "wan_previs.json").write_text(json.dumps({"schema": "wan_previs.checkpoint/1", **heads}))
    asked = json.loads((case / "request.json").read_text(encoding="utf-8"))
    size, guide = asked.get("size") or [asked["max_area"], 1], asked["guide_scale"]
    words = ["--prompt", asked["prompt"], "--size", "x".join(map(str, size)), "--frames", str(asked["frame_num"])]
    words += ["--steps", str(asked["sampling_steps"]), "--shift", str(asked["shift"]), "--seed", str(asked["seed"])]
    words += ["--solver", asked["solver"], "--guide", ",".join(map(str, guide if isinstance(guide, list) else [guide]))]
    words += ["--image", str(case / asked["image"])] if "image" in asked else []
    words += ["--latents", str(tmp_path / "latents.safetensors"), "--out", str(tmp_path / "clip.mp4")]
    assert main(["generate", "--checkpoint", str(comfy), *words]) == 0, capsys.readouterr().err
    want = load_file(case / "expected.safetensors")["latents"]
    golden.assert_close(load_file(tmp_path / "latents.safetensors")["latents"], want, 3e-4, 3e-4)


def test_a_place_that_the_system_does_not_let_us_see_is_told_in_words(tmp_path, monkeypatch):
    with pytest.raises(CheckpointError, match="does not exist"):
        outline(tmp_path / ("x" * 300))

    (tmp_path / "models--Wan-AI--Wan2.2" / "snapshots").mkdir(parents=True)

    def unreadable(self):
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected", str(self))

    monkeypatch.setattr(Path, "iterdir", unreadable)
    with pytest.raises(CheckpointError, match=r"cannot be read \(Transport endpoint is not connected\); check the"):
        outline(tmp_path / "models--Wan-AI--Wan2.2")


@pytest.mark.parametrize("model", ["TI2V-5B", "I2V-A14B"])
def test_of_both_autoencoders_in_a_folder_the_models_own_is_taken(tmp_path, model):
    folders = [golden.path(f"fullstack/Wan2.2-{name}/checkpoint") for name in ("TI2V-5B", "I2V-A14B")]
    folder = tmp_path / "checkpoint"
    shutil.copytree(golden.path(f"fullstack/Wan2.2-{model}/checkpoint"), folder)
    (own,) = folder.glob("*VAE.pth")
    for other in folders:
        for path in other.glob("*VAE.pth"):
            shutil.copy(path, folder)
    checkpoint = open_checkpoint(folder)
    checkpoint.verify()
    assert checkpoint.vae.label == str(own)
    for path in folder.glob("*VAE.pth"):
        if path != own:
            path.write_bytes(b"cut")
    open_checkpoint(folder).verify()
