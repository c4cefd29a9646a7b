# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about a take's light: it is drawn for every kind of clip, and told in words when it cannot be."""

import dataclasses
import os

import light_scenes as scenes
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from wan_engine.errors import GenerationError
from wan_engine.light.measure import measure
from wan_engine.light.verdict import verdict
from wan_engine.light_curve import LightCurve
from wan_engine.media.lettering import plotting
from wan_engine.reports import light_page
from wan_engine.reports.light_page import write_page

SUN = [{"frame": k, "azimuth_deg": 350 + 3 * k, "elevation_deg": 8 - k} for k in range(10)]


def report_of(frames, expected=None, before=None):
    measures = measure(frames, 24, expected)
    return {
        "clip": {"path": "takes/a/clip.mp4"},
        "model": "Nano",
        "size": [160, 96],
        "request": {"prompt": "A street in the evening. " * 30},
        "light": {
            "expected": None if expected is None else dataclasses.asdict(expected),
            "measured": measures.to_json(),
            "before": before,
            "verdict": dataclasses.asdict(verdict(measures)),
        },
    }


def has_color(path, color, tolerance=12):
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((np.abs(pixels - color).max(-1) < tolerance).sum())


@pytest.mark.parametrize("source", [None, "brief", "render"])
def test_the_page(tmp_path, source):
    light = np.where(np.arange(20) < 9, 1, 1.3)
    frames = scenes.display_gain(0.7 * scenes.scene(20), light)
    expected = source and LightCurve(source, (0.0, 0.5, 1.0), (1.0, 0.9, 0.8), (6000.0, 5000.0, 4000.0))
    path = tmp_path / "report.png"
    write_page(path, report_of(frames, expected), frames, expected, SUN)
    assert Image.open(path).width == 1600
    assert has_color(path, (255, 107, 94)) > 10000  # the verdict in red
    assert (has_color(path, (242, 181, 68)) > 1200) == (source is not None)  # the expected curve beside the sun's path


def test_before_and_after(tmp_path):
    before = measure(scenes.display_gain(0.7 * scenes.scene(20), np.linspace(1, 1.3, 20)), 24).to_json()
    frames = scenes.scene(20)
    plain, compared = tmp_path / "plain.png", tmp_path / "compared.png"
    write_page(plain, report_of(frames), frames)
    write_page(compared, report_of(frames, before=before), frames)
    assert plain.read_bytes() != compared.read_bytes()


@pytest.mark.parametrize(("count", "size"), [(1, (96, 160)), (2, (33, 17)), (5, (160, 96)), (81, (8, 8))])
def test_odd_clips(tmp_path, count, size):
    frames = np.full((count, *size, 3), 120, np.uint8)
    frames[..., 1] += 130  # so green that it has no temperature
    write_page(tmp_path / "report.png", report_of(frames), frames, None, SUN[:1])
    assert (tmp_path / "report.png").stat().st_size > 10000


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("words", [r"$\frac{$", r"_^\ $x_{$ {", "\x00\x1b \udcff", "日出时分 שלום مرحبا 😀", "$" * 999])
def test_words_are_drawn_as_they_are(tmp_path, words):
    frames = scenes.scene(3)
    report = report_of(frames) | {"request": {"prompt": words}, "clip": {"path": f"{words}.mp4"}, "model": words}
    report["light"]["verdict"]["sentence"] = words
    write_page(tmp_path / "report.png", report, frames)
    assert Image.open(tmp_path / "report.png").size == (1600, 1100)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 0.0])
def test_numbers_that_are_none(tmp_path, value):
    frames = scenes.scene(4)
    curve = LightCurve("render", (0.0, 1.0), (0.5, 0.5), rgb=((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
    report = report_of(frames, curve, before=measure(frames, 24, curve).to_json())
    for measured in (report["light"]["measured"], report["light"]["before"]):
        measured["departure"] |= {"held": [value] * 4, "level": [value] * 4}
        measured["color"] |= {"held": [[value] * 3] * 4, "expected": [[value] * 3] * 4}
        measured["temperature_course_mired"] = [value] * 4
        measured["luminance"] = {name: [value] * 4 for name in measured["luminance"]}
        measured["light"] = [1.0, value, None, value]
        measured["expected"], measured["expected_temperature_k"] = [value] * 4, [value] * 4
        measured["temperature_k"] = [value, None, 5000.0, value]
        measured["flicker"] = measured["curve_error"] = measured["temperature_drift_mired"] = value
    sun = [{"azimuth_deg": value, "elevation_deg": value}] * 2
    for expected in (None, LightCurve("brief", (0.0, 1.0), (1.0, value))):
        write_page(tmp_path / "report.png", report, frames, expected, sun)
        plain = report_of(frames)
        report["light"]["verdict"] = plain["light"]["verdict"]
        report["light"]["measured"]["departure"] = report["light"]["before"]["departure"] = None
        write_page(tmp_path / "report.png", report, frames, expected, sun)
    assert Image.open(tmp_path / "report.png").size == (1600, 1100)


def test_place_that_cannot_be_written(tmp_path):
    frames = scenes.scene(3)
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "clip.mp4").write_text("the clip")
    with pytest.raises(GenerationError, match="cannot be written"):
        write_page(tmp_path / "file" / "report.png", report_of(frames), frames)
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(GenerationError, match="cannot be written"):
            write_page(tmp_path / "report.png", report_of(frames), frames)
        tmp_path.chmod(0o700)
    assert (tmp_path / "clip.mp4").read_text() == "the clip"


def test_frames_are_numbered_as_the_scene_does(tmp_path):
    light = np.where(np.arange(20) < 9, 1, 1.3)
    frames = scenes.display_gain(0.7 * scenes.scene(20), light)
    report = report_of(frames)
    report["light"]["verdict"] = dataclasses.asdict(verdict(measure(frames, 24), 101))
    with plotting([]) as letters:
        figure = light_page._drawn(report, frames, None, None, letters)
    words = [text.get_text() for text in figure.findobj(Text)]
    assert "The light jumps at frame 110" in words and "110" in words and "101" in words
    assert [axes.get_xlim() for axes in figure.axes if axes.get_title() or axes.lines] == [(101, 120)] * 2
