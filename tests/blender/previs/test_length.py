# SPDX-License-Identifier: GPL-3.0-or-later
"""The model makes as many frames as a shot's length takes, and the clip fits the shot exactly at the scene's rate."""

import json
from types import SimpleNamespace

import pytest
from tiny_shots import TEXT_ONLY, TINY, one_shot
from wan_previs import previs, properties
from wan_previs.previs.length import clip_words, frames_of
from wan_previs.wan_engine.checkpoint.summary import outline
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
