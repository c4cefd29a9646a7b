# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera that a clip follows, as rays: for every pixel where its ray passes and which way (Pluecker coordinates).

As the Fun camera models read them (`process_pose_file` and `ray_condition` of VideoX-Fun, after CameraCtrl,
arXiv 2404.02101): moment o x d, then direction d, of rays through pixel centres in the first camera's frame, whose
axes point right, down and forward. Lengths are not scaled, unless that is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checkpoint.sizes import Size
from ..errors import UsageError, reason_of
from ..light_curve import is_number
from ..text_files import parsed, read_text

_POSE_SIZE = (1280, 720)  # of the pictures that the intrinsics of a pose file stand for
_POSE_NUMBERS = 19
_MOST = 1e6  # beyond it, no camera's numbers
_HOW = (
    'give {"frames": [{"matrix_world": 16 numbers, "lens_mm": F, "sensor_mm": [W, H], "shift": [X, Y]}, ...]}, one for '
    "each frame of the clip"
)


@dataclass(frozen=True)
class CameraPath:
    """A camera for every frame. `worlds` [F,4,4] camera to the first camera's frame; `lenses` [F,4] are focal lengths
    and principal point, in widths and heights of a picture of `lens_size`, which a clip of another shape crops.
    `digest` tells two paths apart, to the last bit.
    """

    worlds: Tensor = field(repr=False)
    lenses: Tensor = field(repr=False)
    lens_size: Size | None = None
    digest: str = ""

    def __len__(self) -> int:
        return len(self.worlds)

    def cut(self, start: int, stop: int) -> CameraPath:
        """Frames `start` to `stop` (behind the last), as a path of their own from where the first of them stands."""
        worlds = self.worlds[start:stop].double()
        relative = torch.linalg.inv(worlds[0]) @ worlds
        relative[0] = torch.eye(4, dtype=torch.float64)
        return replace(self, worlds=relative.float(), lenses=self.lenses[start:stop])

    def scaled(self, scale: float) -> CameraPath:
        """The same turns, and `scale` times the way."""
        worlds = self.worlds.clone()
        worlds[:, :3, 3] *= scale
        return replace(self, worlds=worlds, digest=self.digest if scale == 1 else f"{self.digest} x {scale!r}")

    def rays(self, frame: int, size: Size) -> Tensor:
        """[6, H, W] of one frame for a clip of `size` (width, height)."""
        width, height = size
        fx, fy, cx, cy = self._pixels(frame, size)
        columns = (torch.arange(width, dtype=torch.float32) + 0.5 - cx) / fx
        rows = (torch.arange(height, dtype=torch.float32) + 0.5 - cy) / fy
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        world = self.worlds[frame]
        ways = torch.einsum("ij,jhw->ihw", world[:3, :3], torch.stack([x, y, torch.ones_like(x)]))
        ways = ways / ways.norm(dim=0)
        places = world[:3, 3, None, None].expand_as(ways)
        return torch.cat([torch.linalg.cross(places, ways, dim=0), ways])

    def packed(self, frames: int, size: Size) -> Iterator[Tensor]:
        """[24, H, W] for every latent frame of a clip of 4n+1 `frames`: the four frames of each number side by side,
        the first frame four times.
        """
        for group in ([0] * 4, *([k, k + 1, k + 2, k + 3] for k in range(1, frames, 4))):
            yield torch.stack([self.rays(frame, size) for frame in group], 1).flatten(0, 1)

    def _pixels(self, frame: int, size: Size) -> list[float]:
        fx, fy, cx, cy = self.lenses[frame].tolist()
        width, height = size
        if self.lens_size is not None:
            shape = self.lens_size[0] / self.lens_size[1]
            if shape > width / height:
                fx *= height * shape / width
            else:
                fy *= width / shape / height
        return [fx * width, fy * height, cx * width, cy * height]


def read_camera(path: Path) -> CameraPath:
    """The camera of a JSON file (Blender's axes, see `docs/engine.md`) or of a CameraCtrl pose file (.txt).

    Raises UsageError for what cannot be read or is no camera.
    """
    try:
        text = read_text(path)
        lenses, worlds, size = _of_poses(text) if path.suffix.lower() == ".txt" else _of_json(parsed(text))
        relative = np.linalg.inv(worlds[0]) @ worlds
        if (
            not (np.abs(relative) < _MOST).all()
            or not (np.abs(lenses) < _MOST).all()
            or lenses[:, :2].min() < 1 / _MOST
        ):
            raise ValueError("its numbers are out of all proportion")
    except FileNotFoundError:
        raise UsageError(f"The camera {path} does not exist; check the path.") from None
    except (OSError, ValueError, np.linalg.LinAlgError) as error:
        raise UsageError(f"The camera {path} cannot be used ({reason_of(error)}); {_HOW}.") from error
    relative[0] = np.eye(4)
    digest = hashlib.sha256(relative.tobytes() + lenses.tobytes()).hexdigest()
    return CameraPath(torch.from_numpy(relative).float(), torch.from_numpy(lenses), size, digest)


Read = tuple[np.ndarray, np.ndarray, Size | None]


def _of_json(data: Any) -> Read:
    frames = data.get("frames") if isinstance(data, Mapping) else None
    if not isinstance(frames, list) or not frames:
        raise ValueError("it lists no frames")
    read = [_of_frame(frame, number) for number, frame in enumerate(frames)]
    return np.stack([lens for lens, _ in read]), np.stack([world for _, world in read]), None


def _of_frame(frame: Any, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Intrinsics [4] and camera to world [4,4], of a frame with Blender's axes (right, up, backward)."""
    values = frame if isinstance(frame, Mapping) else {}
    lens = _numbers([values.get("lens_mm")], 1, f"lens_mm of frame {number}")[0]
    width, height = _numbers(values.get("sensor_mm"), 2, f"sensor_mm of frame {number}")
    shift_x, shift_y = _numbers(values.get("shift", [0, 0]), 2, f"shift of frame {number}")
    if min(lens, width, height) <= 0:
        raise ValueError(f"lens_mm and sensor_mm of frame {number} must be above 0")
    side = max(width, height)
    intrinsics = [lens / width, lens / height, 0.5 - shift_x * side / width, 0.5 + shift_y * side / height]
    world = np.array(_numbers(values.get("matrix_world"), 16, f"matrix_world of frame {number}")).reshape(4, 4)
    scale = np.linalg.norm(world[:3, :3], axis=0)
    if not (scale > 0).all():
        raise ValueError(f"matrix_world of frame {number} has an axis of no length")
    world[:3, :3] /= scale
    if abs(np.linalg.det(world[:3, :3])) < 1e-6:
        raise ValueError(f"matrix_world of frame {number} is flat")
    return np.array(intrinsics), world @ np.diag([1.0, -1.0, -1.0, 1.0])


def _of_poses(text: str) -> Read:
    """Lines of time, fx, fy, cx, cy, two zeros and world to camera [3,4], behind a first line that is passed over."""
    lines = [line.split() for line in text.splitlines()[1:] if line.strip()]
    if not lines:
        raise ValueError("it lists no poses")
    lenses, worlds = [], []
    for number, words in enumerate(lines):
        if len(words) != _POSE_NUMBERS:
            raise ValueError(f"pose {number} has {len(words)} numbers instead of {_POSE_NUMBERS}")
        values = _numbers([float(word) for word in words], _POSE_NUMBERS, f"pose {number}")
        if min(values[1:3]) <= 0:
            raise ValueError(f"the focal lengths of pose {number} must be above 0")
        lenses.append(values[1:5])
        worlds.append(np.linalg.inv(np.array([*values[7:], 0, 0, 0, 1]).reshape(4, 4)))
    return np.array(lenses), np.stack(worlds), _POSE_SIZE


def _numbers(values: Any, count: int, what: str) -> list[float]:
    if not isinstance(values, list) or len(values) != count or not all(map(is_number, values)):
        raise ValueError(f"{what} must be {count} finite number{'s' if count > 1 else ''}")
    return [float(value) for value in values]
