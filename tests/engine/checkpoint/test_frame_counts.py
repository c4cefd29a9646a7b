# SPDX-License-Identifier: GPL-3.0-or-later
"""How many frames a model makes of a shot: 4n+1, and as near to the shot's true time as these allow."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wan_engine.checkpoint.frame_counts import frames_for, speed_of
from wan_engine.checkpoint.models import ROWS
from wan_engine.checkpoint.summary import Outline

RATES = (Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 30, 48, 50, Fraction(60000, 1001), 60)
shot_rates, model_rates = st.sampled_from(RATES), st.sampled_from((8, 16, 24))
seconds = st.fractions(Fraction(1, 2), 30)


@given(seconds, shot_rates, model_rates, st.sampled_from((1, 5, 17)))
@example(Fraction(1, 2), 60, 16, 5)
def test_the_count_is_the_nearest_to_the_time_between_first_and_last_frame(length, fps, rate, fewest):
    count = max(1, round(length * fps))
    frames = frames_for(count, float(fps), float(rate), fewest)
    span = Fraction(count - 1) / fps * rate
    assert frames % 4 == 1 and frames >= fewest
    assert frames == fewest or abs(frames - 1 - span) <= 2 + Fraction(1, 10**6)
    assert frames > fewest or span <= fewest + 1


@given(st.integers(1, 1800), shot_rates, model_rates)
def test_a_longer_shot_is_never_made_of_less(count, fps, rate):
    assert frames_for(count, float(fps), rate) <= frames_for(count + 1, float(fps), rate)


@given(st.integers(2, 1800), shot_rates, model_rates)
def test_motion_has_its_true_speed_but_for_the_rounding(count, fps, rate):
    frames = frames_for(count, float(fps), rate, 5)
    speed = speed_of(frames, rate, count, float(fps))
    span = (count - 1) / float(fps) * rate
    assert speed == pytest.approx((frames - 1) / span)
    assert span < 8 or 0.75 <= speed <= 1.25


@pytest.mark.parametrize(("count", "fps", "rate", "frames"), [
    (120, 24, 16, 81), (121, 24, 16, 81), (120, 24, 24, 121), (48, 24, 8, 17), (72, 24, 8, 25), (720, 24, 8, 241),
    (1, 24, 16, 5), (2, 60, 16, 5), (4, 24, 16, 5), (12, 24, 16, 9),
])  # fmt: skip
def test_shots_as_they_are_cut(count, fps, rate, frames):
    assert frames_for(count, fps, rate, 5) == frames


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_five_seconds_are_what_most_models_were_trained_for(row):
    """81 frames at 16 per second and 121 at 24; the others were trained on less or more than that."""
    frames = Outline(row).frames_for(120, 24)
    assert frames == {16: 81, 24: 121}[row.fps]
    assert Outline(row).frames_for(1, 24) == row.fewest == 5
