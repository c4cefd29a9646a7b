# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a take's page that shows whether the clip follows its scene: the scene's outlines over the clip, ways of
points, and how far they are off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..follow.bounds import ELSEWHERE
from ..follow.verdict import WORDS
from ..media.frame_store import Frames
from ..media.lettering import Letters, shortened
from .light_charts import DRIFTS, EXPECTED, FAINT, GROUND, HOLDS, INK, JUMPS, LINE, MEASURED, limit_frames, panel, title

_HEIGHT = 5.4  # inches
_COLORS = {"follows": HOLDS, "strays": JUMPS, "cannot be told": DRIFTS}


def follow_figure(follow: Mapping[str, Any], frames: Frames, width: float, dpi: int, letters: Letters) -> Figure:
    """The figure of a report's "follow", `width` inches wide."""
    figure = Figure(figsize=(width, _HEIGHT), dpi=dpi, facecolor=GROUND)
    verdict, measured = follow["verdict"], follow["measured"]
    first = verdict.get("first_frame", 0)
    word = "Whether the clip follows the scene cannot be told"
    if verdict["word"] != "cannot be told":
        word = f"The clip {WORDS.get(verdict['code'], verdict['word'])} the scene".replace(
            "strays the", "strays from the"
        )
        word += f" at frame {first + verdict['frame']}" if verdict["frame"] is not None else ""
    color = _COLORS.get(verdict["word"], INK)
    figure.text(0.045, 0.92, word, color=color, fontsize=24, fontweight="bold", va="center")
    figure.text(0.045, 0.835, shortened(letters.shown(verdict["sentence"]), 150), color=INK, fontsize=13, va="center")
    _draw_ways(figure, measured, frames, first)
    numbers = first + np.arange(measured["frames"])
    shares = panel(figure, 0.6, 0.45, 0.365, 0.27)
    title(shares, "Goes elsewhere", "share of the ways seen, and what is allowed")
    shares.axhspan(0, ELSEWHERE, color=EXPECTED, alpha=0.13, linewidth=0)
    shares.plot(numbers, _course(measured["elsewhere"]), color=MEASURED, linewidth=2.2)
    shares.set_ylim(0, 1)
    errors = panel(figure, 0.6, 0.1, 0.365, 0.22)
    title(errors, "Error", "pixels at the end of a way; dashed: what stands still")
    errors.plot(numbers, _course(measured["error_px"]), color=MEASURED, linewidth=2.2)
    errors.plot(numbers, _course(measured["still_px"]), color=EXPECTED, linewidth=1.6, linestyle=(0, (5, 2)))
    errors.set_ylim(0, max(2.0, errors.get_ylim()[1]))
    for axes in (shares, errors):
        limit_frames(axes, numbers)
        if verdict["frame"] is not None:
            axes.axvline(first + verdict["frame"], color=JUMPS, linewidth=1.4)
    return figure


def _draw_ways(figure: Figure, measured: Mapping[str, Any], frames: Frames, first: int) -> None:
    """A few frames, with the scene's outlines and the ways that points came: the scene's, and the clip's."""
    figure.text(0.045, 0.72, "Outlines, and ways of points", color=INK, fontsize=13, fontweight="bold", va="bottom")
    figure.text(0.4, 0.72, "in the scene", color=EXPECTED, fontsize=9.5, va="bottom")
    figure.text(0.47, 0.72, "in the clip", color=MEASURED, fontsize=9.5, va="bottom")
    for k, shown in enumerate(measured["ways"][:4]):
        row, column = divmod(k, 2)
        axes = figure.add_axes((0.045 + 0.265 * column, 0.4 - 0.33 * row, 0.25, 0.29))
        _draw_frame(axes, frames[shown["frame"]], shown["points"], shown["outline"])
        axes.set_xlabel(str(first + shown["frame"]), color=FAINT, fontsize=9, labelpad=3)


def _draw_frame(axes: Axes, frame: np.ndarray, points: list[list[float]], outline: list[list[float]]) -> None:
    axes.imshow(frame, interpolation="antialiased")
    x_of, y_of = np.array(outline, float).reshape(-1, 2).T
    axes.plot(x_of, y_of, ".", color=EXPECTED, markersize=2.2, alpha=0.8)
    for x, y, to_x, to_y, seen_x, seen_y in points:
        axes.plot([x, to_x], [y, to_y], color=EXPECTED, linewidth=2.4, alpha=0.8, solid_capstyle="round")
        axes.plot([x, seen_x], [y, seen_y], color=MEASURED, linewidth=1.1)
        axes.plot(seen_x, seen_y, ".", color=MEASURED, markersize=3.5)
    axes.set_xlim(-0.5, frame.shape[1] - 0.5)
    axes.set_ylim(frame.shape[0] - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=LINE, linewidth=0.8)


def _course(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], float)
