# SPDX-License-Identifier: GPL-3.0-or-later
"""Strength, colour and colour temperature of lights and of whatever else shines."""

from __future__ import annotations

import math

import bpy
import numpy as np

from ... import compat
from ...wan_engine.color_temperature import blackbody_rgb, kelvin_of
from ..brief import Rgb
from ..nodes import Place, color, contributions, resolve, scalar

EMISSION = {"ShaderNodeEmission"}
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # Rec. 709


def luminance(rgb: np.ndarray) -> float:
    """Luminance of a linear Rec. 709 colour; 0 where it is no number."""
    value = float(np.asarray(rgb, dtype=float)[:3] @ LUMINANCE)
    return value if np.isfinite(value) else 0.0


def light_color(light: bpy.types.Light) -> tuple[np.ndarray, float | None]:
    """Linear colour of a light and its temperature: as set in kelvin, by a blackbody node, else that of the colour."""
    tint = np.array(light.color[:], dtype=float)
    stated = compat.light_temperature(light)
    emissions = _emissions(light)
    if emissions:
        node_tint, node_kelvin = _mixed(emissions)
        neutral, tint = _neutral(tint), tint * node_tint
        if stated is None and node_kelvin is not None and neutral:
            return tint, node_kelvin
    if stated is None:
        return tint, kelvin_of(tint)
    kelvin, stated_tint = stated
    mixed = tint * np.array(stated_tint)
    return mixed, kelvin if _neutral(tint) else kelvin_of(mixed)


def _neutral(tint: np.ndarray) -> bool:
    return float(tint.max() - tint.min()) < 1e-3 * max(float(tint.max()), 1e-9)


def node_strength(light: bpy.types.Light) -> float:
    """By how much a light's own nodes multiply its energy: 1 without nodes, 0 where they let no light out."""
    emissions = _emissions(light)
    return 1.0 if emissions is None else sum(strength for strength, _, _ in emissions)


def light_strength(light: bpy.types.Light) -> float:
    """What a light sends out, whatever its colour: its energy (W; W/m2 of a Sun light) with its exposure and its nodes'
    strength; 0 where that is no number."""
    strength = light.energy * 2.0 ** compat.light_exposure(light) * node_strength(light)
    return float(strength) if math.isfinite(strength) else 0.0


def light_power(light: bpy.types.Light) -> float:
    """By what lights compare: `light_strength` times the luminance of the colour."""
    return light_strength(light) * luminance(light_color(light)[0])


def light_hue(light: bpy.types.Light) -> Rgb | None:
    """The colour that a light shows, its largest channel 1: its own tint, that of its temperature where it has none."""
    tint, kelvin = light_color(light)
    return hue_of(blackbody_rgb(kelvin) if kelvin is not None and _neutral(tint) else tint)


def hue_of(rgb: np.ndarray) -> Rgb | None:
    """A linear colour scaled so that its largest channel is 1; None for black and for what is no number."""
    shown = np.maximum(np.asarray(rgb, dtype=float)[:3], 0.0)
    largest = float(shown.max())
    if not 1e-9 < largest < math.inf:
        return None
    r, g, b = (shown / largest).tolist()
    return r, g, b


def light_rgb(light: bpy.types.Light) -> Rgb:
    """A light's power in linear Rec. 709, of the luminance `light_power`."""
    tint, kelvin = light_color(light)
    hue = np.maximum(tint, 0.0) if kelvin is None else blackbody_rgb(kelvin)
    bright = luminance(hue)
    r, g, b = hue * (light_power(light) / bright if bright > 0.0 else 0.0)
    return float(r), float(g), float(b)


Emission = tuple[float, np.ndarray, float | None]  # strength, linear colour, kelvin


def _emissions(light: bpy.types.Light) -> list[Emission] | None:
    """What a light's own nodes send out; None for a light without nodes."""
    tree = compat.light_tree(light)
    if tree is None:
        return None
    output = tree.get_output_node("ALL")
    found = contributions(output.inputs["Surface"], EMISSION) if output is not None else []
    emissions = [
        (item.weight * scalar(item.place.beside("Strength"), unknown=1.0), *shining_color(item.place.beside("Color")))
        for item in found
    ]
    return [emission for emission in emissions if emission[0] > 0.0]


def _mixed(emissions: list[Emission]) -> tuple[np.ndarray, float | None]:
    """The colour of all emissions together; their kelvin where all have the same."""
    total = sum(strength for strength, _, _ in emissions)
    tint = np.sum([strength / total * color for strength, color, _ in emissions], axis=0)
    kelvins = {kelvin for _, _, kelvin in emissions}
    return tint, kelvins.pop() if len(kelvins) == 1 else None


def shining_color(place: Place | None) -> tuple[np.ndarray, float | None]:
    """(linear colour, kelvin) of a colour input; white where a texture decides it."""
    source = resolve(place) if place is not None else None
    if source is not None and source.socket.is_output and source.node.bl_idname == "ShaderNodeBlackbody":
        kelvin = scalar(source.beside(0), unknown=0.0)
        return np.ones(3), kelvin if kelvin > 0.0 else None
    plain = color(place)
    if plain is None:
        return np.ones(3), None
    return plain, kelvin_of(plain)
