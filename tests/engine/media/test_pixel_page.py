# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures laid out in pixels: frames come out as they went in, and no word leaves its width."""

import matplotlib
import numpy as np
import pytest

from wan_engine.media.lettering import plotting
from wan_engine.media.pixel_page import PixelPage

PAPER = 24


def written(text, width=200, size=18):
    with plotting([text]) as letters:
        page = PixelPage(300, 40, "#181818", letters)
        page.write(10, 5, text, width, "#ffffff", size)
        return np.argwhere(page.pixels().max(-1) > PAPER + 40)


@pytest.mark.parametrize("size", [(1, 1), (300, 169), (333, 1001), (1298, 194)])
def test_a_frame_is_placed_pixel_for_pixel(size):
    width, height = size
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    with plotting([]) as letters:
        page = PixelPage(width + 12, height + 7, "#181818", letters)
        page.place(5, 4, frame)
        pixels = page.pixels()
    assert pixels.shape == (height + 7, width + 12, 3)
    np.testing.assert_array_equal(pixels[4 : 4 + height, 5 : 5 + width], frame)
    pixels[4 : 4 + height, 5 : 5 + width] = PAPER
    assert (pixels == PAPER).all()


@pytest.mark.parametrize("text", ["A long name " * 40, "$x_{$ costs $5 " * 20, "w" * 5000, "日出时分" * 50, "i" * 400])
def test_a_line_that_is_too_long_ends_within_its_width(text):
    places = written(text)
    assert places[:, 1].min() >= 10 and 190 <= places[:, 1].max() <= 211


def test_a_line_that_fits_is_whole():
    assert written("Wide")[:, 1].max() == written("Wide", 80)[:, 1].max()
    assert written("$a$")[:, 1].max() > written("a")[:, 1].max()  # no formula, whose signs would be gone
    assert len(written("")) == 0


def test_the_users_own_settings_change_nothing():
    plain = written("Wide")
    with matplotlib.rc_context({"text.usetex": True, "font.size": 40, "figure.dpi": 300, "text.antialiased": False}):
        np.testing.assert_array_equal(written("Wide"), plain)
