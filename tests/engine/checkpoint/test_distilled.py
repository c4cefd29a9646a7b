# SPDX-License-Identifier: GPL-3.0-or-later
"""The four-step LoRAs: their rows against those of the models, what does not belong together, and the whole way from a
hub on this machine to a clip."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

import golden
import pytest
import torch
from distilled_loras import made_files
from hub_server import Hub, serving
from safetensors.torch import load_file
from small_requests import T2V, request

from wan_engine.checkpoint import models
from wan_engine.checkpoint.distilled import BY_NAME, ROWS, distilled_for, is_distilled, sampling_notes, sampling_of
from wan_engine.checkpoint.download import MODELS, fetch
from wan_engine.cli import main
from wan_engine.errors import CheckpointError, GenerationError, UsageError
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.request_parts import Lora
from wan_engine.sampling.solvers import make_solver

ROW = BY_NAME["Wan2.2-T2V-A14B-4steps"]
BY_MODEL = {row.name: row for row in models.ROWS if row.name}


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    made = Hub(ROW.name, made_files(golden.path(T2V), ROW.name))
    with serving(made) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setattr("time.sleep", lambda seconds: None)  # huggingface_hub waits between attempts
        yield made


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_fits_its_models(row):
    """As many files as experts, whose names tell them apart, and half of the steps for each expert."""
    for name in (*row.models, *row.also):
        model = BY_MODEL[name]
        assert set(row.files) == ({"high", "low"} if model.experts == 2 else {"both"})
        request = GenerationRequest("a", "b", loras=loras_of(row), preset="lightning")
        assert sampling_notes(request, model) == []
        GenerationRequest("a", "b", **row.sampling).validate()
        if model.boundary is not None:
            times = make_solver(row.solver, row.steps, row.shift).timesteps
            assert (times >= 1000 * model.boundary).tolist() == [True, True, False, False]
    assert all(Lora(path).expert == expert for expert, path in row.files.items())
    assert set(MODELS[row.name].files) == set(row.files.values())
    assert is_distilled(next(iter(row.files.values()))) and row.name not in BY_MODEL


def loras_of(row) -> tuple[Lora, ...]:
    return tuple(Lora(path) for path in row.files.values())


def test_the_first_row_of_a_model_is_its_preset_s():
    assert distilled_for(models.T2V_A14B) is ROW
    assert distilled_for(models.FUN_A14B_CONTROL) is distilled_for(models.I2V_A14B)
    assert sampling_of(models.I2V_14B_480P_V21, "lightning")["solver"] == "lcm"
    assert sampling_of(models.TI2V_5B, "lightning") == {
        "steps": 4,
        "shift": 5.0,
        "guide": (1.0, 1.0),
        "solver": "euler",
    }
    assert distilled_for(models.TI2V_5B) is None is distilled_for(models.NANO)
    assert sampling_of(models.T2V_A14B, None) == {}


T2V_LORAS, I2V_LORAS = (loras_of(distilled_for(row)) for row in (models.T2V_A14B, models.I2V_A14B))
STYLE = (Lora("style.safetensors"),)


@pytest.mark.parametrize(
    ("model", "asked", "told"),
    [
        (models.T2V_A14B, {"loras": T2V_LORAS}, ["40 steps and guidance 4"]),
        (models.T2V_A14B, {"loras": T2V_LORAS, "steps": 4}, ["with guidance 4", "unipc at shift 12"]),
        (models.T2V_A14B, {"loras": T2V_LORAS, "preset": "lightning", "steps": 20}, ["with 20 steps"]),
        (models.T2V_A14B, {"loras": T2V_LORAS, "preset": "lightning", "solver": "unipc"}, ["unipc at shift 5"]),
        (models.T2V_A14B, {"preset": "lightning"}, ["Wan2.2-T2V-A14B-4steps can be downloaded"]),
        (models.T2V_A14B, {"steps": 4}, ["made for 40"]),
        (models.T2V_A14B, {"steps": 4, "loras": STYLE}, ["made for 40"]),
        (models.TI2V_5B, {"preset": "lightning"}, ["unless the checkpoint has it"]),
        (models.T2V_A14B, {"preset": "lightning", "loras": T2V_LORAS[:1]}, ["low-noise expert lacks"]),
        (models.I2V_A14B, {"preset": "lightning", "loras": I2V_LORAS[1:]}, ["high-noise expert lacks"]),
        (models.T2V_A14B, {"preset": "lightning", "loras": I2V_LORAS}, ["a picture (I2V)", "a picture (I2V)"]),
        (models.I2V_A14B, {"preset": "lightning", "loras": T2V_LORAS}, ["text (T2V)", "text (T2V)"]),
        (models.T2V_A14B, {"preset": "lightning", "loras": loras_of(BY_NAME["Wan2.1-T2V-14B-4steps"])}, ["Wan2.1"]),
        (models.T2V_A14B, {"loras": STYLE}, []),
        (models.T2V_A14B, {"loras": (Lora(T2V_LORAS[0].path, 0.0),)}, []),
        (models.T2V_A14B, {"preset": "lightning", "checkpoint": "models/Wan2.2-T2V-lightx2v-4step"}, []),
        (models.NANO, {"steps": 4}, []),
    ],
)
def test_what_does_not_belong_together_is_told(model, asked, told):
    if model is models.NANO:  # whose own row is no model's to be brought to four steps
        model = replace(model, steps=12)
    notes = sampling_notes(GenerationRequest(**{"checkpoint": "a", "prompt": "b", **asked}), model)
    assert len(notes) == len(told), notes
    for note, words in zip(notes, told, strict=True):
        assert words in note


def test_from_the_hub_to_a_clip(hub, tmp_path, capsys):
    """`download` names the options with which `generate` makes a clip, each expert by its own file."""
    assert main(["download", ROW.name, "--to", str(tmp_path / "loras")]) == 0
    printed = capsys.readouterr().out.splitlines()
    options = shlex.split(printed[1].partition(": ")[2])
    small = ["--checkpoint", str(golden.path(T2V)), "--prompt", "a cube", "--size", "64x32", "--frames", "5"]
    clip, latents = tmp_path / "clip.mp4", tmp_path / "latents.safetensors"
    report = ["--latents", str(latents), "--report", str(tmp_path / "report.json")]
    assert main(["generate", *small, *options, "--out", str(clip), *report]) == 0
    assert clip.stat().st_size > 0
    said = capsys.readouterr().err
    assert "step 4/4 (low" in said and "distilled" not in said and "used in part" not in said
    files = [tmp_path / "loras" / name for name in ROW.files.values()]
    assert options == [
        "--preset",
        "lightning",
        *(f for p, e in zip(files, ROW.files, strict=True) for f in ("--lora", f"{p}:{e}")),
    ]
    made = {"all": load_file(latents)["latents"]}
    for name, loras in {"high": files[:1], "none": []}.items():
        asked = request(T2V, steps=None, frames=5, preset="lightning", loras=tuple(Lora(str(path)) for path in loras))
        asked = replace(asked, latents=f"{name}.safetensors")
        told = load(**asked.load_options).generate(asked, tmp_path)["warnings"]
        assert any(words in note for note in told for words in ("low-noise expert lacks", "give their LoRA")), told
        made[name] = load_file(tmp_path / f"{name}.safetensors")["latents"]
    assert not torch.equal(made["all"], made["high"]) and not torch.equal(made["high"], made["none"])


def test_downloads_that_go_wrong(hub, tmp_path, monkeypatch):
    """A connection that is cut is gone on with; a file that comes damaged, or that the hub lacks, leaves no half pair
    to be taken for a whole one; a disk without room is told before anything comes."""
    high, low = ROW.files.values()
    hub.cut, hub.cuts = {low: 20_000}, 1000
    with pytest.raises(GenerationError, match="goes on from here"):
        fetch(ROW.name, tmp_path)
    assert (tmp_path / high).is_file() and not (tmp_path / low).exists()
    hub.cuts = 0
    hub.spoilt[low] = 2
    with pytest.raises(CheckpointError, match="damaged twice"):
        fetch(ROW.name, tmp_path)
    assert not (tmp_path / low).exists()
    fetch(ROW.name, tmp_path)
    assert all((tmp_path / name).read_bytes() == hub.files[name] for name in (high, low))
    with pytest.raises(UsageError, match=r"holds Wan2\.2-T2V-A14B-4steps"):
        fetch("Wan2.2-I2V-A14B-4steps", tmp_path)
    del hub.files[low]
    with pytest.raises(CheckpointError, match="low_noise_model"):
        fetch(ROW.name, tmp_path / "other")
    assert not list((tmp_path / "other").glob("*.json"))
