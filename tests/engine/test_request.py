# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests: JSON round trip, and a refusal in words for every value that cannot work."""

import argparse
import json
import subprocess
import sys
from dataclasses import replace

import golden
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from wan_engine.errors import Cancelled, CheckpointError, GenerationError, UsageError
from wan_engine.light_curve import SunPlace
from wan_engine.option_arguments import add_options, given_options
from wan_engine.options import CODEC, DTYPE, GUIDE, OFFLOAD, PRESETS, REPAIR, SOLVER
from wan_engine.request import OPTIONS, GenerationRequest, check_frames
from wan_engine.request_parts import LORA_EXPERTS, Lora, PromptPart

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=1e-6, max_value=1e6)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
FILES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
REQUESTS = st.builds(
    GenerationRequest,
    checkpoint=FILES,
    prompt=TEXTS,
    negative=st.none() | TEXTS,
    image=FILES,
    last_image=st.none() | FILES,
    size=st.none() | st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)),
    frames=st.none() | st.integers(0, 100).map(lambda n: 4 * n + 1),
    steps=st.none() | st.integers(1, 1000),
    shift=st.none() | POSITIVE,
    guide=st.none() | st.tuples(NUMBERS, NUMBERS),
    boundary=st.none() | st.floats(0, 1),
    solver=st.none() | st.sampled_from(SOLVER.names),
    seed=st.integers(0, 2**64 - 1),
    preset=st.none() | st.sampled_from(sorted(PRESETS)),
    loras=st.lists(st.builds(Lora, FILES, st.floats(-100, 100), st.sampled_from(LORA_EXPERTS))).map(tuple),
    dtype=st.sampled_from(DTYPE.names),
    offload=st.sampled_from(OFFLOAD.names),
    compile=st.booleans(),
    step_cache=st.floats(0, 1),
    vae_tiles=st.just(0) | st.integers(2, 64).map(lambda n: 32 * n),
    fps=st.none() | st.floats(0.01, 1000),
    resume=st.none() | FILES,
    preview=st.none() | FILES,
    prompt_cache=st.none() | FILES,
    page=st.none() | FILES,
    tracks=st.none() | FILES,
    repair=st.lists(st.sampled_from(REPAIR.names), unique=True).map(tuple),
    upscale=st.sampled_from((0, 2, 4)),
    refine=st.just(0.0) | st.floats(0.05, 0.6),
    codec=st.sampled_from(CODEC.names),
    guide_light=st.none() | st.just(GUIDE.names[0]),
    sun=st.none() | st.lists(st.builds(SunPlace, st.integers(0, 10_000), NUMBERS, NUMBERS)).map(tuple),
)


def given(*words):
    """The options that a command line of the engine states."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_options(parser, [replace(option, must=False) for option in OPTIONS.values()])
    return given_options(parser.parse_args(words), OPTIONS.values())


def test_json_round_trip():
    request = GenerationRequest("nano", "a cube", size=(192, 128), guide=(3.0, 4.0), clip_frames=48, clip_fps=23.976)
    data = request.to_json()
    assert data["schema"] == "wan_previs.request/1"
    assert data["size"] == [192, 128]
    assert GenerationRequest.from_json(data) == request


@for_all(REQUESTS)
def test_any_request_survives_json(request):
    request.validate()
    assert GenerationRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_parts_of_a_prompt_make_it_up():
    parts = (PromptPart("A cube.", 2), PromptPart("It is noon."))
    request = GenerationRequest("nano", "A cube. It is noon.", prompt_parts=parts)
    assert GenerationRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
    with pytest.raises(UsageError, match="prompt_parts"):
        replace(request, prompt="A sphere.").validate()
    for wrong in ([{"rank": 1}], [{"text": 1}], ["A cube."]):
        with pytest.raises(UsageError, match=r"part|prompt_parts"):
            GenerationRequest.from_json({**request.to_json(), "prompt_parts": wrong})


def test_a_preset_fills_what_is_not_stated():
    request = GenerationRequest("a14b", "a cube", preset="lightning").with_preset(PRESETS["lightning"])
    assert (request.steps, request.shift, request.guide, request.solver) == (4, 5.0, (1.0, 1.0), "euler")
    request = GenerationRequest("a14b", "a cube", preset="lightning", steps=8, solver="unipc")
    request = request.with_preset(PRESETS["lightning"])
    assert (request.steps, request.shift, request.solver) == (8, 5.0, "unipc")
    plain = GenerationRequest("a14b", "a cube")
    assert plain.with_preset({}) == plain


def test_load_options_are_arguments_of_load():
    request = GenerationRequest("nano", "", loras=(Lora("a"),), dtype="bfloat16", compile=True, step_cache=0.2)
    options = {"checkpoint": "nano", "dtype": "bfloat16", "offload": "none", "loras": (Lora("a"),)}
    assert request.load_options == {**options, "attention": "auto", "compile": True, "device": "auto"}


@pytest.mark.parametrize(
    ("text", "lora"),
    [
        ("a.safetensors", Lora("a.safetensors")),
        ("a.safetensors:0.5", Lora("a.safetensors", 0.5)),
        ("a.safetensors:high", Lora("a.safetensors", 1.0, "high")),
        ("a.safetensors:-1:low", Lora("a.safetensors", -1.0, "low")),
        ("a.safetensors:1:both", Lora("a.safetensors", 1.0, "both")),
        (r"C:\loras\a.safetensors", Lora(r"C:\loras\a.safetensors")),
        (r"C:\loras\a.safetensors:2e-1:low", Lora(r"C:\loras\a.safetensors", 0.2, "low")),
        ("odd:name.safetensors", Lora("odd:name.safetensors")),
        ("a.safetensors:1.", Lora("a.safetensors", 1.0)),
        ("a.safetensors:.5", Lora("a.safetensors", 0.5)),
        ("a.safetensors:0,8", Lora("a.safetensors", 0.8)),
        ("a.safetensors:1e-1", Lora("a.safetensors", 0.1)),
        ("a.safetensors:+2:HIGH", Lora("a.safetensors", 2.0, "high")),
        ("a.safetensors:high:0.8", Lora("a.safetensors", 0.8, "high")),
        ("a.safetensors:low:-1e-1", Lora("a.safetensors", -0.1, "low")),
        (r"C:\loras\a.safetensors:both:0,8", Lora(r"C:\loras\a.safetensors", 0.8, "both")),
        (r"C:\loras\a_high_noise.safetensors:1.", Lora(r"C:\loras\a_high_noise.safetensors", 1.0, "high")),
        ("/loras/a_low_noise.safetensors", Lora("/loras/a_low_noise.safetensors", 1.0, "low")),
        ("folder/peft_lora:0.8", Lora("folder/peft_lora", 0.8)),
    ],
)
def test_loras_on_the_command_line(text, lora):
    assert given("--lora", text, "--lora", "second")["loras"] == (lora, Lora("second"))


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ":0.5", ":high", "a.safetensors:", "a.safetensors:hgih", "a.safetensors:nan", "a.safetensors:inf"),
        *("a.safetensors:1e999", "a.safetensors:0.5:0.8", "a.safetensors:high:low", "a.safetensors:0.8x"),
    ],
)
def test_what_is_no_lora_is_told(text):
    with pytest.raises(UsageError, match="no LoRA"):
        Lora.parse(text)


def test_exit_statuses():
    assert [error.exit_status for error in (UsageError, CheckpointError, GenerationError, Cancelled)] == [2, 4, 5, 130]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"nonsense": 1}, "nonsense"),
        ({"seed": 1.5}, "seed"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
        ({"size": [64]}, "size"),
        ({"size": [64, 0]}, "size"),
        ({"size": "64x64"}, "size"),
        ({"camera_scale": 2.0}, "without camera;"),
        ({"control_share": 0.5}, "without control_video;"),
        ({"frames": 0}, "frames"),
        ({"frames": 80}, "77 and 81"),
        ({"frames": 2}, "1 and 5"),
        ({"steps": 0}, "steps"),
        ({"shift": 0}, "shift"),
        ({"shift": float("nan")}, "shift"),
        ({"guide": [1.0, float("inf")]}, "guide"),
        ({"boundary": 900}, "boundary"),
        ({"solver": "magic"}, "unipc, dpm\\+\\+, euler"),
        ({"dtype": "int8"}, "bfloat16"),
        ({"preset": "thunder"}, "lightning"),
        ({"loras": "a.safetensors"}, "loras"),
        ({"loras": [{"strength": 1.0}]}, "path"),
        ({"loras": [{"path": "a", "weight": 1.0}]}, "strength"),
        ({"loras": [{"path": ""}]}, "loras"),
        ({"loras": [{"path": "a", "expert": "dense"}]}, "both, high, low"),
        ({"loras": [{"path": "a", "strength": float("nan")}]}, "strength from -100 to 100"),
        ({"loras": [{"path": "a", "strength": 1e308}]}, "strength from -100 to 100"),
        ({"loras": [{"path": "a", "strength": -1e39}]}, "strength from -100 to 100"),
        ({"loras": [{"path": "a", "strength": 101}]}, "strength from -100 to 100"),
        ({"attention": ""}, "attention"),
        ({"compile": 1}, "compile"),
        ({"step_cache": -0.1}, "step_cache"),
        ({"vae_tiles": 100}, "multiple of 32"),
        ({"vae_tiles": 32}, "64"),
        ({"resume": ""}, "resume"),
        ({"prompt_cache": 1}, "prompt_cache"),
        ({"offload": "disk"}, "offload"),
        ({"prompt": None}, "prompt"),
        ({"image": ""}, "image"),
        ({"last_image": "b.png"}, "first picture"),
        ({"clip_frames": 24}, "clip_fps"),
        ({"out": None}, "out"),
        ({"repair": ["gloss"]}, "deflicker, color"),
        ({"repair": [["color"]]}, "deflicker, color"),
        ({"upscale": True}, "0, 2, 4"),
        ({"refine": 0.01}, "0.05"),
        ({"schema": "other/1"}, "schema"),
    ],
)
def test_bad_values_are_named(change, word):
    data = {**GenerationRequest("nano", "a cube").to_json(), **change}
    with pytest.raises(UsageError, match=word):
        GenerationRequest.from_json(data)


def test_missing_key_is_named():
    with pytest.raises(UsageError, match="prompt"):
        GenerationRequest.from_json({"schema": "wan_previs.request/1", "checkpoint": "nano"})


def test_frame_counts():
    for frames in (None, 1, 5, 81, 121):
        check_frames(frames)
    with pytest.raises(UsageError, match="5 and 9"):
        check_frames(8)


def test_imports_without_torch():
    code = "import sys, wan_engine.request; print([m for m in ('torch', 'numpy', 'av') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=golden.REPOSITORY, capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
