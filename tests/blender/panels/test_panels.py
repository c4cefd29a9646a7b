# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels show: text wrapped to their width, facts in words. (They are drawn in tests/desktop.)"""

from array import array
from types import SimpleNamespace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wan_previs.operators.facts import SIDES, fill_row
from wan_previs.operators.picture import stack
from wan_previs.panels import CLASSES
from wan_previs.panels.wrapping import wrap
from wan_previs.scene.brief import CameraPath, CameraSample, Move, Sector, Shot, StartEnd, Sun, SunSample

words = st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12), max_size=30)


@settings(deadline=None)
@given(words, st.integers(2, 40))
def test_wrapping_keeps_every_letter_and_the_width(parts, width):
    lines = wrap(" ".join(parts), width, len)
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join("".join(parts).split())


def test_wrapping_breaks_between_words():
    assert wrap("the camera arcs to the left", 12, len) == ["the camera", "arcs to the", "left"]
    assert wrap("", 12, len) == []


def shot(**changes):
    identity = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    samples = tuple(CameraSample(frame, identity, 50.0, (36.0, 24.0)) for frame in (1, 48))
    moves = (Move("arc_left", 1, 48, 49.7, "deg"), Move("push_in", 1, 48, 2.94, "m"))
    rays = (SunSample(1, 70.2, 7.4, (1.0, 0.0, 0.0)), SunSample(48, 359.8, 34.0, (0.0, 1.0, 0.0)))
    sun = Sun("sun_light", rays, StartEnd("sunrise", "morning"), StartEnd("back_left", "back_left"))
    facts = {"camera_path": CameraPath(samples, moves, "medium_wide", "eye_level", "long"), "sun": sun, **changes}
    return Shot(name="Wide", frame_start=1, frame_end=48, camera="Camera", **facts)


def test_facts_are_an_artists_words():
    row = SimpleNamespace()
    fill_row(row, shot(), 24.0, "A prompt.")
    assert row.frames == "1–48  (2.0 s)"
    assert row.camera == "Camera, long lens"
    assert row.move == "Arc left 50°, Push in 2.9 m"
    assert row.framing == "Medium wide, eye level"
    assert row.light == "Sunrise → morning"
    assert row.sun_height == "7° → 34°"
    assert row.sun_compass == "70° E → 0° N"
    assert row.sun_side == "Ahead left"
    assert row.prompt == "A prompt."


def test_a_shot_without_sun_has_no_words_about_it():
    row = SimpleNamespace()
    fill_row(row, shot(sun=None), 24.0, "")
    assert (row.light, row.sun_height, row.sun_compass, row.sun_side) == ("", "", "", "")


def test_every_side_has_words():
    assert set(SIDES) == set(get_args(Sector))


@pytest.mark.parametrize("part", ["shots", "takes", "facts", "prompt", "settings", "advanced"])
def test_both_editors_share_their_panels(part):
    panels = [cls for cls in CLASSES if cls.__name__.startswith(f"WANPREVIS_PT_{part}_")]
    assert {cls.bl_space_type for cls in panels} == {"VIEW_3D", "SEQUENCE_EDITOR"}
    assert len({cls.draw for cls in panels}) == 1
    assert {cls.bl_category for cls in panels} == {"Previs"}


@pytest.mark.parametrize(
    ("aspect", "shown"),
    [(16 / 9, [0, 3]), (1.0, [0]), (9 / 16, [0]), (2.4, [0, 3])],
    ids=["wide", "square", "tall", "scope"],
)
def test_a_row_of_frames_becomes_a_pile_that_is_nearly_square(aspect, shown):
    height = 36
    width = round(height * aspect)
    row = [frame / 4 for frame in range(4) for _ in range(width)]
    pixels = array("f", [value for _ in range(height) for x in row for value in (x, x, x, 1.0)])
    wide, tall, piled = stack(pixels, (4 * width, height), aspect)
    assert (wide, tall, len(piled)) == (width, height * len(shown), width * height * len(shown) * 4)
    rows = [piled[y * width * 4] for y in range(0, tall, height)]
    assert rows == [frame / 4 for frame in reversed(shown)]  # pixels begin at the bottom, the first frame is on top
