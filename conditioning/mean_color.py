# SPDX-License-Identifier: GPL-3.0-or-later
"""The mean colour of what textures paint: of a picture its pixels', of a ramp its stops', of a mix what is between."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..scene.nodes import Place, color, resolve, scalar

_LARGEST = 4096 * 4096  # pixels that are looked at; a larger picture's colour stays unknown
_DEPTH = 16  # of mixes in mixes
# The inputs of mixing nodes: factor, and what it mixes; of patterns: what they paint beside each other.
_MIXES = {"ShaderNodeMix": ("Factor_Float", "A_Color", "B_Color"), "ShaderNodeMixRGB": ("Fac", "Color1", "Color2")}
_PATTERNS = {"ShaderNodeTexChecker": ("Color1", "Color2"), "ShaderNodeTexBrick": ("Color1", "Color2")}


def mean_color(place: Place | None, depth: int = 0) -> np.ndarray | None:
    """The mean linear colour at an input [3]; None where that cannot be told."""
    plain = color(place)
    source = resolve(place) if place is not None else None
    if plain is not None or source is None or depth > _DEPTH:
        return plain
    node = source.node
    if node.bl_idname == "ShaderNodeTexImage":
        return _mean_pixel(node.image)
    if node.bl_idname == "ShaderNodeValToRGB":
        return np.mean([node.color_ramp.evaluate(i / 8)[:3] for i in range(9)], axis=0)
    if node.bl_idname in _PATTERNS:
        one, other = (mean_color(source.beside(name), depth + 1) for name in _PATTERNS[node.bl_idname])
        return _between(one, other, 0.5)
    if node.bl_idname in _MIXES and getattr(node, "data_type", "RGBA") == "RGBA":
        ends = _MIXES[node.bl_idname]
        inputs = {item.identifier: Place(item, source.groups) for item in node.inputs}
        factor, a, b = (inputs.get(name) for name in ends)
        return _mixed(node, scalar(factor, unknown=0.5), mean_color(a, depth + 1), mean_color(b, depth + 1))
    return None


def _mixed(node: Any, factor: float, a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    if a is None or b is None or node.blend_type not in ("MIX", "MULTIPLY"):
        return None
    return _between(a, a * b if node.blend_type == "MULTIPLY" else b, min(max(factor, 0.0), 1.0))


def _between(a: np.ndarray | None, b: np.ndarray | None, share: float) -> np.ndarray | None:
    return None if a is None or b is None else (1 - share) * a + share * b


def _mean_pixel(image: bpy.types.Image | None) -> np.ndarray | None:
    """The mean linear colour of a picture; None of none, of one that is not there, and of a very large one."""
    if image is None or not 0 < image.size[0] * image.size[1] <= _LARGEST or image.channels < 3:
        return None
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    pixels = values.reshape(-1, image.channels)
    rgb = np.clip(pixels[:: max(1, len(pixels) // 65536), :3], 0.0, None)
    if image.colorspace_settings.name == "sRGB" and not image.is_float:
        rgb = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0.04045) + 0.055) / 1.055) ** 2.4)
    return np.asarray(rgb.mean(0), float)
