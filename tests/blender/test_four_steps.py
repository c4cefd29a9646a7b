# SPDX-License-Identifier: GPL-3.0-or-later
"""Four steps by one click, and without a window: downloaded from a hub on this machine, set, rendered; what goes wrong
on the way; what is told before anything is rendered."""

import json
import os
import subprocess
from pathlib import Path

import bpy
import pytest
import wan_previs
from tiny_shots import TEXT_ONLY, TINY, one_shot
from wan_previs import cli, previs
from wan_previs.bridge import history
from wan_previs.bridge.jobs import JobFolder
from wan_previs.operators import common
from wan_previs.previs import engine
from wan_previs.wan_engine.checkpoint.distilled import BY_NAME

ROOT = Path(__file__).resolve().parents[2]
ROW = BY_NAME["Wan2.2-T2V-A14B-4steps"]


@pytest.fixture
def scene(blank_scene, tmp_path, monkeypatch):
    """A shot of a cube for the tiny text model, with a folder for downloads."""
    places = lambda context: (None, tmp_path / "user")  # noqa: E731
    for module in (engine, common, cli):
        monkeypatch.setattr(module, "engine_places", places)
    monkeypatch.setattr(
        engine,
        "find_engine",
        lambda chosen, addon, folder, find=engine.find_engine: find(chosen, addon, addon / "engine"),
    )
    wan_previs.register()
    scene = one_shot(blank_scene)
    state = scene.wan_previs
    state.model, state.checkpoint, state.output = "CUSTOM", str(TEXT_ONLY), str(tmp_path / "out")
    state.size, state.width, state.height, state.frames = "CUSTOM", 64, 48, 5
    yield scene
    previs.close_engine()
    wan_previs.unregister()


@pytest.fixture
def online(monkeypatch):
    monkeypatch.setattr(bpy.context.preferences.system, "use_online_access", True)


@pytest.fixture
def hub(monkeypatch):
    """The published files of the row, tiny, as a hub."""
    python = engine.find_engine(None, engine.ADDON_DIR, engine.ADDON_DIR / "engine").python
    program = ROOT / "tests" / "engine" / "distilled_loras.py"
    child = subprocess.Popen(
        [str(python), str(program), str(TEXT_ONLY), ROW.name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    monkeypatch.setenv("HF_ENDPOINT", child.stdout.readline().strip())
    yield
    child.communicate()


def files(tmp_path):
    return [tmp_path / "user" / "loras" / ROW.name / name for name in ROW.files.values()]


@pytest.mark.engine
def test_one_click_downloads_sets_and_makes_a_clip(scene, hub, online, tmp_path):
    state = scene.wan_previs
    state.steps = 40
    assert state.four_steps.startswith("Downloads 2.5 GB. 4 passes of the model in place of 80; ")
    assert bpy.ops.wan_previs.four_steps() == {"FINISHED"}
    assert (state.preset, state.steps, state.four_steps_here) == ("lightning", 0, True)
    assert all(path.is_file() for path in files(tmp_path))
    assert state.four_steps.startswith("4 passes") and state.sampling_doubts == ""
    assert bpy.ops.wan_previs.generate(shot="Wide") == {"FINISHED"}
    job = JobFolder(previs.takes_of(scene, "Wide")[0].folder)
    report = history.read_report(job)
    assert [step["expert"] for step in report["steps"]] == ["high", "high", "low", "low"]
    assert (report["solver"], report["shift"], report["guide"]) == ("euler", 5.0, [1.0, 1.0])
    assert [(lora["path"], lora["expert"]) for lora in job.read_request()["loras"]] == [
        (str(path), expert) for path, expert in zip(files(tmp_path), ROW.files, strict=True)
    ]
    assert bpy.ops.wan_previs.all_steps() == {"FINISHED"}
    assert state.preset == "NONE" and state.sampling_doubts == ""


@pytest.mark.engine
def test_a_download_that_fails_changes_nothing(scene, online, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    scene.wan_previs.steps = 40
    with pytest.raises(RuntimeError, match="connection to the hub"):
        bpy.ops.wan_previs.four_steps()
    assert (scene.wan_previs.preset, scene.wan_previs.steps) == ("NONE", 40)
    assert bpy.context.window_manager.wan_previs.errors[0].text.startswith("The connection to the hub")


def test_nothing_is_downloaded_without_leave(scene, tmp_path):
    assert not bpy.app.online_access and not bpy.ops.wan_previs.four_steps.poll()
    with pytest.raises(previs.UsageError, match="Allow Online Access"):
        previs.FourStepsFetch(scene, common.settings_of(bpy.context))
    for path in files(tmp_path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    scene.wan_previs.look_at_model()
    assert bpy.ops.wan_previs.four_steps.poll()
    assert bpy.ops.wan_previs.four_steps() == {"FINISHED"} and scene.wan_previs.preset == "lightning"


def test_half_a_pair_is_not_used_and_told(scene, tmp_path):
    """Nor is one of two where the user has named a distilled LoRA of their own."""
    state = scene.wan_previs
    high, low = files(tmp_path)
    high.parent.mkdir(parents=True)
    high.touch()
    state.preset = "lightning"
    assert f"{ROW.name} can be downloaded" in state.sampling_doubts and not state.four_steps_here
    low.touch()
    state.look_at_model()
    assert state.four_steps_here and state.sampling_doubts == ""
    bpy.ops.wan_previs.add_lora()
    state.loras[0].path = str(high)
    assert "low-noise expert lacks" in state.sampling_doubts
    state.loras[0].path = str(tmp_path / "style.safetensors")
    assert state.sampling_doubts == ""
    state.preset = "NONE"
    state.loras[0].path = str(high)
    assert "40 steps and guidance" in state.sampling_doubts
    bpy.ops.wan_previs.remove_lora(index=0)
    assert state.sampling_doubts == ""


def test_models_without_offer_none(scene):
    state = scene.wan_previs
    for model, folder in (("NANO", ""), ("CUSTOM", "")):
        state.model, state.checkpoint = model, folder
        assert (state.four_steps, state.sampling_doubts) == ("", "")
    state.model, state.checkpoint = "CUSTOM", str(TINY)
    assert state.four_steps.startswith("Downloads")


@pytest.mark.engine
def test_without_a_window(scene, hub, online, tmp_path, capsys):
    assert cli.main(["render", "--preset", "lightning", "--dry-run"]) == 0
    assert f"warning: Four steps are enough for distilled weights only; give their LoRA ({ROW.name}" in (
        capsys.readouterr().err
    )
    assert cli.main(["four-steps"]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(tmp_path / "user" / "loras" / ROW.name) and "Downloading" in told.err
    assert cli.main(["render", "--preset", "lightning", "--dry-run"]) == 0
    told = capsys.readouterr()
    assert "distilled" not in told.err
    request = json.loads((Path(told.out.strip().splitlines()[-1]) / "request.json").read_text())
    assert [lora["path"] for lora in request["loras"]] == [str(path) for path in files(tmp_path)]
    assert cli.main(["four-steps", "--model", "nano"]) == 2
    assert "no LoRA" in capsys.readouterr().err
