# SPDX-License-Identifier: GPL-3.0-or-later
"""Directions, angles and their names. No bpy: vectors are numpy arrays or sequences of three numbers, world space,
+Z up, north = +Y, east = +X."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .brief import Sector, TimeOfDay, settled

SECTORS: tuple[Sector, ...] = (
    "back", "back_right", "right", "front_right", "front", "front_left", "left", "back_left",
)  # fmt: skip  # clockwise from straight ahead of the camera
TOP_ELEVATION = 70.0
DARK_ELEVATION = -6.0
STRAIGHT_DOWN = 0.01  # horizontal part of a view direction below which it has no heading of its own
PAST_DOWN = 0.35  # the same (20 degrees), within which a camera that looks down can be tipped past the vertical


def unit(vector: Sequence[float] | np.ndarray) -> np.ndarray:
    """The vector at length 1."""
    array = np.asarray(vector, dtype=float)
    return array / math.hypot(*array)


def cross(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> np.ndarray:
    """Cross product of two vectors of three numbers (many times quicker than numpy's general one)."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def azimuth_deg(direction: Sequence[float] | np.ndarray, north_offset_deg: float = 0.0) -> float:
    """Compass azimuth of a direction, 0..360, clockwise from north seen from above; 0 for a vertical direction."""
    if math.hypot(direction[0], direction[1]) < 1e-9:
        return 0.0
    azimuth = (math.degrees(math.atan2(direction[0], direction[1])) - north_offset_deg) % 360.0
    return 0.0 if azimuth >= 360.0 else azimuth


def elevation_deg(direction: Sequence[float] | np.ndarray) -> float:
    """Angle above the horizon, -90..90."""
    return math.degrees(math.atan2(direction[2], math.hypot(direction[0], direction[1])))


def direction_from(azimuth: float, elevation: float) -> np.ndarray:
    """Unit vector of a world azimuth and an elevation, both in degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return np.array([math.sin(a) * math.cos(e), math.cos(a) * math.cos(e), math.sin(e)])


def angle_between_deg(a: np.ndarray, b: np.ndarray) -> float:
    """Angle between two unit vectors, exact for small angles too."""
    return math.degrees(2.0 * math.atan2(math.hypot(*(a - b)), math.hypot(*(a + b))))


def flat_heading(forward: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Horizontal unit vector of a view axis, or of the camera's up vector where that is vertical. A camera tipped a
    little past straight down still has that for the top of its picture, though its view axis points the other way."""
    flat = math.hypot(forward[0], forward[1])
    past = forward[2] < 0.0 and flat < PAST_DOWN and up[0] * forward[0] + up[1] * forward[1] < 0.0
    axis = up if flat < STRAIGHT_DOWN or past else forward
    return unit([axis[0], axis[1], 0.0])


@dataclass(frozen=True)
class Pose:
    """Where a camera stands and how it is turned: position in metres, orthonormal axes in world space."""

    position: np.ndarray
    right: np.ndarray
    up: np.ndarray
    forward: np.ndarray

    @classmethod
    def from_matrix(cls, rows: Sequence[float]) -> Pose:
        """From 16 numbers row by row of a camera-to-world matrix; scale is taken out, as Blender does. A mirrored
        matrix keeps its view direction and up."""
        matrix = np.asarray(rows, dtype=float).reshape(4, 4)
        forward = -unit(matrix[:3, 2])
        up = matrix[:3, 1] - forward * float(matrix[:3, 1] @ forward)
        up = unit(up)
        return cls(matrix[:3, 3].copy(), cross(forward, up), up, forward)

    @property
    def heading(self) -> np.ndarray:
        """Horizontal unit vector the camera heads for."""
        return flat_heading(self.forward, self.up)

    @property
    def pitch_deg(self) -> float:
        """Angle of the view axis above the horizon."""
        return elevation_deg(self.forward)

    @property
    def roll_deg(self) -> float:
        """Turn of the body clockwise seen from behind, -180..180; 0 for a camera that looks straight down or up."""
        if math.hypot(self.forward[0], self.forward[1]) < STRAIGHT_DOWN:
            return 0.0
        level_right = unit(cross(self.forward, [0.0, 0.0, 1.0]))
        level_up = cross(level_right, self.forward)
        return math.degrees(math.atan2(-float(self.right @ level_up), float(self.right @ level_right)))


def sector(direction: Sequence[float] | np.ndarray, pose: Pose, *, below_horizon: bool = False) -> Sector | None:
    """Where a direction lies around the camera, seen from above, in 45-degree sectors; `top` from 70 degrees up. None
    below -6 degrees unless `below_horizon` (lamps may stand low)."""
    elevation = settled(elevation_deg(direction))
    if elevation >= TOP_ELEVATION:
        return "top"
    if elevation < DARK_ELEVATION and not below_horizon:
        return None
    turn = settled(azimuth_deg(direction) - azimuth_deg(pose.heading))
    return SECTORS[math.floor((turn + 22.5) / 45.0) % 8]


def time_of_day(azimuth: float, elevation: float, rising: bool) -> TimeOfDay:
    """Name of the time by the sun's compass azimuth, its elevation (degrees) and whether it rises."""
    elevation, from_south = settled(elevation), abs(settled(azimuth - 180.0))
    if elevation < DARK_ELEVATION:
        return "night"
    if elevation < 0.0:
        return "dawn" if rising else "dusk"
    if elevation < 10.0:
        return "sunrise" if rising else "sunset"
    if elevation >= 60.0 or from_south <= 15.0:
        return "midday"
    return "morning" if rising else "afternoon"


def rising_at_ends(azimuths: Sequence[float], elevations: Sequence[float]) -> tuple[bool, bool]:
    """Whether the sun rises at the start and at the end of its track: the slope of the elevation at that end, or, for
    a sun that keeps its elevation, whether it stands in the east half."""

    def rising(track: Sequence[float], azimuth: float, sign: float) -> bool:
        for elevation in track[1:]:
            if abs(elevation - track[0]) > 0.02:
                return (elevation - track[0]) * sign > 0.0
        return azimuth % 360.0 < 180.0

    return rising(elevations, azimuths[0], 1.0), rising(elevations[::-1], azimuths[-1], -1.0)
