# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairing light: planted faults go, what was meant stays, a clip that holds is left alone."""

import light_scenes as scenes
import numpy as np
import pytest

from wan_engine.errors import UsageError
from wan_engine.finishing import light_repair
from wan_engine.light.color import LUMA
from wan_engine.light.measure import measure
from wan_engine.light.verdict import verdict
from wan_engine.light_curve import LightCurve


def deflicker(*given) -> np.ndarray:
    return np.stack(list(light_repair.deflicker(*given)))


def match_color(*given) -> np.ndarray:
    return np.stack(list(light_repair.match_color(*given)))


def brief(luminance, kelvin=None, jumps=()):
    times = tuple(np.linspace(0, 1, len(luminance)).tolist())
    return LightCurve("brief", times, tuple(float(v) for v in luminance), kelvin, tuple(jumps))


@pytest.fixture(scope="module")
def clean():
    """Room above, so that a fault does not clip."""
    return np.rint(0.75 * scenes.scene()).astype(np.uint8)


class TestDeflicker:
    def test_a_clip_that_holds_is_left_alone(self, clean):
        assert scenes.psnr(deflicker(clean), clean) > 45
        assert scenes.psnr(match_color(clean), clean) > 45

    @pytest.mark.parametrize("amount", [0.02, 0.05])
    def test_flicker_falls(self, clean, amount):
        wave = np.random.default_rng(1).standard_normal(len(clean))
        faulty = scenes.display_gain(clean, 1 + amount * wave)
        repaired = deflicker(faulty)
        assert measure(repaired, 24).flicker < measure(faulty, 24).flicker / 2
        assert scenes.psnr(repaired, clean) > scenes.psnr(faulty, clean) + 3
        assert verdict(measure(repaired, 24)).word == "holds"

    def test_flicker_of_three_hertz_is_no_row_of_jumps_and_is_evened_out_without_a_drift(self):
        steady = np.rint(0.7 * scenes.scene(60, pan=0.5)).astype(np.uint8)
        faulty = scenes.display_gain(steady, 1 + 0.03 * np.sin(2 * np.pi * 3 * np.arange(60) / 24))
        found = measure(faulty, 24)
        assert "flickers" in verdict(found).sentence and found.slow_change < 0.06
        repaired = measure(deflicker(faulty), 24)
        assert verdict(repaired).word == "holds" and repaired.slow_change < 0.06
        assert np.ptp(repaired.luminance["mean"]) < 0.5 * np.ptp(found.luminance["mean"])

    @pytest.mark.parametrize("gain", [0.75, 1.3])
    def test_step_is_repaired(self, clean, gain):
        faulty = scenes.display_gain(clean, np.where(np.arange(len(clean)) < 14, 1, gain))
        repaired = deflicker(faulty)
        assert verdict(measure(faulty, 24)).frame == 14
        assert verdict(measure(repaired, 24)).word == "holds"
        assert scenes.psnr(repaired, clean) > scenes.psnr(faulty, clean) + 10

    def test_a_step_in_one_part_is_left_alone_and_still_told(self, clean):
        faulty = clean.astype(float)
        faulty[16:, :64, :80] *= 0.7
        faulty = np.rint(faulty).astype(np.uint8)
        assert verdict(measure(faulty, 24)).frame == 16
        repaired = deflicker(faulty)
        assert scenes.psnr(repaired[:, :, 90:], clean[:, :, 90:]) > 45
        assert verdict(measure(repaired, 24)).frame == 16

    def test_flash_is_repaired(self, clean):
        light = np.ones(len(clean))
        light[11] = 1.3
        repaired = deflicker(scenes.display_gain(clean, light))
        assert verdict(measure(repaired, 24)).word == "holds"
        assert scenes.psnr(repaired[11], clean[11]) > 35

    def test_flicker_in_a_part_falls(self, clean):
        wave = 0.08 * (-1.0) ** np.arange(len(clean))
        faulty = clean.astype(float)
        faulty[:, :, :80] *= 1 + wave[:, None, None, None]
        faulty = np.rint(faulty).astype(np.uint8)
        flicker = [np.diff(clip[:, :40, :50].mean((1, 2, 3)), 2).std() for clip in (faulty, deflicker(faulty))]
        assert flicker[1] < flicker[0] / 2

    def test_a_sunset_stays(self, clean):
        """The meant course is kept within two percent, though flicker lies over it."""
        course = np.linspace(1, 0.5, len(clean)) ** 1.3
        flicker = 1 + 0.02 * np.random.default_rng(3).standard_normal(len(clean))
        meant = scenes.display_gain(clean, course)
        assert scenes.psnr(deflicker(meant), meant) > 40
        repaired = deflicker(scenes.display_gain(clean, course * flicker))
        ratio = repaired.mean((1, 2, 3)) / meant.mean((1, 2, 3))
        assert np.abs(ratio / ratio.mean() - 1).max() < 0.02

    def test_a_meant_blink_stays(self, clean):
        light = np.where((np.arange(len(clean)) >= 10) & (np.arange(len(clean)) < 18), 0.7, 1.0)
        blinking = scenes.display_gain(clean, light)
        last = len(clean) - 1
        for expected in (brief(light), brief([1, 1], jumps=(10 / last, 18 / last))):
            assert scenes.psnr(deflicker(blinking, expected), blinking) > 38
        assert scenes.psnr(deflicker(blinking), clean) > scenes.psnr(blinking, clean) + 6

    @pytest.mark.parametrize("gap", [1, 3])
    def test_a_jump_beside_a_meant_one_is_repaired_and_the_meant_one_stays(self, clean, gap):
        """Up unasked, and a little later down as the lamp does: not one flash."""
        light = np.where(np.arange(len(clean)) < 16, 1, 0.75)
        meant = scenes.display_gain(clean, light)
        faulty = scenes.display_gain(meant, np.where(np.arange(len(clean)) < 16 - gap, 1, 1.25))
        found = measure(faulty, 24, brief(light))
        assert [(jump.frame, jump.meant) for jump in found.jumps] == [(16 - gap, False), (16, True)]
        assert scenes.psnr(deflicker(faulty, brief(light)), meant) > scenes.psnr(faulty, meant) + 20

    def test_a_cut_stays(self):
        frames = np.concatenate([scenes.scene(12, seed=3), scenes.scene(12, seed=8, light=np.full(12, 0.5))])
        assert scenes.psnr(deflicker(frames), frames) > 40

    def test_detail_stays(self, clean):
        """The repair is a gain of low frequency: fine structure keeps its contrast against its surroundings."""
        faulty = scenes.display_gain(clean, np.where(np.arange(len(clean)) < 14, 1, 0.75))
        repaired = deflicker(faulty).astype(float)
        detail = [np.diff(clip[20], axis=1).std() for clip in (clean.astype(float), repaired)]
        assert detail[1] == pytest.approx(detail[0], rel=0.06)


class TestMatchColor:
    def test_color_drift_goes_back(self, clean):
        warm = np.linspace([1, 1, 1], [1.15, 1, 0.75], scenes.COUNT)
        drifted = np.rint(0.75 * scenes.scene(tint=warm)).astype(np.uint8)
        repaired = match_color(drifted)
        before, after = (abs(measure(clip, 24).temperature_drift_mired) for clip in (drifted, repaired))
        assert after < before / 4
        assert scenes.psnr(repaired, clean) > scenes.psnr(drifted, clean) + 5

    def test_follows_the_scene(self, clean):
        light = np.linspace(1, 0.6, 9)
        expected = brief(light, kelvin=tuple(np.linspace(6500, 4000, 9).tolist()))
        assert measure(clean, 24, expected).curve_error > 0.15
        result = measure(match_color(clean, None, expected), 24, expected)
        assert result.curve_error < 0.05 and abs(result.temperature_drift_mired) < 25

    def test_first_picture(self, clean):
        """The clip begins a little too warm against the picture it was made from."""
        warm = np.clip(clean * np.array([1.08, 1, 0.9]), 0, 255).astype(np.uint8)
        repaired = match_color(warm, clean[0])
        assert scenes.psnr(repaired, clean) > scenes.psnr(warm, clean) + 6
        larger = np.repeat(np.repeat(clean[0], 2, 0), 2, 1)
        assert scenes.psnr(match_color(warm, larger), repaired) > 40

    def test_another_picture_counts_for_nothing(self, clean):
        other = scenes.scene(1, seed=40, ball=False)[0]
        assert np.array_equal(match_color(clean, other), match_color(clean))

    def test_bounded(self, clean):
        blue = np.linspace([1, 1, 1], [0.02, 0.3, 1], scenes.COUNT)
        repaired = match_color(np.rint(0.5 * scenes.scene(tint=blue)).astype(np.uint8))
        assert repaired.dtype == np.uint8 and np.isfinite(repaired.astype(float)).all()

    def test_colour_is_brought_to_what_a_render_shows_of_it(self, clean):
        rgb = clean.mean((1, 2)) / 255
        times = tuple(np.linspace(0, 1, len(clean)).tolist())
        curve = LightCurve("render", times, tuple((rgb @ LUMA).tolist()), rgb=tuple(map(tuple, rgb.tolist())))
        gain = 1 + np.linspace(0, 1, len(clean))[:, None] * np.array([0.15, 0, -0.18])
        turned = np.rint(np.clip(clean * gain[:, None, None, :], 0, 255)).astype(np.uint8)
        assert verdict(measure(turned, 24, curve)).word == "drifts"
        repaired = match_color(turned, clean[0], curve)
        assert verdict(measure(repaired, 24, curve)).word == "holds"
        assert measure(repaired, 24, curve).color.size < measure(turned, 24, curve).color.size / 4


class TestOddInput:
    @pytest.mark.parametrize("count", [1, 2, 3, 6])
    @pytest.mark.parametrize("size", [(1, 1), (7, 13), (33, 65)])
    @pytest.mark.parametrize("value", [0, 3, 255])
    def test_plain_frames_come_back(self, count, size, value):
        frames = np.full((count, *size, 3), value, np.uint8)
        assert np.array_equal(deflicker(frames), frames)
        assert np.array_equal(match_color(frames, frames[0], brief([1, 1])), frames)

    def test_black_frames_in_between(self, clean):
        frames = clean[:16].copy()
        frames[7:9] = 0
        repaired = deflicker(frames)
        assert repaired[7:9].max() == 0

    def test_the_input_is_not_touched(self, clean):
        faulty = scenes.display_gain(clean, np.where(np.arange(len(clean)) < 14, 1, 0.8))
        kept = faulty.copy()
        deflicker(faulty), match_color(faulty, faulty[0], brief([1, 0.7]))
        assert np.array_equal(faulty, kept)

    def test_no_clip(self):
        for repair in (deflicker, match_color):
            with pytest.raises(UsageError, match="clip"):
                repair(np.zeros((4, 4)))
