# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip that shows the scene follows it; each planted fault is found, and told as what it is."""

import functools
import json
import operator
import os
from dataclasses import replace

import cv2
import drawn
import numpy as np
import pytest
from drawn import FRAMES, clip, write_tracks

from wan_engine.errors import UsageError
from wan_engine.follow.bounds import BLENDS_IN_CLUTTER, CLUTTER
from wan_engine.follow.measure import measure
from wan_engine.follow.subjects import Sight
from wan_engine.follow.tracks import read_tracks
from wan_engine.follow.verdict import verdict


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    return read_tracks(write_tracks(tmp_path_factory.mktemp("tracks") / "tracks.json"))


@pytest.fixture(scope="module")
def true():
    return clip()


def grain(frames):
    return np.clip(frames + np.random.default_rng(3).normal(0, 10, frames.shape), 0, 255).astype(np.uint8)


def pressed(frames):
    packed = [cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 30])[1] for frame in frames]
    return np.stack([cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1] for data in packed])


def dimmed(frames):
    return (frames * np.linspace(1, 0.5, len(frames))[:, None, None, None]).astype(np.uint8)


def twice_as_large(frames):
    return np.stack([cv2.resize(frame, None, fx=2, fy=2) for frame in frames])


@pytest.mark.parametrize("change", [lambda frames: frames, grain, pressed, dimmed, twice_as_large])
def test_what_shows_the_scene_follows_it(tracks, true, change):
    measures = measure(change(true), tracks)
    told = verdict(measures)
    assert told.code == "follows" and told.told == "follows" and told.frame is None
    known = [error for error in measures.error_px if error is not None]
    assert max(known) < 1.0 * measures.size[0] / tracks.size[0]
    assert not any(check.fails for check in told.checks)


FAULTS = {
    "frozen": (lambda true: np.repeat(true[:1], FRAMES, 0), "strays_in_motion", "stands still"),
    "late by four frames": (lambda true: true[[max(0, t - 4) for t in range(FRAMES)]], "strays_in_motion", "late"),
    "mirrored": (lambda true: true[:, :, ::-1], "strays_in_motion", "the other way"),
    "backwards": (lambda true: true[::-1], "strays_in_motion", "the other way"),
    "half the speed": (lambda true: clip(np.arange(FRAMES) / 2), "strays_in_motion", "0.5 times"),
    "missing": (lambda true: clip(crates=()), None, None),
    "doubled": (lambda true: clip(crates=((0, 0), (48, -46))), "doubles_subject", '"Crate" is seen twice'),
}


@pytest.mark.parametrize("grainy", [False, True], ids=["plain", "grain"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(tracks, true, fault, grainy):
    make, code, words = FAULTS[fault]
    frames = make(true)
    told = verdict(measure(grain(frames) if grainy else frames, tracks), first_frame=101)
    assert told.word == "strays" and told.frame is not None and told.told == f"strays at frame {101 + told.frame}"
    assert any(check.fails for check in told.checks)
    assert code is None or (told.code == code and words in told.sentence), told.sentence


@pytest.mark.parametrize(("speed", "off"), [(0.0, drawn.PAN), (0.5, drawn.PAN / 2)])
def test_errors_are_those_at_the_end_of_the_way(tracks, speed, off):
    told = measure(clip(np.arange(FRAMES) * speed), tracks)
    for still, span in list(zip(told.still_px, told.span, strict=True))[2:]:
        assert still == pytest.approx(off * span, abs=0.15 * drawn.PAN * span)


def test_a_clip_that_goes_a_third_way_neither_stands_nor_goes_the_other_way(tracks, true):
    down = np.stack([np.roll(true[0], 2 * time, axis=0) for time in range(FRAMES)])
    told = verdict(measure(down, tracks))
    assert told.code == "strays_in_motion" and "moves elsewhere" in told.sentence


CHECKERS = np.kron(np.indices((28, 100)).sum(0) % 2 * 110 + 60.0, np.ones((4, 4)))[..., None].repeat(3, 2)


def test_where_edges_are_everywhere_colours_tell_what_is_missing(tracks, monkeypatch):
    """An outline fits anywhere there, and no worse where its thing is not."""
    monkeypatch.setattr(drawn, "BACKGROUND", CHECKERS)
    assert verdict(measure(clip(crates=()), tracks)).code == "misses_subject"
    assert verdict(measure(clip(), tracks)).code == "follows"


def test_the_more_colours_are_those_around_the_better_may_an_outline_fit_that_is_missing():
    sight = Sight(0, fit=0.4, elsewhere=0.2, spread=0.09, best=0.5, off=20.0, blends=0.75, copy=None)
    assert sight.missing and not replace(sight, blends=0.65).missing
    assert replace(sight, blends=0.5, fit=0.3).missing and not replace(sight, blends=0.3, fit=0.2).missing
    assert not replace(sight, fit=0.5).missing
    in_clutter = replace(sight, elsewhere=CLUTTER + 0.05, fit=0.6, blends=0.65)
    assert not in_clutter.missing and replace(in_clutter, blends=BLENDS_IN_CLUTTER + 0.1).missing


@pytest.mark.parametrize(
    ("count", "frozen", "word", "words"),
    [
        (1, True, "cannot be told", "one frame"), (2, True, "strays", "stands still"), (2, False, "follows", "off by"),
        (5, True, "strays", "stands still"), (5, False, "follows", "off by"),
    ],
)  # fmt: skip
def test_of_short_clips_is_told_what_they_show(tracks, true, count, frozen, word, words):
    short = replace(tracks, places=tracks.places[:, :count], seen=tracks.seen[:, :count], outlines=())
    told = verdict(measure(np.repeat(true[:1], count, 0) if frozen else true[:count], short))
    assert told.word == word and words in told.sentence


def test_a_clip_that_shows_motion_in_few_frames_alone_does_not_follow(tracks, true):
    plain = np.full_like(true, 90)
    plain[-4:] = true[-4:]
    measures = measure(plain, replace(tracks, outlines=()))
    assert 0 < sum(share is not None for share in measures.elsewhere) < measures.moving / 4
    told = verdict(measures)
    assert told.word == "cannot be told" and told.code == "plain"


def test_a_shadow_that_moves_or_a_lamp_that_strobes_is_no_motion(tracks, true):
    shaded, strobing = true.copy(), true.copy()
    for time in range(FRAMES):
        shaded[time, :, 10 + 7 * time : 60 + 7 * time] //= 3
    strobing[1::2] //= 3
    assert [verdict(measure(frames, tracks)).code for frames in (shaded, strobing)] == ["follows", "follows"]


def test_a_thing_of_one_colour_is_seen_twice_too_and_one_like_the_ground_is_not(tracks, monkeypatch):
    monkeypatch.setattr(drawn, "PAINT", np.full_like(drawn.PAINT, (200.0, 60.0, 40.0)))
    twice = ((0, 0), (48, -46))
    assert verdict(measure(clip(), tracks)).code == "follows"
    assert verdict(measure(grain(clip(crates=twice)), tracks)).code == "doubles_subject"
    monkeypatch.setattr(drawn, "BACKGROUND", drawn.texture(1, drawn.SIZE[1], 400, 6.0) * 0.2 + (180.0, 45.0, 28.0))
    told = verdict(measure(clip(), tracks))
    assert told.code != "doubles_subject"


def test_a_thing_that_stands_still_is_missed_by_its_outline(tracks):
    """Where nothing moves but what is there, motion tells nothing of what is not."""
    still = {"pan": 0.0, "moves": 0.0}
    places, seen = (np.repeat(values[:, :1], FRAMES, 1) for values in (tracks.places, tracks.seen))
    outlines = tuple(replace(tracks.outlines[0], frame=frame) for frame in (0, 5, 10, 15))
    rest = replace(tracks, places=places, seen=seen, outlines=outlines)
    assert verdict(measure(clip(crates=(), **still), rest)).code == "misses_subject"
    told = verdict(measure(clip(**still), rest))
    assert told.word == "cannot be told" and told.code == "still"
    told = verdict(measure(clip(moves=drawn.PAN), rest))
    assert told.code == "strays_in_motion" and "moves, and the scene stands still" in told.sentence


def test_of_a_plain_clip_motion_cannot_be_told(tracks):
    plain = np.full((FRAMES, 112, 192, 3), 90, np.uint8)
    assert verdict(measure(plain, tracks)).code == "misses_subject"
    told = verdict(measure(plain, replace(tracks, outlines=())))
    assert told.word == "cannot be told" and told.code == "plain"


def test_more_frames_than_the_tracks_have_span_the_same_time(tracks):
    told = verdict(measure(clip(np.linspace(0, FRAMES - 1, 33)), tracks))
    assert told.code == "follows"


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"schema": "wan_previs.tracks/1"}',
        '{"schema": "wan_previs.tracks/1", "frames": [], "tracks": [], "size": [8, 8]}',
        '{"schema": "wan_previs.tracks/1", "frames": [1], "tracks": [{"object": "A"}], "size": [8, 8]}',
    ],
)
def test_what_is_no_tracks_is_told(tmp_path, text):
    path = tmp_path / "tracks.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"tracks\.json"):
        read_tracks(path)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("size",), [1e308, 8]),
        (("size",), [10**400, 8]),
        (("tracks", 0, "start"), -1),
        (("outlines", 0, "frame"), float("inf")),
        (("outlines", 0, "map"), []),
        (("outlines", 0, "map", 0, 0), 2**63),
        (("outlines", 0, "points", 0, 0), float("nan")),
    ],
)
def test_numbers_that_are_none_are_told(tmp_path, where, value):
    path = write_tracks(tmp_path / "tracks.json")
    data = json.loads(path.read_text())
    *way, last = where
    functools.reduce(operator.getitem, way, data)[last] = value
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="no whole tracks"):
        read_tracks(path)


def test_more_points_than_memory_are_told(tmp_path):
    path = tmp_path / "tracks.json"
    data = {"schema": "wan_previs.tracks/1", "frames": [1] * 10000, "tracks": [None] * 10000, "size": [8, 8]}
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="too many points"):
        read_tracks(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no file"):
        read_tracks(tmp_path / "pipe")


def test_measures_are_plain_data(tracks, true):
    told = json.loads(json.dumps(measure(true, tracks).to_json(), allow_nan=False))
    assert told["subjects"] and told["moving"] == FRAMES - 1
    assert told["error_percent"] == [
        None if px is None else pytest.approx(px / 1.92, abs=1e-3) for px in told["error_px"]
    ]
    assert all(shown["points"] and shown["outline"] for shown in told["ways"])


def test_a_wall_along_the_border_is_no_subject(tracks, true):
    """It ends where the picture ends, so its outline and its look are not its own."""
    assert "Crate" in {subject.name for subject in measure(true, tracks).subjects}
    outlines = []
    for outline in tracks.outlines:
        seen = np.where(outline.map == outline.names.index("Crate"), -1, outline.map)
        seen[4:18, :4] = outline.names.index("Crate")
        outlines.append(replace(outline, map=seen))
    assert "Crate" not in {subject.name for subject in measure(true, replace(tracks, outlines=outlines)).subjects}
