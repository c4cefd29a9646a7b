# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera of every frame, as the models read it that follow one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...scene.brief import SceneError, Shot
from ...scene.camera.camera import CameraState
from .seen import Seen


class CameraPass:
    """Writes `path`: {"frames": [{"frame", "matrix_world", "lens_mm", "sensor_mm", "shift"}]}, one per frame of the
    clip; see `camera_frame`. Needs no render."""

    layers = ()

    def __init__(self, shot: Shot, path: Path) -> None:
        self.shot, self.path = shot, path
        self.frames: list[dict[str, Any]] = []

    def add(self, seen: Seen) -> None:
        self.frames.append({"frame": seen.frame, **camera_frame(seen.camera, self.shot)})

    def finish(self) -> None:
        self.path.write_text(json.dumps({"frames": self.frames}), encoding="utf-8")


def camera_frame(camera: CameraState, shot: Shot) -> dict[str, Any]:
    """A camera in plain numbers, with sensor fit, pixel aspect and squeeze resolved: `sensor_mm` is the part of the
    sensor that the picture shows, so lens / sensor is the focal length in widths and heights of the picture, whatever
    its pixels' shape. `matrix_world` is camera to world in Blender's axes, 16 numbers row by row, in metres; `shift`
    is in larger sides of `sensor_mm`. Raises SceneError for a camera without a focal length.
    """
    if camera.lens_mm is None:
        raise SceneError(
            f'The camera of shot "{shot.name}" is orthographic, and models that follow a camera know perspective ones '
            "alone. Make it a perspective camera, or choose another mode."
        )
    width, height = camera.width * camera.lens_mm, camera.height * camera.lens_mm
    larger = max(width, height)
    x, y = camera.offset
    return {
        "matrix_world": list(camera.matrix), "lens_mm": camera.lens_mm, "sensor_mm": [width, height],
        "shift": [x * width / larger, y * height / larger],
    }  # fmt: skip
