# SPDX-License-Identifier: GPL-3.0-or-later
"""A weight file's header is opened and parsed once, however many ask what the file holds."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path

import golden
import pytest
import saved

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.checkpoint.single_files import weight_files
from wan_engine.checkpoint.summary import outline
from wan_engine.cli import main
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.weights import contents

NANO = golden.REPOSITORY / "checkpoints" / "nano"
PLACES = ["fullstack/Wan2.2-T2V-A14B/checkpoint", "fullstack/Wan2.1-I2V-14B/checkpoint", "nano", "comfy"]
_opened: Counter[str] = Counter()
_watching = False


def _note(event, arguments):
    if _watching and event == "open":
        _opened[str(arguments[0])] += 1


sys.addaudithook(_note)  # it cannot be taken off again


@pytest.fixture(scope="module")
def comfy(tmp_path_factory):
    """Single files, the transformers as GGUF."""
    diffusers = saved.save_diffusers(
        tmp_path_factory.mktemp("two"),
        [saved.diffusers_transformer(), saved.diffusers_transformer()],
        saved.diffusers_vae(),
        text := saved.transformers_text_encoder(),
    )
    parts = saved.states(open_checkpoint(diffusers))
    folder = saved.save_comfy(tmp_path_factory.mktemp("comfy"), parts, text.state_dict())
    shutil.copy(golden.path(saved.TOKENIZER), folder)
    for expert in ("high", "low"):
        path = next(folder.rglob(f"*{expert}_noise*"))
        saved.save_gguf(path.with_suffix(".gguf"), "wan", parts[expert])
        path.unlink()
    return folder


@pytest.fixture(params=PLACES)
def place(request):
    if request.param == "comfy":
        return request.getfixturevalue("comfy")
    return NANO if request.param == "nano" else golden.path(request.param)


def weights(folder: Path) -> list[str]:
    return [str(path) for path in weight_files(folder) if path.name != "light_map.safetensors"]


def test_inspect_opens_every_weight_file_once(place, capsys):
    global _watching
    _opened.clear()
    _watching = True
    try:
        assert main(["inspect", "--checkpoint", str(place)]) == 0
    finally:
        _watching = False
    counts = {name: _opened[name] for name in weights(place)}
    assert len(counts) >= 3
    assert counts == dict.fromkeys(counts, 1)


@pytest.fixture
def parsed(monkeypatch):
    """How often the header of each file has been parsed."""
    counts: Counter[Path] = Counter()
    original = contents.open_weights

    def counting(path):
        counts[path] += 1
        return original(path)

    monkeypatch.setattr(contents, "open_weights", counting)
    return counts


def test_a_request_parses_every_header_once(parsed, tmp_path):
    """Reading the weights opens files again; what they hold is known by then."""
    request = GenerationRequest(str(NANO), "a cube", size=(64, 64), frames=5, steps=2, out=str(tmp_path / "clip.mp4"))
    load(**request.load_options).generate(request)
    assert len(parsed) == 4
    assert set(parsed.values()) == {1}


def test_the_outline_reads_no_more_than_the_transformers(parsed):
    outline(golden.path(PLACES[0]))
    assert {path.parent.name for path in parsed} == {"high_noise_model", "low_noise_model"}
    assert set(parsed.values()) == {1}
