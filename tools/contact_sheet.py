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
from PIL import Image, ImageDraw

from wan_engine.media.lettering import write_text
from wan_engine.media.pictures import read_picture

MARGIN, GAP, TEXT, SMALL, DIAL = 24, 8, 22, 18, 84
PAPER, INK, SOFT, SUN = (24, 25, 28), (236, 236, 232), (150, 152, 158), (255, 190, 90)


def clip_frames(path: str, indices: list[int]) -> list[Image.Image]:
    """The frames of a clip at the given indices."""
    wanted, found = set(indices), {}
    with av.open(path) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i in wanted:
                found[i] = frame.to_image()
    return [found[i] for i in indices]


def draw_sun(draw: ImageDraw.ImageDraw, x: int, y: int, sun: dict | None) -> None:
    """A dial seen from above, north up: the sun stands nearer the middle the higher it is."""
    r = DIAL // 2 - 6
    cx, cy = x + r + 6, y + DIAL // 2
    draw.ellipse((cx - r, cy - r, cx + r, cy + r), outline=SOFT)
    draw.line((cx, cy - r, cx, cy - r + 6), fill=SOFT, width=2)
    if sun is None:
        write_text(draw, (cx + r + 14, cy - TEXT // 2), "no sun", 4 * DIAL, SOFT, SMALL)
        return
    a, reach = math.radians(sun["azimuth"]), r * (1 - max(0.0, sun["elevation"]) / 90)
    sx, sy = cx + reach * math.sin(a), cy - reach * math.cos(a)
    color = SUN if sun["elevation"] >= 0 else SOFT
    draw.line((sx, sy, cx, cy), fill=color, width=2)
    draw.ellipse((sx - 6, sy - 6, sx + 6, sy + 6), fill=color)
    write_text(draw, (cx + r + 14, cy - TEXT - 2), f"elevation {sun['elevation']:.0f}\u00b0", 4 * DIAL, INK, SMALL)
    write_text(draw, (cx + r + 14, cy + 4), f"azimuth {sun['azimuth']:.0f}\u00b0", 4 * DIAL, INK, SMALL)


def main() -> None:
    spec = json.load(sys.stdin)
    columns = spec["columns"]
    pictures = [read_picture(Path(c["picture"])) for c in columns]
    w, h = pictures[0].size
    generated = [
        f.resize((w, h), Image.Resampling.LANCZOS) for f in clip_frames(spec["clip"], [c["index"] for c in columns])
    ]
    width = 2 * MARGIN + len(columns) * (w + GAP) - GAP
    top = MARGIN + 3 * TEXT
    height = top + 2 * (h + GAP + TEXT) + DIAL + MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    write_text(draw, (MARGIN, MARGIN - 4), spec["title"], width - 2 * MARGIN, INK, TEXT + 4)
    for i, column in enumerate(columns):
        x = MARGIN + i * (w + GAP)
        label = f"frame {column['frame']}" + ("  Blender" if i == 0 else "")
        write_text(draw, (x, top - TEXT), label, w, SOFT, SMALL)
        sheet.paste(pictures[i], (x, top))
        if i == 0:
            write_text(draw, (x, top + h + GAP - 4), "Wan Previs", w, SOFT, SMALL)
        sheet.paste(generated[i], (x, top + h + GAP + TEXT - 4))
        draw_sun(draw, x, top + 2 * (h + GAP) + TEXT, column["sun"])
    sheet.save(spec["out"])


if __name__ == "__main__":
    main()
