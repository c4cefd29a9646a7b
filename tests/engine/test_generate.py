# SPDX-License-Identifier: GPL-3.0-or-later
"""What generation does beyond the published cases: first and last picture, text alone, cancelling, bad input."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import av
import golden
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from small_requests import I2V, T2V, TI2V, command, picture, request

from wan_engine.cli import main
from wan_engine.errors import GenerationError, UsageError
from wan_engine.inputs.conditioning import condition
from wan_engine.inputs.plan import make_plan
from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.request_parts import Lora, PromptPart, joined
from wan_engine.runtime.run import Run


@torch.inference_mode()
def test_first_and_last_picture_enter_mask_and_condition(tmp_path):
    first, last = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", (128, 128), 2)
    pipeline = load(golden.path(I2V))
    autoencoder = pipeline.pool.vae()
    asked = request(I2V, image=str(first), last_image=str(last))
    plan = make_plan(asked, pipeline.checkpoint, autoencoder.stride, tmp_path)
    assert plan.size == (64, 32)
    got = condition(plan, pipeline.pool, Run()).channels[0]
    assert got.shape == (20, 3, 4, 8)
    assert torch.equal(got[:4, :, 0, 0], torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 1]]))
    clip = torch.zeros(1, 3, 9, 32, 64)
    clip[0, :, 0], clip[0, :, -1] = plan.first, plan.last
    golden.assert_close(got[4:], autoencoder.encode(clip)[0], 1e-6, 0)


def test_last_picture_changes_the_clip(tmp_path):
    first, last = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", (64, 32), 2)
    pipeline = load(golden.path(I2V))
    pipeline.generate(request(I2V, image="a.png", latents="one.safetensors"), tmp_path)
    pipeline.generate(request(I2V, image=first.name, last_image=last.name, latents="two.safetensors"), tmp_path)
    one, two = (load_file(tmp_path / f"{name}.safetensors")["latents"] for name in ("one", "two"))
    assert (one - two).abs().max() > 0.01


def test_image_checkpoint_that_learnt_text_alone(tmp_path):
    folder = shutil.copytree(golden.path(I2V), tmp_path / "nano")
    with pytest.raises(UsageError, match="starts from a picture"):
        load(folder).generate(request(I2V), tmp_path)
    extra = {"schema": "wan_previs.checkpoint/1", "text_to_video": True}
    (folder / "wan_previs.json").write_text(json.dumps(extra))
    load(folder).generate(request(I2V, frames_out="frames"), tmp_path)
    assert len(list((tmp_path / "frames").iterdir())) == 9


@torch.inference_mode()
def test_trained_size_is_met_exactly(tmp_path):
    """The published rounding turns 832x480 into 832x464; a size that a checkpoint names is kept."""
    folder = shutil.copytree(golden.path(I2V), tmp_path / "nano")
    extra = {"schema": "wan_previs.checkpoint/1", "sizes": [[832, 480]]}
    picture(tmp_path / "a.png", (832, 480))

    def size():
        asked = GenerationRequest(checkpoint=str(folder), prompt="", image="a.png", size=(832, 480))
        return make_plan(asked, load(folder).checkpoint, (4, 8, 8), tmp_path).size

    assert size() == (832, 464)
    (folder / "wan_previs.json").write_text(json.dumps(extra))
    assert size() == (832, 480)


@pytest.fixture
def two_experts_over_the_large_vae(tmp_path) -> Path:
    """Channel conditioning over 48 latent channels of stride 16: no published model, but read off the tensors alike."""
    folder = tmp_path / "nano"
    folder.mkdir()
    for name in ("Wan2.2_VAE.pth", "models_t5_umt5-xxl-enc-bf16.pth", "google"):
        (folder / name).symlink_to(golden.path(TI2V) / name)
    settings = {"num_heads": 2, "eps": 1e-6, "text_len": 512}
    config = TransformerConfig(24, 48, 2, 1, in_dim=100, out_dim=48, text_dim=32, freq_dim=64)
    for seed, name in enumerate(("high_noise_model", "low_noise_model")):
        torch.manual_seed(seed)
        (folder / name).mkdir()
        save_file(WanTransformer(config).state_dict(), folder / name / "diffusion_pytorch_model.safetensors")
        (folder / name / "config.json").write_text(json.dumps(settings))
    extra = {"title": "Nano", "sizes": [[96, 64]], "frames": [17], "text_to_video": True, "boundary": 0.5}
    (folder / "wan_previs.json").write_text(json.dumps({"schema": "wan_previs.checkpoint/1", **extra}))
    return folder


def test_other_combinations_run_by_the_same_path(two_experts_over_the_large_vae, tmp_path, capsys):
    folder = two_experts_over_the_large_vae
    for name, seed in (("a.png", 1), ("b.png", 2)):
        picture(tmp_path / name, (96, 64), seed)
    pipeline = load(folder)
    latents = []
    for image, last in ((None, None), ("a.png", None), ("a.png", "b.png")):
        asked = GenerationRequest(
            str(folder), "a cube", image=image, last_image=last, steps=2, latents="l.safetensors", frames_out="frames"
        )
        report = pipeline.generate(asked, tmp_path)
        assert (report["model"], report["size"], report["frames"]) == ("Nano", [96, 64], 17)
        assert len(list((tmp_path / "frames").iterdir())) == 17
        latents.append(load_file(tmp_path / "l.safetensors")["latents"])
        assert latents[-1].shape == (48, 5, 4, 6)
    assert not torch.equal(latents[0], latents[1])
    assert not torch.equal(latents[1], latents[2])
    assert main(["inspect", "--checkpoint", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "Nano" in told
    assert "text to video" in told
    assert "4x16x16" in told


def test_checkpoints_as_users_have_them(tmp_path):
    """One half-precision file instead of shards, a half-precision autoencoder, an ordered bfloat16 text encoder."""
    folder, whole = shutil.copytree(golden.path(T2V), tmp_path / "other"), golden.path(T2V)
    for expert in ("high_noise_model", "low_noise_model"):
        state = {}
        for shard in sorted((folder / expert).glob("*.safetensors")):
            state |= {name: data.half() for name, data in load_file(shard).items()}
            shard.unlink()
        (folder / expert / "diffusion_pytorch_model.safetensors.index.json").unlink()
        save_file(state, folder / expert / "diffusion_pytorch_model.safetensors")
    for file, dtype in (("Wan2.1_VAE.pth", torch.float16), ("models_t5_umt5-xxl-enc-bf16.pth", torch.bfloat16)):
        state = torch.load(folder / file, weights_only=True)
        torch.save(OrderedDict((name, data.to(dtype)) for name, data in state.items()), folder / file)
    frames = []
    for checkpoint in (whole, folder):
        load(checkpoint).generate(request(T2V, size=(64, 48), frames_out="frames"), tmp_path)
        files = sorted((tmp_path / "frames").iterdir())
        frames.append(np.stack([np.array(Image.open(file)) for file in files]).astype(int))
    difference = np.abs(frames[0] - frames[1])
    assert difference.max() > 0
    assert difference.mean() < 3


def test_what_does_not_fit_is_refused_with_the_plan_before_anything_is_loaded(tmp_path):
    pipeline = load(golden.path(T2V))
    with pytest.raises(GenerationError, match="nearest settings that fit") as caught:
        pipeline.generate(request(T2V, size=(64_000, 64_000)), tmp_path)
    assert "memory plan for --size 64000x64000" in str(caught.value) and "peak" in str(caught.value)
    assert pipeline.pool.held_bytes == 0
    report = pipeline.generate(request(T2V, size=(64, 48)), tmp_path)
    assert 0 < report["memory"]["planned_peak"] < report["memory"]["available"]


def test_clip_gets_the_length_and_rate_of_the_shot(tmp_path):
    report = load(golden.path(T2V)).generate(
        request(T2V, size=(64, 48), clip_frames=31, clip_fps=23.976, report="report.json"), tmp_path
    )
    assert report["clip"] == {"path": "clip.mp4", "frames": 31, "fps": "24000/1001", "size": [64, 48], "codec": "h264"}
    assert json.loads((tmp_path / "report.json").read_text()) == report
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 31


def test_events_and_report_tell_every_step(tmp_path):
    events = []
    report = load(golden.path(T2V)).generate(request(T2V, size=(64, 48)), tmp_path, on_event=events.append)
    stages = [event["stage"] for event in events if event["event"] == "stage"]
    assert stages == ["load", "encode_text", "encode_image", "denoise", "decode", "finish"]
    steps = [event for event in events if event["event"] == "step"]
    assert [(event["step"], event["steps"]) for event in steps] == [(1, 2), (2, 2)]
    assert {"expert", "timestep", "seconds"} <= set(steps[0])
    assert set(report["seconds"]) == set(stages)
    assert report["steps"][0]["sigma"] > report["steps"][1]["sigma"]


def test_guidance_of_one_needs_no_negative_prompt(tmp_path):
    pipeline = load(golden.path(T2V))
    for negative in ("blurry", "sharp"):
        asked = request(T2V, size=(64, 48), guide=(1.0, 1.0), negative=negative, latents=f"{negative}.safetensors")
        pipeline.generate(asked, tmp_path)
    one, two = (load_file(tmp_path / f"{name}.safetensors")["latents"] for name in ("blurry", "sharp"))
    assert torch.equal(one, two)


def test_loras_and_step_cache_reach_the_loop(tmp_path):
    """A LoRA of strength 0 changes nothing, one with a difference changes the clip; caching tells what it left out."""
    name = "blocks.0.self_attn.q"
    shapes = load(golden.path(T2V)).checkpoint.experts["high"].shapes
    save_file({f"diffusion_model.{name}.diff": torch.randn(shapes[f"{name}.weight"])}, tmp_path / "style.safetensors")
    latents = {}
    for strength in (None, 0.0, 1.0):
        loras = () if strength is None else (Lora(str(tmp_path / "style.safetensors"), strength, "high"),)
        asked = request(T2V, size=(64, 48), latents="l.safetensors", loras=loras)
        load(**asked.load_options).generate(asked, tmp_path)
        latents[strength] = load_file(tmp_path / "l.safetensors")["latents"]
    assert torch.equal(latents[None], latents[0.0]) and not torch.equal(latents[None], latents[1.0])
    report = load(golden.path(T2V)).generate(request(T2V, size=(64, 48), steps=30, step_cache=1.0), tmp_path)
    skipped = report["step_cache"]["skipped"]
    assert set(skipped) == {"conditional", "unconditional"} and all(skipped.values())
    assert report["step_cache"]["measured_error"] > 0
    assert all(1 <= step <= 30 for steps in skipped.values() for step in steps)


def test_every_way_of_offloading_gives_the_same_latents(tmp_path):
    latents = []
    for offload in ("none", "expert", "block"):
        asked = request(T2V, size=(64, 48), offload=offload, latents="l.safetensors", steps=4)
        report = load(**asked.load_options).generate(asked, tmp_path)
        latents.append(load_file(tmp_path / "l.safetensors")["latents"])
        assert report.get("read_ahead") == (None if offload == "block" else "low")
    assert torch.equal(latents[0], latents[1]) and torch.equal(latents[0], latents[2])


AUTOMATIC = """
import resource, sys
from pathlib import Path
from wan_engine.pipeline import load
from wan_engine.errors import Cancelled
from wan_engine.request import GenerationRequest

request = GenerationRequest(sys.argv[1], "a cube", dtype="auto", offload="auto")
pipeline = load(**request.load_options)

def chosen(spare):
    \"\"\"What is chosen with `spare` bytes left; the clip is cancelled as soon as the work would begin.\"\"\"
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY if spare is None else used + spare, -1))
    stages, notes = [], []
    def follow(event):
        stages.append(event.get("stage"))
        notes.append(event.get("message", ""))
    try:
        pipeline.generate(request, Path(sys.argv[2]), follow, lambda: "load" in stages)
    except Cancelled:
        return pipeline.pool.options.offload, "".join(notes)

for spare in (None, 76 << 20, None):
    print(*chosen(spare), sep=": ")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process's memory is limited in other ways")
def test_automatic_offload_goes_by_the_memory_that_is_free(tmp_path):
    """nano needs 87 MiB with everything in memory and 62 MiB with one network at a time."""
    words = [sys.executable, "-c", AUTOMATIC, str(golden.REPOSITORY / "checkpoints" / "nano"), str(tmp_path)]
    result = subprocess.run(words, cwd=golden.REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    told = "Chosen for this model and the memory that is free: offload expert."
    assert result.stdout.splitlines() == ["none: ", f"expert: {told}", "none: "]


def test_what_was_chosen_stands_in_the_report_and_the_latents_are_those_of_the_choice(tmp_path):
    asked = request(T2V, size=(64, 48), dtype="auto", offload="auto", latents="auto.safetensors")
    report = load(**asked.load_options).generate(asked, tmp_path)
    assert (report["dtype"], report["offload"]) == ("float32", "none")
    stated = request(T2V, size=(64, 48), latents="stated.safetensors")
    load(**stated.load_options).generate(stated, tmp_path)
    made = [load_file(tmp_path / f"{name}.safetensors")["latents"] for name in ("auto", "stated")]
    assert torch.equal(*made)


def test_the_engines_own_command_line_chooses_nothing_unasked(tmp_path):
    report = tmp_path / "report.json"
    assert main(command(T2V, tmp_path / "clip.mp4", "--size", "64x48", "--report", str(report))) == 0
    told = json.loads(report.read_text())
    assert (told["request"]["dtype"], told["request"]["offload"]) == ("float32", "none")


def test_a_prompt_is_encoded_once(tmp_path):
    asked = request(T2V, size=(64, 48), prompt_cache="prompts", latents="l.safetensors")
    first = load(golden.path(T2V)).generate(asked, tmp_path)
    latents = load_file(tmp_path / "l.safetensors")["latents"]
    pipeline = load(golden.path(T2V))
    encoded = []
    pipeline.pool.text_encoder = lambda: encoded.append(1)
    second = pipeline.generate(asked, tmp_path)
    assert (first["prompts_from_cache"], second["prompts_from_cache"], encoded) == (0, 2, [])
    assert torch.equal(load_file(tmp_path / "l.safetensors")["latents"], latents)


def test_the_lightning_preset(tmp_path):
    report = load(golden.path(T2V)).generate(request(T2V, size=(64, 48), steps=None, preset="lightning"), tmp_path)
    told = [(step["expert"], round(step["timestep"], 1)) for step in report["steps"]]
    assert told == [("high", 1000.0), ("high", 937.5), ("low", 833.3), ("low", 625.0)]
    assert (report["solver"], report["guide"], report["shift"]) == ("euler", [1.0, 1.0], 5.0)


def test_a_lora_that_fits_in_part_is_told(tmp_path):
    down, up = torch.ones(2, 48), torch.ones(48, 2)
    state = {"blocks.0.self_attn.q.lora_down.weight": down, "blocks.0.self_attn.q.lora_up.weight": up}
    state["lora_te_text_model.lora_down.weight"] = down + 1
    save_file(state, tmp_path / "style.safetensors")
    asked = request(T2V, size=(64, 48), loras=(Lora(str(tmp_path / "style.safetensors")),))
    events = []
    report = load(**asked.load_options).generate(asked, tmp_path, on_event=events.append)
    (note,) = [words for words in report["warnings"] if "style.safetensors" in words]
    assert "1 of 3 tensors" in note
    assert note in [event["message"] for event in events if event["event"] == "note"]


def test_unknown_attention_is_told_before_the_work():
    with pytest.raises(UsageError, match="sdpa"):
        load(golden.path(T2V), attention="magic")


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch compiles with a C++ compiler")
def test_compiled_blocks_give_the_same_clip(tmp_path):
    latents = []
    for compiled in (False, True):
        asked = request(T2V, frames=5, compile=compiled, latents="l.safetensors", guide=(1.0, 1.0), steps=1)
        load(**asked.load_options).generate(asked, tmp_path)
        latents.append(load_file(tmp_path / "l.safetensors")["latents"])
    golden.assert_close(latents[0], latents[1], 1e-4, 1e-4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_short_dtypes_stay_near(dtype, tmp_path):
    for name in ("float32", dtype):
        asked = request(T2V, size=(64, 48), dtype=name, latents=f"{name}.safetensors")
        load(golden.path(T2V), dtype=name).generate(asked, tmp_path)
    full, short = (load_file(tmp_path / f"{name}.safetensors")["latents"] for name in ("float32", dtype))
    assert short.dtype == torch.float32
    assert 0 < (full - short).square().mean().sqrt() < 0.1 * full.std()


def test_euler_runs(tmp_path):
    report = load(golden.path(T2V)).generate(
        request(T2V, size=(64, 48), steps=4, shift=5.0, boundary=0.9, guide=(1.0, 1.0), solver="euler"), tmp_path
    )
    assert [step["expert"] for step in report["steps"]] == ["high", "high", "low", "low"]


def test_a_prompt_that_is_too_long_loses_its_least_sentences_and_tells_of_it(tmp_path):
    nano = load("checkpoints/nano")
    own = PromptPart("A weathered fisherman repairs nets beside his boat at the harbour wall. " * 8, -1)
    facts = (PromptPart("The scene shows a red cube."), PromptPart("The sun is low."), PromptPart("A lamp glows.", 5))
    parts = (own, *facts)
    asked = GenerationRequest("checkpoints/nano", joined(parts), prompt_parts=parts, steps=1, frames=1, negative="")
    asked = replace(asked, prompt_cache="prompts", latents="a.safetensors")
    short = replace(asked, prompt=f"{joined(facts[:2])} {own.text}", prompt_parts=(), latents="b.safetensors")
    for _ in range(2):  # the second time nothing is encoded
        events = []
        report = nano.generate(asked, tmp_path, on_event=events.append)
        notes = [event["message"] for event in events if event["event"] == "note"]
        assert any("left out: A lamp glows." in note for note in notes)
        assert any("the prompt has" in note.lower() and "cut off from here on" in note for note in notes)
        assert set(notes) <= set(report["warnings"]) and report["prompt_read"].startswith("The scene shows a red cube.")
    nano.generate(short, tmp_path)
    one, two = (load_file(tmp_path / f"{name}.safetensors")["latents"] for name in "ab")
    assert torch.equal(one, two)


def test_a_long_prompt_on_the_command_line_is_cut_as_in_the_original_and_told(tmp_path, capsys):
    negative = "blurred, " * 400
    words = [
        "--prompt",
        "a cube " * 600,
        "--negative",
        negative,
        "--size",
        "64x32",
        "--report",
        str(tmp_path / "r.json"),
    ]
    assert main(command(T2V, tmp_path / "clip.mp4", *words)) == 0
    told = capsys.readouterr().err
    report = json.loads((tmp_path / "r.json").read_text())
    for name in ("The prompt has", "The negative prompt has"):
        assert told.count(name) == 1 and sum(name in warning for warning in report["warnings"]) == 1
    assert "prompt_read" not in report
