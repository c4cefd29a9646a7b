# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip follows every frame of the scene where its model can: what is rendered, asked and told."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from passes_scene import make_scene, read_png
from wan_previs import previs, properties
from wan_previs.conditioning import passes
from wan_previs.previs.control import write_tracks
from wan_previs.scene.brief import SceneError
from wan_previs.wan_engine.errors import UsageError

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
FUN = GOLDEN / "control" / "fullstack" / "Wan2.2-Fun-A14B-Control" / "checkpoint"
CAMERA = GOLDEN / "control" / "fullstack" / "Wan2.2-Fun-A14B-Control-Camera" / "checkpoint"
VACE = GOLDEN / "vace" / "fullstack" / "Wan2.1-VACE-1.3B" / "checkpoint"
TEXT = GOLDEN / "fullstack" / "Wan2.2-T2V-A14B" / "checkpoint"
COUNT = 5  # frames that 8 at 24 per second take at 16 or 8


@pytest.fixture
def scene(blank_scene):
    make_scene(blank_scene)
    blank_scene.cycles.samples = 1
    yield blank_scene
    previs.close_engine()


def settings(folder, model, **choices):
    return previs.Settings(model=str(model), size=(64, 48), steps=1, output=folder, **choices)


def prepared(scene, chosen):
    notes = []
    brief, _ = previs.read_shots(scene)
    job = previs.prepare(scene, brief, brief.shots[0], chosen, note=notes.append)
    job.release()
    return job, json.loads(job.request.read_text()), notes


@pytest.mark.parametrize(
    ("model", "choices", "clip"),
    [
        (FUN, {}, "depth"),
        (FUN, {"mode": "control", "depth_curve": "inverse"}, "depth_inverse"),
        (VACE, {"mode": "control"}, "depth_inverse"),
        (VACE, {"depth_curve": "linear", "depth_range": "frame"}, "depth_by_frame"),
    ],
)
def test_a_model_that_follows_a_clip_gets_the_depth_of_each_of_its_frames(scene, tmp_path, model, choices, clip):
    job, request, _ = prepared(scene, settings(tmp_path, model, **choices))
    assert request["control_video"] == f"control/{clip}" and request["control_scale"] is None
    assert request["image"] is None and request["last_image"] is None
    pictures = sorted((job.path / request["control_video"]).iterdir())
    assert len(pictures) == COUNT and read_png(pictures[0]).shape == (request["size"][1], request["size"][0], 3)
    assert not list(job.conditioning.iterdir())
    told = {name: json.loads((job.control / f"{name}.json").read_text()) for name in ("tracks", "camera")}
    assert len(told["tracks"]["frames"]) == len(told["camera"]["frames"]) == COUNT and told["tracks"]["tracks"]


@pytest.mark.parametrize(
    ("spoil", "tracks"),
    [
        (lambda scene: None, True),
        (lambda scene: setattr(scene, "frame_end", 1), False),
        (lambda scene: setattr(scene.camera.data, "type", "PANO"), False),
        (lambda scene: [bpy.data.objects.remove(item) for item in list(scene.objects) if item.type == "MESH"], False),
        (lambda scene: scene.objects["Moving"].modifiers.new("Cloth", "CLOTH"), False),
    ],
)
def test_every_clip_has_tracks_where_they_can_be_had(scene, tmp_path, spoil, tracks):
    spoil(scene)
    job, request, notes = prepared(scene, settings(tmp_path, TEXT))
    assert (job.control / "tracks.json").is_file() == tracks and not any("not be told" in note for note in notes)
    assert request["tracks"] == ("control/tracks.json" if tracks else None)


def test_the_tracks_of_a_clip_cost_each_of_its_frames_once_and_no_render(scene, tmp_path):
    counts = Counter()
    handlers = {"frame_change_post": "frames", "render_pre": "renders"}
    marks = {name: lambda *_, what=what: counts.update([what]) for name, what in handlers.items()}
    brief, _ = previs.read_shots(scene)
    request = previs.wish_of(scene, brief, brief.shots[0], settings(tmp_path, TEXT, frames=41)).request
    for name, mark in marks.items():
        getattr(bpy.app.handlers, name).append(mark)
    try:
        list(write_tracks(scene, brief.shots[0], request, tmp_path))
    finally:
        for name, mark in marks.items():
            getattr(bpy.app.handlers, name).remove(mark)
    assert (tmp_path / "control" / "tracks.json").is_file()
    assert counts["renders"] == 0 and 41 <= counts["frames"] <= 41 + 1  # and back again


def test_a_linked_scene_follows_nothing_that_is_rendered_but_has_tracks(scene, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (there, here):
        here.scenes = there.scenes
    (linked,) = here.scenes
    assert prepared(linked, settings(tmp_path, TEXT))[1]["tracks"] == "control/tracks.json"
    with pytest.raises(SceneError, match="linked from another file"):
        prepared(linked, settings(tmp_path / "jobs", FUN))
    assert not (tmp_path / "jobs").exists()


def test_tracks_that_cannot_be_written_cost_no_clip(scene, tmp_path, monkeypatch):
    def fails(*_):
        raise SceneError("There is no room.")
        yield

    monkeypatch.setattr(passes, "write_passes", fails)
    _, request, notes = prepared(scene, settings(tmp_path, TEXT))
    assert request["tracks"] is None and any("will not be told: There is no room." in note for note in notes)
    with pytest.raises(SceneError, match="no room"):
        prepared(scene, settings(tmp_path, FUN))


@pytest.mark.parametrize(("resemblance", "scale"), [(0.0, 0.0), (0.375, 0.5), (0.75, None), (1.0, 1.5)])
def test_resemblance_is_the_strength_of_control(scene, tmp_path, resemblance, scale):
    assert prepared(scene, settings(tmp_path, VACE, resemblance=resemblance))[1]["control_scale"] == scale


@pytest.mark.parametrize(("resemblance", "share"), [(0.0, 0.0), (0.375, 0.5), (0.75, None), (1.0, None)])
def test_resemblance_is_the_share_of_steps_that_see_the_control_of_a_fun_model(scene, tmp_path, resemblance, share):
    brief, _ = previs.read_shots(scene)
    wish = previs.wish_of(scene, brief, brief.shots[0], settings(tmp_path, FUN, resemblance=resemblance))
    assert wish.request.control_share == share and wish.request.control_scale is None


def test_a_model_that_follows_a_camera_gets_it_with_the_first_frame(scene, tmp_path):
    job, request, notes = prepared(scene, settings(tmp_path, CAMERA))
    assert request["camera"] == "control/camera.json" and request["image"] == "conditioning/first.png"
    assert request["last_image"] is None and request["control_video"] is None
    assert len(json.loads((job.path / request["camera"]).read_text())["frames"]) == COUNT
    assert any("mode camera" in note for note in notes)


def test_a_cameras_way_is_told_in_units_of_the_subjects_distance(scene, tmp_path):
    brief, _ = previs.read_shots(scene)
    subject, notes = brief.shots[0].subjects[0], []
    wish = previs.wish_of(scene, brief, brief.shots[0], settings(tmp_path, CAMERA), notes.append)
    assert wish.request.camera_scale == pytest.approx(4 / subject.distance_m, rel=1e-3)
    assert any(f'"{subject.name}" is {subject.distance_m:.3g} m away' in note for note in notes)
    stated = previs.wish_of(scene, brief, brief.shots[0], settings(tmp_path, CAMERA, camera_scale=0.5), notes.append)
    assert stated.request.camera_scale == 0.5
    empty = replace(brief.shots[0], subjects=())
    assert previs.wish_of(scene, brief, empty, settings(tmp_path, CAMERA), notes.append).request.camera_scale == 1
    assert "Nothing stands out" in notes[-1]
    others = previs.wish_of(scene, brief, brief.shots[0], settings(tmp_path, FUN, camera_scale=0.5))
    assert others.request.camera_scale is None


@pytest.mark.parametrize(
    ("model", "mode"), [("nano", "control"), (TEXT, "camera"), (FUN, "camera"), (CAMERA, "control")]
)
def test_what_a_model_cannot_follow_is_told_with_what_it_can_before_anything_is_made(scene, tmp_path, model, mode):
    with pytest.raises(UsageError, match="It can do the modes auto, ") as error:
        previs.Generation(scene, settings(tmp_path / "jobs", model, mode=mode))
    assert f"(mode {mode})" in str(error.value) and not (tmp_path / "jobs").exists()


@pytest.mark.parametrize(("model", "spoil", "words"), [
    (FUN, lambda scene: setattr(scene, "frame_end", 1), "one frame long"),
    (FUN, lambda scene: setattr(scene.camera.data, "type", "PANO"), "panoramic"),
    (CAMERA, lambda scene: setattr(scene.camera.data, "type", "ORTHO"), "orthographic"),
])  # fmt: skip
def test_a_shot_with_nothing_to_follow_makes_no_job(scene, tmp_path, model, spoil, words):
    spoil(scene)
    with pytest.raises(SceneError, match=words):
        prepared(scene, settings(tmp_path / "jobs", model))
    assert not (tmp_path / "jobs").exists()


@pytest.mark.engine
@pytest.mark.parametrize("model", [FUN, VACE, CAMERA], ids=lambda path: path.parent.name)
def test_the_engine_makes_a_clip_that_follows(scene, tmp_path, model):
    progress = []
    generation = previs.Generation(scene, settings(tmp_path, model))
    generation.run(lambda running: progress.append(running.status))
    assert generation.errors == [] and len(generation.takes) == 1
    (job,) = tmp_path.glob("*-take-*")
    report, request = (json.loads((job / name).read_text()) for name in ("report.json", "request.json"))
    assert report["size"] == request["size"] and report["clip"]["frames"] == 8
    assert len(list((job / "raw").iterdir())) == COUNT
    assert "Rendering what the clip follows" in progress


def test_cancelling_between_two_frames_ends_the_job(scene, tmp_path):
    generation = previs.Generation(scene, settings(tmp_path, FUN))
    while generation.status != "Rendering what the clip follows":
        assert not generation.step()
    generation.cancel()
    while not generation.step():
        pass
    (job,) = tmp_path.glob("*-take-*")
    assert json.loads((job / "state.json").read_text())["state"] == "cancelled"
    assert generation.exit_status == 130 and not (job / "request.json").exists()


def test_a_blockout_and_marked_objects(scene, tmp_path):
    with properties.available():
        scene.objects["Moving"].wan_previs.mark, scene.objects["Still"].wan_previs.mark = "keep", "follow"
        job, request, _ = prepared(scene, settings(tmp_path, VACE, control="blockout"))
        assert (request["control_video"], request["control_mask"]) == ("control/blockout_studio", "control/mask")
        for name in ("blockout_studio", "mask", "masks/keep", "masks/follow"):
            assert len(list((job.control / name).iterdir())) == COUNT
        kept = read_png(job.control / "masks" / "keep" / "00001.png") == 255
        assert np.array_equal(read_png(job.control / "mask" / "00001.png") == 0, kept) and kept.any()
        with pytest.raises(UsageError, match='cannot keep "Moving" as rendered'):
            prepared(scene, settings(tmp_path / "other", FUN))
        scene.objects["Moving"].hide_render = True
        with pytest.raises(SceneError, match="hidden from renders"):
            prepared(scene, settings(tmp_path / "other", VACE))
        assert not (tmp_path / "other").exists()


TTM = GOLDEN / "ttm" / "fullstack" / "Wan2.2-I2V-A14B" / "checkpoint"


# The levels of the method's authors lie there on a schedule of shift 5.
AUTHORS = {"camera": (0.065, 0.155), "object": (0.095, 0.2125)}


@pytest.mark.parametrize(
    ("resemblance", "marked", "clocks"),
    [
        (0.75, False, AUTHORS["camera"]),
        (0.75, True, AUTHORS["object"]),
        (0.0, True, (0, 0)),
        (1.0, True, (0.273, 0.556)),
    ],
)
def test_motion_is_followed_as_long_as_its_noise_levels_say(scene, tmp_path, resemblance, marked, clocks):
    with properties.available():
        scene.objects["Moving"].wan_previs.mark = "follow" if marked else "none"
        brief, _ = previs.read_shots(scene)
        chosen = replace(settings(tmp_path, TTM, mode="motion", resemblance=resemblance), steps=100)
        request = previs.wish_of(scene, brief, brief.shots[0], chosen).request
    assert (request.motion_start / 100, request.motion_end / 100) == pytest.approx(clocks, abs=0.006)
    assert (request.motion_video, request.image) == ("control/motion", "conditioning/first.png")


def test_a_still_camera_and_no_marked_object_give_no_motion_to_follow(scene, tmp_path):
    scene.camera.animation_data_clear()
    with pytest.raises(SceneError, match="no motion to follow"):
        prepared(scene, settings(tmp_path / "jobs", TTM, mode="motion"))
    assert not (tmp_path / "jobs").exists()


@pytest.mark.engine
@pytest.mark.parametrize("marked", [False, True])
def test_the_engine_follows_a_motion(scene, tmp_path, marked):
    with properties.available():
        scene.objects["Moving"].wan_previs.mark = "follow" if marked else "none"
        generation = previs.Generation(scene, previs.Settings(mode="motion", steps=4, output=tmp_path))
        generation.run()
    assert generation.errors == [] and len(generation.takes) == 1
    (job,) = tmp_path.glob("*-take-*")
    for name in ("motion", "motion_mask"):
        assert len(list((job / "control" / name).iterdir())) == COUNT


def test_a_scene_without_bodies_is_told_before_a_job_is_made(scene, tmp_path):
    with pytest.raises(SceneError, match="previs_joint"):
        prepared(scene, settings(tmp_path / "jobs", FUN, control="pose"))
    assert not (tmp_path / "jobs").exists()
