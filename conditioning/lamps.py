# SPDX-License-Identifier: GPL-3.0-or-later
"""What lamps give to each surface that a camera sees: by distance, angle, cone and what stands between."""

from __future__ import annotations

import math
from dataclasses import dataclass

import bpy
import numpy as np

from ..scene.brief import Rgb, Vector3
from ..scene.lighting.light_color import light_rgb

_NEAREST = 0.1  # metres


@dataclass(frozen=True)
class LampLight:
    """A lamp at one frame. `place` in metres, unit `axis` from what it lights back to it, `power` in W (W/m2 of a Sun
    light), linear RGB; `cone`, `soft`: cosine of half a spot's angle, and by how much more it is fully lit; `area` of
    an area light's face, m2."""

    name: str
    kind: str
    place: Vector3
    axis: Vector3
    power: Rgb
    cone: float = -1.0
    soft: float = 0.0
    area: float = 0.0

    def ways(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unit directions from `places` [N, 3] to the lamp [N, 3], and how far it is [N], infinite for a Sun light."""
        if self.kind == "SUN":
            return np.tile(self.axis, (len(places), 1)), np.full(len(places), np.inf)
        ways = np.array(self.place) - places
        distance = np.maximum(np.linalg.norm(ways, axis=1), 1e-6)
        return ways / distance[:, None], distance

    def irradiance(self, places: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Linear RGB irradiance [N, 3] of surfaces in its free sight, by Lambert's cosine: a point or spot spreads its
        power over a sphere; an area light is a disc of its area that radiates evenly from its face."""
        ways, distance = self.ways(places)
        share = np.maximum(0.0, (ways * normals).sum(1))
        facing = ways @ np.array(self.axis)
        if self.kind == "SUN":
            return share[:, None] * self.power
        if self.kind == "AREA":
            share = share * np.maximum(0.0, facing) / (math.pi * distance**2 + max(self.area, _NEAREST**2))
        else:
            share = share / (4 * math.pi * np.maximum(distance, _NEAREST) ** 2)
        if self.kind == "SPOT":
            inside = np.clip((facing - self.cone) / max(self.soft, 1e-6), 0.0, 1.0)
            share = share * inside**2 * (3 - 2 * inside)
        return np.asarray(share[:, None] * self.power)


def read_lamp(item: bpy.types.Object, unit: float) -> LampLight | None:
    """The lamp as the scene stands now, also one that is off; None for one that is not rendered or stands nowhere."""
    matrix, data = np.array(item.matrix_world, dtype=float), item.data
    length = float(np.linalg.norm(matrix[:3, 2]))
    power = light_rgb(data)
    if item.hide_render or not np.isfinite(matrix).all() or length < 1e-12:
        return None
    cone, soft, area = -1.0, 0.0, 0.0
    if data.type == "SPOT":
        cone = math.cos(data.spot_size / 2)
        soft = (1 - cone) * data.spot_blend
    elif data.type == "AREA":
        sides = data.size, data.size if data.shape in ("SQUARE", "DISK") else data.size_y
        area = sides[0] * sides[1] * unit**2
    place, axis = matrix[:3, 3] * unit, matrix[:3, 2] / length
    return LampLight(item.name_full, data.type, _vector(place), _vector(axis), power, cone, soft, area)


def _vector(values: np.ndarray) -> Vector3:
    x, y, z = map(float, values)
    return x, y, z
