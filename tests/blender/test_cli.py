# SPDX-License-Identifier: GPL-3.0-or-later
"""The headless commands, run as a user runs them: a process of their own on a file on disk."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from command_line import EXAMPLE, ROOT, add_camera, run, save, words_of
from tiny_shots import TINY

VERDICT = r"(holds( within \d+ %, colour [a-z ]+)?|flickers|pulses|jumps at frame \d+|"
VERDICT += r"drifts in (brightness|colour)|unmeasured)\. "
REAL = ROOT.parent / "shared" / "scenes"


def test_brief_prints_json_and_nothing_else():
    done = run(EXAMPLE, "brief")
    assert done.returncode == 0
    brief = json.loads(done.stdout)
    assert brief["schema"] == "wan_previs.brief/1"
    assert [shot["name"] for shot in brief["shots"]] == ["Wide", "Close"]


def test_brief_of_one_shot_into_a_file(tmp_path):
    out = tmp_path / "brief.json"
    done = run(EXAMPLE, "brief", "--shot", "Close", "--out", out)
    assert done.returncode == 0 and done.stdout == ""
    assert [shot["name"] for shot in json.loads(out.read_text())["shots"]] == ["Close"]


def test_prompt_in_both_languages_and_as_json():
    english, chinese = run(EXAMPLE, "prompt", "--shot", "Wide"), run(EXAMPLE, "prompt", "--language", "zh")
    assert "monument" in english.stdout and "纪念碑" in chinese.stdout
    prompts = json.loads(run(EXAMPLE, "prompt", "--json").stdout)
    assert {p["schema"] for p in prompts.values()} == {"wan_previs.prompt/1"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_or_closed_stdout_is_told_in_words(tmp_path):
    path = save(tmp_path / "a.blend", add_camera)
    command = [sys.executable, "-m", "wan_previs", path, "brief"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert done.returncode == 5 and "Traceback" not in done.stderr and len(words_of(done)) == 1
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(writer)
    assert done.returncode == 0 and "Traceback" not in done.stderr and not words_of(done)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((), 2),
        (("nothing.blend", "brief"), 2),
        ((EXAMPLE,), 2),
        ((EXAMPLE, "render", "--size", "wide"), 2),
        ((EXAMPLE, "render", "--codec", "gif"), 2),
        ((EXAMPLE, "render", "--resume", "--dry-run"), 2),
        ((EXAMPLE, "render", "--dry-run", "--refine", "0.9", "--upscale", "2", "--model", TINY), 2),
        ((EXAMPLE, "render", "--steps", "0", "--model", TINY), 2),
        ((EXAMPLE, "brief", "--shot", "Nobody"), 3),
        ((EXAMPLE, "render", "--dry-run", "--model", "/nowhere"), 4),
        ((EXAMPLE, "check", "--model", "/nowhere"), 4),
    ],
)
def test_wrong_words_get_the_contracts_status(words, status, tmp_path):
    done = run(*words, *(("--output", tmp_path) if "render" in words else ()))
    assert done.returncode == status, done.stderr
    assert done.stderr.strip() or done.stdout.strip()


def test_a_file_that_is_no_blend_file(tmp_path):
    fake = tmp_path / "fake.blend"
    fake.write_text("no blend")
    done = run(fake, "brief")
    assert done.returncode == 2 and "cannot be opened" in done.stderr


def test_a_scene_without_a_camera(tmp_path):
    done = run(save(tmp_path / "a.blend", lambda scene: None), "brief")
    assert done.returncode == 3 and len(words_of(done)) == 1


def test_a_range_of_one_frame(tmp_path):
    def make(scene):
        add_camera(scene)
        scene.frame_end = scene.frame_start = 20

    path = save(tmp_path / "a.blend", make)
    done = run(path, "brief")  # one frame is a shot; Blender itself keeps the end from falling below the start
    assert done.returncode == 0 and json.loads(done.stdout)["shots"][0]["frame_start"] == 20


def test_a_marker_without_a_camera_is_no_cut(tmp_path):
    def make(scene):
        add_camera(scene)
        scene.timeline_markers.new("note", frame=5)

    done = run(save(tmp_path / "a.blend", make), "brief")
    assert done.returncode == 0 and len(json.loads(done.stdout)["shots"]) == 1


def test_a_scene_without_sun_has_a_prompt(tmp_path):
    done = run(save(tmp_path / "a.blend", add_camera), "prompt")
    assert done.returncode == 0 and "sun" not in done.stdout.lower()


def test_dry_run_leaves_request_and_frames_and_the_scene_untouched(tmp_path):
    path = tmp_path / "scene.blend"
    shutil.copyfile(EXAMPLE, path)
    before = path.read_bytes()
    done = run(path, "render", "--dry-run", "--shot", "Wide", "--model", TINY, "--size", "64x64")
    assert done.returncode == 0, done.stderr
    job = Path(done.stdout.splitlines()[-1])
    assert job.parent == tmp_path / "previs"
    request = json.loads((job / "request.json").read_text())
    assert request["clip_frames"] > 1 and request["image"] == "conditioning/first.png"
    assert (job / "conditioning" / "first.png").exists() and (job / "conditioning" / "last.png").exists()
    assert json.loads((job / "state.json").read_text())["state"] == "queued"
    assert path.read_bytes() == before


@pytest.mark.engine
def test_render_leaves_a_clip_a_strip_and_a_report(tmp_path):
    def make(scene):
        add_camera(scene)
        bpy.ops.mesh.primitive_cube_add()
        scene.render.engine = "CYCLES"
        scene.cycles.samples = 1

    path, saved = save(tmp_path / "a.blend", make), tmp_path / "b.blend"
    done = run(
        path, "render", "--model", TINY, "--size", "64x48", "--steps", "2", "--output", tmp_path / "jobs",
        "--save", saved,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    clip = Path(done.stdout.splitlines()[-1])
    assert clip.exists() and (clip.parent / "report.json").exists()
    assert json.loads((clip.parent / "state.json").read_text())["state"] == "done"
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    from wan_previs.sequencer import takes
    from wan_previs.sequencer.takes import end_frame, first_frame

    (strip,) = takes(bpy.context.scene, "Camera")
    assert (first_frame(strip), end_frame(strip)) == (1, 11)
    assert strip["seed"] == 0 and Path(bpy.path.abspath(strip["job_folder"])) == clip.parent
    assert strip["job_folder"].startswith("//")
    identity = json.loads((clip.parent / "identity.json").read_text())
    assert identity["file"] == "../b.blend" and identity["job"] == strip["job_id"], "only that file has the strip"


def test_every_choice_reaches_the_request(tmp_path):
    path = save(tmp_path / "a.blend", lambda scene: add_camera(scene))
    for name in ("a.safetensors", "b.safetensors", "between.onnx"):
        (tmp_path / name).touch()
    done = run(
        path, "render", "--dry-run", "--model", TINY, "--size", "64x48", "--mode", "first", "--light-guide", "strict",
        "--expected-light", "render", "--repair", "--upscale", "2", "--codec", "png", "--preset", "lightning",
        "--lora", tmp_path / "a.safetensors", "--lora", f"{tmp_path / 'b.safetensors'}:0.5:high",
        "--dtype", "bfloat16", "--offload", "block", "--step-cache", "0.1", "--vae-tiles", "256",
        "--interpolation-model", tmp_path / "between.onnx",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    request = json.loads((Path(done.stdout.splitlines()[-1]) / "request.json").read_text())
    assert request["guide_light"] == "strict" and request["light"]["source"] == "render"
    assert request["repair"] == ["deflicker", "color"] and request["upscale"] == 2 and request["codec"] == "png"
    assert request["interpolation_model"] == str(tmp_path / "between.onnx")
    assert (request["preset"], request["dtype"], request["offload"]) == ("lightning", "bfloat16", "block")
    assert (request["step_cache"], request["vae_tiles"], request["frames_out"]) == (0.1, 256, "raw")
    assert request["loras"] == [
        {"path": str(tmp_path / "a.safetensors"), "strength": 1.0, "expert": "both"},
        {"path": str(tmp_path / "b.safetensors"), "strength": 0.5, "expert": "high"},
    ]


@pytest.mark.parametrize(
    ("ending", "strength", "expert"),
    [("", 1, "both"), (":1.", 1, "both"), (":1e-1", 0.1, "both"), (":high:0.8", 0.8, "high"), (":0,8:low", 0.8, "low")],
)
def test_loras_are_spelled_as_for_the_engine(ending, strength, expert, tmp_path):
    from wan_previs.cli import parser

    file = tmp_path / "style.safetensors"
    (lora,) = parser().parse_args(["render", "--lora", f"{file}{ending}"]).loras
    assert (lora.path, lora.strength, lora.expert) == (str(file), strength, expert)


def test_render_tells_the_verdict_of_each_shot_and_where_the_overview_is(tmp_path):
    def make(scene):
        for frame, name in ((1, "Left"), (6, "Right")):
            scene.timeline_markers.new(name, frame=frame).camera = add_camera(scene)

    path = save(tmp_path / "a.blend", make)
    done = run(path, "render", "--model", TINY, "--size", "64x48", "--steps", "2", "--codec", "png", "--mode", "first")
    assert done.returncode == 0, done.stderr
    told = words_of(done)
    for name in ("Left take 1", "Right take 1"):
        assert any(re.search(f"{name}: {VERDICT}", line) for line in told)
    (overview,) = [line.split("overview: ")[1] for line in told if "overview: " in line]
    assert Path(overview).read_bytes().startswith(b"\x89PNG")
    clips = [Path(line) for line in done.stdout.splitlines() if line.endswith("clip")]
    assert [len(list(clip.glob("frame_*.png"))) for clip in clips] == [5, 5]


def test_an_unwritable_output_folder(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    done = run(EXAMPLE, "render", "--dry-run", "--shot", "Wide", "--model", TINY, "--output", blocker)
    assert done.returncode in (3, 5) and len(words_of(done)) == 1


def test_a_truncated_checkpoint_is_told_as_not_set_up(tmp_path):
    broken = tmp_path / "checkpoint"
    shutil.copytree(TINY, broken)
    weights = broken / "high_noise_model" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    path = save(tmp_path / "a.blend", lambda scene: add_camera(scene))
    done = run(path, "render", "--model", broken, "--size", "64x48", "--output", tmp_path / "jobs", "--mode", "first")
    assert done.returncode == 4 and "diffusion_pytorch_model.safetensors" in done.stderr


def test_a_missing_engine_is_told_with_what_to_do(tmp_path):
    path = save(tmp_path / "a.blend", lambda scene: add_camera(scene))
    done = run(
        path, "render", "--model", TINY, "--output", tmp_path / "jobs",
        env={"WAN_PREVIS_ENGINE_PYTHON": str(tmp_path / "no" / "python")},
    )  # fmt: skip
    assert done.returncode == 4 and len(words_of(done)) == 1
    assert not (tmp_path / "jobs").exists()


def test_an_unsaved_file_needs_an_output_folder(blank_scene, tmp_path):
    from wan_previs import previs
    from wan_previs.scene.brief import SceneError

    add_camera(blank_scene)
    with pytest.raises(SceneError, match="Save it, or choose an output folder"):
        previs.Generation(blank_scene, previs.Settings(model=str(TINY)))


@pytest.mark.parametrize("file", sorted(REAL.glob("*.blend")) or [None], ids=lambda p: p.stem if p else "none")
def test_real_production_files_go_through_brief_and_dry_run(file, tmp_path):
    if file is None:
        pytest.skip("the folder with other people's scenes is not beside the checkout")
    brief = run(file, "brief")
    assert brief.returncode == 0 and json.loads(brief.stdout)["shots"]
    done = run(file, "render", "--dry-run", "--model", TINY, "--size", "96x64", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.splitlines()[-1]) / "conditioning" / "first.png").exists()


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--lora", "missing.safetensors"), 4, "The LoRA {}/missing.safetensors does not exist"),
        (("--upscale", "2", "--upscale-model", "missing.pth"), 2, "{}/missing.pth (Upscaling Model) does not exist"),
        (("--interpolation-model", "missing.onnx"), 2, "{}/missing.onnx (Interpolator) does not exist"),
    ],
    ids=["lora", "upscaler", "interpolator"],
)
@pytest.mark.parametrize("dry", [("--dry-run",), ()], ids=["dry run", "render"])
def test_a_missing_file_is_told_before_the_work(dry, words, status, told, tmp_path):
    path = save(tmp_path / "a.blend", add_camera)
    done = run(path, "render", *dry, "--model", TINY, "--size", "64x48", *words)
    assert done.returncode == status, done.stderr
    assert told.format(ROOT) in words_of(done)[-1] and not (tmp_path / "previs").exists()


def test_prompts_go_into_a_file(tmp_path):
    path, out = save(tmp_path / "a.blend", add_camera), tmp_path / "prompts.json"
    plain = run(path, "prompt", "--json").stdout
    done = run(path, "prompt", "--json", "--out", out)
    assert done.returncode == 0 and done.stdout == "" and out.read_text(encoding="utf-8") == plain
    done = run(path, "prompt", "--out", tmp_path / "nowhere" / "a.txt")
    assert done.returncode == 5 and len(words_of(done)) == 1


@pytest.mark.engine
def test_a_dry_run_tells_settings_memory_and_time_and_chooses_the_size(tmp_path):
    def make(scene):
        add_camera(scene)
        scene.render.resolution_x, scene.render.resolution_y = 1280, 720

    path = save(tmp_path / "a.blend", make)
    done = run(path, "render", "--dry-run", "--mode", "text", "--model", "nano")
    assert done.returncode == 0, done.stderr
    (told,) = [line for line in words_of(done) if "that are free" in line]
    assert "float32, all in memory, " in told and "on this CPU" in told
    width, height = json.loads((Path(done.stdout.splitlines()[-1]) / "request.json").read_text())["size"]
    assert f"{width}x{height}" in told
