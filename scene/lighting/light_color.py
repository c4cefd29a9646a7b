# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour and colour temperature of lights and of whatever else shines."""

from __future__ import annotations

import bpy
import numpy as np

from ... import compat
from ..color_temperature import color_temperature_k
from ..nodes import Place, color, resolve, scalar

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # Rec. 709


def luminance(rgb: np.ndarray) -> float:
    """Luminance of a linear Rec. 709 colour; 0 where it is no number."""
    value = float(np.asarray(rgb, dtype=float)[:3] @ LUMINANCE)
    return value if np.isfinite(value) else 0.0


def light_color(light: bpy.types.Light) -> tuple[np.ndarray, float | None]:
    """Linear colour of a light and its temperature: as set in kelvin, by a blackbody node, else that of the colour."""
    tint = np.array(light.color[:], dtype=float)
    stated = compat.light_temperature(light)
    nodes = _emission(light)
    if nodes is not None:
        node_tint, node_kelvin = nodes
        if stated is None and node_kelvin is not None and _neutral(tint):
            return tint, node_kelvin
        tint = tint * node_tint
    if stated is None:
        return tint, color_temperature_k(tint)
    kelvin, stated_tint = stated
    mixed = tint * np.array(stated_tint)
    return mixed, kelvin if _neutral(tint) else color_temperature_k(mixed)


def _neutral(tint: np.ndarray) -> bool:
    return float(tint.max() - tint.min()) < 1e-3 * max(float(tint.max()), 1e-9)


def _emission(light: bpy.types.Light) -> tuple[np.ndarray, float | None] | None:
    """Colour and kelvin of the Emission node that a light's own nodes end in."""
    tree = compat.light_tree(light)
    output = tree.get_output_node("ALL") if tree is not None else None
    source = resolve(Place(output.inputs["Surface"], ())) if output is not None else None
    if source is None or not source.socket.is_output or source.node.bl_idname != "ShaderNodeEmission":
        return None
    return shining_color(source.beside("Color"))


def shining_color(place: Place | None) -> tuple[np.ndarray, float | None]:
    """(linear colour, kelvin) of a colour input; white where a texture decides it."""
    source = resolve(place) if place is not None else None
    if source is not None and source.socket.is_output and source.node.bl_idname == "ShaderNodeBlackbody":
        kelvin = scalar(source.beside(0), unknown=0.0)
        return np.ones(3), kelvin if kelvin > 0.0 else None
    plain = color(place)
    if plain is None:
        return np.ones(3), None
    return plain, color_temperature_k(plain)
