# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture laid out in pixels and drawn by matplotlib: frames exactly as they are, lines of text cut to a width."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .lettering import Letters

_DPI = 72  # at which a point is a pixel
_ASCENT = 0.93  # of DejaVu Sans


class PixelPage:
    """`width` x `height` pixels of one colour; places are counted from the top left corner, y downward. To be used
    within `lettering.plotting`, whose `Letters` it writes with.
    """

    def __init__(self, width: int, height: int, color: str, letters: Letters) -> None:
        self._width, self._height, self._letters = width, height, letters
        self._figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=color)
        self._canvas = FigureCanvasAgg(self._figure)

    def write(self, x: float, y: float, text: object, width: float, color: str, size: float) -> None:
        """One line whose letters are `size` pixels high, from its top; what is wider than `width` ends in "…"."""
        baseline = 1 - (y + _ASCENT * size) / self._height  # the same for all words, however high they are
        line = self._figure.text(x / self._width, baseline, "", color=color, fontsize=size)
        shown = self._letters.shown(text)
        fits, most = 0, min(len(shown), int(width))  # hardly any letter is narrower than a pixel
        while fits < most:
            half = (fits + most + 1) // 2
            line.set_text(_begun(shown, half))
            if line.get_window_extent(self._canvas.get_renderer()).width <= width:
                fits = half
            else:
                most = half - 1
        line.set_text(_begun(shown, fits))

    def place(self, x: int, y: int, frame: np.ndarray) -> None:
        """A picture uint8 [H, W, 3], pixel for pixel."""
        self._figure.figimage(frame, x, self._height - y - len(frame), origin="upper")

    def panel(self, x: float, y: float, width: float, height: float, color: str = "none") -> Axes:
        """Axes without marks that fill this box."""
        across, down = width / self._width, height / self._height
        axes = self._figure.add_axes((x / self._width, 1 - y / self._height - down, across, down), facecolor=color)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    def pixels(self) -> np.ndarray:
        """What is drawn, uint8 [H, W, 3]."""
        self._canvas.draw()
        buffer: Any = self._canvas.buffer_rgba()
        return np.array(buffer)[..., :3]


def _begun(text: str, count: int) -> str:
    return text if count >= len(text) else text[:count].rstrip() + "…"
