# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for things: what an object's name says, and what a colour is called. No bpy."""

from __future__ import annotations

import colorsys
import re
import unicodedata
from collections.abc import Iterable, Sequence

# Parts of names that say how a thing was made, not what it is.
NOISE = {
    "sm", "sk", "geo", "mesh", "msh", "obj", "ob", "lod", "low", "high", "hi", "lo", "grp", "root", "mdl", "chr", "ch",
    "prp", "prop", "rig", "armature", "metarig", "ctrl", "proxy", "lowpoly", "highpoly", "asset", "copy", "final", "lp",
    "hp", "poly", "retopo", "res",
}  # fmt: skip
GROUND = {
    "ground", "floor", "terrain", "landscape", "backdrop", "background", "cyclorama", "cyc", "sky", "skydome", "dome",
    "ceiling", "ocean", "sea", "lawn", "pavement", "horizon", "environment", "env", "track", "road", "street", "grass",
    "sidewalk", "skybox", "地面", "地板", "背景", "天空",
}  # fmt: skip
# Names that Blender or an importer gives, which say nothing about what a thing is.
DEFAULT = {
    "cube", "sphere", "uv sphere", "icosphere", "ico sphere", "plane", "cylinder", "cone", "torus", "circle", "grid",
    "curve", "bezier curve", "bezier circle", "nurbs path", "nurbs curve", "empty", "null", "mesh", "object", "rig",
    "armature", "metarig", "skeleton", "root", "collection", "group", "model", "geometry", "instance", "node",
    "default", "scene", "rootnode", "scene collection",
}  # fmt: skip
HUES = ((15, "red"), (42, "orange"), (68, "yellow"), (165, "green"), (195, "cyan"), (258, "blue"), (292, "purple"),
        (335, "pink"), (361, "red"))  # fmt: skip
BRICK = 15.0  # degrees of hue up to which all but dark shades are red
EARTH = (7.2, 65.0)  # degrees of hue whose pale and dark shades have names of their own


def clean_name(name: str) -> str:
    """What an object's name says: "Chair.003" -> "chair", "SM_OldTree_LOD0" -> "old tree". The name itself in lower
    case when nothing else is left; scripts without words and cases are kept as they are."""
    whole = unicodedata.normalize("NFC", name).strip()
    bare = re.sub(r"(\.\d+)+$", "", whole)
    spaced = re.sub(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", bare)
    words = [re.sub(r"\d+$", "", word) for word in re.split(r"[\s_\-.:|/]+", spaced.lower())]
    kept = [word for word in words if word and word not in NOISE and word != "v"]
    return " ".join(kept) or bare.lower() or whole.lower()


def best_name(names: Iterable[str]) -> str:
    """The first of the names, cleaned, that says what a thing is; the first one when none does."""
    cleaned = [clean_name(name) for name in names]
    return next((name for name in cleaned if name not in DEFAULT and not name.isdigit()), cleaned[0])


def is_ground_name(cleaned: str) -> bool:
    """Whether a cleaned name says ground or backdrop."""
    return any(word in GROUND for word in cleaned.split())


def color_word(rgb: Sequence[float]) -> str | None:
    """Everyday word for a linear colour; None for greys in the middle, which say little."""
    shown = [max(0.0, min(1.0, c)) ** (1.0 / 2.2) for c in rgb[:3]]
    hue, saturation, value = colorsys.rgb_to_hsv(*shown)
    degrees = hue * 360.0
    if value < 0.2:
        return "black"
    if saturation < 0.2:
        return "white" if value > 0.93 else None
    if EARTH[0] <= degrees < EARTH[1] and saturation < 0.85:
        if value < (0.65 if degrees < BRICK else 0.7) or (
            saturation >= 0.35 and value < 0.76 and BRICK <= degrees < 40.0
        ):
            return "brown" if degrees < 50.0 else "olive green"
        if saturation < 0.35:
            return "beige"
    return next(word for limit, word in HUES if degrees < limit)
