# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about a take's light that one looks at: report.png, 1600 pixels wide."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..light.verdict import WORDS
from ..light_curve import LightCurve
from ..media.atomic_write import write_whole
from ..media.lettering import Letters, plotting, shortened, wrapped

_WIDTH, _HEIGHT, _DPI = 16.0, 11.0, 100
_GROUND, _PANEL, _INK, _FAINT, _LINE = "#15171c", "#1c1f26", "#e9e7e1", "#8d929c", "#2e323b"
_EXPECTED, _MEASURED, _BEFORE = "#f2b544", "#6fc3ff", "#7d8594"
_RED, _BLUE = "#ff8a6b", "#7fa8ff"
_WORDS = {"holds": "#7ddc8b", "drifts": "#f2b544", "jumps": "#ff6b5e"}
_STRIP = 6
_DAYLIGHT = 6500.0  # kelvin, where the first frame is too coloured to tell
_SETTINGS = ("model", "size", "frames", "fps", "steps", "seed", "solver", "shift", "guide", "boundary", "dtype")
_SETTING_WIDTH = 46


def write_page(
    path: Path,
    report: Mapping[str, Any],
    frames: np.ndarray,
    expected: LightCurve | None = None,
    sun: Sequence[Mapping[str, float]] | None = None,
) -> None:
    """Draw the page into the PNG `path`.

    report: as in report.json; of "light" are read "measured" (`LightMeasures.to_json()`, of the clip as delivered),
    "verdict" {word, frame, sentence, checks} and, when the clip was corrected, "before" (measures before it) and
    "after" (those of the corrected clip, which then stand for "measured"). frames: uint8 [T, H, W, 3]. expected: the
    scene's curve. sun: samples {"frame", "azimuth_deg", "elevation_deg"} along the shot; [] = none.
    Raises GenerationError in words when the page cannot be written; nothing else is touched.
    """
    words = (_clip_name(report), _prompt(report), report["light"]["verdict"], *(report.get(n) for n in _SETTINGS))
    buffer = io.BytesIO()
    with plotting(words) as letters:
        figure = _drawn(report, frames, expected, sun, letters)
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format="png", facecolor=_GROUND)
    write_whole(path, lambda partial: partial.write_bytes(buffer.getvalue()))


def _drawn(
    report: Mapping[str, Any],
    frames: np.ndarray,
    expected: LightCurve | None,
    sun: Sequence[Mapping[str, float]] | None,
    letters: Letters,
) -> Figure:
    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, facecolor=_GROUND)
    light = report["light"]
    measured = light.get("after") or light["measured"]
    _head(figure, report, light["verdict"], measured, letters)
    _strip(figure, frames, measured)
    bounds = _bounds(light["verdict"])
    _brightness(_panel(figure, 0.045, 0.345, 0.615, 0.3), measured, light.get("before"), expected, bounds)
    drawn = [draw for reason, draw in _COLORS.items() if reason in bounds]
    width = 0.615 / len(drawn) - 0.02 * (len(drawn) - 1)
    for k, draw in enumerate(drawn):
        draw(_panel(figure, 0.045 + k * (width + 0.04), 0.06, width, 0.2), measured, light.get("before"), bounds)
    _sun(figure, sun)
    _small_print(figure, report, measured, light.get("before"), letters)
    return figure


def _head(
    figure: Figure,
    report: Mapping[str, Any],
    verdict: Mapping[str, Any],
    measured: Mapping[str, Any],
    letters: Letters,
) -> None:
    color = _WORDS.get(verdict["word"], _INK)
    told = WORDS.get(verdict.get("code", ""), verdict["word"])
    word = f"The light {told}" + (f" at frame {verdict['frame']}" if verdict["frame"] is not None else "")
    figure.patches.append(Rectangle((0, 0.993), 1, 0.007, transform=figure.transFigure, color=color))
    figure.text(0.045, 0.94, word, color=color, fontsize=34, fontweight="bold", va="center")
    sentence = shortened(letters.shown(verdict["sentence"]), 250)
    figure.text(0.045, 0.9, "\n".join(wrapped(sentence, 130)), color=_INK, fontsize=13, va="top", linespacing=1.4)
    name = letters.shown(_clip_name(report))
    length = f"{measured['frames']} frames at {measured['fps']:.4g} fps"
    figure.text(0.965, 0.95, shortened(name, 40), color=_INK, fontsize=13, ha="right", va="center")
    figure.text(0.965, 0.925, length, color=_FAINT, fontsize=11, ha="right", va="center")


def _clip_name(report: Mapping[str, Any]) -> str:
    return Path((report.get("clip") or {}).get("path", "")).name


def _prompt(report: Mapping[str, Any]) -> str:
    return (report.get("request") or {}).get("prompt") or ""


def _strip(figure: Figure, frames: np.ndarray, measured: Mapping[str, Any]) -> None:
    """Six frames spread over the clip; a jump's own frame takes the place of its nearest."""
    count = len(frames)
    shown = sorted({round(k) for k in np.linspace(0, count - 1, min(count, _STRIP))})
    faults = [jump["frame"] for jump in measured["jumps"] if not jump["meant"]]
    for fault in faults[:2]:
        nearest = min(range(len(shown)), key=lambda k: abs(shown[k] - fault))
        shown[nearest] = fault
    gap, left, width = 0.006, 0.045, 0.92
    each = (width + gap) / _STRIP - gap
    for k, frame in enumerate(sorted(set(shown))):
        axes = figure.add_axes((left + k * (each + gap), 0.712, each, 0.135))
        axes.imshow(frames[frame], interpolation="antialiased")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_anchor("S")
        marked = frame in faults
        for spine in axes.spines.values():
            spine.set(color=_WORDS["jumps"] if marked else _LINE, linewidth=2.5 if marked else 0.8)
        axes.set_xlabel(str(frame), color=_WORDS["jumps"] if marked else _FAINT, fontsize=9, labelpad=3)


def _panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    axes = figure.add_axes((left, bottom, width, height), facecolor=_PANEL)
    for side, spine in axes.spines.items():
        spine.set(color=_LINE, visible=side in ("left", "bottom"))
    axes.tick_params(colors=_FAINT, labelsize=9, length=0, pad=5)
    axes.grid(color=_LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    return axes


def _title(axes: Axes, title: str, hint: str) -> None:
    axes.text(0, 1.045, title, transform=axes.transAxes, color=_INK, fontsize=13, fontweight="bold", va="bottom")
    axes.text(1, 1.05, hint, transform=axes.transAxes, color=_FAINT, fontsize=9.5, ha="right", va="bottom")


def _bounds(verdict: Mapping[str, Any]) -> dict[str, float]:
    """What the verdict held the clip to, by reason."""
    return {check["reason"]: check["bound"] for check in verdict["checks"]}


def _brightness(
    axes: Axes,
    measured: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    expected: LightCurve | None,
    bounds: Mapping[str, float],
) -> None:
    """Expected against generated as the verdict held them, in the unit of the expected curve, with what is allowed."""
    absolute = expected is None or expected.source == "render"
    values, frame = _course(measured, absolute), np.arange(measured["frames"])
    unit = "display luminance, 0 to 1" if absolute else "light along the motion, first frame = 1"
    _title(axes, "Luminance", unit)
    if absolute:
        axes.fill_between(
            frame,
            measured["luminance"]["p05"],
            measured["luminance"]["p95"],
            color=_MEASURED,
            alpha=0.10,
            linewidth=0,
            label="5th to 95th percentile",
        )
    if before:
        axes.plot(
            frame, _course(before, absolute), color=_BEFORE, linewidth=1.6, linestyle=(0, (2, 1.5)), label="before"
        )
    if measured["departure"] is not None:
        reach = bounds["curve"] * np.asarray(measured["departure"]["level"])
        _band(axes, frame, np.asarray(measured["expected"]) - reach, np.asarray(measured["expected"]) + reach)
    if measured["expected"] is not None:
        axes.plot(frame, measured["expected"], color=_EXPECTED, linewidth=2.2, linestyle=(0, (5, 2)), label="expected")
    marker = "o" if len(frame) < 3 else None
    axes.plot(
        frame, values, color=_MEASURED, linewidth=2.4, marker=marker, label="corrected" if before else "generated"
    )
    for jump in measured["jumps"]:
        color = _FAINT if jump["meant"] else _WORDS["jumps"]
        axes.axvline(jump["frame"], color=color, linewidth=1.4, alpha=0.9)
        label = f"{jump['kind']} {jump['size']:+.0%}" + (" (meant)" if jump["meant"] else "")
        right = jump["frame"] > 0.8 * len(frame)
        axes.annotate(
            label,
            (jump["frame"], 0.985),
            xycoords=("data", "axes fraction"),
            xytext=(-5 if right else 5, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
            color=color,
            fontsize=9.5,
        )
    for cut in measured["cuts"]:
        axes.axvline(cut, color=_INK, linewidth=1, linestyle=(0, (1, 2)))
        axes.text(cut, 0.03, " cut", transform=axes.get_xaxis_transform(), color=_INK, fontsize=9.5)
    _limits(axes, len(frame))
    _widen(axes, 0.1 if absolute else 0.2)
    axes.legend(loc="upper left", bbox_to_anchor=(0.12, 1.135), ncols=4, frameon=False, fontsize=9.5, labelcolor=_FAINT)


def _band(axes: Axes, frame: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    axes.fill_between(frame, low, high, color=_EXPECTED, alpha=0.13, linewidth=0)


def _course(measures: Mapping[str, Any], absolute: bool) -> Sequence[float]:
    if measures["departure"] is not None:
        return measures["departure"]["held"]
    return measures["luminance"]["mean"] if absolute else measures["light"]


def _temperature(
    axes: Axes, measured: Mapping[str, Any], before: Mapping[str, Any] | None, bounds: Mapping[str, float]
) -> None:
    """The course of warmth along the motion, begun at what the first frame shows: surfaces have a colour of their own,
    so that only the change is held against the scene. Even in mired, told in kelvin."""
    _title(axes, "Colour temperature", "kelvin, along the motion")
    frame, seen = np.arange(measured["frames"]), measured["temperature_k"][0] or 0.0
    start = 1e6 / (seen if 0 < seen < np.inf else _DAYLIGHT)
    if before:
        earlier = start + np.asarray(before["temperature_course_mired"], float)
        axes.plot(frame, earlier, color=_BEFORE, linewidth=1.6, linestyle=(0, (2, 1.5)))
    told = measured["expected_temperature_k"]
    mired = np.zeros(len(frame)) if told is None else 1e6 / np.asarray(told, float)
    wanted = start + mired - mired[0]
    _band(axes, frame, wanted - bounds["temperature"], wanted + bounds["temperature"])
    if told is not None:
        axes.plot(frame, wanted, color=_EXPECTED, linewidth=2, linestyle=(0, (5, 2)))
    course = start + np.asarray(measured["temperature_course_mired"], float)
    axes.plot(frame, course, color=_MEASURED, linewidth=2.2, marker="o" if len(frame) < 3 else None)
    _limits(axes, len(frame))
    _widen(axes, 40)
    axes.invert_yaxis()
    axes.yaxis.set_major_formatter(lambda value, _: f"{1e6 / max(value, 20):.0f}")
    axes.set_xlabel("frame", color=_FAINT, fontsize=9.5)


def _color(
    axes: Axes, measured: Mapping[str, Any], before: Mapping[str, Any] | None, bounds: Mapping[str, float]
) -> None:
    """Red and blue against what the render or the pictures show of them, with what is allowed."""
    color, frame = measured["color"], np.arange(measured["frames"])
    told = "dashed: the render" if color["source"] == "render" else "bars: the pictures"
    _title(axes, "Colour", f"red and blue over luminance; {told}")
    for channel, line in ((0, _RED), (2, _BLUE)):
        wanted = np.array([rgb[channel] for rgb in color["expected"]])
        low, high = (wanted * np.exp(sign * np.log1p(bounds["color"])) for sign in (-1, 1))
        if len(wanted) > 2:
            axes.fill_between(color["frames"], low, high, color=line, alpha=0.13, linewidth=0)
            axes.plot(color["frames"], wanted, color=line, linewidth=1.6, linestyle=(0, (5, 2)))
        else:
            axes.errorbar(
                color["frames"],
                wanted,
                [wanted - low, high - wanted],
                fmt="none",
                ecolor=line,
                capsize=5,
                clip_on=False,
            )
        if before and before["color"]:
            earlier = [rgb[channel] for rgb in before["color"]["held"]]
            axes.plot(frame, earlier, color=_BEFORE, linewidth=1.4, linestyle=(0, (2, 1.5)))
        axes.plot(frame, [rgb[channel] for rgb in color["held"]], color=line, linewidth=2.2)
    _limits(axes, len(frame))
    _widen(axes, 0.3)
    axes.set_xlabel("frame", color=_FAINT, fontsize=9.5)


_COLORS = {"temperature": _temperature, "color": _color}


def _limits(axes: Axes, count: int) -> None:
    axes.set_xlim(0, max(1, count - 1))


def _widen(axes: Axes, least: float) -> None:
    """At least this much from bottom to top, so that nothing looks dramatic that is not; room for labels above."""
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, max(high - low, least) / 2
    axes.set_ylim(max(0, middle - 1.1 * half), middle + 1.3 * half)


def _sun(figure: Figure, sun: Sequence[Mapping[str, float]] | None) -> None:
    """The sun's path seen from below the sky: north up, the horizon as the circle, the zenith in the middle."""
    left, bottom, width, height = 0.715, 0.335, 0.25, 0.275
    figure.text(0.7, 0.659, "Sun path", color=_INK, fontsize=13, fontweight="bold", va="bottom")
    if not sun:
        figure.text(
            left + width / 2,
            bottom + height / 2,
            "not stated" if sun is None else "no sun in this scene",
            color=_FAINT,
            ha="center",
            va="center",
        )
        return
    axes = figure.add_axes((left, bottom, width, height), projection="polar", facecolor=_PANEL)
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    azimuth = np.unwrap(np.radians([sample["azimuth_deg"] for sample in sun]))
    elevation = np.array([sample["elevation_deg"] for sample in sun], float)
    axes.set_ylim(0, 100)
    axes.plot(np.linspace(0, 2 * np.pi, 90), np.full(90, 90.0), color=_FAINT, linewidth=1.2)
    away = np.minimum(90 - elevation, 99)
    axes.plot(azimuth, away, color=_EXPECTED, linewidth=2.5, solid_capstyle="round", clip_on=False)
    axes.plot(azimuth[:1], away[:1], "o", color=_GROUND, markeredgecolor=_EXPECTED, markeredgewidth=2, markersize=8)
    axes.plot(azimuth[-1:], away[-1:], "o", color=_EXPECTED, markersize=12)
    axes.set_thetagrids(range(0, 360, 45), ["N", "", "E", "", "S", "", "W", ""])
    axes.set_rgrids([30, 60], ["60°", "30°"], angle=22)
    axes.tick_params(colors=_FAINT, labelsize=9, pad=1)
    axes.grid(color=_LINE, linewidth=0.8)
    axes.spines["polar"].set_visible(False)
    course = f"elevation {elevation[0]:.0f}° to {elevation[-1]:.0f}°, azimuth {_bearing(sun[0])} to {_bearing(sun[-1])}"
    figure.text(0.965, 0.663, course, color=_FAINT, fontsize=9.5, ha="right", va="bottom")


def _bearing(sample: Mapping[str, float]) -> str:
    return f"{sample['azimuth_deg'] % 360:.0f}°"


def _small_print(
    figure: Figure,
    report: Mapping[str, Any],
    measured: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    letters: Letters,
) -> None:
    """Measures to the left, settings to the right, in one column of the page."""
    figure.text(0.7, 0.269, "In numbers", color=_INK, fontsize=13, fontweight="bold", va="bottom")
    rows = [
        ("flicker", f"{measured['flicker']:.2%}", before and f"{before['flicker']:.2%}"),
        ("slow change", f"{measured['slow_change']:.0%}", before and f"{before['slow_change']:.0%}"),
        ("colour drift", _mired(measured), before and _mired(before)),
        ("off the curve", _curve_error(measured), before and _curve_error(before)),
        ("steadiness loss", f"{measured['steadiness_loss']:.4f}", before and f"{before['steadiness_loss']:.4f}"),
    ]
    for k, (name, value, earlier) in enumerate(rows):
        height = 0.247 - 0.0195 * k
        figure.text(0.7, height, name, color=_FAINT, fontsize=10.5, va="center")
        figure.text(0.785, height, value, color=_INK, fontsize=10.5, va="center")
        if earlier:
            figure.text(0.88, height, f"before {earlier}", color=_BEFORE, fontsize=10.5, va="center")
    settings = " · ".join(f"{name} {_plain(report[name])}" for name in _SETTINGS if report.get(name) is not None)
    prompt = shortened(letters.shown(_prompt(report)), 4 * _SETTING_WIDTH - 8)
    lines = wrapped(letters.shown(settings), _SETTING_WIDTH + 14) + wrapped(prompt, _SETTING_WIDTH + 14)
    figure.text(0.7, 0.143, "\n".join(lines[:7]), color=_FAINT, fontsize=8.5, va="top", linespacing=1.5)


def _mired(measures: Mapping[str, Any]) -> str:
    return f"{measures['temperature_drift_mired']:+.0f} mired"


def _curve_error(measures: Mapping[str, Any]) -> str:
    return "no curve given" if measures["curve_error"] is None else f"{measures['curve_error']:.1%}"


def _plain(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return str(len(value))  # the report lists every step
    return ", ".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)
