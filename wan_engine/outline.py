# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint folder tells without reading tensors (and so without torch): enough to prepare a request for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from . import models
from .request import CheckpointError
from .sizes import Size, size_for_cover, size_for_picture

SCHEMA = "wan_previs.checkpoint/1"


@dataclass(frozen=True)
class Outline:
    """`area` is the default (width, height) whose product bounds an image-to-video clip; `multiple` what sides are
    rounded to.

    `cover` tells that pictures are covered and cropped (the 2.2 5B model) instead of stretched.
    """

    title: str
    area: Size
    multiple: int
    cover: bool

    def picture_size(self, scene: Size, size: Size | None) -> Size:
        """The clip's (width, height) for a scene's resolution and the user's size, None for the model's own."""
        width, height = size or self.area
        if self.cover:
            return size_for_cover(scene, width * height, self.multiple)
        return size_for_picture(scene, width * height, self.multiple // 2)


def outline(folder: Path) -> Outline:
    """The outline of a checkpoint folder. Raises CheckpointError when there is none or it is no Wan checkpoint."""
    if not folder.is_dir():
        raise CheckpointError(f"The model folder {folder} does not exist. Choose a folder that holds a Wan checkpoint.")
    own = read_own_facts(folder)
    wide = (folder / "Wan2.2_VAE.pth").exists()
    two = (folder / "high_noise_model").is_dir()
    if not wide and not (folder / "Wan2.1_VAE.pth").exists():
        raise CheckpointError(
            f"{folder} holds neither Wan2.1_VAE.pth nor Wan2.2_VAE.pth. Choose a folder with a whole Wan checkpoint."
        )
    row = models.I2V_A14B if two else models.TI2V_5B if wide else models.I2V_14B_V21
    sizes = own.get("sizes") or row.sizes
    area = own.get("area") or sizes[0]
    return Outline(str(own.get("title", row.title)), (int(area[0]), int(area[1])), 32 if wide else 16, wide and not two)


def read_own_facts(folder: Path) -> dict:
    """The content of `wan_previs.json`, {} without one. Raises CheckpointError when it is damaged."""
    path = folder / "wan_previs.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}). Restore it, or remove it if it is not needed."
        ) from error
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise CheckpointError(f'{path} must be a JSON object with "schema": "{SCHEMA}".')
    return facts
