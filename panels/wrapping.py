# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in lines as wide as the panel; Blender's labels do not wrap."""

from __future__ import annotations

from collections.abc import Callable

import blf
import bpy

from ..previs import plain

_FONT = 0
_POINTS = 11.0
_MINIMUM = 80.0


def wrap(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """The text's words in lines of at most `width`, in the unit of `measure`. A word that is wider is broken."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        while measure(word) > width and len(word) > 1:
            head = _fitting(word, width, measure)
            lines += [line, head] if line else [head]
            line, word = "", word[len(head) :]
        joined = f"{line} {word}" if line else word
        if line and measure(joined) > width:
            lines.append(line)
            line = word
        else:
            line = joined
    return [*lines, line] if line else lines


def _fitting(word: str, width: float, measure: Callable[[str], float]) -> str:
    count = len(word) - 1
    while count > 1 and measure(word[:count]) > width:
        count -= 1
    return word[:count]


def label(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, share: float = 1.0, icon: str = "NONE"
) -> None:
    """A label of as many lines as the text needs in `share` of the panel's width."""
    scale = context.preferences.system.ui_scale
    blf.size(_FONT, _POINTS * scale)
    # The panel's margins and the tabs at its side, and an icon, take from the region's width.
    taken = 82.0 + (24.0 if icon != "NONE" else 0.0)
    width = max(_MINIMUM * scale, (context.region.width - taken * scale) * share)
    column = layout.column(align=True)
    column.scale_y = 0.75
    for index, line in enumerate(wrap(plain(text), width, lambda part: blf.dimensions(_FONT, part)[0])):
        column.label(text=line, icon=icon if index == 0 else "BLANK1" if icon != "NONE" else "NONE")
