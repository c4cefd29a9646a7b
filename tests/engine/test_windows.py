# SPDX-License-Identifier: GPL-3.0-or-later
"""How a long clip is divided: every latent frame is covered, and the shares add up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wan_engine.windows import frames_of, latents_of, noise_order, segment_borders, windows


@st.composite
def divisions(draw):
    length = draw(st.integers(1, 40))
    return draw(st.integers(1, 400)), length, draw(st.integers(0, length - 1)), draw(st.integers(0, 60))


@given(divisions())
def test_windows_cover_a_clip_and_their_shares_add_up_to_one(division):
    count, length, overlap, turn = division
    parts = windows(count, length, overlap, turn)
    assert (parts[0].start, parts[-1].stop) == (0, count)
    assert all(part.stop - part.start == min(length, count) == len(part.weights) for part in parts)
    assert all(before.stop - after.start >= overlap for before, after in pairwise(parts))
    assert all(before.start < after.start for before, after in pairwise(parts))
    total = [0.0] * count
    for part in parts:
        assert min(part.weights) > 0
        for place, weight in enumerate(part.weights, part.start):
            total[place] += weight
    assert total == pytest.approx([1.0] * count)


@given(divisions())
def test_at_most_one_window_more_than_needed(division):
    count, length, overlap, turn = division
    number = len(windows(count, length, overlap, turn))
    needed = 1 + max(0, -(-(count - length) // (length - overlap)))
    assert needed <= number <= needed + 1
    assert len(windows(count, length, overlap)) == needed


def test_windows_meet_elsewhere_in_each_step():
    """Of a long clip, every place between the first and the last window is an inner one of a window in most steps."""
    meets = [{part.start for part in windows(65, 21, 5, turn)} - {0, 44} for turn in range(16)]
    assert len(set.union(*meets)) > 30
    assert max(sum(place in each for each in meets) for place in range(1, 44)) <= 4


@given(divisions())
def test_noise_is_taken_over_a_window_later_in_another_order(division):
    count, length, overlap, _ = division
    order = noise_order(count, length, overlap)
    assert len(order) == count and order[:length] == tuple(range(min(count, length)))
    stride = length - overlap
    for start in range(length, count - stride + 1, stride):
        assert sorted(order[start : start + stride]) == sorted(order[start - length : start - length + stride])


def test_a_clip_that_fits_is_one_window_that_counts_fully():
    assert [(part.start, part.stop, set(part.weights)) for part in windows(21, 21, 5)] == [(0, 21, {1.0})]


def test_one_window_fades_into_the_next():
    first, second = windows(8, 5, 2)
    assert (first.start, first.stop, second.start, second.stop) == (0, 5, 3, 8)
    assert first.weights == pytest.approx((1, 1, 1, 2 / 3, 1 / 3))
    assert second.weights == pytest.approx((1 / 3, 2 / 3, 1, 1, 1))


@given(st.integers(1, 10_000))
def test_frames_and_latent_frames_are_told_apart(latents):
    assert latents_of(frames_of(latents)) == latents and frames_of(latents) % 4 == 1


@given(st.integers(1, 200), st.integers(1, 30), st.sets(st.integers(1, 199)))
def test_segments_go_from_border_to_border_and_stop_at_each_keyframe(steps, longest, places):
    frames, keyframes = 4 * steps + 1, {4 * place for place in places if place < steps}
    borders = segment_borders(frames, 4 * longest + 1, keyframes)
    assert (borders[0], borders[-1]) == (0, frames - 1) and keyframes <= set(borders)
    assert all(0 < stop - start <= 4 * longest and (stop - start) % 4 == 0 for start, stop in pairwise(borders))
    assert segment_borders(frames, 4 * longest + 1, borders[1:-1]) == borders  # keyframes at the borders change none
    if not keyframes:
        assert len(borders) - 1 == -(-steps // longest)


def test_segments_are_of_like_length():
    assert segment_borders(129, 81) == (0, 64, 128)
    assert segment_borders(81, 81) == (0, 80)
    assert segment_borders(33, 17, [4]) == (0, 4, 16, 32)
    assert segment_borders(1, 81) == (0,)
