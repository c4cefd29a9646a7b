# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the page about following: it stands below the light, and marks where a clip strays."""

import numpy as np
import pytest
from drawn import FRAMES, clip, write_tracks
from PIL import Image

from wan_engine.follow.tracks import read_tracks
from wan_engine.reports.follow_report import follow_facts, measure_follow
from wan_engine.reports.light_page import write_page
from wan_engine.reports.light_report import light_facts
from wan_engine.request import GenerationRequest
from wan_engine.request_parts import Keyframe
from wan_engine.runtime.run import Run


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    return write_tracks(tmp_path_factory.mktemp("tracks") / "tracks.json")


def pixels_of(path, color):
    pixels = np.asarray(Image.open(path)).astype(int)[1100:]
    return int((np.abs(pixels - color).max(-1) < 12).sum())


def test_a_clip_that_strays_is_drawn_in_red_below_its_light(tmp_path, tracks):
    true, red = clip(), (255, 107, 94)
    pages = []
    for name, frames in {"true": true, "frozen": np.repeat(true[:1], FRAMES, 0)}.items():
        report = {"clip": {"path": "clip.mp4"}, "light": light_facts(frames, 24, None)}
        report["follow"] = follow_facts(frames, read_tracks(tracks), 101)
        pages.append(tmp_path / f"{name}.png")
        write_page(pages[-1], report, frames)
    assert [Image.open(page).size for page in pages] == [(1600, 1640)] * 2
    assert pixels_of(pages[1], red) > 1500 > pixels_of(pages[0], red)
    del report["follow"]
    write_page(pages[0], report, frames)
    assert Image.open(pages[0]).size == (1600, 1100)


def test_tracks_that_are_broken_cost_no_clip(tmp_path, tracks):
    run, frames = Run(), clip()
    request = GenerationRequest("nano", "a crate", tracks="tracks.json")
    (tmp_path / "tracks.json").write_text("{}")
    with run.sparing("Whether the clip follows the scene could not be measured"):
        measure_follow(request, frames, tmp_path, run)
    assert "follow" not in run.facts and "holds no tracks" in run.notes[0]
    (tmp_path / "tracks.json").write_bytes(tracks.read_bytes())
    measure_follow(request, frames, tmp_path, run)
    assert run.facts["follow"]["verdict"]["word"] == "follows"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "the model knew words alone."),
        ({"image": "a.png"}, "the model knew words and the first frame alone."),
        ({"image": "a.png", "last_image": "b.png"}, "words, the first and the last frame alone."),
        ({"image": "a.png", "keyframes": (Keyframe(8, "b.png"),)}, "words and a few frames alone."),
        ({"control_video": "depth"}, "stands still in the clip."),
        ({"image": "a.png", "camera": "camera.json"}, "stands still in the clip."),
        ({"image": "a.png", "motion_video": "motion"}, "stands still in the clip."),
    ],
)
def test_a_clip_that_strays_is_told_with_what_its_model_knew(tmp_path, tracks, given, words):
    run, request = Run(), GenerationRequest("nano", "a crate", tracks=str(tracks), **given)
    measure_follow(request, np.repeat(clip([0]), FRAMES, 0), tmp_path, run)
    verdict = run.facts["follow"]["verdict"]
    assert verdict["word"] == "strays" and verdict["sentence"].endswith(words)
    measure_follow(request, clip(), tmp_path, run)
    assert "knew" not in run.facts["follow"]["verdict"]["sentence"]
