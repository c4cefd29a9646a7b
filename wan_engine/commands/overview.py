# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture of many takes: of each its first, middle and last frame, how its light goes, and the verdict.

`python -m wan_engine.commands.overview` takes a JSON object on stdin: {"title", "out": the PNG to write,
"shots": [{"name", "clip": a movie or a folder of
pictures, "verdict": words, "light": what the clip's report says of it}]}.
"""

from __future__ import annotations

import sys
from math import isfinite
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw

from ..errors import UsageError
from ..media.atomic_write import write_whole
from ..media.lettering import write_text
from ..media.pictures import read_picture
from .task_io import answer

FRAME = 300  # pixels, the width of a frame
CURVE = 320
MARGIN, GAP, TEXT = 24, 10, 18
PAPER, PANEL, INK, SOFT = (24, 25, 28), (36, 37, 41), (236, 236, 232), (150, 152, 158)
EXPECTED, MEASURED, ALLOWED = (120, 170, 230), (255, 190, 90), (48, 58, 74)
COLORS = {"holds": (120, 200, 120), "drifts": (255, 190, 90), "jumps": (235, 105, 90)}
_SHOWN = 3
_PICTURES = (".png", ".exr")


def draw_sheet(task: dict[str, Any]) -> Path:
    """Draws the sheet that `task` describes; returns its path. A clip that cannot be read leaves its frames empty and
    says so. Raises GenerationError when the sheet cannot be written.
    """
    rows = [(shot, *_frames(Path(shot["clip"]))) for shot in task["shots"]]
    heights = [max((frame.height for frame in frames), default=FRAME // 2) for _, frames, _ in rows]
    width = 2 * MARGIN + _SHOWN * (FRAME + GAP) + CURVE
    height = 2 * MARGIN + 2 * TEXT + sum(tall + 2 * TEXT + GAP for tall in heights)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    write_text(draw, (MARGIN, MARGIN - 6), task["title"], width - 3 * MARGIN - CURVE, INK, TEXT + 6)
    _draw_legend(draw, width - MARGIN - CURVE, MARGIN)
    y = MARGIN + 2 * TEXT
    for (shot, frames, trouble), tall in zip(rows, heights, strict=True):
        _draw_row(sheet, draw, y, shot, frames, trouble, tall)
        y += tall + 2 * TEXT + GAP
    out = Path(task["out"])
    write_whole(out, lambda partial: sheet.save(partial, format="PNG"))
    return out


def _draw_row(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    y: int,
    shot: dict,
    frames: list[Image.Image],
    trouble: str,
    tall: int,
) -> None:
    verdict = str(shot.get("verdict") or "").split()
    shown = _SHOWN * (FRAME + GAP) - GAP
    write_text(draw, (MARGIN, y), shot["name"], shown, INK, TEXT)
    if verdict:
        place, why = (MARGIN + shown + GAP, y), _reason(shot) if verdict == ["drifts"] else ""
        write_text(draw, place, f"The light {' '.join(verdict)}{why}", CURVE, COLORS.get(verdict[0], INK), TEXT)
    top = y + TEXT + 8
    for k, frame in enumerate(frames):
        sheet.paste(frame, (MARGIN + k * (FRAME + GAP), top))
    if trouble:
        write_text(draw, (MARGIN, top), trouble, shown, SOFT, TEXT - 3)
    left = MARGIN + _SHOWN * (FRAME + GAP)
    _draw_curve(draw, (left, top, left + CURVE, top + tall), shot.get("light") or {})


def _draw_curve(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], light: dict) -> None:
    """The light's course over the clip against the expected one, as the verdict held them, from 0 up; jumps as upright
    lines."""
    draw.rectangle(box, fill=PANEL)
    measured = light.get("measured") or {}
    expected, departure = _numbers(measured.get("expected")), measured.get("departure") or {}
    told = light.get("expected")
    absolute = isinstance(told, dict) and told.get("source") == "render"
    frames = (measured.get("luminance") or {}).get("mean") if absolute else measured.get("light")
    course = _numbers(departure.get("held") or frames)
    if not course:
        write_text(draw, (box[0] + GAP, box[1] + GAP), "not measured", CURVE, SOFT, TEXT - 3)
        return
    highest = 1.15 * max([*course, *expected, 1e-6])
    bound = next((check["bound"] for check in _checks(light) if check["reason"] == "curve"), 0.0)
    reach = [bound * level for level in _numbers(departure.get("level"))]
    band = [[v + sign * r for v, r in zip(expected, reach, strict=False)] for sign in (1, -1)]
    outline = [*_points(box, band[0], highest), *reversed(_points(box, band[1], highest))]
    if len(outline) > 2:
        draw.polygon(outline, fill=ALLOWED)
    for jump in measured.get("jumps") or []:
        x = _across(box, int(jump["frame"]), len(course))
        draw.line((x, box[1], x, box[3]), fill=SOFT if jump.get("meant") else COLORS["jumps"], width=2)
    for values, color in ((expected, EXPECTED), (course, MEASURED)):
        points = _points(box, values, highest)
        if len(points) > 1:
            draw.line(points, fill=color, width=3, joint="curve")


def _points(box: tuple[int, int, int, int], values: list[float], highest: float) -> list[tuple[float, float]]:
    """Where these values lie in the box, 0 at the bottom."""
    tall = box[3] - box[1] - 2 * GAP
    return [(_across(box, k, len(values)), box[3] - GAP - tall * value / highest) for k, value in enumerate(values)]


def _checks(light: dict) -> list[dict]:
    """What the clip was held to."""
    verdict = light.get("verdict") or {}
    return list(verdict.get("checks") or []) if isinstance(verdict, dict) else []


def _reason(shot: dict) -> str:
    """What makes the light drift, which need not be seen in its curve."""
    failed = [check["reason"] for check in _checks(shot.get("light") or {}) if check["measured"] > check["bound"]]
    return f": {failed[0]}" if failed else ""


def _draw_legend(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    write_text(draw, (x, y), "light of the scene", 150, EXPECTED, TEXT - 3)
    write_text(draw, (x + 150, y), "light of the clip", CURVE - 150, MEASURED, TEXT - 3)


def _across(box: tuple[int, int, int, int], k: int, count: int) -> float:
    return box[0] + GAP + (box[2] - box[0] - 2 * GAP) * k / max(1, count - 1)


def _numbers(values: object) -> list[float]:
    """The finite numbers of a list; none of anything else."""
    finite = (v for v in values if isinstance(v, int | float) and isfinite(v)) if isinstance(values, list) else ()
    return [float(v) for v in finite]


def _frames(clip: Path) -> tuple[list[Image.Image], str]:
    """First, middle and last frame in the sheet's size, or none and why."""
    try:
        files = sorted(path for path in clip.iterdir() if path.suffix in _PICTURES) if clip.is_dir() else []
        pictures = [read_picture(files[k]) for k in _chosen(len(files))] if files else _of_movie(clip)
    except UsageError as error:
        return [], str(error)
    except (OSError, av.FFmpegError) as error:
        return [], f"{clip} cannot be read ({getattr(error, 'strerror', None) or error})."
    return [_fitted(picture) for picture in pictures], "" if pictures else f"{clip} holds no frames."


def _of_movie(clip: Path) -> list[Image.Image]:
    with av.open(str(clip)) as container:
        count = sum(1 for _ in container.decode(video=0))
    wanted = _chosen(count)
    with av.open(str(clip)) as container:
        found = {k: frame.to_image() for k, frame in enumerate(container.decode(video=0)) if k in wanted}
    return [found[k] for k in wanted]


def _fitted(picture: Image.Image) -> Image.Image:
    return picture.resize((FRAME, max(1, round(FRAME * picture.height / picture.width))), Image.Resampling.LANCZOS)


def _chosen(count: int) -> list[int]:
    return [int(k) for k in np.linspace(0, count - 1, _SHOWN).round()] if count else []


if __name__ == "__main__":
    sys.exit(answer(draw_sheet))
