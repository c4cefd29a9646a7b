# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of an armature are a body's joints, told by their names: Rigify, Mixamo, MPFB, Unreal and plain ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import bpy

OWN = "previs_joint"  # the custom property of a bone that says which joint its head is, such as "left knee"
SIDES = ("left", "right")
# A joint is where the bone begins that goes on from it; the bones' names without side, number and separators.
_NAMES = {
    "shoulder": ("upperarm", "uparm", "arm"),
    "elbow": ("forearm", "lowerarm", "lowarm", "elbow"),
    "wrist": ("hand", "wrist"),
    "hip": ("thigh", "upleg", "upperleg", "hip"),
    "knee": ("shin", "calf", "lowerleg", "lowleg", "leg", "knee"),
    "ankle": ("foot", "ankle"),
}
JOINTS = tuple(f"{side} {joint}" for side in SIDES for joint in _NAMES)
_HEADS = ("head",)
_PREFIXES = ("def-", "", "org-")  # those that move the mesh first; a rig's other helpers are no joints
_LEAST = 6  # joints that make a body


def body_of(armature: bpy.types.Object) -> dict[str, str]:
    """The names of the bones at whose heads the joints of a body lie, by joint (JOINTS, and "head" for the skull's
    bone); {} for an armature that is no body."""
    bones = armature.data.bones
    found = joints_of(bone.name for bone in bones)
    for bone in bones:
        own = str(bone.get(OWN, "")).strip().lower().replace("_", " ")
        if own in (*JOINTS, "head"):
            found[own] = bone.name
    pairs = [all(f"{side} {joint}" in found for side in SIDES) for joint in ("shoulder", "hip")]
    return found if len(found.keys() & set(JOINTS)) >= _LEAST and any(pairs) else {}


def joints_of(names: Iterable[str]) -> dict[str, str]:
    """Of each joint the bone whose name tells it best."""
    best: dict[str, tuple[tuple[int, int, int, str], str]] = {}
    for name in names:
        prefix, base, side, number = _parts(name)
        if prefix not in _PREFIXES:
            continue
        for joint, rank in _meanings(base, side):
            order = (_PREFIXES.index(prefix), rank, number, name)
            if joint not in best or order < best[joint][0]:
                best[joint] = order, name
    return {joint: name for joint, (_, name) in best.items()}


def _meanings(base: str, side: str) -> list[tuple[str, int]]:
    if base in _HEADS and not side:
        return [("head", 0)]
    known: Mapping[str, tuple[str, ...]] = _NAMES if side else {}
    return [(f"{side} {joint}", bases.index(base)) for joint, bases in known.items() if base in bases]


def _parts(name: str) -> tuple[str, str, str, int]:
    """(prefix, base, side, number) of a bone's name: "DEF-upper_arm.L.001" -> ("def-", "upperarm", "left", 1)."""
    text = re.sub(r"^.*:", "", name)  # Mixamo's name space
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower()
    prefix = next((p for p in ("def-", "org-", "mch-", "ctrl-", "ik-", "fk-") if text.startswith(p)), "")
    words = [word for word in re.split(r"[\s._\-]+", text[len(prefix) :]) if word]
    side, kept, number = "", [], 0
    for word in words:
        if word in ("l", "left", "r", "right"):
            side = "left" if word.startswith("l") else "right"
        elif word.isdigit():
            number = int(word)
        else:
            kept.append(word)
    base = "".join(kept)
    if not side and (match := re.match(r"(left|right)(.+)", base)):
        side, base = match[1], match[2]
    if match := re.fullmatch(r"(.*?)(\d+)", base):
        base, number = match[1], int(match[2])
    return prefix, base, side, number
