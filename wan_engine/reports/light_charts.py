# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page about a take's light draws of measures: luminance, colour temperature, colour, and the sun's path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..light_curve import LightCurve

GROUND, PANEL, INK, FAINT, LINE = "#15171c", "#1c1f26", "#e9e7e1", "#8d929c", "#2e323b"
EXPECTED, MEASURED, BEFORE = "#f2b544", "#6fc3ff", "#7d8594"
HOLDS, DRIFTS, JUMPS = "#7ddc8b", "#f2b544", "#ff6b5e"
_RED, _BLUE = "#ff8a6b", "#7fa8ff"
_DAYLIGHT = 6500.0  # kelvin, where the first frame is too coloured to tell


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Empty axes in the page's look; place and size in shares of the figure."""
    axes = figure.add_axes((left, bottom, width, height), facecolor=PANEL)
    for side, spine in axes.spines.items():
        spine.set(color=LINE, visible=side in ("left", "bottom"))
    axes.tick_params(colors=FAINT, labelsize=9, length=0, pad=5)
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    return axes


def title(axes: Axes, words: str, hint: str) -> None:
    """What a panel shows, over it, and a hint how to read it."""
    axes.text(0, 1.045, words, transform=axes.transAxes, color=INK, fontsize=13, fontweight="bold", va="bottom")
    axes.text(1, 1.05, hint, transform=axes.transAxes, color=FAINT, fontsize=9.5, ha="right", va="bottom")


def draw_luminance(
    axes: Axes,
    measured: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    expected: LightCurve | None,
    bounds: Mapping[str, float],
    first: int,
) -> None:
    """Expected against generated as the verdict held them, in the unit of the expected curve, with what is allowed."""
    absolute = expected is None or expected.source == "render"
    values, frame = _course(measured, absolute), first + np.arange(measured["frames"])
    unit = "display luminance, 0 to 1" if absolute else "display luminance, first frame = 1"
    title(axes, "Luminance", unit)
    if absolute:
        axes.fill_between(
            frame,
            measured["luminance"]["p05"],
            measured["luminance"]["p95"],
            color=MEASURED,
            alpha=0.10,
            linewidth=0,
            label="5th to 95th percentile",
        )
    if before:
        axes.plot(
            frame, _course(before, absolute), color=BEFORE, linewidth=1.6, linestyle=(0, (2, 1.5)), label="before"
        )
    if measured["departure"] is not None:
        departure = measured["departure"]
        curve, level = np.asarray(measured["expected"]), np.asarray(departure["level"])
        uncertain = np.asarray(departure["uncertain"])
        for reach in (bounds["curve"] * level, (bounds["curve"] + uncertain) * level):  # darker where the curve is sure
            _band(axes, frame, curve - reach, curve + reach)
    if measured["expected"] is not None:
        axes.plot(frame, measured["expected"], color=EXPECTED, linewidth=2.2, linestyle=(0, (5, 2)), label="expected")
    marker = "o" if len(frame) < 3 else None
    axes.plot(frame, values, color=MEASURED, linewidth=2.4, marker=marker, label="corrected" if before else "generated")
    for jump in measured["jumps"]:
        color, place = FAINT if jump["meant"] else JUMPS, first + jump["frame"]
        axes.axvline(place, color=color, linewidth=1.4, alpha=0.9)
        label = f"{jump['kind']} {jump['size']:+.0%}" + (" (meant)" if jump["meant"] else "")
        right = jump["frame"] > 0.8 * len(frame)
        axes.annotate(
            label,
            (place, 0.985),
            xycoords=("data", "axes fraction"),
            xytext=(-5 if right else 5, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
            color=color,
            fontsize=9.5,
        )
    for cut in (first + cut for cut in measured["cuts"]):
        axes.axvline(cut, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        axes.text(cut, 0.03, " cut", transform=axes.get_xaxis_transform(), color=INK, fontsize=9.5)
    limit_frames(axes, frame)
    _widen(axes, 0.1 if absolute else 0.2)
    axes.legend(loc="upper left", bbox_to_anchor=(0.12, 1.135), ncols=4, frameon=False, fontsize=9.5, labelcolor=FAINT)


def _band(axes: Axes, frame: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    axes.fill_between(frame, low, high, color=EXPECTED, alpha=0.13, linewidth=0)


def _course(measures: Mapping[str, Any], absolute: bool) -> Sequence[float]:
    if measures["departure"] is not None:
        return measures["departure"]["held"]
    return measures["luminance"]["mean"] if absolute else measures["light"]


def _temperature(
    axes: Axes, measured: Mapping[str, Any], before: Mapping[str, Any] | None, bounds: Mapping[str, float], first: int
) -> None:
    """The course of warmth along the motion, begun at what the first frame shows: surfaces have a colour of their own,
    so that only the change is held against the scene. Even in mired, told in kelvin."""
    title(axes, "Colour temperature", "kelvin, along the motion")
    frame, seen = first + np.arange(measured["frames"]), measured["temperature_k"][0] or 0.0
    start = 1e6 / (seen if 0 < seen < np.inf else _DAYLIGHT)
    if before:
        earlier = start + np.asarray(before["temperature_course_mired"], float)
        axes.plot(frame, earlier, color=BEFORE, linewidth=1.6, linestyle=(0, (2, 1.5)))
    told = measured["expected_temperature_k"]
    mired = np.zeros(len(frame)) if told is None else 1e6 / np.asarray(told, float)
    wanted = start + mired - mired[0]
    _band(axes, frame, wanted - bounds["temperature"], wanted + bounds["temperature"])
    if told is not None:
        axes.plot(frame, wanted, color=EXPECTED, linewidth=2, linestyle=(0, (5, 2)))
    course = start + np.asarray(measured["temperature_course_mired"], float)
    axes.plot(frame, course, color=MEASURED, linewidth=2.2, marker="o" if len(frame) < 3 else None)
    limit_frames(axes, frame)
    _widen(axes, 40)
    axes.invert_yaxis()
    axes.yaxis.set_major_formatter(lambda value, _: f"{1e6 / max(value, 20):.0f}")
    axes.set_xlabel("frame", color=FAINT, fontsize=9.5)


def _color(
    axes: Axes, measured: Mapping[str, Any], before: Mapping[str, Any] | None, bounds: Mapping[str, float], first: int
) -> None:
    """Red and blue against what the render or the pictures show of them, with what is allowed."""
    color, frame = measured["color"], first + np.arange(measured["frames"])
    told = [first + number for number in color["frames"]]
    lines = "dashed: the render" if color["source"] == "render" else "bars: the pictures"
    title(axes, "Colour", f"red and blue over luminance; {lines}")
    for channel, line in ((0, _RED), (2, _BLUE)):
        wanted = np.array([rgb[channel] for rgb in color["expected"]])
        low, high = (wanted * np.exp(sign * np.log1p(bounds["color"])) for sign in (-1, 1))
        if len(wanted) > 2:
            axes.fill_between(told, low, high, color=line, alpha=0.13, linewidth=0)
            axes.plot(told, wanted, color=line, linewidth=1.6, linestyle=(0, (5, 2)))
        else:
            axes.errorbar(
                told,
                wanted,
                [wanted - low, high - wanted],
                fmt="none",
                ecolor=line,
                capsize=5,
                clip_on=False,
            )
        if before and before["color"]:
            earlier = [rgb[channel] for rgb in before["color"]["held"]]
            axes.plot(frame, earlier, color=BEFORE, linewidth=1.4, linestyle=(0, (2, 1.5)))
        axes.plot(frame, [rgb[channel] for rgb in color["held"]], color=line, linewidth=2.2)
    limit_frames(axes, frame)
    _widen(axes, 0.3)
    axes.set_xlabel("frame", color=FAINT, fontsize=9.5)


COLORS = {"temperature": _temperature, "color": _color}


def limit_frames(axes: Axes, frame: np.ndarray) -> None:
    """From the first of the numbers to the last."""
    axes.set_xlim(frame[0], max(frame[0] + 1, frame[-1]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _widen(axes: Axes, least: float) -> None:
    """At least this much from bottom to top, so that nothing looks dramatic that is not; room for labels above."""
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, max(high - low, least) / 2
    axes.set_ylim(max(0, middle - 1.1 * half), middle + 1.3 * half)


def draw_sun(figure: Figure, sun: Sequence[Mapping[str, float]] | None) -> None:
    """The sun's path seen from below the sky: north up, the horizon as the circle, the zenith in the middle."""
    left, bottom, width, height = 0.715, 0.335, 0.25, 0.275
    figure.text(0.7, 0.659, "Sun path", color=INK, fontsize=13, fontweight="bold", va="bottom")
    if not sun:
        figure.text(
            left + width / 2,
            bottom + height / 2,
            "not stated" if sun is None else "no sun in this scene",
            color=FAINT,
            ha="center",
            va="center",
        )
        return
    axes = figure.add_axes((left, bottom, width, height), projection="polar", facecolor=PANEL)
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    azimuth = np.unwrap(np.radians([sample["azimuth_deg"] for sample in sun]))
    elevation = np.array([sample["elevation_deg"] for sample in sun], float)
    axes.set_ylim(0, 100)
    axes.plot(np.linspace(0, 2 * np.pi, 90), np.full(90, 90.0), color=FAINT, linewidth=1.2)
    away = np.minimum(90 - elevation, 99)
    axes.plot(azimuth, away, color=EXPECTED, linewidth=2.5, solid_capstyle="round", clip_on=False)
    axes.plot(azimuth[:1], away[:1], "o", color=GROUND, markeredgecolor=EXPECTED, markeredgewidth=2, markersize=8)
    axes.plot(azimuth[-1:], away[-1:], "o", color=EXPECTED, markersize=12)
    axes.set_thetagrids(range(0, 360, 45), ["N", "", "E", "", "S", "", "W", ""])
    axes.set_rgrids([30, 60], ["60°", "30°"], angle=22)
    axes.tick_params(colors=FAINT, labelsize=9, pad=1)
    axes.grid(color=LINE, linewidth=0.8)
    axes.spines["polar"].set_visible(False)
    course = f"elevation {elevation[0]:.0f}° to {elevation[-1]:.0f}°, azimuth {_bearing(sun[0])} to {_bearing(sun[-1])}"
    figure.text(0.965, 0.663, course, color=FAINT, fontsize=9.5, ha="right", va="bottom")


def _bearing(sample: Mapping[str, float]) -> str:
    return f"{sample['azimuth_deg'] % 360:.0f}°"
