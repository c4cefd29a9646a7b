# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture of many takes: of each its first, middle and last frame, how its light goes, and the verdict.

`python -m wan_engine.commands.overview` takes a JSON object on stdin: {"title", "out": the PNG to write,
"shots": [{"name", "clip": a movie or a folder of
pictures, "verdict": words, "follow": words, "light": what the clip's report says of it}]}.
"""

from __future__ import annotations

import sys
from math import isfinite
from pathlib import Path
from typing import Any

import av
import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from ..errors import UsageError, reason_of
from ..media.atomic_write import write_whole
from ..media.lettering import Letters, plotting
from ..media.pictures import read_picture
from ..media.pixel_page import PixelPage
from .task_io import answer

FRAME = 300  # pixels, the width of a frame
CURVE = 320
MARGIN, GAP, TEXT = 24, 10, 18
PAPER, PANEL, INK, SOFT = "#18191c", "#242529", "#ececec", "#96989e"
EXPECTED, MEASURED, ALLOWED = "#78aae6", "#ffbe5a", "#303a4a"
HOLDS, FAILS, JUMPS = "#78c878", "#ffbe5a", "#eb695a"
_SHOWN = 3
_LEFT = MARGIN + _SHOWN * (FRAME + GAP)  # of the curves
_WIDTH = _LEFT + CURVE + MARGIN
_PICTURES = (".png", ".exr")


def draw_sheet(task: dict[str, Any]) -> Path:
    """Draws the sheet that `task` describes; returns its path. A clip that cannot be read leaves its frames empty and
    says so. Raises GenerationError when the sheet cannot be written.
    """
    rows = [(shot, *_frames(Path(shot["clip"]))) for shot in task["shots"]]
    texts = [word for shot, _, why in rows for word in (shot["name"], shot.get("verdict"), shot.get("follow"), why)]
    with plotting([task["title"], *texts]) as letters:
        head = _head(task["title"], letters)
        parts = [head, *(_row(shot, frames, trouble, letters) for shot, frames, trouble in rows)]
    sheet = Image.fromarray(np.concatenate(parts))
    out = Path(task["out"])
    write_whole(out, lambda partial: sheet.save(partial, format="PNG"))
    return out


def _head(title: str, letters: Letters) -> np.ndarray:
    page = PixelPage(_WIDTH, MARGIN + 2 * TEXT, PAPER, letters)
    page.write(MARGIN, MARGIN - 6, title, _LEFT - 2 * MARGIN, INK, TEXT + 6)
    page.write(_LEFT, MARGIN, "light of the scene", 150, EXPECTED, TEXT - 3)
    page.write(_LEFT + 150, MARGIN, "light of the clip", CURVE - 150, MEASURED, TEXT - 3)
    return page.pixels()


def _row(shot: dict, frames: list[np.ndarray], trouble: str, letters: Letters) -> np.ndarray:
    """A shot's strip of the sheet, uint8 [H, W, 3]: each a figure of its own, so that any number of shots fits."""
    tall = max((len(frame) for frame in frames), default=FRAME // 2)
    top = TEXT + 8
    verdict, _, more = str(shot.get("verdict") or "").partition(", ")  # "holds within 10 %, colour not judged"
    page = PixelPage(_WIDTH, top + tall + (2 if more else 1) * TEXT, PAPER, letters)
    shown = _LEFT - GAP - MARGIN
    page.write(MARGIN, 0, shot["name"], shown, INK, TEXT)
    if verdict:
        words = "The light is unmeasured" if verdict == "unmeasured" else f"The light {verdict}"
        page.write(_LEFT, 0, words, CURVE, _color(verdict), TEXT)
        page.write(_LEFT, top + tall + TEXT, more, CURVE, SOFT, TEXT - 3)
    if follow := str(shot.get("follow") or ""):
        words = "Following cannot be told" if follow == "cannot be told" else f"The clip {follow}"
        color = HOLDS if follow == "follows" else JUMPS if follow.startswith("strays") else SOFT
        page.write(_LEFT, top + tall, words, CURVE, color, TEXT - 3)
    for k, frame in enumerate(frames):
        page.place(MARGIN + k * (FRAME + GAP), top, frame)
    if trouble:
        page.write(MARGIN, top, trouble, shown, SOFT, TEXT - 3)
    if not _draw_curve(page.panel(_LEFT, top, CURVE, tall, PANEL), shot.get("light") or {}):
        page.write(_LEFT + GAP, top + GAP, "not measured", CURVE, SOFT, TEXT - 3)
    return page.pixels()


def _color(verdict: str) -> str:
    word = verdict.split()[0]
    return {"holds": HOLDS, "jumps": JUMPS, "unmeasured": INK}.get(word, FAILS)


def _draw_curve(axes: Axes, light: dict) -> bool:
    """The light's course over the clip against the expected one, as the verdict held them, from 0 up; jumps as upright
    lines. False, and nothing drawn, where nothing was measured."""
    measured = light.get("measured") or {}
    expected, departure = _numbers(measured.get("expected")), measured.get("departure") or {}
    told = light.get("expected")
    absolute = isinstance(told, dict) and told.get("source") == "render"
    frames = (measured.get("luminance") or {}).get("mean") if absolute else measured.get("light")
    course = _numbers(departure.get("held") or frames)
    if not course:
        return False
    axes.set_xlim(-GAP / (CURVE - 2 * GAP), 1 + GAP / (CURVE - 2 * GAP))
    axes.set_ylim(0, 1.2 * max([*course, *expected, 1e-6]))
    bound = next((check["bound"] for check in _checks(light) if check["reason"] == "curve"), 0.0)
    reach = [bound * level for level in _numbers(departure.get("level"))]
    allowed = [(value - much, value + much) for value, much in zip(expected, reach, strict=False)]
    if allowed:
        axes.fill_between(_across(len(allowed)), *zip(*allowed, strict=True), color=ALLOWED, linewidth=0)
    for jump in measured.get("jumps") or []:
        color = SOFT if jump.get("meant") else JUMPS
        axes.axvline(int(jump["frame"]) / max(1, len(course) - 1), color=color, linewidth=2)
    for values, color in ((expected, EXPECTED), (course, MEASURED)):
        marker = "o" if len(values) == 1 else None
        axes.plot(_across(len(values)), values, color=color, linewidth=3, marker=marker, solid_joinstyle="round")
    return True


def _across(count: int) -> np.ndarray:
    """Where so many values lie between the panel's sides, 0 to 1."""
    return np.arange(count) / max(1, count - 1)


def _checks(light: dict) -> list[dict]:
    """What the clip was held to."""
    verdict = light.get("verdict") or {}
    return list(verdict.get("checks") or []) if isinstance(verdict, dict) else []


def _numbers(values: object) -> list[float]:
    """The finite numbers of a list; none of anything else."""
    finite = (v for v in values if isinstance(v, int | float) and isfinite(v)) if isinstance(values, list) else ()
    return [float(v) for v in finite]


def _frames(clip: Path) -> tuple[list[np.ndarray], str]:
    """First, middle and last frame in the sheet's size, uint8 [H, W, 3], or none and why."""
    try:
        files = sorted(path for path in clip.iterdir() if path.suffix in _PICTURES) if clip.is_dir() else []
        pictures = [read_picture(files[k]) for k in _chosen(len(files))] if files else _of_movie(clip)
    except UsageError as error:
        return [], str(error)
    except (OSError, av.FFmpegError) as error:
        return [], f"{clip} cannot be read ({reason_of(error)})."
    return [_fitted(picture) for picture in pictures], "" if pictures else f"{clip} holds no frames."


def _of_movie(clip: Path) -> list[Image.Image]:
    with av.open(str(clip)) as container:
        count = sum(1 for _ in container.decode(video=0))
    wanted = _chosen(count)
    with av.open(str(clip)) as container:
        found = {k: frame.to_image() for k, frame in enumerate(container.decode(video=0)) if k in wanted}
    return [found[k] for k in wanted]


def _fitted(picture: Image.Image) -> np.ndarray:
    size = (FRAME, max(1, round(FRAME * picture.height / picture.width)))
    return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))


def _chosen(count: int) -> list[int]:
    return [int(k) for k in np.linspace(0, count - 1, _SHOWN).round()] if count else []


if __name__ == "__main__":
    sys.exit(answer(draw_sheet))
