# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for things: what an object's name says, and what a colour is called. No bpy."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence

# Parts of names that say how a thing was made, not what it is.
NOISE = {"sm", "geo", "mesh", "obj", "lod", "low", "high", "hi", "lo", "grp", "root", "lod0", "lod1", "lod2", "mdl"}
GROUND = {
    "ground", "floor", "terrain", "landscape", "backdrop", "background", "cyclorama", "cyc", "sky", "skydome", "dome",
    "ceiling", "ocean", "sea", "lawn", "pavement", "horizon", "environment", "env",
}  # fmt: skip
HUES = ((15, "red"), (42, "orange"), (68, "yellow"), (165, "green"), (195, "cyan"), (258, "blue"), (292, "purple"),
        (335, "pink"), (361, "red"))  # fmt: skip


def clean_name(name: str) -> str:
    """What an object's name says: "Chair.003" -> "chair", "SM_OldTree_02" -> "old tree". The name itself in lower
    case when nothing else is left."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"\.\d+$", "", name))
    words = [re.sub(r"\d+$", "", word) for word in re.split(r"[\s_\-.]+", spaced.lower())]
    kept = [word for word in words if word and word not in NOISE]
    return " ".join(kept) or name.lower()


def is_ground_name(cleaned: str) -> bool:
    """Whether a cleaned name says ground or backdrop."""
    return any(word in GROUND for word in cleaned.split())


def color_word(rgb: Sequence[float]) -> str | None:
    """Everyday word for a linear colour; None for greys in the middle, which say little."""
    shown = [max(0.0, min(1.0, c)) ** (1.0 / 2.2) for c in rgb[:3]]
    hue, saturation, value = colorsys.rgb_to_hsv(*shown)
    if value < 0.2:
        return "black"
    if saturation < 0.2:
        return "white" if value > 0.93 else None
    word = next(word for limit, word in HUES if hue * 360.0 < limit)
    return "brown" if word in ("orange", "red") and value < 0.65 and saturation < 0.85 and hue > 0.02 else word
