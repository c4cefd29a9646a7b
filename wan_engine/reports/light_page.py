# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about a take's light that one looks at: report.png, 1600 pixels wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from ..light.verdict import WORDS
from ..light_curve import LightCurve
from ..media.atomic_write import write_whole
from ..media.frame_store import Frames
from ..media.lettering import Letters, plotting, shortened, wrapped
from .follow_page import follow_figure
from .light_charts import (
    BEFORE,
    COLORS,
    DRIFTS,
    FAINT,
    GROUND,
    HOLDS,
    INK,
    JUMPS,
    LINE,
    draw_luminance,
    draw_sun,
    panel,
)

_WIDTH, _HEIGHT, _DPI = 16.0, 11.0, 100
_WORDS = {"holds": HOLDS, "drifts": DRIFTS, "jumps": JUMPS}
_STRIP = 6
_SETTINGS = ("model", "size", "frames", "fps", "steps", "seed", "solver", "shift", "guide", "boundary", "dtype")
_SETTING_WIDTH = 46


def write_page(
    path: Path,
    report: Mapping[str, Any],
    frames: Frames,
    expected: LightCurve | None = None,
    sun: Sequence[Mapping[str, float]] | None = None,
) -> None:
    """Draw the page into the PNG `path`.

    report: as in report.json; of "light" are read "measured" (`LightMeasures.to_json()`, of the clip as delivered),
    "verdict" (`Verdict`, from whose first_frame frames are counted on the page) and, when the clip was corrected,
    "before" (measures before it) and "after" (those of the corrected clip, which then stand for "measured"). expected:
    the scene's curve. sun: samples {"frame", "azimuth_deg", "elevation_deg"} along the shot; [] = none. What the report
    holds under "follow" is drawn below.
    Raises GenerationError in words when the page cannot be written; nothing else is touched.
    """
    words = (_clip_name(report), _prompt(report), report["light"]["verdict"], *(report.get(n) for n in _SETTINGS))
    follow = report.get("follow")
    with plotting([*words, follow["verdict"] if follow else ""]) as letters:
        parts = [_pixels(_drawn(report, frames, expected, sun, letters))]
        if follow:
            parts.append(_pixels(follow_figure(follow, frames, _WIDTH, _DPI, letters)))
    page = Image.fromarray(np.concatenate(parts))
    write_whole(path, lambda partial: page.save(partial, format="PNG"))


def _pixels(figure: Figure) -> np.ndarray:
    """uint8 [H, W, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _drawn(
    report: Mapping[str, Any],
    frames: Frames,
    expected: LightCurve | None,
    sun: Sequence[Mapping[str, float]] | None,
    letters: Letters,
) -> Figure:
    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, facecolor=GROUND)
    light = report["light"]
    measured = light.get("after") or light["measured"]
    _head(figure, report, light["verdict"], measured, letters)
    first = light["verdict"].get("first_frame", 0)
    _strip(figure, frames, measured, first)
    bounds = _bounds(light["verdict"])
    draw_luminance(panel(figure, 0.045, 0.345, 0.615, 0.3), measured, light.get("before"), expected, bounds, first)
    drawn = [draw for reason, draw in COLORS.items() if reason in bounds]
    width = 0.615 / len(drawn) - 0.02 * (len(drawn) - 1)
    for k, draw in enumerate(drawn):
        draw(panel(figure, 0.045 + k * (width + 0.04), 0.06, width, 0.2), measured, light.get("before"), bounds, first)
    draw_sun(figure, sun)
    _small_print(figure, report, measured, light.get("before"), letters)
    return figure


def _head(
    figure: Figure,
    report: Mapping[str, Any],
    verdict: Mapping[str, Any],
    measured: Mapping[str, Any],
    letters: Letters,
) -> None:
    color = _WORDS.get(verdict["word"], INK)
    told = WORDS.get(verdict.get("code", ""), verdict["word"])
    first = verdict.get("first_frame", 0)
    word = f"The light {told}" + (f" at frame {first + verdict['frame']}" if verdict["frame"] is not None else "")
    figure.patches.append(Rectangle((0, 0.993), 1, 0.007, transform=figure.transFigure, color=color))
    held = verdict.get("held_to")
    word = f"{word} {held}" if held else word
    figure.text(0.045, 0.94, word, color=color, fontsize=22 if held else 34, fontweight="bold", va="center")
    sentence = shortened(letters.shown(verdict["sentence"]), 250)
    figure.text(0.045, 0.9, "\n".join(wrapped(sentence, 130)), color=INK, fontsize=13, va="top", linespacing=1.4)
    name = letters.shown(_clip_name(report))
    length = f"{measured['frames']} frames at {measured['fps']:.4g} fps"
    figure.text(0.965, 0.95, shortened(name, 40), color=INK, fontsize=13, ha="right", va="center")
    figure.text(0.965, 0.925, length, color=FAINT, fontsize=11, ha="right", va="center")


def _clip_name(report: Mapping[str, Any]) -> str:
    return Path((report.get("clip") or {}).get("path", "")).name


def _prompt(report: Mapping[str, Any]) -> str:
    return (report.get("request") or {}).get("prompt") or ""


def _strip(figure: Figure, frames: Frames, measured: Mapping[str, Any], first: int) -> None:
    """Six frames spread over the clip, numbered from `first`; a jump's own takes the place of its nearest."""
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
            spine.set(color=JUMPS if marked else LINE, linewidth=2.5 if marked else 0.8)
        axes.set_xlabel(str(first + frame), color=JUMPS if marked else FAINT, fontsize=9, labelpad=3)


def _bounds(verdict: Mapping[str, Any]) -> dict[str, float]:
    """What the verdict held the clip to, by reason."""
    return {check["reason"]: check["bound"] for check in verdict["checks"]}


def _small_print(
    figure: Figure,
    report: Mapping[str, Any],
    measured: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    letters: Letters,
) -> None:
    """Measures to the left, settings to the right, in one column of the page."""
    figure.text(0.7, 0.269, "In numbers", color=INK, fontsize=13, fontweight="bold", va="bottom")
    rows = [
        ("flicker", f"{measured['flicker']:.2%}", before and f"{before['flicker']:.2%}"),
        ("slow change", f"{measured['slow_change']:.0%}", before and f"{before['slow_change']:.0%}"),
        ("colour drift", _mired(measured), before and _mired(before)),
        ("off the curve", _curve_error(measured), before and _curve_error(before)),
        ("steadiness loss", f"{measured['steadiness_loss']:.4f}", before and f"{before['steadiness_loss']:.4f}"),
    ]
    for k, (name, value, earlier) in enumerate(rows):
        height = 0.247 - 0.0195 * k
        figure.text(0.7, height, name, color=FAINT, fontsize=10.5, va="center")
        figure.text(0.785, height, value, color=INK, fontsize=10.5, va="center")
        if earlier:
            figure.text(0.88, height, f"before {earlier}", color=BEFORE, fontsize=10.5, va="center")
    settings = " · ".join(f"{name} {_plain(report[name])}" for name in _SETTINGS if report.get(name) is not None)
    prompt = shortened(letters.shown(_prompt(report)), 4 * _SETTING_WIDTH - 8)
    lines = wrapped(letters.shown(settings), _SETTING_WIDTH + 14) + wrapped(prompt, _SETTING_WIDTH + 14)
    figure.text(0.7, 0.143, "\n".join(lines[:7]), color=FAINT, fontsize=8.5, va="top", linespacing=1.5)


def _mired(measures: Mapping[str, Any]) -> str:
    return f"{measures['temperature_drift_mired']:+.0f} mired"


def _curve_error(measures: Mapping[str, Any]) -> str:
    return "no curve given" if measures["curve_error"] is None else f"{measures['curve_error']:.1%}"


def _plain(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return str(len(value))  # the report lists every step
    return ", ".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)
