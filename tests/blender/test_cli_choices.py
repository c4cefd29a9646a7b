# SPDX-License-Identifier: GPL-3.0-or-later
"""What the headless commands take from the file: the choices that its scene holds, and which scene it is."""

import json
import shutil
from pathlib import Path

import bpy
import pytest
from command_line import add_camera, run, save, words_of
from tiny_shots import TINY


@pytest.fixture
def chosen(tmp_path):
    """A file whose scene holds a choice of everything; its model, LoRA and other files lie beside it."""
    import wan_previs

    def make(scene):
        add_camera(scene)
        wan_previs.register()
        state = scene.wan_previs
        state.model, state.checkpoint, state.mode = "CUSTOM", "//checkpoint", "first"
        state.size, state.width, state.height = "CUSTOM", 96, 64
        state.steps, state.seed, state.guide_light, state.expected_light = 3, 11, "strict", "render"
        state.repair, state.upscale, state.refine, state.codec = {"color"}, "2", 0.25, "exr"
        state.upscale_model, state.interpolation_model = "//up.pth", "//between.onnx"
        state.preset, state.dtype, state.offload = "lightning", "bfloat16", "block"
        state.step_cache, state.vae_tiles, state.output = 0.125, "256", "//clips"
        state.loras.add().path = "//style_high_noise.safetensors"

    path = save(tmp_path / "a.blend", make)
    wan_previs.unregister()
    for name in ("up.pth", "between.onnx", "style_high_noise.safetensors"):
        (tmp_path / name).touch()
    shutil.copytree(TINY, tmp_path / "checkpoint")
    return path


STORED = {
    "image": "conditioning/first.png", "last_image": None, "steps": 3, "seed": 11, "guide_light": "strict",
    "repair": ["color"], "upscale": 2, "refine": 0.25, "codec": "exr", "preset": "lightning", "dtype": "bfloat16",
    "offload": "block", "step_cache": 0.125, "vae_tiles": 256,
}  # fmt: skip


def request_of(done):
    assert done.returncode == 0, done.stderr
    return json.loads((Path(done.stdout.splitlines()[-1]) / "request.json").read_text())


def test_choices_that_are_not_named_are_those_of_the_file(chosen):
    done = run(chosen, "render", "--dry-run")
    request, beside = request_of(done), chosen.parent
    assert {name: request[name] for name in STORED} == STORED
    assert (request["checkpoint"], request["light"]["source"]) == (str(beside / "checkpoint"), "render")
    assert (request["upscale_model"], request["interpolation_model"]) == (
        str(beside / "up.pth"), str(beside / "between.onnx"),
    )  # fmt: skip
    lora = {"path": str(beside / "style_high_noise.safetensors"), "strength": 1.0, "expert": "high"}
    assert request["loras"] == [lora] and Path(done.stdout.strip()).parent == beside / "clips"
    assert request["size"] == [112, 64], "the scene's shape at the area of 96x64"


def test_what_is_named_goes_before_what_the_file_holds(chosen, tmp_path):
    request = request_of(
        run(
            chosen, "render", "--dry-run", "--mode", "text",
            "--model", TINY.parents[1] / "Wan2.2-T2V-A14B" / "checkpoint",
            "--steps", "5", "--seed", "0", "--guide-light", "off", "--expected-light", "brief", "--repair", "none",
            "--upscale", "0", "--codec", "h264", "--preset", "none", "--dtype", "auto", "--offload", "none",
            "--lora", "none",
            "--upscale-model", "none", "--interpolation-model", "none", "--step-cache", "0", "--vae-tiles", "0",
            "--output", tmp_path / "other",
        )
    )  # fmt: skip
    named = {
        "image": None, "steps": 5, "seed": 0, "guide_light": "off", "repair": [], "upscale": 0, "refine": 0.0,
        "codec": "h264", "preset": None, "dtype": "auto", "offload": "none", "loras": [], "upscale_model": None,
        "interpolation_model": None, "step_cache": 0.0, "vae_tiles": 0,
    }  # fmt: skip
    assert {name: request[name] for name in named} == named and request["light"]["source"] == "brief"


def test_the_model_that_comes_with_us_is_run_exactly_whatever_the_file_holds_for_others(chosen):
    request = request_of(run(chosen, "render", "--dry-run", "--model", "nano"))
    assert (request["dtype"], request["offload"], request["preset"], request["loras"]) == ("float32", "auto", None, [])
    assert (request["seed"], request["steps"], request["codec"]) == (11, 3, "exr")


def test_check_looks_at_the_files_model(chosen):
    assert str(chosen.parent / "checkpoint") in run(chosen, "check").stdout
    shutil.rmtree(chosen.parent / "checkpoint")
    done = run(chosen, "check")
    assert done.returncode == 4 and str(chosen.parent / "checkpoint") in done.stdout


def test_a_file_without_a_chosen_model_folder(tmp_path):
    import wan_previs

    def make(scene):
        add_camera(scene)
        wan_previs.register()
        scene.wan_previs.model = "CUSTOM"

    path = save(tmp_path / "a.blend", make)
    wan_previs.unregister()
    for words in (("render", "--dry-run"), ("check",)):
        done = run(path, *words)
        assert done.returncode == 4 and "No model folder is chosen" in done.stderr + done.stdout
    assert run(path, "prompt").returncode == 0


def test_the_files_own_words_and_those_of_the_command_line(tmp_path):
    import wan_previs

    def make(scene):
        add_camera(scene)
        wan_previs.register()
        state = scene.wan_previs
        state.style, state.description = "noir", "an old cloister"
        words = state.words.add()
        words.name, words.description, words.negative = "Camera", "slow push in", "people"

    path = save(tmp_path / "a.blend", make)
    wan_previs.unregister()
    done = run(path, "prompt", "--json")
    prompt = json.loads(done.stdout)["Camera"]
    assert prompt["user_text"] == "an old cloister. slow push in" and prompt["negative"] == "people"
    assert prompt["text"]["en"].startswith("Noir. ")
    assert prompt["warnings"][0]["message"] == "'slow push in' but the camera stands still in shot Camera"
    assert any("slow push in" in line for line in words_of(done))
    told = run(path, "prompt", "--style", "", "--template", "{style}{user}", "--description", "pigeons").stdout
    assert told.startswith("Pigeons. slow push in.")
    assert run(path, "prompt", "--template", "{lihgt}").returncode == 2
    missing = run(path, "prompt", "--template", "no such preset")
    assert missing.returncode == 2 and "no such preset" in missing.stderr


@pytest.fixture
def edit_and_set(tmp_path):
    """A file saved in a scene without a camera; two others have one."""

    def make(scene):
        scene.name = "Edit"
        for name, frames in (("Set", 10), ("Street", 20)):
            other = bpy.data.scenes.new(name)
            add_camera(other)
            other.frame_end = frames

    return save(tmp_path / "a.blend", make)


def test_the_scene_is_chosen_by_name(edit_and_set, tmp_path):
    for name, frames in (("Set", 10), ("Street", 20)):
        brief = json.loads(run(edit_and_set, "brief", "--scene", name).stdout)
        assert (brief["scene"], brief["shots"][0]["frame_end"]) == (name, frames)
    assert run(edit_and_set, "prompt", "--scene", "Set").stdout.strip()
    done = run(
        edit_and_set, "render", "--dry-run", "--scene", "Street", "--model", TINY, "--mode", "first", "--size", "64x48",
        "--output", tmp_path / "jobs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    job = Path(done.stdout.splitlines()[-1])
    assert json.loads((job / "request.json").read_text())["clip_frames"] == 20
    assert (job / "conditioning" / "first.png").exists()


@pytest.mark.parametrize("command", ["brief", "prompt", "render"])
def test_a_scene_without_a_camera_names_those_that_have_one(edit_and_set, command):
    for words in ((), ("--scene", "Edit")):
        done = run(edit_and_set, command, *words)
        (told,) = words_of(done)
        assert done.returncode == 3 and "'Edit' has no camera" in told and "'Set', 'Street'" in told
        assert "--scene" in told
    done = run(edit_and_set, command, "--scene", "set")
    assert done.returncode == 3 and "There are: 'Edit', 'Set', 'Street'." in words_of(done)[0]


def test_scenes_of_one_name_in_libraries(tmp_path):
    from wan_previs.scene.brief import SceneError
    from wan_previs.scene.shots import scene_named

    for name in ("a", "b"):
        save(tmp_path / f"{name}.blend", lambda scene: setattr(scene, "name", "Set"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for name in ("a", "b"):
        with bpy.data.libraries.load(str(tmp_path / f"{name}.blend"), link=True) as (_, wanted):
            wanted.scenes = ["Set"]
    with pytest.raises(SceneError, match=r"Several.*'Set' of a\.blend, 'Set' of b\.blend"):
        scene_named("Set")
    own = bpy.data.scenes.new("Set")
    assert own.library is None and scene_named("Set") == own
