# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of a clip: the loss by hand, the measures on planted faults, and what must not be taken for a fault."""

import dataclasses
import json
import re

import light_scenes as scenes
import numpy as np
import pytest
import torch

from wan_engine.errors import UsageError
from wan_engine.light.bounds import BOUNDS
from wan_engine.light.curves import plain_changes
from wan_engine.light.flicker import flicker_of
from wan_engine.light.measure import measure
from wan_engine.light.verdict import verdict
from wan_engine.light_curve import LightCurve
from wan_engine.reports.light_report import light_facts


def grey(values):
    """[1, T, 3, 2, 2] of plain grey frames."""
    return torch.tensor(values, dtype=torch.float64)[None, :, None, None, None].expand(1, -1, 3, 2, 2).clone()


def brief(luminance, jumps=()):
    times = tuple(np.linspace(0, 1, len(luminance)).tolist())
    return LightCurve("brief", times, tuple(float(v) for v in luminance), None, tuple(jumps))


class TestFaults:
    def test_a_clip_that_holds(self):
        result = measure(scenes.scene(), 24)
        assert str(verdict(result)) == "holds"
        assert result.flicker < 0.003 and result.slow_change < 0.03 and result.jumps == ()

    @pytest.mark.parametrize("gain", [0.85, 1.12])
    @pytest.mark.parametrize("frame", [5, 17, 29])
    def test_flash(self, gain, frame):
        light = np.ones(scenes.COUNT)
        light[frame] = gain
        result = measure(scenes.display_gain(scenes.scene(), light), 24)
        assert [(jump.frame, jump.kind) for jump in result.jumps] == [(frame, "flash")]
        assert result.jumps[0].size == pytest.approx(gain - 1, abs=0.03)
        assert str(verdict(result)) == f"jumps at frame {frame}"

    @pytest.mark.parametrize("gain", [0.8, 0.92, 1.1, 1.3])
    @pytest.mark.parametrize("frame", [3, 16, 28])
    def test_step(self, gain, frame):
        light = np.where(np.arange(scenes.COUNT) < frame, 1, gain)
        result = measure(scenes.display_gain(0.7 * scenes.scene(seed=2), light), 24)
        assert [(jump.frame, jump.kind) for jump in result.jumps] == [(frame, "step")]
        assert str(verdict(result)) == f"jumps at frame {frame}"

    @pytest.mark.parametrize("frame", [1, 31])
    def test_step_at_either_end(self, frame):
        light = np.where(np.arange(scenes.COUNT) < frame, 1, 1.2)
        assert verdict(measure(scenes.display_gain(scenes.scene(), light), 24)).frame == frame

    def test_step_spread_over_four_frames(self):
        light = np.interp(np.arange(scenes.COUNT), [12, 16], [1, 1.25])
        found = verdict(measure(scenes.display_gain(scenes.scene(), light), 24))
        assert found.word == "jumps" and 12 <= found.frame <= 15

    def test_step_in_a_part_of_the_picture(self):
        frames = scenes.scene(pan=0.5).astype(float)
        frames[14:, :48, :80] *= 1.6  # top left
        result = measure(frames.clip(0, 255).astype(np.uint8), 24)
        x0, y0, x1, y1 = result.jumps[0].box
        assert result.jumps[0].frame == 14
        assert (x0, y1) == (0, 1) and x1 == pytest.approx(0.5, abs=0.15) and y0 == pytest.approx(0.5, abs=0.15)

    @pytest.mark.parametrize("amount", [0.02, 0.035, 0.05])
    @pytest.mark.parametrize("kind", ["random", "alternating", "beating"])
    def test_flicker(self, amount, kind):
        t = np.arange(scenes.COUNT)
        wave = {
            "random": np.random.default_rng(4).standard_normal(scenes.COUNT),
            "alternating": (-1.0) ** t,
            "beating": 1.4 * np.sin(2 * np.pi * t / 5.3),
        }[kind]
        result = measure(scenes.display_gain(0.8 * scenes.scene(), 1 + amount * wave), 24)
        found = verdict(result)
        assert found.word == "drifts" and "flickers" in found.sentence
        assert result.flicker == pytest.approx(amount, rel=0.4)
        assert verdict(result).code == "flickers" and str(verdict(result)) == "drifts"

    @pytest.mark.parametrize("end", [0.8, 1.2])
    def test_slow_drift(self, end):
        result = measure(scenes.display_gain(0.8 * scenes.scene(), np.linspace(1, end, scenes.COUNT)), 24)
        assert str(verdict(result)) == "drifts" and "slowly" in verdict(result).sentence
        assert result.light[-1] == pytest.approx(end, abs=0.04)

    def test_color_drift(self):
        warm = np.linspace([1, 1, 1], [1.15, 1, 0.7], scenes.COUNT)
        result = measure(scenes.scene(tint=warm), 24)
        assert "warmer" in verdict(result).sentence and result.temperature_drift_mired > 40

    def test_fade_to_black(self):
        result = measure(scenes.scene(light=np.linspace(1, 0, scenes.COUNT) ** 2.2), 24)
        assert verdict(result).word == "drifts" and result.cuts == ()
        assert result.temperature_k[-1] is None

    def test_hard_cut_is_no_jump_of_light(self):
        frames = np.concatenate([scenes.scene(16, seed=3), scenes.scene(16, seed=8, light=np.full(16, 0.5))])
        result = measure(frames, 24)
        assert result.cuts == (16,) and result.jumps == ()
        assert verdict(result).word == "holds" and "cuts at frame 16" in verdict(result).sentence


class TestMeant:
    def test_sunset_that_is_meant(self):
        light = np.linspace(1, 0.45, scenes.COUNT)
        frames = scenes.display_gain(scenes.scene(), light)
        assert verdict(measure(frames, 24)).word == "drifts"
        result = measure(frames, 24, brief(light[::4] / light[0]))
        assert verdict(result).word == "holds" and result.curve_error < 0.04

    def test_sunset_that_does_not_come(self):
        result = measure(scenes.scene(), 24, brief([1, 0.7, 0.4]))
        assert verdict(result).word == "drifts" and "curve" in verdict(result).sentence

    def test_a_curve_of_brightness_alone_leaves_the_colour_of_a_sunset_open(self):
        sunset = np.linspace([1, 1, 1], [0.7, 0.5, 0.3], scenes.COUNT)
        frames = scenes.scene(tint=sunset)
        mean = measure(frames, 24).luminance["mean"]
        times = tuple(np.linspace(0, 1, len(mean)).tolist())
        assert measure(frames, 24).temperature_drift_mired > 60
        assert verdict(measure(frames, 24, LightCurve("render", times, mean))).word == "holds"
        warm = scenes.scene(tint=np.linspace([1, 1, 1], [1.15, 1, 0.6], scenes.COUNT))
        assert "warmer" in verdict(measure(warm, 24, brief([1, 1]))).sentence

    @pytest.mark.parametrize(("more", "word"), [(165, "holds"), (230, "drifts"), (0, "drifts")])
    def test_a_large_change_of_colour_need_not_be_met_to_the_letter(self, more, word):
        """The clip warms by about 103 mired, not by `more`."""
        frames = scenes.scene(tint=np.linspace([1, 1, 1], [1.25, 1, 0.45], scenes.COUNT))
        drift = measure(frames, 24).temperature_drift_mired
        assert 95 < drift < 110
        curve = LightCurve("brief", (0.0, 1.0), (1.0, 1.0), (1e6 / 154, 1e6 / (154 + more)))
        found = measure(frames, 24, curve)
        assert abs(found.temperature_drift_mired - (drift - more)) < 1
        assert verdict(found).word == word

    def test_what_one_sees_is_held_against_a_curve_of_ratios(self):
        """The camera pans into a brighter part: the frames grow brighter, the light along the motion does not."""
        wall = scenes.texture(96, 420, 6) * np.interp(np.arange(420), [100, 300], [0.25, 1])[None, :, None]
        pan = np.stack([np.rint(255 * scenes.to_display(wall[:, 8 * t : 8 * t + 160])) for t in range(32)])
        frames = pan.astype(np.uint8)
        seen = np.array(measure(frames, 24).luminance["mean"])
        true, steady = (measure(frames, 24, brief(told)) for told in (seen / seen[0], np.ones(32)))
        assert true.curve_error < 0.01 and verdict(true).word == "holds"
        assert steady.departure.size > 0.3 and verdict(steady).code == "drifts_in_brightness"
        spot = measure(scenes.display_gain(frames, np.linspace(1, 1.17, 32)), 24, brief(seen / seen[0]))
        assert spot.departure.size == pytest.approx(0.17, abs=0.03) and verdict(spot).code == "drifts_in_brightness"

    @pytest.mark.parametrize("stated", ["curve", "jumps"])
    def test_lamp_that_blinks(self, stated):
        light = np.ones(scenes.COUNT)
        light[10:20] = 0.75
        frames = scenes.display_gain(scenes.scene(), light)
        assert verdict(measure(frames, 24)).frame == 10 or verdict(measure(frames, 24)).frame == 20
        last = scenes.COUNT - 1
        expected = brief(light) if stated == "curve" else brief([1, 1], jumps=(10 / last, 20 / last))
        result = measure(frames, 24, expected)
        assert all(jump.meant for jump in result.jumps) and len(result.jumps) == 2
        assert verdict(result).word == "holds"

    def test_a_meant_blink_hides_no_other_jump(self):
        light = np.ones(scenes.COUNT)
        light[10:] = 0.8
        light[22:] = 1.0
        found = verdict(measure(scenes.display_gain(scenes.scene(), light), 24, brief([1, 1], jumps=(10 / 31,))))
        assert str(found) == "jumps at frame 22"

    @pytest.mark.parametrize(
        ("early", "size", "holds"), [(1, 1.18, False), (1, 1.05, True), (0, 1.05, True), (0, 1.2, False)]
    )
    def test_beside_a_switch_that_the_curve_draws_light_changes_by_that_switch_alone(self, early, size, holds):
        """It may come a frame early, but a larger change there is the clip's own."""
        expected = np.ones(scenes.COUNT)
        expected[6:13] = 0.952
        clip = expected.copy()
        clip[13 - early :] = size * 0.952
        found = verdict(measure(scenes.display_gain(scenes.scene(), clip), 24, brief(expected)))
        assert (found.code == "holds") is holds, found.sentence

    @pytest.mark.parametrize("source", ["brief", "render"])
    def test_flicker_on_an_expected_sunset_is_found_and_its_clean_twin_holds(self, source):
        t = np.arange(scenes.COUNT)
        light = np.linspace(1, 0.4, scenes.COUNT)
        clean = scenes.display_gain(scenes.scene(), light)
        level = light if source == "brief" else light * measure(clean, 24).luminance["mean"][0]
        curve = LightCurve(source, tuple(np.linspace(0, 1, len(t)).tolist()), tuple(level.tolist()))
        assert verdict(measure(clean, 24, curve)).word == "holds"
        flickering = scenes.display_gain(clean, 1 + 0.025 * np.sin(np.pi * t / 2 + 0.5))
        assert "flickers" in verdict(measure(flickering, 24, curve)).sentence

    def test_a_quick_change_that_the_curve_draws_is_no_flicker(self):
        cloud = 1 - 0.35 * np.exp(-(((np.arange(scenes.COUNT) - 15) / 2.5) ** 2))
        frames = scenes.display_gain(scenes.scene(), cloud)
        assert verdict(measure(frames, 24)).word != "holds"
        found = measure(frames, 24, brief(cloud))
        assert verdict(found).word == "holds" and found.flicker < found.flicker_allowed
        assert "flickers" not in verdict(measure(scenes.scene(), 24, brief(cloud))).sentence

    @pytest.mark.parametrize(("frames", "gain"), [(slice(13, 14), 1.4), (slice(13, None), 1.3)])
    def test_a_meant_step_excuses_no_fault_of_another_kind_beside_it(self, frames, gain):
        """The lamp dims at frame 20 of 120; seven frames before, the clip flashes or grows brighter."""
        light = np.where(np.arange(120) < 20, 1, 0.8)
        faulty = light.copy()
        faulty[frames] *= gain
        clip = scenes.display_gain(0.7 * scenes.scene(120, pan=0.3), faulty)
        found = measure(clip, 24, brief(light))
        assert [jump.frame for jump in found.jumps if jump.meant] == [20]
        assert verdict(found).word == "jumps" and verdict(found).frame == 13

    def test_a_curve_that_knows_what_crosses_the_picture_makes_no_pulses_of_it(self):
        """Rendered means swing with what crosses; along the motion the light only falls."""
        sunset = np.linspace(1, 0.4, 121)
        crossed = sunset * (1 + 0.06 * np.sin(2 * np.pi * np.arange(121) / 60))
        light, means = plain_changes(sunset, []), plain_changes(crossed, [])
        assert flicker_of(light, light, means, [], False).swings > 2
        assert flicker_of(light, means, means, [], False).swings == 0
        assert flicker_of(means, means, light, [], False).swings > 2

    @pytest.mark.parametrize("hertz", [0.5, 1.0])
    def test_pulsing_is_found_in_steady_light_and_under_a_sunset(self, hertz):
        t = np.arange(121)
        wave = 1 + 0.04 * np.sin(2 * np.pi * hertz * t / 24)
        steady = 0.7 * scenes.scene(121, pan=0.3)
        assert verdict(measure(scenes.display_gain(steady, np.ones(121)), 24)).word == "holds"
        assert "pulses" in verdict(measure(scenes.display_gain(steady, wave), 24)).sentence
        sunset = np.linspace(1, 0.5, 121)
        assert verdict(measure(scenes.display_gain(steady, sunset), 24, brief(sunset))).word == "holds"
        assert "pulses" in verdict(measure(scenes.display_gain(steady, sunset * wave), 24, brief(sunset))).sentence
        assert verdict(measure(scenes.display_gain(steady, sunset * wave), 24, brief(sunset * wave))).word == "holds"
        unmoved = measure(steady.astype(np.uint8), 24, brief(wave))
        assert "pulses" not in verdict(unmoved).sentence

    def test_what_is_gone_is_at_most_all_the_light(self):
        frames = scenes.scene()
        frames[12] = 0
        assert "down by 100 %" in verdict(measure(frames, 24)).sentence

    def test_render_curve_is_absolute(self):
        frames = scenes.scene()
        mean = measure(frames, 24).luminance["mean"]
        times = tuple(np.linspace(0, 1, len(mean)).tolist())
        assert measure(frames, 24, LightCurve("render", times, mean)).curve_error < 0.001
        wrong = LightCurve("render", times, tuple(0.6 * v for v in mean))
        assert verdict(measure(frames, 24, wrong)).word == "drifts"

    @pytest.mark.parametrize("pan", [0.0, 1.5, 4.0])
    def test_moving_object_and_camera(self, pan):
        assert str(verdict(measure(scenes.scene(pan=pan, seed=5), 24))) == "holds"

    def test_pan_from_dark_to_bright(self):
        """The camera turns from a dark wall to a bright one: its mean doubles, its light does not change."""
        frames = []
        wall = scenes.texture(96, 420, 6) * np.interp(np.arange(420), [100, 300], [0.25, 1])[None, :, None]
        for t in range(32):
            frames.append(np.rint(255 * scenes.to_display(wall[:, 8 * t : 8 * t + 160])))
        result = measure(np.stack(frames).astype(np.uint8), 24)
        assert result.luminance["mean"][-1] > 1.4 * result.luminance["mean"][0]
        assert str(verdict(result)) == "holds"


DUSK = np.linspace(1, 0.6, scenes.COUNT)
WARM = np.array([0.15, 0, -0.18])


def render_of(frames, count=7, colors=True):
    """The curve of some frames of a clip, as a small render of the shot gives it."""
    kept = sorted({round(k) for k in np.linspace(0, len(frames) - 1, count)})
    rgb = frames[kept].reshape(len(kept), -1, 3).mean(1) / 255
    light = tuple((rgb @ [0.299, 0.587, 0.114]).tolist())
    times = tuple(k / (len(frames) - 1) for k in kept)
    return LightCurve("render", times, light, rgb=tuple(map(tuple, rgb.tolist())) if colors else None)


def ending(frames, more):
    """The clip with its display values slowly growing by this share, of all channels or of each."""
    gain = 1 + np.linspace(0, 1, len(frames))[:, None] * np.broadcast_to(more, 3)
    return np.rint(np.clip(frames * gain[:, None, None, :], 0, 255)).astype(np.uint8)


def mean_rgb(frame):
    return (frame.mean((0, 1)) / 255).tolist()


class TestDeparture:
    """What parts from the scene is told, by how much and against what; the clean twin holds."""

    @pytest.fixture
    def dusk(self):
        return scenes.display_gain(0.7 * scenes.scene(seed=4), DUSK)

    @pytest.mark.parametrize("seed", [4, 11, 12])
    def test_a_clean_render_holds_against_its_own_curve(self, seed):
        clean = scenes.display_gain(scenes.scene(seed=seed), DUSK)
        found = measure(clean, 24, render_of(clean))
        assert str(verdict(found)) == "holds"
        assert abs(found.departure.size) < 0.02 and found.color.size < 0.02

    @pytest.mark.parametrize("more", [0.08, 0.12, 0.17, 0.25, -0.08, -0.2])
    def test_a_clip_that_ends_otherwise_than_the_render(self, dusk, more):
        found = verdict(measure(ending(dusk, more), 24, render_of(dusk)))
        words = re.search(r"ends (\d+) % (brighter|darker) than the render", found.sentence)
        assert found.word == "drifts" and int(words[1]) == pytest.approx(100 * abs(more), abs=1.5)
        assert words[2] == ("brighter" if more > 0 else "darker")
        assert str(verdict(measure(ending(dusk, more / 5), 24, render_of(dusk)))) == "holds"

    def test_a_bulge_between_the_ends_of_a_curve_of_two_points(self):
        clean = 0.7 * scenes.scene()
        bulge = 1 + 0.18 * np.sin(np.linspace(0, np.pi, scenes.COUNT)) ** 2
        level = float(measure(scenes.display_gain(clean, np.ones(scenes.COUNT)), 24).luminance["mean"][0])
        found = verdict(
            measure(scenes.display_gain(clean, bulge), 24, LightCurve("render", (0.0, 1.0), (level, level)))
        )
        assert found.word == "drifts"
        assert re.search(r"goes, at frame 1\d, 1. % brighter than the render", found.sentence)

    def test_what_crosses_between_two_rendered_frames_is_no_light(self):
        clip = np.repeat(scenes.scene(1, noise=0), 61, axis=0)
        for t in range(52, 60):  # a dark car passes within eight frames, and the seven rendered ones miss it
            left = 22 * (t - 52)
            clip[t, 30:, max(0, left - 40) : left] = 20
        curve = render_of(clip)
        found = measure(clip, 24, curve)
        assert np.ptp(found.luminance["mean"]) > 0.06 * found.luminance["mean"][0]
        assert abs(found.departure.size) < 0.02 and verdict(found).word != "drifts"

    @pytest.mark.parametrize("more", [WARM, -WARM, WARM / 1.7, np.array([-0.07, 0.08, -0.07])])
    def test_a_colour_that_leaves_the_render(self, dusk, more):
        found = verdict(measure(ending(dusk, more), 24, render_of(dusk)))
        assert found.word == "drifts" and "ends with" in found.sentence and "than the render" in found.sentence
        assert str(verdict(measure(ending(dusk, more / 5), 24, render_of(dusk)))) == "holds"

    def test_the_sentence_names_what_there_is_more_and_less_of(self, dusk):
        found = measure(ending(dusk, WARM), 24, render_of(dusk))
        assert found.color.change == pytest.approx((0.12, -0.02, -0.2), abs=0.02)
        assert re.search(r"1\d % more red and (19|20|21) % less blue", verdict(found).sentence)

    @pytest.mark.parametrize("curve", [brief(DUSK), None])
    def test_the_pictures_tell_the_colour_at_their_frames(self, curve):
        clean = scenes.display_gain(scenes.scene(), DUSK if curve else np.ones(scenes.COUNT))
        pictures = mean_rgb(clean[0]), mean_rgb(clean[-1])
        assert str(verdict(measure(clean, 24, curve, pictures))) == "holds"
        turned = ending(clean, WARM / 2)
        assert str(verdict(measure(turned, 24, curve))) == "holds"  # nothing tells so small a turn
        found = verdict(measure(turned, 24, curve, pictures))
        assert found.word == "drifts" and "than the scene's picture" in found.sentence
        assert str(verdict(measure(turned, 24, curve, (pictures[0], None)))) == "holds"

    def test_facts_bind_less_than_a_render_but_bind(self, dusk):
        """A clip from text alone ended at 1.52 where 1.37 was expected."""
        rising = np.linspace(1, 1.37, scenes.COUNT)
        clip = 0.5 * scenes.scene(seed=3)
        off = np.linspace(1, 1.52, scenes.COUNT)
        found = verdict(measure(scenes.display_gain(clip, off), 24, brief(rising)))
        assert found.word == "drifts" and re.search("1[01] % brighter than the scene's facts", found.sentence)
        near = measure(scenes.display_gain(clip, rising * np.linspace(1, 1.07, scenes.COUNT)), 24, brief(rising))
        assert str(verdict(near)) == "holds" and near.departure.size > 0.06

    @pytest.mark.parametrize(
        ("more", "word", "said"),
        [
            (0.05, "unmeasured", "The scene's facts may be up to 20 % off, too much to tell whether the light holds."),
            (
                0.17,
                "unmeasured",
                "The light ends 16 % brighter than the scene's facts expect, but these may be 20 % off",
            ),
            (-0.17, "unmeasured", "Judge it by a render as the expected light."),
            (0.35, "drifts", "ends 34 % brighter than the scene's facts expect."),
        ],
    )
    def test_what_the_facts_do_not_know_is_said(self, more, word, said):
        steady = scenes.display_gain(0.6 * scenes.scene(seed=3), np.ones(scenes.COUNT))
        facts = dataclasses.replace(brief([1, 1]), uncertainty=(0.0, 0.2))
        found = verdict(measure(ending(steady, more), 24, facts))
        assert found.word == word and said in found.sentence
        (curve,) = (check for check in found.checks if check.reason == "curve")
        assert (curve.fails, curve.open) == (word == "drifts", abs(more) == 0.17) and curve.bound == 0.1
        plain = verdict(measure(ending(steady, more), 24, brief([1, 1])))
        assert plain.word == ("holds" if more == 0.05 else "drifts")

    @pytest.mark.parametrize(
        ("uncertain", "known", "told"),
        [
            (0.0, (), "holds within 10 %, colour not judged"),
            (0.0721, (), "holds within 18 %, colour not judged"),
            (0.0, (0,), "holds within 10 %, colour at the first frame only"),
            (0.03, (0, -1), "holds within 13 %, colour at both ends only"),
            (0.1, (), "holds within 20 %, colour not judged"),
            (0.11, (0, -1), "is unmeasured"),
        ],
    )
    def test_a_clip_that_holds_by_facts_says_what_they_could_not_tell(self, uncertain, known, told):
        steady = scenes.display_gain(0.6 * scenes.scene(seed=3), np.ones(scenes.COUNT))
        pictures = tuple(mean_rgb(steady[end]) if end in known else None for end in (0, -1))
        facts = dataclasses.replace(brief([1, 1]), uncertainty=(0.0, uncertain))
        found = verdict(measure(steady, 24, facts, pictures))
        assert found.told == told and "Judge it by a render as the expected light." in found.sentence
        assert (found.code == "holds") == ("cool by more than 50 mired would be told" in found.sentence)

    def test_a_fault_where_the_facts_are_sure_is_told_beside_one_where_they_are_not(self):
        """The clip is 15 % too bright at the start, where nothing is uncertain, and 25 % at the end."""
        gain = np.interp(np.arange(scenes.COUNT), [0, 6, 14, 31], [1, 1.15, 1.15, 1.25])
        clip = scenes.display_gain(0.6 * scenes.scene(seed=3), gain)
        facts = LightCurve("brief", (0.0, 0.5, 1.0), (1.0, 1.0, 1.0), uncertainty=(0.0, 0.0, 0.2))
        found = measure(clip, 24, facts)
        assert verdict(found).word == "drifts" and found.departure.frame < 20

    def test_no_curve_leaves_the_colour_wholly_open(self, dusk):
        """By a tenth less light no sun turns so warm; the whole sunset of another test may."""
        clean = scenes.display_gain(scenes.scene(), np.linspace(1, 0.88, scenes.COUNT))
        assert str(verdict(measure(clean, 24, render_of(clean, colors=False)))) == "holds"
        level = clean.mean((1, 2, 3), keepdims=True) / ending(clean, WARM).mean((1, 2, 3), keepdims=True)
        turned = scenes.display_gain(ending(clean, WARM), level.ravel())
        assert "warmer" in verdict(measure(turned, 24, render_of(turned, colors=False))).sentence

    def test_the_report_tells_every_measure_with_its_bound(self, dusk):
        found = light_facts(ending(dusk, 0.17), 24, render_of(dusk))
        data = json.loads(json.dumps(found))
        checks = {check["reason"]: check for check in data["verdict"]["checks"]}
        assert set(checks) == {"flicker", "pulses", "curve", "color"}
        assert checks["curve"]["against"] == "render" and checks["curve"]["bound"] == BOUNDS["curve"]["render"]
        assert checks["curve"]["measured"] == abs(data["measured"]["departure"]["size"]) > 0.15
        assert len(data["measured"]["departure"]["held"]) == len(data["measured"]["color"]["held"]) == scenes.COUNT


class TestOddInput:
    @pytest.mark.parametrize("count", [1, 2, 3, 4])
    @pytest.mark.parametrize("size", [(1, 1), (7, 13), (33, 65), (97, 161)])
    def test_short_and_small(self, count, size):
        frames = np.full((count, *size, 3), 90, np.uint8)
        result = measure(frames, 24)
        assert str(verdict(result)) == "holds"
        assert len(result.light) == len(result.luminance["p95"]) == len(result.temperature_k) == count
        json.dumps(result.to_json(), allow_nan=False)

    @pytest.mark.parametrize("value", [0, 255])
    def test_black_and_white(self, value):
        result = measure(np.full((6, 48, 64, 3), value, np.uint8), 24)
        assert str(verdict(result)) == "holds"

    def test_other_pixels(self):
        frames = scenes.scene(4)
        base = measure(frames, 24).luminance["mean"]
        opaque = np.concatenate([frames, np.full((*frames.shape[:3], 1), 255, np.uint8)], -1)
        for other in (opaque, frames / 255.0, frames.astype(np.uint16) * 257):
            assert measure(other, 24).luminance["mean"] == pytest.approx(base, abs=1e-3)
        opaque[..., 3] = 0
        assert max(measure(opaque, 24).luminance["mean"]) == 0

    @pytest.mark.parametrize(
        "frames", [np.zeros((4, 8, 8)), np.zeros((0, 8, 8, 3), np.uint8), np.zeros((2, 8, 8, 3), int)]
    )
    def test_no_clip(self, frames):
        with pytest.raises(UsageError, match="clip"):
            measure(frames, 24)

    def test_noise_only(self):
        frames = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3)).astype(np.uint8)
        json.dumps(measure(frames, 24).to_json(), allow_nan=False)


class TestCodes:
    """Every verdict has a code that a program can read, and the check behind it says by how much."""

    def test_each_fault_has_its_own(self):
        clean = 0.7 * scenes.scene(seed=4)
        steady = scenes.display_gain(clean, np.ones(scenes.COUNT))
        pictures = mean_rgb(steady[0]), mean_rgb(steady[-1])
        off = np.linspace(1, 1.52, scenes.COUNT)
        step = np.where(np.arange(scenes.COUNT) < 20, 1, 0.7)
        found = {
            "holds": verdict(measure(steady, 24)),
            "jumps": verdict(measure(scenes.display_gain(clean, step), 24)),
            "drifts_in_brightness": verdict(
                measure(scenes.display_gain(0.7 * clean, off), 24, brief(np.linspace(1, 1.37, scenes.COUNT)))
            ),
            "drifts_in_colour": verdict(measure(ending(steady, WARM), 24, brief(np.ones(scenes.COUNT)), pictures)),
            "unmeasured": verdict(measure(steady[:1], 24)),
        }
        assert {code: one.code for code, one in found.items()} == {code: code for code in found}
        assert found["jumps"].told.startswith("jumps at frame")
        assert verdict(measure(steady, 24), 101).told == "holds within 10 %, colour not judged"
        assert verdict(measure(steady, 24, render_of(steady)), 101).told == "holds"

        for code in ("drifts_in_brightness", "drifts_in_colour"):
            failed = [check for check in found[code].checks if check.fails]
            assert failed and all(check.measured > check.bound for check in failed)

    def test_words_have_one_unit_and_count_from_the_frame_that_is_given(self):
        step = scenes.display_gain(0.7 * scenes.scene(seed=4), np.where(np.arange(scenes.COUNT) < 20, 1, 0.7))
        told = verdict(measure(step, 24), 101)
        assert told.frame == 20 and told.told == "jumps at frame 121" and " at frame 121." in told.sentence
        assert not re.search(r"\d s\b", told.sentence)

    def test_the_steadiness_figure_is_that_of_the_loss(self):
        calm = scenes.scene(seed=4)
        unsteady = scenes.display_gain(calm, 1 - 0.05 * (np.arange(scenes.COUNT) % 2))
        assert measure(unsteady, 24).steadiness_loss > 2 * measure(calm, 24).steadiness_loss
