# SPDX-License-Identifier: GPL-3.0-or-later
"""What a material does with light, read off its nodes: whether it shines, has a surface, fills its inside with fog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ... import compat
from ...wan_engine.color_temperature import blackbody_rgb
from ..brief import Rgb
from ..lighting.light_color import hue_of, luminance, shining_color
from ..nodes import Place, contributions, resolve, scalar

VOLUMES = {"ShaderNodeVolumeScatter", "ShaderNodeVolumePrincipled", "ShaderNodeVolumeAbsorption"}
SHINING = {"ShaderNodeEmission", "ShaderNodeBsdfPrincipled"}


@dataclass(frozen=True)
class MaterialLook:
    """Emission strength times luminance (`glow`), its kelvin and colour, density of its volume, and whether rays stop
    at it."""

    glow: float = 0.0
    color_temperature_k: float | None = None
    density: float = 0.0
    surface: bool = True
    color: Rgb | None = None


class Materials:
    """Looks of materials, each read once."""

    def __init__(self) -> None:
        self.looks: dict[str, MaterialLook] = {}

    def of(self, item: bpy.types.Object) -> list[MaterialLook]:
        """Looks of an object's materials."""
        return [self._look(slot.material) for slot in item.material_slots if slot.material is not None]

    def _look(self, material: bpy.types.Material) -> MaterialLook:
        name = material.name_full
        if name not in self.looks:
            self.looks[name] = material_look(material)
        return self.looks[name]


def material_look(material: bpy.types.Material) -> MaterialLook:
    """The look of a material as its nodes stand."""
    tree = compat.material_tree(material)
    output = tree.get_output_node("ALL") if tree is not None else None
    if output is None:
        return MaterialLook()
    density = volume_density(output)
    source = resolve(Place(output.inputs["Surface"], ()))
    bare = density > 0.0 and (source is None or not source.socket.is_output)
    glow, kelvin, tint = max(_glows(output), key=lambda found: found[0], default=(0.0, None, None))
    return MaterialLook(glow, kelvin, density, not bare, tint)


def volume_density(output: Any) -> float:
    """The largest density of the volumes that an output node shows; 1 where a texture decides it."""
    found = contributions(output.inputs["Volume"], VOLUMES)
    return max((scalar(item.place.beside("Density"), unknown=1.0) for item in found), default=0.0)


def _glows(output: Any) -> Iterator[tuple[float, float | None, Rgb | None]]:
    for found in contributions(output.inputs["Surface"], SHINING, camera_ray=1.0):
        emission = found.place.node.bl_idname == "ShaderNodeEmission"
        tint, kelvin = shining_color(found.place.beside("Color" if emission else "Emission Color"))
        strength = scalar(found.place.beside("Strength" if emission else "Emission Strength"), unknown=1.0)
        yield strength * found.weight * luminance(tint), kelvin, _plain_hue(tint, kelvin)


def _plain_hue(tint: np.ndarray, kelvin: float | None) -> Rgb | None:
    """The hue of what shines; of white by a texture or a temperature, the temperature's or None."""
    if kelvin is None:
        return None if (tint == 1.0).all() else hue_of(tint)
    return hue_of(blackbody_rgb(kelvin) if (tint == 1.0).all() else tint)
