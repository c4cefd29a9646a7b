# SPDX-License-Identifier: GPL-3.0-or-later
"""What the samples of a camera's path say about its view: where it heads, how steeply, and whether a sky is in it.

Bearings are degrees against the camera's heading seen from above: 0 ahead of the camera, 90 to its right.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from ..scene.brief import CameraPath, CameraSample, Matrix16, Sun, SunStretch, Vector3

STEEP = math.sin(math.radians(70.0))  # of the view's angle to the horizon: as the brief's `overhead`
VERTICAL = 1e-3  # horizontal part of a view that has no heading of its own
ABOVE_HORIZON = math.sin(math.radians(1.0))


def bearings(sun: Sun | SunStretch, path: CameraPath) -> list[tuple[float, float]]:
    """(elevation, bearing against the camera's heading) in degrees at every sampled frame of the shot."""
    frames = sorted({sample.frame for sample in sun.samples} | {sample.frame for sample in path.samples})
    found = []
    for frame in frames:
        direction = at_frame(sun.samples, frame, "direction")
        elevation = math.degrees(math.atan2(direction[2], math.hypot(direction[0], direction[1])))
        found.append((elevation, azimuth(direction) - heading(at_frame(path.samples, frame, "matrix_world"))))
    return found


def turns(path: CameraPath) -> list[float]:
    """How far the camera has turned since the first sample, in degrees clockwise, at each sample."""
    headings = [heading(sample.matrix_world) for sample in path.samples]
    return [one - headings[0] for one in headings]


def turned(path: CameraPath, first: int, last: int) -> float:
    """How far the camera turns between two frames, in degrees clockwise, going the short way between samples."""
    frames = sorted({first, last, *(sample.frame for sample in path.samples if first < sample.frame < last)})
    headings = [heading(at_frame(path.samples, frame, "matrix_world")) for frame in frames]
    return sum((b - a + 180.0) % 360.0 - 180.0 for a, b in pairwise(headings))


def at_frame(samples: tuple[Any, ...], frame: int, name: str) -> tuple[float, ...]:
    """A field of the samples at a frame, linear between them."""
    after = next((i for i, sample in enumerate(samples) if sample.frame >= frame), len(samples) - 1)
    b = samples[after]
    a = samples[max(after - 1, 0)]
    if b.frame == a.frame:
        return tuple(getattr(b, name))
    t = min(max((frame - a.frame) / (b.frame - a.frame), 0.0), 1.0)
    return tuple(x + (y - x) * t for x, y in zip(getattr(a, name), getattr(b, name), strict=True))


def azimuth(direction: tuple[float, ...] | Vector3) -> float:
    """World azimuth of a direction in degrees."""
    return math.degrees(math.atan2(direction[0], direction[1]))


def heading(matrix: tuple[float, ...] | Matrix16) -> float:
    """World azimuth of the view; the camera's up vector counts when it looks straight down or up."""
    x, y = -matrix[2], -matrix[6]
    if math.hypot(x, y) < VERTICAL:
        x, y = matrix[1], matrix[5]
    return math.degrees(math.atan2(x, y))


def is_steep(path: CameraPath, frame: int) -> bool:
    """Whether the camera looks down or up so steeply at a frame that front and back are not in its picture."""
    return bool(path.samples) and abs(at_frame(path.samples, frame, "matrix_world")[10]) >= STEEP


def sees_sky(path: CameraPath) -> bool:
    """Whether what lies above the horizon is in the picture at any sample; true where no sample tells."""
    return not path.samples or any(_highest(sample) > ABOVE_HORIZON for sample in path.samples)


def sees_ground(path: CameraPath, frame: int) -> bool:
    """Whether what lies below the horizon is in the picture at a sampled frame, or at the last sample before it; true
    where no sample tells."""
    before = [sample for sample in path.samples if sample.frame <= frame] or list(path.samples[:1])
    return not before or min(_corners(before[-1])) < -ABOVE_HORIZON


def _highest(sample: CameraSample) -> float:
    """Sine of the elevation of the picture's highest corner."""
    return max(_corners(sample))


def _corners(sample: CameraSample) -> list[float]:
    """Sines of the elevations of the picture's corners; of the view itself, and a little to both sides of it, for a
    camera without a lens, which looks at everything from the same side."""
    m = sample.matrix_world
    if not sample.lens_mm:
        return [-m[10] + 2 * ABOVE_HORIZON, -m[10] - 2 * ABOVE_HORIZON]
    largest = max(sample.sensor_mm)
    found = []
    for side in (-0.5, 0.5):
        for rise in (-0.5, 0.5):
            x = side * sample.sensor_mm[0] + sample.shift[0] * largest
            y = rise * sample.sensor_mm[1] + sample.shift[1] * largest
            length = math.sqrt(x * x + y * y + sample.lens_mm**2)
            found.append((x * m[8] + y * m[9] - sample.lens_mm * m[10]) / length)
    return found
