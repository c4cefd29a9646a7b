# SPDX-License-Identifier: GPL-3.0-or-later
"""Both sides of the program tell one colour temperature: the scene's readers and the engine's measures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wan_previs.scene.color_temperature import color_temperature_k, rgb_of
from wan_previs.wan_engine.light import color

KELVIN = st.floats(1700, 14000)


@given(KELVIN)
def test_black_bodies_are_the_same_on_both_sides(kelvin):
    assert np.maximum(color.blackbody_rgb(kelvin), 0) == pytest.approx(np.array(rgb_of(kelvin)), abs=2e-3)


@settings(deadline=None)
@given(st.floats(0.02, 0.9), st.floats(0.02, 0.9), st.floats(0.02, 0.9))
def test_any_light_has_the_same_temperature_on_both_sides(r, g, b):
    one, other = color_temperature_k((r, g, b)), color.kelvin_of(np.array((r, g, b)))
    assert (one is None) == (other is None) and (one is None or one == pytest.approx(other, rel=1e-3))


@settings(deadline=None)
@given(KELVIN)
def test_a_black_body_has_its_own_temperature(kelvin):
    found = color_temperature_k(color.blackbody_rgb(kelvin))
    assert 1e6 / found == pytest.approx(1e6 / kelvin, abs=8)
