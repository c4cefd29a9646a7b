# SPDX-License-Identifier: GPL-3.0-or-later
"""A shot's facts in an artist's words, for the panels. No bpy: rows are filled attribute by attribute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..previs import Reference, Shot

SIDES = {
    "front": "behind camera",
    "front_left": "behind left",
    "left": "left",
    "back_left": "ahead left",
    "back": "ahead",
    "back_right": "ahead right",
    "right": "right",
    "front_right": "behind right",
    "top": "overhead",
}
COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
UNITS = {"m": " m", "deg": "°", "mm": " mm"}
LENSES = {"fisheye": "fisheye lens", "wide": "wide lens", "medium": "normal lens", "long": "long lens"}


def fill_row(row: Any, shot: Shot, fps: float, prompt: str) -> None:
    """Write a shot into a row of `scene.wan_previs.shots`; facts that the scene does not hold are empty."""
    row.name = shot.name
    row.frames = f"{shot.frame_start}\N{EN DASH}{shot.frame_end}  ({shot.frame_count / fps:.1f} s)"
    lens = LENSES.get(shot.camera_path.lens_class or "")
    row.camera = ", ".join(filter(None, (shot.camera, lens)))
    row.move = ", ".join(_move(move.kind, move.amount, move.unit) for move in shot.camera_path.moves[:3])
    row.framing = ", ".join(
        _words(word) for word in (shot.camera_path.shot_size, shot.camera_path.angle) if word
    ).capitalize()
    row.light, row.sun_height, row.sun_compass, row.sun_side = _sun(shot)
    row.references = ", ".join(_reference(reference) for reference in shot.references)
    row.reference_count = len({reference.path for reference in shot.references})
    row.prompt = prompt


def _reference(reference: Reference) -> str:
    """The picture, and whose it is where it is not the scene's."""
    file = PurePath(reference.path).name or "no file"
    return file if reference.kind == "scene" else f"{file} ({reference.name})"


def _sun(shot: Shot) -> tuple[str, str, str, str]:
    """(time of day, height, azimuth, where the light comes from); all empty without a sun."""
    if shot.sun is None:
        return "", "", "", ""
    first, last = shot.sun.samples[0], shot.sun.samples[-1]
    times, sides = shot.sun.time_of_day, shot.sun.relative_to_camera
    return (
        _change([_words(times.start), _words(times.end)]).capitalize(),
        _change([f"{round(first.elevation_deg)}°", f"{round(last.elevation_deg)}°"]),
        _change([_bearing(first.azimuth_deg), _bearing(last.azimuth_deg)]),
        _change([SIDES.get(sides.start or "", ""), SIDES.get(sides.end or "", "")]).capitalize(),
    )


def _change(ends: Sequence[str]) -> str:
    """Start to end, or only one of them when nothing changes."""
    return " → ".join(dict.fromkeys(filter(None, ends)))


def _bearing(azimuth: float) -> str:
    degrees = round(azimuth) % 360
    return f"{degrees}° {COMPASS[round(degrees / 45) % 8]}"


def _move(kind: str, amount: float | None, unit: str | None) -> str:
    words = _words(kind)
    if amount is None or unit is None:
        return words.capitalize()
    size = f"{amount:.1f}" if unit == "m" else f"{amount:.0f}"
    return f"{words} {size}{UNITS[unit]}".capitalize()


def _words(key: str | None) -> str:
    return (key or "").replace("_", " ")
