# SPDX-License-Identifier: GPL-3.0-or-later
"""The model makes as many frames as a shot's length takes, and the clip fits the shot exactly at the scene's rate."""

import json
from types import SimpleNamespace

import bpy
import pytest
from tiny_shots import TEXT_ONLY, TINY, one_shot
from wan_previs import previs, properties
from wan_previs.conditioning.frames import render_frames
from wan_previs.conditioning.tone import stored_pixels
from wan_previs.previs.length import borders_of, clip_words, frames_of, parts_of
from wan_previs.wan_engine.checkpoint import models
from wan_previs.wan_engine.checkpoint.summary import Outline, outline
from wan_previs.wan_engine.errors import UsageError


@pytest.fixture
def scene(blank_scene):
    yield blank_scene
    previs.close_engine()


def chosen(tmp_path, model=TEXT_ONLY, **choices):
    return previs.Settings(model=str(model), size=(32, 32), steps=1, output=tmp_path, **choices)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("last", "fps", "base", "frames"),
    [(1, 24, 1.0, 5), (2, 60, 1.0, 5), (4, 24, 1.001, 5), (14, 24, 1.001, 9), (37, 60, 1.0, 9), (26, 30, 1.001, 13)],
)
def test_a_clip_fits_its_shot_at_the_scenes_rate(scene, tmp_path, last, fps, base, frames):
    one_shot(scene, first=1, last=last)
    scene.render.fps, scene.render.fps_base = fps, base
    generation = previs.Generation(scene, chosen(tmp_path, mode="text"))
    generation.run()
    assert generation.errors == []
    (job,) = tmp_path.glob("*-take-*")
    report = json.loads((job / "report.json").read_text())
    assert len(list((job / "raw").iterdir())) == frames
    assert report["clip"]["frames"] == last and eval_rate(report["clip"]["fps"]) == pytest.approx(fps / base)
    (strip,) = scene.sequence_editor.strips_all
    assert (strip.frame_final_start, strip.frame_final_end - 1) == (1, last)


def eval_rate(text):
    above, _, below = text.partition("/")
    return int(above) / int(below or 1)


def shot(count, name="Wide"):
    return SimpleNamespace(frame_count=count, name=name)


@pytest.mark.parametrize(("count", "choices", "frames", "told"), [
    (48, {}, 33, ""),
    (3, {}, 5, 'Shot "Wide" is made of 5 frames, the fewest that Wan2.2 T2V-A14B makes: the model'),
    (1, {}, 5, 'Shot "Wide" is one frame long'),
    (48, {"frames": 81}, 81, "81 frames, as asked for: the model's motion is 2.6 times as fast"),
    (48, {"frames": 17}, 17, "17 frames, as asked for: the model's motion is 2 times slower"),
    (48, {"frames": 33}, 33, ""),
])  # fmt: skip
def test_what_cannot_have_its_true_speed_is_told(count, choices, frames, told):
    notes = []
    settings = previs.Settings(model=str(TEXT_ONLY), **choices)
    assert frames_of(shot(count), 24.0, settings, outline(TEXT_ONLY), "text", notes.append) == frames
    assert len(notes) == bool(told) and all(told in note for note in notes)


@pytest.mark.parametrize(("frames", "words"), [(1, "at least 5 frames"), (12, "nearest are 9 and 13")])
def test_a_count_that_cannot_be_made_is_told_before_anything_is_rendered(scene, tmp_path, frames, words):
    one_shot(scene)
    brief, _ = previs.read_shots(scene)
    with pytest.raises(UsageError, match=words):
        previs.prepare(scene, brief, brief.shots[0], chosen(tmp_path / "jobs", TINY, frames=frames))
    assert not (tmp_path / "jobs").exists()


def test_the_panel_tells_what_the_model_makes_of_each_shot(scene):
    one_shot(scene, last=72)
    with properties.available():
        state = scene.wan_previs
        row = state.shots.add()
        row.frame_count = 72
        state.look_at_model()
        assert row.clip == "25 frames in 2 parts, 24 passes"
        state.frames, state.steps = 17, 5
        assert row.clip == "17 frames, 5 passes"
        state.model = "CUSTOM"
        assert row.clip == ""
        state.checkpoint = str(TEXT_ONLY)
        assert row.clip == "17 frames, 10 passes"
        assert clip_words(720, 24.0, previs.Settings(), outline(previs.NANO)).startswith("241 frames in ")


def moving(scene, last):
    one_shot(scene, last=last)
    scene.world = bpy.data.worlds.new("Sky")  # else all is black
    scene.world.color = 0.5, 0.6, 0.8
    for frame, x in ((1, -3.0), (last, 3.0)):
        scene.objects["Cube"].location.x = x
        scene.objects["Cube"].keyframe_insert("location", frame=frame)
    return scene


@pytest.mark.engine
def test_the_segments_of_a_long_shot_meet_at_frames_of_the_scene(scene, tmp_path):
    moving(scene, 72)
    statuses = []
    generation = previs.Generation(scene, previs.Settings(steps=1, output=tmp_path, mode="first_last"))
    generation.run(lambda running: statuses.append(running.status))
    assert generation.errors == []
    (job,) = tmp_path.glob("*-take-*")
    request, report = (json.loads((job / name).read_text()) for name in ("request.json", "report.json"))
    assert (request["frames"], request["keyframes"]) == (25, [{"frame": 12, "path": "conditioning/00012.png"}])
    assert report["segments"] == [0, 12, 24] and report["clip"]["frames"] == 72
    assert any(status.startswith("Segment 2 of 2") for status in statuses)
    shot = generation.brief.shots[0]
    moments = {"there": 1 + 71 * 12 / 24, "beside": 36.0}
    own = render_frames(scene, shot, tuple(request["size"]), tmp_path / "own", moments, 16)
    there, beside, keyframe = map(stored_pixels, (own["there"], own["beside"], job / "conditioning" / "00012.png"))
    assert keyframe == there and keyframe != beside


@pytest.mark.parametrize(
    ("row", "mode", "count"),
    [
        (models.I2V_A14B, "first", 5),
        (models.FLF2V_14B_V21, "first_last", 5),
        (models.FUN_A14B_CAMERA, "camera", 5),
        (models.TI2V_5B, "first", 0),  # would jump to them
        (models.T2V_A14B, "text", 0),
        (models.FUN_A14B_CONTROL, "control", 0),
    ],
)
def test_models_that_hold_a_last_frame_get_the_scenes_at_every_border(row, mode, count):
    model = Outline(row)
    frames = model.frames_for(720, 24.0)
    borders = borders_of(frames, model, mode)
    assert len(borders) == count and parts_of(frames, model, mode) == 6 + (mode in ("text", "control")) * 2
    assert all(border % 4 == 0 and 0 < border < frames - 1 for border in borders)
    assert borders_of(81, model, mode) == ()
