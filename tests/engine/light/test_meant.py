# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scene's curve itself does is no fault, however quick; what happens beside it is still told."""

import light_scenes as scenes
import numpy as np
import pytest

from wan_engine.light.measure import measure
from wan_engine.light.verdict import verdict
from wan_engine.light_curve import LightCurve

T = np.arange(scenes.COUNT)
SUNRISE = 0.35 * (1 + 0.9 / (1 + np.exp((13 - T) / 0.9)))  # nearly twice the light within five frames


def means(clip):
    return clip.reshape(len(clip), -1, 3).mean(1) @ [0.299, 0.587, 0.114] / 255


def render_of(clip, count=7):
    """The curve of a render that knows `count` frames."""
    kept = sorted({round(k) for k in np.linspace(0, len(clip) - 1, count)})
    return LightCurve("render", tuple(k / (len(clip) - 1) for k in kept), tuple(means(clip)[kept].tolist()))


def facts_of(clip):
    """What perfect facts expect of a clip."""
    light = means(clip)
    return LightCurve("brief", tuple((T / T[-1]).tolist()), tuple((light / light[0]).tolist()))


CURVES = {"render": render_of, "brief": facts_of}


def with_gain(clip, frames, gain):
    light = np.ones(len(clip))
    light[frames] = gain
    return scenes.display_gain(clip, light)


@pytest.fixture(scope="module")
def sunrise():
    return scenes.display_gain(scenes.scene(seed=4), SUNRISE)


@pytest.fixture(scope="module")
def passing():
    """A dark bus that fills most of the picture for some frames."""
    clip = np.repeat(scenes.scene(1, noise=0, pan=0), scenes.COUNT, axis=0)
    for t in T:
        left = 32 * (t - 8) - 170
        clip[t, 10:, max(0, left) : max(0, left + 170)] = (20, 30, 70)
    return clip


@pytest.fixture(scope="module")
def shadow():
    """A shadow's edge crosses the ground within eight frames."""
    clip = scenes.display_gain(scenes.scene(pan=0, seed=4, ball=False), np.full(scenes.COUNT, 0.8)).astype(float)
    for t in T:
        clip[t, 30:, : int(np.interp(t, [10, 18], [0, 160]))] *= 0.45
    return clip.astype(np.uint8)


class TestTheCurvesOwn:
    @pytest.mark.parametrize("source", CURVES)
    @pytest.mark.parametrize("shot", ["sunrise", "passing", "shadow"])
    def test_true_frames_hold(self, shot, source, request):
        clip = request.getfixturevalue(shot)
        found = measure(clip, 24, CURVES[source](clip))
        assert verdict(found).code == "holds", verdict(found).sentence
        assert found.cuts == ()

    def test_a_jump_tells_its_share_of_the_picture(self, shadow):
        found = [jump for jump in measure(shadow, 24, facts_of(shadow)).jumps if jump.meant]
        assert found and all(0.1 <= jump.share < 0.5 for jump in found)


class TestBesideIt:
    """Faults planted into the same clips."""

    @pytest.mark.parametrize("source", CURVES)
    @pytest.mark.parametrize("shot", ["sunrise", "passing", "shadow"])
    @pytest.mark.parametrize(
        ("fault", "codes"),
        [
            (lambda clip: with_gain(clip, slice(22, None), 1.18), {"jumps", "drifts_in_brightness"}),
            (lambda clip: with_gain(clip, 22, 1.3), {"jumps"}),
            (lambda clip: with_gain(clip, 6, 1.18), {"jumps"}),
            (lambda clip: scenes.display_gain(clip, 1 + 0.03 * (-1.0) ** T), {"flickers", "jumps"}),
            (lambda clip: scenes.display_gain(clip, 1 + 0.17 * T / T[-1]), {"drifts_in_brightness"}),
        ],
        ids=["step", "flash", "small flash", "flicker", "end"],
    )
    def test_a_fault_is_told(self, shot, fault, codes, source, request):
        clip = request.getfixturevalue(shot)
        found = verdict(measure(fault(clip), 24, CURVES[source](clip)))
        assert found.code in codes, found.sentence

    @pytest.mark.parametrize("stated", [True, False])
    def test_a_step_two_frames_beside_a_switch(self, stated):
        """The scene's lamp is switched at frame 10 and no other one at 12."""
        clip = scenes.display_gain(scenes.scene(pan=0, seed=4), np.where(T < 10, 1, 0.7))
        facts = LightCurve("brief", (0.0, 1.0), (1.0, 1.0), None, (10 / T[-1],)) if stated else facts_of(clip)
        assert verdict(measure(clip, 24, facts)).code == "holds"
        found = verdict(measure(with_gain(clip, slice(12, None), 0.82), 24, facts))
        assert found.code in ("jumps", "drifts_in_brightness"), found.sentence

    @pytest.mark.parametrize("source", CURVES)
    def test_a_flash_against_the_curves_own_turn(self, passing, source):
        """The curve goes down and comes back; a flash goes up there."""
        lowest = int(means(passing).argmin())
        found = verdict(measure(with_gain(passing, lowest, 1.3), 24, CURVES[source](passing)))
        assert found.code == "jumps" and abs(found.frame - lowest) <= 4, found.sentence

    def test_a_shadow_that_jumps_where_another_goes_by(self, shadow):
        jumping = shadow.astype(float)
        jumping[24:, 30:, 80:] *= 0.6
        for curve in (facts_of(shadow), render_of(shadow)):
            assert verdict(measure(jumping.astype(np.uint8), 24, curve)).frame == 24


class TestCuts:
    @pytest.mark.parametrize("gain", [2.0, 3.0])
    def test_a_flash_that_clips_the_picture_is_no_pair_of_cuts(self, gain):
        found = measure(with_gain(scenes.scene(24, seed=3), 9, gain), 24)
        assert found.cuts == () and verdict(found).frame == 9

    def test_a_cut_between_quick_cameras_is_still_one(self):
        clip = np.concatenate([scenes.scene(16, seed=3, pan=10), scenes.scene(16, seed=8, pan=10)])
        assert measure(clip, 24).cuts == (16,)
