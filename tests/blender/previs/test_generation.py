# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue from scene to take, with the real engine and a tiny checkpoint."""

import os
import signal
from dataclasses import replace

import bpy
import pytest
from held_engine import HeldEngine
from scene_makers import add_camera
from tiny_shots import TINY, one_shot, step_until
from wan_previs import previs
from wan_previs.bridge.jobs import JobFolder
from wan_previs.scene.brief import SceneError
from wan_previs.sequencer import takes
from wan_previs.sequencer.takes import end_frame, first_frame
from wan_previs.wan_engine.errors import CheckpointError

pytestmark = pytest.mark.engine


@pytest.fixture
def scene(blank_scene):
    """Two shots cut by camera markers, ten frames each."""
    one_shot(blank_scene, "Left", last=20)
    left, right = blank_scene.camera, add_camera(blank_scene, (2, -8, 1), "Right")
    left.location.x = -2
    for camera, frame in ((left, 1), (right, 11)):
        blank_scene.timeline_markers.new(camera.name, frame=frame).camera = camera
    yield blank_scene
    previs.close_engine()


@pytest.fixture
def settings(tmp_path):
    return previs.Settings(model=str(TINY), size=(64, 48), steps=2, output=tmp_path / "jobs", seed=3)


@pytest.fixture
def held_engine(tmp_path):
    """An engine whose jobs stay in their first step."""
    engine = HeldEngine(tmp_path)
    engine.hold()
    return engine


@pytest.fixture
def held(settings, held_engine):
    return replace(settings, engine_python=str(held_engine.python))


@pytest.mark.skipif(os.sep == "\\", reason="no name has a backslash there")
@pytest.mark.parametrize(("place", "words"), [("a\\b", "backslash"), ("/".join(["d" * 200] * 5), "longer than")])
def test_a_folder_in_which_blender_finds_no_files_is_refused_before_the_work(scene, settings, tmp_path, place, words):
    with pytest.raises(SceneError, match=f"{words}.*another output folder"):
        previs.Generation(scene, replace(settings, output=tmp_path / place))
    (tmp_path / place).mkdir(parents=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    brief, _ = previs.read_shots(scene)
    with pytest.raises(SceneError, match=words):
        previs.prepare(scene, brief, brief.shots[0], replace(settings, output=tmp_path / place))
    assert not list((tmp_path / place).iterdir())


def test_all_shots_become_takes_through_one_warm_worker(scene, settings):
    generation = previs.Generation(scene, settings)
    pids, fractions = set(), []

    def watch(running):
        pids.add(previs.engine_client(settings).pid)
        fractions.append(running.fraction)

    generation.run(watch)
    assert (generation.errors, generation.exit_status) == ([], 0)
    assert generation.takes == ["Left take 1", "Right take 1"]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert len(pids - {None}) == 1
    (strip,) = takes(scene, "Right")
    assert (first_frame(strip), end_frame(strip)) == (11, 21)


def test_one_request_is_repeatable(scene, settings):
    clips = []
    for _ in range(2):
        generation = previs.Generation(scene, settings, ["Left"])
        generation.run()
        clips += generation.clips
    assert clips[0] != clips[1] and clips[0].read_bytes() == clips[1].read_bytes()


def test_cancelling_drops_the_queue_and_leaves_no_take(scene, held):
    generation = previs.Generation(scene, held)
    step_until(generation, lambda: generation.status.startswith("Step"))
    generation.cancel()
    step_until(generation, lambda: False)
    assert generation.exit_status == 130 and generation.errors == ["Cancelled."]
    assert generation.takes == [] and generation.index == 0
    (folder,) = held.output.iterdir()
    assert JobFolder(folder).read_state().state == "cancelled"


def test_a_killed_worker_is_told_and_the_next_shot_gets_a_new_one(scene, held, held_engine):
    generation = previs.Generation(scene, held)
    step_until(generation, lambda: generation.status.startswith("Step"))
    os.kill(previs.engine_client(held).pid, signal.SIGKILL)
    held_engine.go_on()
    step_until(generation, lambda: bool(generation.errors))
    assert "signal 9" in generation.errors[0] or "killed" in generation.errors[0]
    step_until(generation, lambda: False)
    assert generation.takes == ["Right take 1"] and generation.exit_status == 5


def test_nothing_is_begun_without_a_checkpoint_or_an_engine(scene, settings, tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        previs.Generation(scene, replace(settings, model=str(tmp_path / "none")))
    with pytest.raises(CheckpointError):
        previs.Generation(scene, replace(settings, engine_python=str(tmp_path / "python")))
    assert not settings.output.exists()


def test_a_scene_that_is_deleted_meanwhile_keeps_its_clip(scene, held, held_engine):
    generation = previs.Generation(scene, held, ["Left"])
    step_until(generation, lambda: generation.status.startswith("Step"))
    bpy.data.scenes.new("other")
    bpy.data.scenes.remove(scene)
    held_engine.go_on()
    step_until(generation, lambda: False)
    assert generation.exit_status == 3 and "stays in its job folder" in generation.errors[0]
    assert generation.clips[0].exists()
