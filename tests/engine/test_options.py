# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of options: what it makes of command lines, and what earlier versions wrote."""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import MISSING, fields, replace
from pathlib import Path

import golden
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wan_engine.cli import main
from wan_engine.finishing.upscale import FACTORS
from wan_engine.media import video_writer
from wan_engine.option_arguments import add_options, given_options
from wan_engine.option_kinds import AnyOf, Number, OneOf, Whole
from wan_engine.options import CODEC, PRESET, PRESETS, UPSCALE, EngineOptions, Option, SharedOptions, options_of
from wan_engine.request import OPTIONS, GenerationRequest
from wan_engine.request_parts import Lora

OLD = golden.REPOSITORY / "tests" / "data" / "before_options"
_FULL = "The output cannot be used (No space left on device). Check the path, its rights and the free space there.\n"
TYPES = {bool: "bool", int: "int", float: "float", str: "str", tuple: "tuple"}


def read(options, *words):
    """The values that a command line states; SystemExit for a wrong one."""
    parser = argparse.ArgumentParser()
    add_options(parser, [replace(option, must=False) for option in options])
    return given_options(parser.parse_args(words), options)


def test_every_field_of_a_request_is_a_row():
    assert list(OPTIONS) == [field.name for field in fields(GenerationRequest)]


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.name)
def test_a_row_holds_together(option):
    (field,) = (field for field in fields(GenerationRequest) if field.name == option.name)
    assert option.default is MISSING or (option.allows(option.default) and field.default == option.default)
    if option.default not in (MISSING, None):
        assert TYPES[type(option.default)] in field.type
    assert (option.default is None) == ("None" in field.type)
    assert option.help and not option.help.endswith(".") and option.kind.wording
    if isinstance(option.kind, OneOf | AnyOf):
        numbers = [choice.number for choice in option.kind.choices]
        assert len(set(numbers)) == len(numbers) and all(choice.title and choice.help for choice in option.kind.choices)


def test_no_two_options_answer_to_one_name():
    names = [name for option in OPTIONS.values() for name in (option.name, *option.old)]
    flags = [option.flag for option in OPTIONS.values() if option.flag]
    assert len(set(names)) == len(names) and len(set(flags)) == len(flags)


def test_presets_are_choices_and_state_what_a_request_may():
    assert set(PRESETS) == set(PRESET.names)
    for values in PRESETS.values():
        GenerationRequest("c", "p", **values).validate()


def test_choices_are_what_the_engine_knows():
    assert CODEC.names == tuple(video_writer.CODECS)
    assert UPSCALE.names == (0, *FACTORS)


def test_an_option_is_one_row():
    """A table with one more row has it on the command line, checked and worded."""
    strength = Option("trial", Number(0, 1), 0.0, "How much film grain is laid over", flag="--trial")
    options = [*options_of(SharedOptions).values(), strength]
    assert read(options, "--trial", "0.5") == {"trial": 0.5}
    with pytest.raises(SystemExit):
        read(options, "--trial", "2")


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ((), {}),
        (("--size", "832X480"), {"size": (832, 480)}),
        (("--guide", "3.5"), {"guide": (3.5, 3.5)}),
        (("--guide", "3,4"), {"guide": (3.0, 4.0)}),
        (("--repair",), {"repair": ("deflicker", "color")}),
        (("--repair", "color", "deflicker"), {"repair": ("color", "deflicker")}),
        (("--repair", "deflicker,color"), {"repair": ("deflicker", "color")}),
        (("--repair", "none"), {"repair": ()}),
        (("--correct", "color"), {"repair": ("color",)}),
        (("--light-guide", "strict"), {"guide_light": "strict"}),
        (("--guide-light", "off"), {"guide_light": "off"}),
        (("--upscale", "4"), {"upscale": 4}),
        (("--preset", "none", "--steps", "none"), {"preset": None, "steps": None}),
        (("--offload", "none"), {"offload": "none"}),
        (("--negative", "none"), {"negative": "none"}),
        (("--lora", "none"), {"loras": ()}),
        (("--lora", "a.safetensors", "--lora", "b:0.5"), {"loras": (Lora("a.safetensors"), Lora("b", 0.5))}),
        (("--reference", "a.png", "b.png", "--reference", "c.png"), {"reference": ("a.png", "b.png", "c.png")}),
        (("--control-video", "depth", "--control-scale", "0.5"), {"control_video": "depth", "control_scale": 0.5}),
        (("--no-compile",), {"compile": False}),
        (("--vae-tiles", "256", "--refine", "0"), {"vae_tiles": 256, "refine": 0.0}),
    ],
)
def test_command_lines(words, values):
    assert read(OPTIONS.values(), *words) == values


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--size", "wide"), "832x480"),
        (("--guide", "1,2,3"), "3.5 or 3,4"),
        (("--codec", "gif"), "h264, prores, ffv1, png, exr"),
        (("--upscale", "3"), "0, 2, 4"),
        (("--refine", "0.9"), "0.05 to 0.6"),
        (("--steps", "0"), "1 to 1000"),
        (("--repair", "gloss"), "deflicker, color"),
        (("--fps", "nan"), "0.01 to 1000"),
        (("--vae-tiles", "100"), "multiple of 32"),
        (("--lora", "a.safetensors:hgih"), "no LoRA"),
    ],
)
def test_wrong_values_are_told_with_what_they_may_be(words, told, capsys):
    with pytest.raises(SystemExit):
        read(OPTIONS.values(), *words)
    assert told in capsys.readouterr().err
    assert main(["generate", "--checkpoint", "c", "--prompt", "p", "--out", "o", *words]) == 2
    assert told in capsys.readouterr().err


@given(st.sampled_from([option for option in OPTIONS.values() if option.flag and option.name != "light"]), st.text())
def test_any_word_is_read_or_refused(option, text):
    try:
        values = read([option], f"{option.flag}={text}")
    except SystemExit as stop:
        assert stop.code == 2
    else:
        assert option.allows(values[option.name])


@given(st.sampled_from([o for o in OPTIONS.values() if isinstance(o.kind, Whole | Number) and o.flag]), st.data())
def test_numbers_within_the_bounds_are_read_as_written(option, data):
    kind = option.kind
    low, high = -1e6 if kind.low is None else kind.low, 1e6 if kind.high is None else kind.high
    if isinstance(kind, Whole):
        value = data.draw(st.integers(int(low), int(high))) // kind.step * kind.step
    else:
        value = data.draw(st.floats(low, high, exclude_min=kind.open))
    if kind.accepts(value):
        assert read([option], f"{option.flag}={value!r}") == {option.name: value}
    else:
        assert isinstance(kind, Whole) and kind.step > 1


def test_help_tells_every_option_but_no_old_name(capsys):
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    told = capsys.readouterr().out
    assert all(option.flag in told for option in OPTIONS.values() if option.flag)
    assert "--correct" not in told and "--light-guide" not in told


def test_a_request_of_an_earlier_version_opens_with_its_values():
    data = json.loads((OLD / "request.json").read_text())
    request = GenerationRequest.from_json(data)
    assert "correct" in data and request.repair == ("deflicker", "color")
    stored = {**request.to_json(), "correct": list(request.repair)}
    stored["light"] = {name: stored["light"][name] for name in data["light"]}  # what came since is absent, not told
    assert request.light.uncertainty is None
    assert {name: stored[name] for name in data} == data
    assert GenerationRequest.from_json(request.to_json()) == request


def test_shared_options_are_the_engines_too():
    assert set(options_of(SharedOptions)) < set(options_of(EngineOptions)) < set(OPTIONS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_or_closed_stdout_is_told_in_words():
    command = [sys.executable, "-m", "wan_engine", "inspect", "--checkpoint", "checkpoints/nano"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=golden.REPOSITORY)
    assert (done.returncode, done.stderr) == (5, _FULL)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=golden.REPOSITORY)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
