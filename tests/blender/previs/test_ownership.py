# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose job folders are: copies of scenes, files and projects neither go on with nor delete what is another's."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
import wan_previs
from held_engine import HeldEngine
from saved_states import state_file
from scene_makers import add_box, add_camera
from tiny_shots import TEXT_ONLY
from wan_previs import cli, previs, properties, sequencer
from wan_previs.bridge.identity import read_identity
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.state import JobState
from wan_previs.previs import ownership
from wan_previs.scene.identity import KEY, part_copies, scene_identifier, shot_identifiers
from wan_previs.wan_engine.request import GenerationRequest
from wan_previs.wan_engine.saved_state import weights_of

SETTINGS = previs.Settings(model=str(TEXT_ONLY), size=(64, 48), steps=40, mode="text")
VACE = TEXT_ONLY.parents[2] / "vace" / "fullstack" / "Wan2.1-VACE-1.3B" / "checkpoint"


@pytest.fixture
def scene(blank_scene):
    """A shot of ten frames."""
    blank_scene.frame_start, blank_scene.frame_end = 1, 10
    blank_scene.render.resolution_x, blank_scene.render.resolution_y = 64, 48
    add_camera(blank_scene, name="Wide")
    add_box(blank_scene)
    yield blank_scene
    previs.close_engine()


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def save(path) -> bpy.types.Scene:
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return bpy.context.scene


def load(path) -> bpy.types.Scene:
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.context.scene


def ask(scene, settings=SETTINGS, name=None) -> JobFolder:
    brief, _ = previs.read_shots(scene)
    return previs.prepare(scene, brief, brief.shot(name) if name else brief.shots[0], settings)


def cut_short(scene, settings=SETTINGS, name=None) -> JobFolder:
    """A job that was asked for and interrupted behind its third step."""
    job = ask(scene, settings, name)
    job.append_event({"event": "step", "step": 3, "steps": 40})
    places = (settings.checkpoint, *(Path(lora.path) for lora in settings.loras))
    job.resume.write_bytes(state_file(weights=weights_of(*places)))
    job.write_state(JobState("failed", interrupted=True))
    return job


def finish(scene, settings=SETTINGS) -> tuple[JobFolder, str]:
    """A job with a clip, and the name of its take."""
    job = ask(scene, settings)
    image = bpy.data.images.new("frame", 16, 12)
    for frame in range(1, 11):
        image.filepath_raw, image.file_format = str(job.path / "clip" / f"frame_{frame:04}.png"), "PNG"
        image.save()
    job.report.write_text('{"clip": {"path": "clip"}}')
    job.mark_ended("done", "", 0)
    return job, previs.import_take(scene, "Wide", range(1, 11), job).name


def test_interrupted_work_goes_on_also_where_nothing_was_saved_since(scene, project):
    scene = save(project / "a.blend")
    assert KEY not in scene
    job = cut_short(scene)
    for _ in range(2):
        offer = previs.unfinished(load(project / "a.blend"), SETTINGS)["Wide"]
        assert offer.job.path == job.path and previs.doubts_about(bpy.context.scene, SETTINGS, "Wide") == ""
        save(project / "a.blend")


def test_a_shot_is_its_camera_whatever_it_is_called(scene, project):
    scene = save(project / "a.blend")
    job = cut_short(scene)
    scene.camera.name, scene.name = "Renamed", "Also renamed"
    scene = load(save(project / "a.blend") and project / "a.blend")
    assert previs.unfinished(scene, SETTINGS)["Renamed"].job.path == job.path
    add_camera(scene, name="Wide")
    assert previs.unfinished(scene, SETTINGS) == {}, "another camera of that name makes another shot"


def test_two_shots_of_one_camera_are_two(scene):
    other = add_camera(scene, name="Other", active=False)
    for frame, camera in ((1, scene.camera), (4, other), (7, scene.camera)):
        scene.timeline_markers.new("Cut", frame=frame).camera = camera
    shots = shot_identifiers(scene)
    assert list(shots) == ["Cut", "Cut (2)", "Cut (3)"] and len(set(shots.values())) == 3


@pytest.mark.parametrize("kind", ["LINK_COPY", "FULL_COPY"])
@pytest.mark.parametrize("asked_before", [True, False])
def test_a_copied_scene_is_another_scene(scene, project, kind, asked_before):
    scene = save(project / "a.blend")
    job = cut_short(scene) if asked_before else None
    bpy.ops.scene.new(type=kind)
    copy = bpy.context.scene
    job = job or cut_short(scene)
    assert copy != scene and scene_identifier(copy, "a.blend") != scene_identifier(scene, "a.blend")
    assert previs.unfinished(copy, SETTINGS) == {}
    part_copies("a.blend")
    scene.name, copy.name = "Z", "A"  # the older one would come second after loading
    save(project / "a.blend")
    load(project / "a.blend")
    assert previs.unfinished(bpy.data.scenes["A"], SETTINGS) == {}
    (offer,) = previs.unfinished(bpy.data.scenes["Z"], SETTINGS).values()
    assert offer.job.path == job.path


def test_a_linked_scene_is_not_the_local_one(scene, project):
    scene = save(project / "lib.blend")
    cut_short(scene)
    save(project / "lib.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    save(project / "a.blend")
    with bpy.data.libraries.load(str(project / "lib.blend"), link=True) as (there, here):
        here.scenes = there.scenes
    (linked,) = here.scenes
    assert previs.unfinished(linked, SETTINGS) == {}
    job = cut_short(linked)
    assert previs.unfinished(linked, SETTINGS)["Wide"].job.path == job.path
    assert previs.unfinished(load(project / "lib.blend"), SETTINGS)["Wide"].job.path != job.path


@pytest.mark.parametrize("place", ["b.blend", "elsewhere/b.blend"])
def test_save_as_asks_before_it_goes_on_and_then_does_so_in_a_copy(scene, project, place):
    settings = replace(SETTINGS, output=project / "previs")
    scene = save(project / "a.blend")
    job = cut_short(scene, settings)
    before = {str(path): path.read_bytes() for path in job.path.rglob("*") if path.is_file()}
    (project / place).parent.mkdir(exist_ok=True)
    scene = save(project / place)
    offer = previs.unfinished(scene, settings)["Wide"]
    assert "a.blend" in previs.doubts_about(scene, settings, "Wide") and not offer.found.sure
    brief, _ = previs.read_shots(scene)
    wish = previs.wish_of(scene, brief, brief.shots[0], settings)
    copy = ownership.take_up(offer, scene, settings.output, wish)
    assert copy.path != job.path and copy.resume.read_bytes() == job.resume.read_bytes()
    assert before == {str(path): path.read_bytes() for path in job.path.rglob("*") if path.is_file()}
    assert previs.unfinished(scene, settings)["Wide"].job.path == copy.path
    assert previs.doubts_about(scene, settings, "Wide") == ""
    assert previs.unfinished(load(project / "a.blend"), settings)["Wide"].job.path == job.path


def test_other_files_of_one_folder_have_nothing_to_do_with_it(scene, project):
    scene = save(project / "a.blend")
    cut_short(scene)
    shutil.copy(project / "a.blend", project / "b.blend")  # never told who it is
    assert previs.unfinished(load(project / "b.blend"), SETTINGS) == {}


def test_renamed_files_and_moved_and_copied_projects_go_on_with_their_own(scene, project, tmp_path):
    scene = save(project / "a.blend")
    job = cut_short(scene)
    save(project / "a.blend")
    shutil.copytree(project, tmp_path / "copy")
    scene = load(tmp_path / "copy" / "a.blend")
    offer = previs.unfinished(scene, SETTINGS)["Wide"]
    assert offer.found.sure and offer.job.path == tmp_path / "copy" / "previs" / job.path.name
    (project / "a.blend").rename(project / "renamed.blend")
    moved = project.rename(tmp_path / "moved")
    scene = load(moved / "renamed.blend")
    offer = previs.unfinished(scene, SETTINGS)["Wide"]
    assert offer.found.sure and previs.doubts_about(scene, SETTINGS, "Wide") == ""
    brief, _ = previs.read_shots(scene)
    wish = previs.wish_of(scene, brief, brief.shots[0], SETTINGS)
    job = ownership.take_up(offer, scene, previs.jobs_root(SETTINGS), wish)
    assert job.path == offer.job.path and read_identity(job).file == "../renamed.blend"


def test_what_a_blender_killed_while_rendering_left_goes_into_the_trash(scene, project):
    """By the next job of its scene; the frames of one that lives, and of another file, stay."""
    scene = save(project / "a.blend")
    code = """
import os, sys, bpy
from wan_previs import previs
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
scene = bpy.context.scene
brief, _ = previs.read_shots(scene)
bpy.app.handlers.render_init.append(lambda *_: os._exit(9))
previs.prepare(scene, brief, brief.shots[0], previs.Settings(mode="first"))
"""
    ask(scene)
    save(project / "a.blend")
    done = subprocess.run([sys.executable, "-c", code, project / "a.blend"], capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    left = JobFolder(project / "previs" / "Wide-take-002")
    state = left.read_state()
    assert state.interrupted and "Blender ended" in state.message and not left.request.exists()
    assert previs.unfinished(scene, SETTINGS) == {}
    third = ask(scene)
    assert third.path.name == "Wide-take-003" and not left.path.exists()
    assert (project / "previs" / "trash" / "Wide-take-002").is_dir()
    assert (project / "previs" / "Wide-take-001" / "request.json").is_file()


def test_of_two_copies_of_a_file_that_is_gone_each_asks_before_it_goes_on(scene, project):
    scene = save(project / "a.blend")
    cut_short(scene)
    save(project / "a.blend")
    shutil.copy(project / "a.blend", project / "b.blend")
    (project / "a.blend").rename(project / "c.blend")
    for mine, other in (("b.blend", "c.blend"), ("c.blend", "b.blend")):
        question = previs.doubts_about(load(project / mine), SETTINGS, "Wide")
        assert "a.blend, which asked for it, is gone" in question and f"{other} may be a copy" in question
    (project / "b.blend").unlink()
    assert previs.doubts_about(load(project / "c.blend"), SETTINGS, "Wide") == ""


@pytest.mark.engine
def test_headless_work_of_a_copied_file_that_is_gone_goes_on_only_when_the_user_is_sure(scene, project, capsys):
    scene = save(project / "a.blend")
    job = cut_short(scene)
    save(project / "a.blend")
    shutil.copy(project / "a.blend", project / "b.blend")
    (project / "a.blend").rename(project / "c.blend")
    before = {path: path.read_bytes() for path in job.path.rglob("*") if path.is_file()}
    scene = load(project / "b.blend")
    generation = previs.Generation(scene, SETTINGS, resume=True)
    generation.run()
    (told,) = generation.errors
    assert generation.exit_status == 2 and "c.blend may be a copy" in told and "--sure" in told
    assert before == {path: path.read_bytes() for path in (project / "previs").rglob("*") if path.is_file()}
    brief, _ = previs.read_shots(scene)
    sure = previs.Generation(scene, SETTINGS, resume="surely")
    assert sure._taken_up(scene, brief.shots[0]).path == job.path
    assert cli.main(["render", "--sure"]) == 2
    assert "--sure goes with --resume" in capsys.readouterr().err


def test_a_clip_that_has_only_to_be_finished_is_finished_as_it_is_wished_now(scene, project):
    scene = save(project / "a.blend")
    job = cut_short(scene, replace(SETTINGS, codec="prores", seed=5))
    job.append_event({"event": "step", "step": 40, "steps": 40})
    now = replace(SETTINGS, codec="h264", seed=5)
    assert previs.doubts_about(scene, now, "Wide") == "", "how it is finished is no other clip"
    offer = previs.unfinished(scene, now)["Wide"]
    brief, _ = previs.read_shots(scene)
    wish = previs.wish_of(scene, brief, brief.shots[0], now)
    ownership.take_up(offer, scene, previs.jobs_root(now), wish, as_then=("codec",))
    assert job.read_request()["codec"] == "prores", "the command line did not name it"
    ownership.take_up(offer, scene, previs.jobs_root(now), wish)
    assert GenerationRequest.from_json(job.read_request()).codec == "h264"
    assert job.read_request()["seed"] == 5


def test_what_was_asked_for_otherwise_is_named(scene, project):
    scene = save(project / "a.blend")
    cut_short(scene)
    assert previs.doubts_about(scene, SETTINGS, "Wide") == ""
    other = replace(SETTINGS, seed=9, description="pigeons")
    assert {"seed", "prompt"} <= set(
        previs.doubts_about(scene, other, "Wide").replace("?", "").replace(".", "").split()
    )
    scene.camera.location.y -= 1
    assert "camera" in previs.doubts_about(scene, SETTINGS, "Wide")
    scene.camera.location.y += 1
    scene.frame_end = 12
    assert "number of frames" in previs.doubts_about(scene, SETTINGS, "Wide")


def test_other_marks_of_objects_are_named_where_the_clip_goes_by_them(scene, project):
    follows = replace(SETTINGS, model=str(VACE), mode="control")
    with properties.available():
        scene = save(project / "a.blend")
        for settings, told in ((SETTINGS, False), (follows, True)):
            scene.objects["Crate"].wan_previs.mark = "follow"
            cut_short(scene, settings)
            assert previs.doubts_about(scene, settings, "Wide") == ""
            for mark in ("free", "none"):
                scene.objects["Crate"].wan_previs.mark = mark
                assert ("marked objects" in previs.doubts_about(scene, settings, "Wide")) == told
            cut_short(scene, settings)
            scene.objects["Crate"].wan_previs.mark = "follow"
            assert ("marked objects" in previs.doubts_about(scene, settings, "Wide")) == told


def test_a_take_is_found_from_where_its_file_is(scene, project, tmp_path):
    scene = save(project / "a.blend")
    job, name = finish(scene)
    assert sequencer.find_take(scene, name)["job_folder"] == f"//previs/{job.path.name}"
    save(project / "a.blend")
    moved = project.rename(tmp_path / "moved")
    (take,) = previs.takes_of(load(moved / "a.blend"), "Wide")
    assert Path(take.folder) == moved / "previs" / job.path.name and not take.missing
    (tmp_path / "far" / "away").mkdir(parents=True)
    (take,) = previs.takes_of(save(tmp_path / "far" / "away" / "b.blend"), "Wide")
    assert Path(take.folder) == moved / "previs" / job.path.name and not take.missing


@pytest.mark.parametrize("place", ["b.blend", "elsewhere/b.blend"])
def test_after_save_as_the_clips_of_the_original_stay(scene, project, place):
    scene = save(project / "a.blend")
    job, name = finish(scene)
    save(project / "a.blend")
    (project / place).parent.mkdir(exist_ok=True)
    scene = save(project / place)
    assert "../a.blend" in previs.delete_take(scene, name)
    assert job.path.is_dir() and previs.takes_of(scene, "Wide") == []
    scene = load(project / "a.blend")
    assert str(project / "previs" / "trash") in previs.delete_take(scene, name)
    assert not job.path.exists() and previs.unfinished(scene, SETTINGS) == {}


def test_a_copied_project_deletes_its_own_copy(scene, project, tmp_path):
    scene = save(project / "a.blend")
    job, name = finish(scene)
    save(project / "a.blend")
    copy = shutil.copytree(project, tmp_path / "copy")
    previs.delete_take(load(copy / "a.blend"), name)
    assert job.path.is_dir() and not (copy / "previs" / job.path.name).exists()
    (job.path / "clip").rename(tmp_path / "gone")
    shutil.rmtree(copy)
    copy = shutil.copytree(project, tmp_path / "copy", ignore=shutil.ignore_patterns("previs"))
    assert previs.delete_take(load(copy / "a.blend"), name) == "" and job.path.is_dir()


def test_a_copied_scene_keeps_the_clip_that_both_show(scene, project):
    scene = save(project / "a.blend")
    job, name = finish(scene)
    bpy.ops.scene.new(type="FULL_COPY")
    assert "Another strip" in previs.delete_take(bpy.context.scene, name) and job.path.is_dir()
    assert "trash" in previs.delete_take(scene, name) and not job.path.exists()


def test_takes_of_an_earlier_version_are_shown_and_keep_their_files(scene, project):
    scene = save(project / "a.blend")
    job, name = finish(scene)
    for path in (job.identity, job.brief):
        path.unlink()
    strip = sequencer.find_take(scene, name)
    del strip["job_id"]
    strip["job_folder"] = str(job.path)
    (take,) = previs.takes_of(scene, "Wide")
    assert take.folder == str(job.path) and take.job == "" and not take.missing
    previs.show_take(scene, name)
    assert "proves" in previs.delete_take(scene, name)
    assert (job.path / "clip" / "frame_0001.png").is_file() and previs.takes_of(scene, "Wide") == []


def test_a_strip_that_names_a_foreign_job_deletes_nothing_of_it(scene, project, tmp_path):
    """As a crafted .blend would have it."""
    scene = save(project / "a.blend")
    job, name = finish(scene)
    victim = shutil.copytree(job.path, tmp_path / "victim" / "previs" / job.path.name)
    strip = sequencer.find_take(scene, name)
    strip["job_folder"], strip.directory = str(victim), str(victim / "clip")
    assert "stays" in previs.delete_take(scene, name)
    assert (victim / "clip" / "frame_0001.png").is_file() and job.path.is_dir()


def test_jobs_of_a_file_that_was_never_saved_become_its_own(scene, project, tmp_path):
    settings = replace(SETTINGS, output=tmp_path / "jobs")
    wan_previs.register()
    try:
        job, name = finish(scene, settings)
        assert read_identity(job).file is None
        ids = scene[KEY]
        scene = save(project / "a.blend")
        assert read_identity(job).file == "../project/a.blend" and scene[KEY] == ids
        assert "trash" in previs.delete_take(scene, name)
        bpy.ops.wm.read_factory_settings(use_empty=True)
    finally:
        wan_previs.unregister()
    add_camera(bpy.context.scene, name="Wide")
    assert previs.unfinished(bpy.context.scene, settings) == {}


@pytest.mark.engine
def test_headless_work_goes_on_in_a_moved_project_unless_it_is_asked_for_otherwise(scene, project, tmp_path):
    save(project / "a.blend")
    options = ("--model", str(TEXT_ONLY), "--mode", "text", "--size", "64x48")
    command = [sys.executable, "-m", "wan_previs", "a.blend", "render", *options]
    engine = HeldEngine(tmp_path)
    engine.hold(2)
    environment = {**os.environ, "WAN_PREVIS_ENGINE_PYTHON": str(engine.python)}
    ask = [*command, "--steps", "3", "--seed", "7"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(ask, cwd=project, env=environment, **pipes) as first:
        for line in first.stderr:
            if "Step 2 of 3" in line:
                first.send_signal(signal.SIGINT)
                break
        first.stderr.read()
    assert first.returncode == 130
    project = project.rename(tmp_path / "moved")

    def resume(*more):
        done = subprocess.run([*command, "--resume", *more], cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1], done.stderr

    clip, told = resume("--seed", "8", "--steps", "2")
    assert clip == str(project / "previs" / "Wide-take-002" / "clip.mp4") and "made anew" in told and "seed" in told
    shutil.rmtree(project / "previs" / "Wide-take-002")
    clip, told = resume()
    assert clip == str(project / "previs" / "Wide-take-001" / "clip.mp4") and "Goes on after step 2" in told


def test_a_renamed_file_deletes_its_own_takes(scene, project):
    scene = save(project / "a.blend")
    job, name = finish(scene)
    save(project / "a.blend")
    (project / "a.blend").rename(project / "b.blend")
    assert "trash" in previs.delete_take(load(project / "b.blend"), name) and not job.path.exists()


@pytest.mark.engine
def test_the_button_goes_on_with_anothers_work_only_when_the_user_is_sure(scene, project):
    settings = replace(SETTINGS, steps=2)
    wan_previs.register()
    try:
        scene = save(project / "a.blend")
        job = cut_short(scene, settings)
        before = {str(path): path.read_bytes() for path in job.path.rglob("*") if path.is_file()}
        scene = save(project / "b.blend")
        state, session = scene.wan_previs, bpy.context.window_manager.wan_previs
        state.model, state.checkpoint, state.mode, state.steps = "CUSTOM", str(TEXT_ONLY), "text", 2
        state.size, state.width, state.height, state.seed = "CUSTOM", 64, 48, 5
        assert bpy.ops.wan_previs.resume(shot="Wide") == {"FINISHED"}
        assert "made anew" in session.notes[0].text and "a.blend" in session.notes[0].text
        (take,) = previs.takes_of(scene, "Wide")
        assert JobFolder(take.folder).read_request()["seed"] == 5
        shutil.rmtree(take.folder)  # a finished clip ends the offer
        assert bpy.ops.wan_previs.resume_surely(shot="Wide") == {"FINISHED"}
        take = previs.takes_of(scene, "Wide")[-1]
        assert JobFolder(take.folder).read_request()["seed"] == 0 and take.folder != str(job.path)
        assert read_identity(JobFolder(take.folder)).file == "../b.blend"
        assert before == {str(path): path.read_bytes() for path in job.path.rglob("*") if path.is_file()}
    finally:
        previs.close_engine()
        bpy.ops.wm.read_factory_settings(use_empty=True)
        wan_previs.unregister()
