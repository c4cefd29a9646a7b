# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pass is given of a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...scene.camera.camera import CameraState


@dataclass(frozen=True)
class Seen:
    """One frame, which may lie between two: the camera there, and `layers`, pictures with the rows from the top:

    `depth` [H, W] in metres along the view axis, infinite where there is no surface; `objects`, `materials` [H, W] pass
    indices (that of an object tells its mark, see `marks.py`); `normals` [H, W, 3] in world space; `lines` [H, W]
    uint8, see `lines.py`; `blockout`, `blockout_studio`, `picture`, `rough` [H, W, 3] uint8, see `pictures.py`.
    Only those that were asked for."""

    frame: float
    camera: CameraState
    layers: dict[str, np.ndarray]

    @property
    def depth(self) -> np.ndarray:
        """Distance along the view axis in metres [H, W]."""
        return self.layers["depth"]
