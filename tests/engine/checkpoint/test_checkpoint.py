# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling checkpoint folders apart, and naming what is wrong with one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import golden
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from wan_engine.checkpoint import models
from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.checkpoint.layout import RECORD
from wan_engine.checkpoint.summary import outline
from wan_engine.cli import main
from wan_engine.errors import CheckpointError, UsageError
from wan_engine.inputs.plan import make_plan
from wan_engine.request import GenerationRequest

T2V = "fullstack/Wan2.2-T2V-A14B/checkpoint"
I2V = "fullstack/Wan2.2-I2V-A14B/checkpoint"
HIGH = "high_noise_model/diffusion_pytorch_model.safetensors"
SHARD = "high_noise_model/diffusion_pytorch_model-00002-of-00003.safetensors"


@pytest.fixture
def copied(tmp_path):
    def copy(name):
        return shutil.copytree(golden.path(name), tmp_path / "checkpoint")

    return copy


@pytest.mark.parametrize(
    ("folder", "model"),
    [
        ("Wan2.2-T2V-A14B", models.T2V_A14B),
        ("Wan2.2-I2V-A14B", models.I2V_A14B),
        ("Wan2.2-TI2V-5B", models.TI2V_5B),
        ("Wan2.1-T2V-1.3B", models.T2V_1_3B_V21),
        ("Wan2.1-I2V-14B", models.I2V_14B_V21),
        ("Wan2.1-FLF2V-14B", models.FLF2V_14B_V21),
    ],
)
def test_models_are_recognised(folder, model):
    path = golden.path(f"fullstack/{folder}/checkpoint")
    checkpoint = open_checkpoint(path)
    assert checkpoint.model == model
    assert checkpoint.layout.startswith("original folder, F32")
    told = outline(path)
    assert told.model == model
    motion = ("motion",) if "first" in model.modes else ()  # Time-to-Move needs a model that starts from a picture
    assert (told.title, told.negative, told.modes) == (model.title, model.negative, (*model.modes, *motion))
    assert told.area == model.sizes[0]
    assert told.multiple == (32 if model is models.TI2V_5B else 16)
    assert model.in_channels == checkpoint.config.in_dim
    assert model.stride == checkpoint.outline_vae().stride


@pytest.mark.parametrize(
    ("folder", "pictures"), [("Wan2.2-I2V-A14B", 0), ("Wan2.1-I2V-14B", 1), ("Wan2.1-FLF2V-14B", 2)]
)
def test_picture_models_and_their_image_encoder(folder, pictures):
    checkpoint = open_checkpoint(golden.path(f"fullstack/{folder}/checkpoint"))
    checkpoint.verify()
    assert checkpoint.model.clip_pictures == pictures
    assert (checkpoint.clip is not None) == (pictures > 0)
    if checkpoint.clip is None:
        with pytest.raises(CheckpointError, match="has no image encoder"):
            checkpoint.load_clip("cpu")
    else:
        clip = checkpoint.load_clip("cpu")
        assert clip.config.num_heads == 2
        assert clip.pos_embedding.dtype == torch.float32


@pytest.mark.parametrize(
    "folder",
    [
        "Wan2.2-T2V-A14B",
        "Wan2.2-I2V-A14B",
        "Wan2.2-TI2V-5B",
        "Wan2.1-T2V-1.3B",
        "Wan2.1-I2V-14B",
        "Wan2.1-FLF2V-14B",
        "",
    ],
)
def test_the_outline_knows_which_modes_a_model_can_do(folder, tmp_path):
    """What the outline promises, without torch, is what the engine takes."""
    path = golden.path(f"fullstack/{folder}/checkpoint") if folder else golden.REPOSITORY / "checkpoints" / "nano"
    checkpoint, told = open_checkpoint(path), outline(path)
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    modes = {"first_last": {"image": "a.png", "last_image": "a.png"}, "first": {"image": "a.png"}, "text": {}}
    stride = checkpoint.outline_vae().stride
    for mode, pictures in modes.items():
        request = GenerationRequest(str(path), "", size=(64, 64), exact_size=True, **pictures)
        if mode in told.modes:
            make_plan(request, checkpoint, stride, tmp_path)
            assert told.mode_for(mode) == mode
            continue
        with pytest.raises(UsageError):
            make_plan(request, checkpoint, stride, tmp_path)
        with pytest.raises(UsageError, match="the modes auto, " + ", ".join(told.modes)):
            told.mode_for(mode)
    assert told.mode_for("auto") == told.modes[0]
    warned = make_plan(
        GenerationRequest(str(path), "", size=(64, 64), exact_size=True, **modes[told.modes[0]]),
        checkpoint, stride, tmp_path,
    ).warnings  # fmt: skip
    assert not any("may miss" in words for words in warned)


def test_a_missing_image_encoder_is_named(copied):
    folder = copied("fullstack/Wan2.1-I2V-14B/checkpoint")
    name = "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth"
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        open_checkpoint(folder)


def test_the_image_encoders_head_count_is_asked_for(copied):
    folder = copied("fullstack/Wan2.1-I2V-14B/checkpoint")
    (folder / "wan_previs.json").unlink()
    with pytest.raises(CheckpointError, match="num_heads"):
        open_checkpoint(folder).verify()


def test_480p_shows_in_names_only(copied, tmp_path):
    folder = copied("fullstack/Wan2.1-I2V-14B/checkpoint")
    assert open_checkpoint(folder).model == models.I2V_14B_V21
    small = folder.rename(tmp_path / "Wan2.1-I2V-14B-480P")
    model = open_checkpoint(small).model
    assert model == models.I2V_14B_480P_V21
    assert outline(small).area == (832, 480)
    assert (model.shift_for((832, 480)), model.shift_for((1280, 720))) == (3.0, 5.0)
    assert models.T2V_14B_V21.shift_for((832, 480)) == 5.0
    renamed = small.rename(tmp_path / "wan")
    (renamed / RECORD).write_text(json.dumps({"model": "Wan2.1-I2V-14B-480P"}))  # as `download` leaves it
    assert open_checkpoint(renamed).model == models.I2V_14B_480P_V21


def test_a_model_that_tensors_and_names_do_not_tell_is_stated(copied, tmp_path):
    folder = copied(I2V).rename(tmp_path / "renamed")
    facts = {"schema": "wan_previs.checkpoint/1"}
    for stated, title in (("Wan2.2-Fun-A14B-InP", "Wan2.2 Fun-A14B-InP"), ("Wan2.2-I2V-A14B", "Wan2.2 I2V-A14B")):
        (folder / "wan_previs.json").write_text(json.dumps({**facts, "model": stated}))
        assert open_checkpoint(folder).model.title == outline(folder).title == title
    named = folder.rename(tmp_path / "Fun-InP-or-not")
    assert open_checkpoint(named).model.title == "Wan2.2 I2V-A14B"
    for stated in ("Wan2.2-T2V-A14B", 7):
        (named / "wan_previs.json").write_text(json.dumps({**facts, "model": stated}))
        with pytest.raises(CheckpointError, match="tensors are those of Wan2"):
            open_checkpoint(named)


def test_a_shift_of_its_own_rules_at_every_size(copied):
    folder = copied("fullstack/Wan2.1-I2V-14B/checkpoint")
    facts = json.loads((folder / "wan_previs.json").read_text())
    (folder / "wan_previs.json").write_text(json.dumps({**facts, "shift": 7.0, "negative": "blurred"}))
    model = open_checkpoint(folder).model
    assert (model.shift_for((832, 480)), model.shift_for((1280, 720))) == (7.0, 7.0)
    assert outline(folder).negative == model.negative == "blurred"


def test_own_file_wins_over_the_table(copied):
    folder = copied(I2V)
    extra = {"title": "Tiny", "fps": 8, "frames": [17, 33], "sizes": [[192, 128]], "steps": 12, "shift": 3}
    extra |= {"guide": [1, 2], "boundary": 0.8, "text_to_video": True, "negative": "bad"}
    (folder / "wan_previs.json").write_text(json.dumps({"schema": "wan_previs.checkpoint/1", **extra}))
    checkpoint = open_checkpoint(folder)
    assert checkpoint.model == replace(
        models.I2V_A14B,
        title="Tiny",
        shift=3.0,
        steps=12,
        guide=(1.0, 2.0),
        boundary=0.8,
        frame_counts=(17, 33),
        fps=8.0,
        sizes=((192, 128),),
        only_listed=True,
        modes=("first_last", "first", "text"),
        negative="bad",
    )


@pytest.mark.parametrize(
    "extra",
    [
        {"schema": "other"},
        {"steps": "many"},
        {"sizes": [192]},
        {"frames": []},
        {"guide": [1]},
        {"steps": 0},
        {"fps": -1},
        {"sizes": 5},
        {"sizes": []},
        {"sizes": {"a": 1}},
        {"area": [1]},
        {"area": [0, 0]},
    ],
)
def test_own_file_with_wrong_values(extra, copied):
    folder = copied(I2V)
    (folder / "wan_previs.json").write_text(json.dumps({"schema": "wan_previs.checkpoint/1", **extra}))
    with pytest.raises(CheckpointError, match=r"wan_previs\.json") as told:
        open_checkpoint(folder)
    if "clip" not in extra:
        with pytest.raises(CheckpointError) as outlined:
            outline(folder)
        assert str(outlined.value) == str(told.value)


@pytest.mark.parametrize(
    "name",
    [
        "Wan2.1_VAE.pth",
        "models_t5_umt5-xxl-enc-bf16.pth",
        "google/umt5-xxl/tokenizer.json",
        "high_noise_model/config.json",
        "low_noise_model",
        "high_noise_model/diffusion_pytorch_model.safetensors.index.json",
        SHARD,
    ],
)
def test_missing_files_are_named(name, copied, capsys):
    folder = copied(T2V)
    if (folder / name).is_dir():
        shutil.rmtree(folder / name)
    else:
        (folder / name).unlink()
    assert main(["inspect", "--checkpoint", str(folder)]) == 4
    told = capsys.readouterr()
    assert name.split("/")[-1] in told.err
    assert told.out == ""
    assert "Traceback" not in told.err


@pytest.mark.parametrize("name", [SHARD, "Wan2.1_VAE.pth", "models_t5_umt5-xxl-enc-bf16.pth"])
def test_truncated_files_are_named(name, copied, capsys):
    folder = copied(T2V)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    assert main(["inspect", "--checkpoint", str(folder)]) == 4
    assert "truncated" in capsys.readouterr().err


def test_wrong_tensors_are_named(copied, tmp_path, capsys):
    folder = copied(I2V)
    state = load_file(folder / HIGH)
    command = ["generate", "--checkpoint", str(folder), "--prompt", "", "--out", str(tmp_path / "clip.mp4")]
    for name, data in (("blocks.0.self_attn.q.bias", torch.ones(7)), ("surprise", torch.ones(1))):
        save_file({**state, name: data}, folder / HIGH)
        assert main(command) == 4
        assert name in capsys.readouterr().err
    del state["head.modulation"]
    save_file(state, folder / HIGH)
    assert main(command) == 4
    assert "head.modulation" in capsys.readouterr().err
    assert not (tmp_path / "clip.mp4").exists()


@pytest.mark.parametrize(("own", "other"), [(T2V, I2V), (I2V, T2V)])
def test_a_tokenizer_of_another_model_is_told(own, other, copied):
    """With fewer words it reads another prompt without a sign, with more it asks for rows that are not there."""
    folder, name = copied(own), "google/umt5-xxl/tokenizer.json"
    open_checkpoint(folder).open_tokenizer()
    shutil.copy(golden.path(f"{other}/{name}"), folder / name)
    with pytest.raises(CheckpointError, match="do not belong together"):
        open_checkpoint(folder).open_tokenizer()


def test_an_expert_that_is_not_used_is_read_no_further_than_its_header(copied):
    folder = copied(I2V)
    checkpoint = open_checkpoint(folder)
    checkpoint.verify()
    shutil.rmtree(folder / "low_noise_model")
    assert checkpoint.load_transformer("high", torch.bfloat16, "cpu").dtype == torch.bfloat16
    with pytest.raises(CheckpointError, match="low_noise_model"):
        checkpoint.load_transformer("low", torch.bfloat16, "cpu")


def test_parts_that_do_not_belong_together(copied):
    folder = copied(T2V)
    text_encoder = "models_t5_umt5-xxl-enc-bf16.pth"
    shutil.copy(golden.path(I2V) / text_encoder, folder / text_encoder)
    with pytest.raises(CheckpointError, match="do not belong together"):
        open_checkpoint(folder).verify()
    shutil.rmtree(folder / "low_noise_model")
    shutil.copytree(golden.path(I2V) / "low_noise_model", folder / "low_noise_model")
    with pytest.raises(CheckpointError, match="do not belong together"):
        open_checkpoint(folder)


def test_folders_of_another_kind(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        open_checkpoint(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="diffusion_pytorch_model"):
        open_checkpoint(tmp_path)
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(CheckpointError, match="Diffusers"):
        open_checkpoint(tmp_path)


def test_inspect_tells_the_facts(capsys):
    assert main(["inspect", "--checkpoint", str(golden.path(I2V))]) == 0
    told = capsys.readouterr().out
    for words in (
        "Wan2.2 I2V-A14B",
        "frame to video",
        "high-noise",
        "832x480",
        "81 at 16 fps",
        "dim 48",
        "36 in",
        "original folder, F32",
        "peak",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("wan_previs.json", '{"schema": "wan_previs.checkpoint/1", "steps": 1e400}', "wrong kind"),
        ("wan_previs.json", '{"schema": "wan_previs.checkpoint/1", "boundary": 7}', "from 0 to 1"),
        ("wan_previs.json", '{"schema": "wan_previs.checkpoint/1", "fps": 1e12}', "from 0.01 to 1000"),
        ("high_noise_model/config.json", '{"num_heads": 1e400}', "infinity"),
        ("high_noise_model/config.json", '{"num_heads": 3, "text_len": -5}', "from 1 to 8192"),
        ("high_noise_model/config.json", '{"num_heads": 3, "text_len": 1000000000}', "from 1 to 8192"),
    ],
)
def test_absurd_settings_are_told(name, words, told, copied):
    folder = copied("fullstack/Wan2.2-T2V-A14B/checkpoint")
    (folder / name).write_text(words)
    with pytest.raises(CheckpointError, match=told):
        open_checkpoint(folder)
