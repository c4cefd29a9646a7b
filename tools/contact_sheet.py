# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws a contact sheet from a JSON description on stdin: scene frames above, clip frames below, the sun under them.

Runs with the engine's side. The description: {"title", "clip", "out", "columns": [{"frame", "index", "picture",
"sun"}]}.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import av
import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from wan_engine.media.lettering import plotting
from wan_engine.media.pictures import read_picture
from wan_engine.media.pixel_page import PixelPage

MARGIN, GAP, TEXT, SMALL, DIAL = 24, 8, 22, 18, 84
PAPER, INK, SOFT, SUN = "#18191c", "#ececec", "#96989e", "#ffbe5a"


def clip_frames(path: str, indices: list[int]) -> list[Image.Image]:
    """The frames of a clip at the given indices."""
    wanted, found = set(indices), {}
    with av.open(path) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i in wanted:
                found[i] = frame.to_image()
    return [found[i] for i in indices]


def draw_dial(axes: Axes, sun: dict | None) -> None:
    """A dial seen from above, north up: the sun stands nearer the middle the higher it is."""
    axes.set_xlim(-1.17, 1.17)
    axes.set_ylim(-1.17, 1.17)
    around = np.linspace(0, 2 * math.pi, 181)
    axes.plot(np.cos(around), np.sin(around), color=SOFT, linewidth=1)
    axes.plot([0, 0], [1, 0.83], color=SOFT, linewidth=2)
    if sun is None:
        return
    azimuth, reach = math.radians(sun["azimuth"]), 1 - max(0.0, sun["elevation"]) / 90
    x, y, color = reach * math.sin(azimuth), reach * math.cos(azimuth), SUN if sun["elevation"] >= 0 else SOFT
    axes.plot([x, 0], [y, 0], color=color, linewidth=2)
    axes.plot([x], [y], "o", color=color, markersize=12, markeredgewidth=0, clip_on=False)


def main() -> None:
    spec = json.load(sys.stdin)
    columns = spec["columns"]
    pictures = [read_picture(Path(c["picture"])).convert("RGB") for c in columns]
    w, h = pictures[0].size
    generated = [
        f.resize((w, h), Image.Resampling.LANCZOS) for f in clip_frames(spec["clip"], [c["index"] for c in columns])
    ]
    width = 2 * MARGIN + len(columns) * (w + GAP) - GAP
    top = MARGIN + 3 * TEXT
    under = top + 2 * (h + GAP) + TEXT
    with plotting([spec["title"]]) as letters:
        page = PixelPage(width, under + GAP + DIAL + MARGIN, PAPER, letters)
        page.write(MARGIN, MARGIN - 4, spec["title"], width - 2 * MARGIN, INK, TEXT + 4)
        for i, column in enumerate(columns):
            x = MARGIN + i * (w + GAP)
            page.write(x, top - TEXT, f"frame {column['frame']}" + ("  Blender" if i == 0 else ""), w, SOFT, SMALL)
            page.place(x, top, np.asarray(pictures[i]))
            if i == 0:
                page.write(x, top + h + GAP - 4, "Wan Previs", w, SOFT, SMALL)
            page.place(x, top + h + GAP + TEXT - 4, np.asarray(generated[i]))
            draw_dial(page.panel(x, under, DIAL, DIAL), column["sun"])
            for line, words in enumerate(sun_words(column["sun"])):
                page.write(x + DIAL + GAP, under + DIAL // 2 - TEXT + line * (TEXT + 2), words, w - DIAL, INK, SMALL)
        Image.fromarray(page.pixels()).save(spec["out"])


def sun_words(sun: dict | None) -> list[str]:
    """What is written beside the dial, line by line."""
    if sun is None:
        return ["no sun"]
    return [f"elevation {sun['elevation']:.0f}\u00b0", f"azimuth {sun['azimuth']:.0f}\u00b0"]


if __name__ == "__main__":
    main()
