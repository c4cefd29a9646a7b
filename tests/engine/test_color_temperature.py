# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour temperature as scene, light guide and measures tell it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wan_engine.color_temperature import blackbody_rgb, kelvin_of, nearest_black_body


@given(st.floats(1700, 14000))
def test_a_black_body_has_its_own_temperature_and_luminance_1(kelvin):
    rgb = blackbody_rgb(kelvin)
    assert 1e6 / kelvin_of(rgb) == pytest.approx(1e6 / kelvin, abs=8)
    assert rgb @ (0.2126, 0.7152, 0.0722) == pytest.approx(1, abs=5e-3)  # blue below 0 is left out


def test_a_black_body_is_held_within_what_its_spline_is_made_for():
    assert (blackbody_rgb(800) == blackbody_rgb(1667)).all() and (blackbody_rgb(1667) != blackbody_rgb(1700)).any()
    assert (blackbody_rgb(9e4) == blackbody_rgb(25000)).all() and (blackbody_rgb(800) >= 0).all()


def test_white_is_daylight_and_warm_is_below_cool():
    assert kelvin_of((1, 1, 1)) == pytest.approx(6504, abs=15)
    assert kelvin_of((1.0, 0.6, 0.3)) < 5000 < 6504 < kelvin_of((0.7, 0.8, 1.0))


@pytest.mark.parametrize("rgb", [(0, 0, 0), (0, 1, 0), (0.2, 0, 1), (-1, -1, -1), (np.nan, 0, 0), (np.inf, 1, 1)])
def test_no_temperature_where_there_is_none(rgb):
    assert kelvin_of(rgb) is None


def test_a_channel_below_0_or_nan_counts_as_0():
    assert nearest_black_body((1, 0.5, -3)) == nearest_black_body((1, 0.5, np.nan)) == nearest_black_body((1, 0.5, 0))


def test_the_nearest_black_body_of_a_colour_without_temperature_tells_how_far_it_is():
    kelvin, distance = nearest_black_body((0, 1, 0))
    assert 1000 <= kelvin <= 15000 and distance > 0.05
    assert nearest_black_body((0, 0, 0)) is None
