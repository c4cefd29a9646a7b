# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a folder are a checkpoint: told by tensors, and experts by names; engine and outline agree."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import struct
import sys

import golden
import pytest
import saved
import torch
from safetensors.torch import save_file

from wan_engine.checkpoint import models
from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.checkpoint.layout import RECORD
from wan_engine.checkpoint.summary import outline
from wan_engine.commands.inspect import describe
from wan_engine.errors import CheckpointError
from wan_engine.expert_names import expert_of
from wan_engine.weights.contents import read_contents

HEADS = {"schema": "wan_previs.checkpoint/1", "transformer": {"num_heads": 2}, "clip": {"num_heads": 3}}
WIDE_VAE = {"encoder.conv1.weight": torch.ones(9, 12, 3, 3, 3), "conv2.weight": torch.ones(48, 48, 1, 1, 1)}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return saved.published_parts(tmp_path_factory.mktemp("parts"))


def save(state, path, kind="float32"):
    """A state as the path's ending says, in the precision `kind`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gguf":
        saved.save_gguf(path, "wan", state, kind if kind != "float32" else "F16")
    elif path.suffix in (".pth", ".pt", ".bin"):
        torch.save(state, path)
    elif kind == "fp8":
        save_file(saved._contiguous(saved.to_fp8(state, "old")), path)
    else:
        save_file(saved._contiguous({name: data.to(getattr(torch, kind)) for name, data in state.items()}), path)


@pytest.fixture
def folder(parts, tmp_path):
    """A folder with all but transformers."""
    base = tmp_path / "base"
    save(parts["vae"], base / "wan_2.1_vae.safetensors")
    save(parts["text"], base / "umt5_xxl_fp16.safetensors")
    shutil.copy(golden.path(saved.TOKENIZER), base)
    (base / "wan_previs.json").write_text(json.dumps(HEADS))
    return base


def opened(place):
    """The checkpoint, its parts fitting, after the outline has been seen to say the same."""
    checkpoint = open_checkpoint(place)
    checkpoint.verify()
    assert outline(place).title == checkpoint.model.title
    return checkpoint


def refused(place):
    """What engine and outline say, which is the same."""
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(place)
    with pytest.raises(CheckpointError) as summary:
        outline(place)
    assert str(error.value) == str(summary.value)
    return str(error.value)


HIGH_AND_LOW = [
    ("wan2.2_t2v_high_noise_14B_fp8_scaled", "wan2.2_t2v_low_noise_14B_fp8_scaled"),
    ("wan22T2VHigh_v9", "wan22T2VLow_v9"),
    ("somemixt2vHigh", "somemixt2vLow"),
    ("mixHighV9", "mixLowV9"),
    ("wan22_HN_Q4", "wan22_LN_Q4"),
    ("wan22-hn", "wan22-ln"),
    ("Wan2_2-T2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ", "Wan2_2-T2V-A14B-LOW_fp8_e4m3fn_scaled_KJ_fixed"),
    ("Wan2.2-T2V-A14B-HighNoise-Q4_K_M", "Wan2.2-T2V-A14B-LowNoise-Q4_K_M"),
    ("wan22-h-14b", "wan22-l-14b"),
    ("mymodel_H", "mymodel_L"),
    ("high_noise_model", "low_noise_model"),
    ("HighNoise/model", "LowNoise/model"),
    ("HN/wan", "LN/wan"),
    ("wan22t2vhighv2", "wan22t2vlowv2"),
    ("wan22_t2vhigh_fp16", "wan22_t2vlow_fp16"),
    ("highresMix_high_noise", "highresMix_low_noise"),
    ("T2V_HIGHNOISE_slowflow", "T2V_LOWNOISE_slowflow"),
    ("Remix_i2v_high_v2", "Other Remix-LowNoise"),
    ("Wan2.2_Remix_t2v_14b_high_lighting_v2.0", "Wan2.2_Remix_t2v_14b_low_lighting_v2.0"),
    ("wan2.2_high_4step", "wan2.2_low_4step"),
    ("diffusion_models/wan22/t2v_high_step_4", "diffusion_models/wan22/t2v_low_step_4"),
    ("FastMix_v10_Hi", "FastMix_v10_Lo"),
    ("wan22_hi_noise", "wan22_lo_noise"),
    ("t2v-HNoise", "t2v-LNoise"),
    ("diffusion_models/wan22/a_high", "unet/b-LOW"),
]


@pytest.mark.parametrize(("high", "low"), HIGH_AND_LOW)
def test_pairs_are_told_by_every_way_of_naming(high, low, parts, folder):
    save(parts["high"], folder / f"{high}.safetensors")
    halves = [refused(folder)]
    save(parts["low"], folder / f"{low}.safetensors")
    for place in (folder, folder / f"{high}.safetensors", folder / f"{low}.safetensors"):
        checkpoint = opened(place)
        assert checkpoint.model.title == "Wan2.2 T2V-A14B"
        files = {name: file.label for name, file in checkpoint.experts.items()}
        assert files == {"high": str(folder / f"{high}.safetensors"), "low": str(folder / f"{low}.safetensors")}
    (folder / f"{high}.safetensors").unlink()
    halves.append(refused(folder))
    assert all("one of the two experts" in told for told in halves)


def test_one_expert_alone_is_never_run_as_another_model(parts, folder):
    lone = {
        "wan2.2_t2v_14B_fp16": "high",  # its name says no more than that it is half of something
        "Wan2.2-T2V-A14B-Q4_K_M": "high",
        "WanVideo2_2_T2V": "high",
        "w22_t2v_high_detail": "high",
        "some-i2v-model": "i2v22",  # 36 channels and no CLIP: no whole model has that
    }
    for name, part in lone.items():
        save(parts[part], folder / f"{name}.safetensors")
        assert "one of the two experts" in refused(folder)
        note = {**HEADS, "experts": {"dense": f"{name}.safetensors"}}
        (folder / "wan_previs.json").write_text(json.dumps(note))
        assert list(opened(folder).experts) == ["dense"]
        (folder / "wan_previs.json").write_text(json.dumps(HEADS))
        (folder / f"{name}.safetensors").unlink()


def test_what_may_be_a_lone_expert_and_runs_as_a_whole_model_is_told(parts, folder):
    """At the published width the tensors of A14B's experts are those of 2.1's text model."""
    wide = {**parts["high"], "patch_embedding.weight": torch.zeros(5120, 16, 1, 2, 2)}
    for name, told in (("mymix", True), ("t2v_14B_fp16", True), ("wan2.1_t2v_14B", False), ("rapid_aio", False)):
        save(wide, folder / f"{name}.safetensors")
        checkpoint = open_checkpoint(folder)
        assert checkpoint.model.title == "Wan2.1 T2V-14B"
        assert outline(folder).notes == checkpoint.notes
        assert any("it runs as Wan2.1 T2V-14B" in note for note in checkpoint.notes) == told, name
        if told:
            for own in ({"experts": {"dense": f"{name}.safetensors"}}, {}):
                (folder / "wan_previs.json").write_text(json.dumps({**HEADS, **own}))
                assert bool(open_checkpoint(folder).notes) == (not own)
            (folder / RECORD).write_text(json.dumps({"model": "Wan2.1-T2V-14B"}))
            assert not open_checkpoint(folder).notes
            (folder / RECORD).unlink()
        (folder / f"{name}.safetensors").unlink()
    save(parts["high"], folder / "mymix.safetensors")  # no expert of A14B is so narrow
    assert not opened(folder).notes


def test_one_expert_alone_in_the_folders_of_its_publisher(parts, folder, tmp_path):
    settings = {"num_heads": 2}
    rest = {"vae": parts["vae"], "text": parts["text"]}
    folder = saved.save_original(tmp_path / "Wan2.2-T2V-A14B", {"dense": parts["high"], **rest}, settings)
    assert "one of the two experts" in refused(folder)
    folder = saved.save_original(tmp_path / "wan", {"dense": parts["i2v22"], **rest}, settings)
    assert "one of the two experts" in refused(folder)
    (folder / "wan_previs.json").write_text(json.dumps({**HEADS, "experts": {"dense": "diffusion_pytorch_model"}}))
    assert open_checkpoint(folder).model.title == "Wan2.2 I2V-A14B"
    both = saved.save_original(tmp_path / "both", {"high": parts["high"], "low": parts["low"], **rest}, settings)
    for name in ("high_noise_model", "low_noise_model"):
        inside = both / name
        for place in (inside, inside / "diffusion_pytorch_model.safetensors"):
            assert set(open_checkpoint(place).experts) == {"high", "low"}
    shutil.rmtree(both / "low_noise_model")
    assert "low_noise_model" in refused(both) and "low_noise_model" in refused(both / "high_noise_model")


@pytest.mark.parametrize(
    "name",
    [
        "wan2.1_t2v_1.3B_highres",
        "wan2.1_highlight",
        "lowpoly_wan2.1",
        "low-poly",
        "slow_flow",
        "HighQualityWan21",
        "wan2.1_low_vram",
        "yellow_below",
        "HighRes_style",
        "wan21-Q3_K_L",
        "wan2.2_rapid_aio_merged",
        "HiDream_style_wan21",
        "wan2.1_t2v_LoRA_baked",
        "hi-res-lo-fi",
    ],
)
def test_other_words_make_no_expert(name, parts, folder):
    save(parts["high"], folder / f"{name}.safetensors")
    assert expert_of(name) is None
    assert opened(folder).model == models.T2V_1_3B_V21 and "dense" in open_checkpoint(folder).experts


@pytest.mark.parametrize(
    ("high", "low"),
    [
        (("wan2.2_high_noise_14B_fp8_scaled.safetensors", "fp8"), ("wan2.2_low_noise_bf16.safetensors", "bfloat16")),
        (("Wan2.2-T2V-A14B-HighNoise-Q8_0.gguf", "Q8_0"), ("wan2.2_t2v_low_noise_14B_fp16.safetensors", "float16")),
        (("HighNoise/Wan2.2-HighNoise-Q8_0.gguf", "Q8_0"), ("LowNoise/Wan2.2-LowNoise-BF16.gguf", "BF16")),
        (("a_high.pth", "float32"), ("a_low_fp16.safetensors", "float16")),
    ],
)  # fmt: skip
def test_pairs_of_different_precision_and_kind(high, low, parts, folder):
    save(parts["high"], folder / high[0], high[1])
    save(parts["low"], folder / low[0], low[1])
    checkpoint = opened(folder)
    assert [file.label for file in checkpoint.experts.values()] == [str(folder / high[0]), str(folder / low[0])]
    assert all(word in describe(folder) for word in (high[0], low[0], "umt5_xxl_fp16", "wan_2.1_vae"))


def test_halves_of_different_models_are_no_pair(parts, folder):
    save(parts["high"], folder / "wan2.2_t2v_high_noise.safetensors")
    save(parts["i2v22"], folder / "wan2.2_i2v_low_noise.safetensors")
    told = refused(folder)
    assert "wan2.2_t2v_high_noise" in told and "wan2.2_i2v_low_noise" in told
    for half in ("wan2.2_t2v_high_noise", "wan2.2_i2v_low_noise"):
        assert "one of the two experts" in refused(folder / f"{half}.safetensors")


def test_several_pairs_are_named_and_chosen(parts, folder):
    names = {
        f"{mix}_{half}_{kind}.safetensors" for mix in "ab" for half in ("high", "low") for kind in ("fp16", "fp32")
    }
    for name in names:
        kind = "float16" if "fp16" in name else "float32"
        save(parts["high" if "high" in name else "low"], folder / name, kind)
    told = refused(folder)
    assert all(name in told for name in names) and "path of one" in told and '"high": FILE' in told
    for name in names:
        files = [file.label for file in opened(folder / name).experts.values()]
        high, low = name.replace("low", "high"), name.replace("high", "low")
        assert files == [str(folder / high), str(folder / low)]
    stated = {"high": "a_high_fp16.safetensors", "low": "b_low_fp32.safetensors"}
    (folder / "wan_previs.json").write_text(json.dumps({**HEADS, "experts": stated}))
    files = [file.label for file in opened(folder).experts.values()]
    assert files == [str(folder / stated["high"]), str(folder / stated["low"])]
    for wrong in (
        {"high": "a_high_fp16.safetensors"},
        {"dense": "none.safetensors"},
        {"dense": "wan_2.1_vae.safetensors"},
        3,
    ):
        (folder / "wan_previs.json").write_text(json.dumps({**HEADS, "experts": wrong}))
        assert "wan_previs.json" in refused(folder)


def test_a_title_in_the_file_tells_where_names_do_not(parts, folder):
    def titled(part, name, title):
        save_file(saved._contiguous(parts[part]), folder / f"{name}.safetensors", {"modelspec.title": title})

    titled("high", "a", "Wan2.2 T2V A14B")
    assert "one of the two experts" in refused(folder)
    titled("high", "a", "Some mix, high noise")
    assert "one of the two experts" in refused(folder)
    titled("low", "b", "Some mix, low noise")
    assert [file.label for file in opened(folder).experts.values()] == [str(folder / f"{n}.safetensors") for n in "ab"]


def test_what_is_high_or_low_makes_no_pair_of_whole_models(parts, folder):
    for name, part in (("wan2.1_t2v_highres", "high"), ("wan2.1_t2v_lowres", "low")):
        save(parts[part], folder / f"{name}.safetensors")
    assert "several models" in refused(folder)
    assert list(opened(folder / "wan2.1_t2v_lowres.safetensors").experts) == ["dense"]


@pytest.mark.parametrize(
    "name",
    [
        "fps_embedding.weight",
        *("face_adapter.fuser_blocks.0.linear1_kv.weight", "pose_patch_embedding.weight", "audio_proj.proj1.weight"),
        *("casual_audio_encoder.weights", "blocks.0.audio_cross_attn.q_linear.weight", "blocks.0.cam_encoder.weight"),
    ],
)
def test_models_of_another_kind_are_refused_before_any_work(name, parts, folder):
    for part, file in (("high", "wan2.1_t2v"), ("i2v22", "wan2.2_i2v_14B")):
        save({**parts[part], name: torch.ones(4, 4)}, folder / f"{file}.safetensors")
        assert "no Wan model that is known here" in refused(folder)
        (folder / f"{file}.safetensors").unlink()


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8])
def test_weights_packed_in_other_ways_are_refused_before_any_work(kind, parts, folder):
    for weight in ("weight", "qweight"):  # as bitsandbytes and as nunchaku have it
        state = {**parts["high"], f"blocks.0.ffn.0.{weight}": torch.ones(64, 64, dtype=kind)}
        save_file(saved._contiguous(state), folder / "wan2.1_t2v.safetensors")
        assert f"blocks.0.ffn.0.{weight} is stored as" in refused(folder)


@pytest.mark.parametrize("what", ["header", "settings", "pipe"])
def test_nested_or_endless_descriptions_are_told(what, parts, folder):
    nested = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    save(parts["high"], folder / "wan2.1_t2v.safetensors")
    if what == "header":
        (folder / "wan2.1_t2v.safetensors").write_bytes(struct.pack("<Q", len(nested)) + nested)
    else:
        (folder / "wan_previs.json").unlink()
    if what == "settings":
        (folder / "wan_previs.json").write_bytes(nested)
    if what == "pipe":
        if sys.platform == "win32":
            pytest.skip("there are no pipes in folders")
        os.mkfifo(folder / "wan_previs.json")
    assert "wan" in refused(folder)


def test_experts_that_do_not_belong_together_are_told_before_any_work(parts, tmp_path):
    rest = {"vae": parts["vae"], "text": parts["text"]}
    mixed = saved.save_original(
        tmp_path / "a", {"high": parts["high"], "low": parts["i2v22"], **rest}, {"num_heads": 2}
    )
    assert "do not belong together" in refused(mixed)


def foreign(folder, wide=True):
    """What else lies in people's folders."""
    save({"double_blocks.0.img_attn.qkv.weight": torch.ones(4, 4)}, folder / "flux1-dev.safetensors")
    save({"blk.0.attn_q.weight": torch.ones(32, 32)}, folder / "llama-3-Q8_0.gguf", "Q8_0")
    save({"conv_first.weight": torch.ones(3, 3)}, folder / "RealESRGAN_x4.pth")
    save({"h.0.attn.weight": torch.ones(3, 3)}, folder / "pytorch_model.bin")
    pickle.dump(["no", "tensors"], (folder / "optimizer.pt").open("wb"))
    (folder / "broken.gguf").write_bytes(b"GGUF\3\0\0\0" + b"\xff" * 60)
    (folder / "broken.safetensors").write_bytes(b"\xff" * 9)
    (folder / "empty.pth").write_bytes(b"")
    for real in list(folder.glob("*.safetensors")):
        (folder / f"._{real.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    picture = {"encoder.conv_in.weight": torch.ones(8, 3, 3, 3), "post_quant_conv.weight": torch.ones(16, 16, 1, 1)}
    save(picture, folder / "sdxl_vae.safetensors")
    if wide:
        save({**WIDE_VAE, "more": torch.ones(1_000_000)}, folder / "wan2.2_vae.safetensors")


@pytest.mark.parametrize("ending", ["gguf", "pth", "safetensors"])
def test_other_files_are_told_by_their_tensors(ending, parts, folder):
    for expert in ("high", "low"):
        save(parts[expert], folder / f"Wan2.2-T2V-A14B-{expert}.{ending}")
    foreign(folder)
    shutil.copy(folder / "wan2.2_vae.safetensors", folder / "a.safetensors")
    torch.save(parts["vae"], folder / "qwen_image_vae.pth")
    checkpoint = opened(folder)
    assert checkpoint.vae.label == str(folder / "wan_2.1_vae.safetensors")
    assert set(checkpoint.experts) == {"high", "low"}


def test_of_several_text_encoders_the_fitting_and_then_the_most_exact(parts, folder):
    save(parts["high"], folder / "wan2.1_t2v.safetensors")
    (folder / "umt5_xxl_fp16.safetensors").unlink()
    half = {name: data.half() for name, data in parts["text"].items()}
    eight = saved.to_fp8(parts["text"], "old")
    decoder = {f"decoder.{n}.weight": torch.ones(1000, 900) for n in range(3)}
    save_file(saved._contiguous({**eight, **decoder}), folder / "umt5_whole_fp8.safetensors")
    save_file(saved._contiguous(half), folder / "umt5_fp16.safetensors")
    wider = {name: torch.cat([data, data], -1) for name, data in parts["text"].items()}
    save(wider, folder / "umt5_of_another_size.safetensors")
    checkpoint = opened(folder)
    assert checkpoint.text_encoder.label.endswith("umt5_fp16.safetensors")
    assert "umt5_fp16.safetensors" in describe(folder)
    (folder / "umt5_fp16.safetensors").unlink()
    assert opened(folder).text_encoder.label.endswith("umt5_whole_fp8.safetensors")
    (folder / "umt5_whole_fp8.safetensors").unlink()
    assert "32 channels" in refused(folder) and "umt5_of_another_size" in refused(folder)


def test_only_the_other_autoencoder_is_told(parts, folder):
    save(parts["high"], folder / "wan2.1_t2v.gguf")
    save(WIDE_VAE, folder / "wan_2.1_vae.safetensors")
    assert "16 channels" in refused(folder) and "48" in refused(folder)


@pytest.mark.parametrize("root", ["models", "ComfyUI/models"])
def test_a_tree_of_comfyui(root, parts, folder, tmp_path):
    base = tmp_path / root
    for name, sub in (("wan_2.1_vae", "vae"), ("umt5_xxl_fp16", "text_encoders")):
        (base / sub).mkdir(parents=True)
        shutil.move(folder / f"{name}.safetensors", base / sub)
    for name in ("tokenizer.json", "wan_previs.json"):
        shutil.move(folder / name, base)
    save(parts["i2v"], base / "diffusion_models/old/wan2.1_i2v.safetensors")
    save(parts["clip"], base / "clip_vision/clip_vision_h.safetensors")
    for expert in ("high", "low"):
        save(parts[expert], base / f"diffusion_models/wan22/t2v_{expert}.safetensors")
    for sub in ("diffusion_models", "vae", "text_encoders", "loras", "checkpoints"):
        (base / sub).mkdir(exist_ok=True)
        foreign(base / sub)
    top = tmp_path / root.split("/")[0]
    assert "several models" in refused(top)
    two = base / "diffusion_models/wan22"
    for place in (two, two / "t2v_high.safetensors"):
        assert opened(place).model.title == "Wan2.2 T2V-A14B"
    for place in (base / "diffusion_models/old", base / "diffusion_models/old/wan2.1_i2v.safetensors"):
        checkpoint = opened(place)
        assert checkpoint.model.title == "Wan2.1 I2V-14B"
        assert checkpoint.clip.label.endswith("clip_vision_h.safetensors")
    shutil.rmtree(base / "diffusion_models/old")
    assert opened(top).model.title == "Wan2.2 T2V-A14B"


@pytest.mark.parametrize("vae", ["first_stage_model.", "vae."])
@pytest.mark.parametrize("transformer", ["model.diffusion_model.", ""])
def test_everything_in_one_file(transformer, vae, parts, folder):
    prefixes = {"i2v": transformer, "vae": vae, "text": "text_encoders.umt5xxl.transformer.", "clip": "clip_vision."}
    state = {prefix + name: data for part, prefix in prefixes.items() for name, data in parts[part].items()}
    state["text_encoders.umt5xxl.logit_scale"] = torch.ones(())
    file = folder / "wan2.1_all_in_one.safetensors"
    save(state, file)
    for place in (folder, file):
        checkpoint = opened(place)
        told = {
            checkpoint.vae.label,
            checkpoint.text_encoder.label,
            checkpoint.clip.label,
            checkpoint.experts["dense"].label,
        }
        assert told == {str(file)}
        assert checkpoint.model == models.I2V_14B_V21
    apart = {"dense": parts["i2v"], "vae": parts["vae"]}
    for name, want in apart.items():
        got = saved.states(checkpoint)[name]
        assert got.keys() == want.keys() and all(torch.equal(got[key], data) for key, data in want.items())


def hub(folder, name):
    """The files of `folder` as the hub's cache keeps them: links named as published into a folder of blobs."""
    root = folder.parent / f"models--{name}"
    snapshot = root / "snapshots" / "0123abc"
    (root / "blobs").mkdir(parents=True)
    for number, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        link = snapshot / path.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob = root / "blobs" / f"{number:064x}"
        shutil.copy(path, blob)
        link.symlink_to(blob)
    return root, snapshot


def test_folders_of_the_hubs_cache(parts, folder, tmp_path):
    original = {"high": parts["high"], "low": parts["low"], "vae": parts["vae"], "text": parts["text"]}
    saved.save_original(tmp_path / "original", original, {"num_heads": 2})
    save(parts["i2v"], folder / "i2v.safetensors")
    save(parts["clip"], folder / "clip_vision_h.safetensors")
    for made, name, title in (
        (tmp_path / "original", "Wan-AI--Wan2.2-T2V-A14B", "Wan2.2 T2V-A14B"),
        (folder, "Wan-AI--Wan2.1-I2V-14B-480P", "Wan2.1 I2V-14B-480P"),
    ):
        root, snapshot = hub(made, name)
        for place in (root, root / "snapshots", snapshot):
            assert outline(place).title == open_checkpoint(place).model.title == title
        (root / "refs").mkdir()
        (root / "refs/main").write_text("0123abc")
        (root / "snapshots/older").mkdir()
        assert open_checkpoint(root).model.title == title
        (root / "refs/main").unlink()
        assert "2 snapshots" in refused(root)


def test_a_truncated_partner_is_told(parts, folder):
    save(parts["high"], folder / "t2v_high.safetensors")
    save(parts["low"], folder / "t2v_low.safetensors")
    whole = (folder / "t2v_low.safetensors").read_bytes()
    (folder / "t2v_low.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "t2v_low.safetensors is truncated" in refused(folder)
    assert "t2v_low.safetensors is truncated" in refused(folder / "t2v_low.safetensors")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("name", ["wan_previs.json", "part-2.safetensors"])
def test_what_is_no_file_is_never_read(name, kind, parts, folder):
    """Blender reads what a checkpoint says of itself in its own process, which must not wait, nor read without end."""
    if name == "wan_previs.json":
        save(parts["high"], folder / "t2v.safetensors")
        (folder / name).unlink()
    else:
        (folder / "t2v.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero")
    assert "it is no file" in refused(folder)


def test_a_folder_of_very_many_folders_is_refused(tmp_path):
    for n in range(1100):
        (tmp_path / str(n)).mkdir()
    assert "too much" in refused(tmp_path)


class _Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pth_file_is_not_run_while_looking(zipped, parts, folder, tmp_path):
    mark = tmp_path / "ran"
    torch.save({"a": torch.ones(2), "b": _Code(mark)}, folder / "x.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="run code"):
        read_contents(folder / "x.pth")
    assert "run code" in refused(folder)
    save(parts["high"], folder / "wan2.1_t2v.safetensors")
    opened(folder)
    assert not mark.exists()


NAMES = ["wan", "wan2.1_t2v", "Wan2.2-T2V", "mix", "i2v", "480p_i2v", "flow", "a14b"]
WORDS = ["", "_high", "-LOW", "HighNoise", "_low_noise", "_hn", "-L", "_highres", "_v2High", "_aio"]
PLACES = ["", "diffusion_models", "diffusion_models/wan22", "HighNoise", "LowNoise", "unet", "other/deep"]


@pytest.mark.parametrize("seed", range(40))
def test_engine_and_outline_agree_on_any_folder(seed, parts, tmp_path):
    """Random files of random names and kinds in random folders: both open the same model, or say the same words."""
    chance = random.Random(seed)
    base = tmp_path / "base"
    for _ in range(chance.randrange(1, 5)):
        part = chance.choice(["high", "low", "high", "low", "i2v", "i2v22"])
        ending = chance.choice(["safetensors", "gguf", "pth"])
        name = f"{chance.choice(NAMES)}{chance.choice(WORDS)}.{ending}"
        save(parts[part], base / chance.choice(PLACES) / name)
    for part, name, often in (("vae", "vae", 0.9), ("text", "text", 0.9), ("clip", "clip_vision", 0.7)):
        if chance.random() < often:
            save(parts[part], base / chance.choice(["", name]) / f"{name}.{chance.choice(['safetensors', 'pth'])}")
    if chance.random() < 0.5:
        foreign(base)
    shutil.copy(golden.path(saved.TOKENIZER), base)
    (base / "wan_previs.json").write_text(json.dumps(HEADS))
    for place in [base, *(path for path in base.rglob("*") if path.suffix in (".safetensors", ".gguf", ".pth"))]:
        try:
            summary = outline(place)
        except CheckpointError as told:
            with pytest.raises(CheckpointError) as error:
                open_checkpoint(place)
            assert str(error.value) == str(told) and len(str(told)) > 30
            continue
        try:
            checkpoint = open_checkpoint(place)
        except CheckpointError as error:
            assert "differ in their tensors" in str(error)  # what the outline does not look at
            continue
        checkpoint.verify()
        assert (summary.title, summary.negative) == (checkpoint.model.title, checkpoint.model.negative)
        assert summary.area == checkpoint.model.sizes[0]
