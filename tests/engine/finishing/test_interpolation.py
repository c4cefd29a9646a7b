# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames between frames: exact counts and ends, motion that is followed, light that changes evenly, and no tearing."""

import moving
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wan_engine.finishing.interpolation import retime, retimed
from wan_engine.media.srgb import from_linear, to_linear


def faded(a, b, time=0.5):
    return from_linear((1 - time) * to_linear(a) + time * to_linear(b))


@settings(max_examples=30, deadline=None)
@given(total=st.integers(1, 6), count=st.integers(1, 15))
def test_any_count_and_the_ends_stay(total, count):
    frames = moving.scene(range(total), 41, 35)
    result = retime(frames, count)
    assert result.shape == (count, 35, 41, 3)
    assert result.dtype == np.uint8
    assert np.array_equal(result[0], frames[0])
    if count > 1:
        assert np.array_equal(result[-1], frames[-1])


@pytest.mark.parametrize(("total", "count"), [(81, 121), (17, 49), (5, 4), (4, 10)])
def test_frames_whose_time_is_asked_for_stay(total, count):
    frames = np.random.default_rng(0).integers(0, 256, (total, 8, 8, 3), np.uint8)
    result = retime(frames, count)
    for k, time in enumerate(np.arange(count) * (total - 1) / (count - 1)):
        if abs(time - round(time)) < 1e-9:
            assert np.array_equal(result[k], frames[round(time)])


def test_frames_may_come_one_by_one():
    frames = moving.scene(range(5), 64, 48)
    assert np.array_equal(list(retimed(iter(frames), 5, 9)), retime(frames, 9))


def dusk(time, x, y):
    return 1 / (1 + 0.15 * time)


def passing_lamp(time, x, y):
    return 0.25 + 0.9 * np.exp(-((x - 20 - 14 * time) ** 2 + (y - 40) ** 2) / 1800)


@pytest.mark.parametrize(
    ("pattern", "decibels"),
    [({}, 5), ({"disc": 0, "pan": 3}, 8), ({"light": dusk}, 5), ({"light": passing_lamp}, 4)],
    ids=["disc over a pan", "pan", "dusk", "passing lamp"],
)
@pytest.mark.parametrize("size", [(160, 96), (161, 97)])
def test_frames_between_are_better_than_a_fade(pattern, decibels, size):
    """At twice the rate, against the frames as they truly were; the disc moves 8 pixels between keyframes."""
    truth = moving.scene(range(5), *size, **pattern)
    result = retime(truth[::2], 5)
    assert np.array_equal(result[::2], truth[::2])
    fade = np.stack([faded(truth[k], truth[k + 2]) for k in (0, 2)])
    assert moving.psnr(result[1::2], truth[1::2]) > moving.psnr(fade, truth[1::2]) + decibels


def test_light_alone_changes_evenly_in_linear_light():
    lit = moving.scene([0, 1], pan=0, disc=0, light=lambda time, x, y: 0.2 + 0.7 * time)
    light = to_linear(retime(lit, 5)).mean((1, 2, 3))
    assert np.allclose(light, np.linspace(light[0], light[-1], 5), atol=0.004)


def test_what_is_uncovered_has_the_light_of_its_moment():
    """The ground behind the disc is seen in the second frame only, when the light has a third less than midway."""
    y, x = np.mgrid[:96, :160]
    radius = 96 / 4.4
    uncovered = ((x - 40) ** 2 + (y - 48) ** 2 < (radius - 1) ** 2) & (
        (x - 46) ** 2 + (y - 48) ** 2 > (radius + 1) ** 2
    )
    brightness = []
    for fall in (0.0, 0.25):
        truth = moving.scene([0, 1, 2], pan=0, disc=6, light=lambda time, x, y, fall=fall: 1 - fall * time)
        result = retime(truth[::2], 3)[1]
        fade = faded(truth[0], truth[2])
        assert (
            moving.psnr(result[uncovered], truth[1][uncovered]) > moving.psnr(fade[uncovered], truth[1][uncovered]) + 2
        )
        brightness.append(to_linear(result)[uncovered].mean() / to_linear(truth[1])[uncovered].mean())
    assert abs(brightness[1] / brightness[0] - 1) < 0.05


def test_still_frames_stay_still():
    still = moving.scene([0, 0])
    assert np.abs(retime(still, 5).astype(int) - still[0]).max() <= 1


@pytest.mark.parametrize(
    "other",
    [moving.texture(96, 160, 9), np.full((96, 160, 3), 230, np.uint8), moving.scene([40])[0]],
    ids=["another shot", "white", "too far"],
)
def test_what_cannot_be_followed_is_faded_whole(other):
    first = moving.scene([0])[0]
    result = retime(np.stack([first, other]), 4)
    for k in (1, 2):
        assert np.abs(result[k].astype(int) - faded(first, other, k / 3)).max() <= 1


@pytest.mark.parametrize("size", [(16, 16), (1, 1), (31, 200), (200, 3), (33, 33)])
def test_small_and_odd_frames(size):
    frames = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    assert retime(frames, 5).shape == (5, *size, 3)
