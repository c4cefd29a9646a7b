# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint folder tells without reading tensors (and so without torch): enough to prepare a request for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from . import models
from .headers import Stored, kind_of, read_header, read_json
from .layouts import Layout, find_layout, latent_channels, shapes_of
from .request import CheckpointError
from .sizes import Size, nearest_size

SCHEMA = "wan_previs.checkpoint/1"
_ANY_SHAPE, _OWN_SHAPE = 0.03, 0.07  # the squeeze up to which a trained size goes first; see Outline.size_for
_WIDE_LATENT = 48  # latent channels of the 2.2 autoencoder, whose latents stand for 16x16 pixels


@dataclass(frozen=True)
class Outline:
    """`area` is the default (width, height) whose product bounds an image-to-video clip; `multiple` what sides are
    rounded to.

    `cover` tells that a picture of another shape is covered and cropped (the 2.2 5B model) instead of stretched;
    `negative` is the negative prompt that is used when none is given. `sizes` are those it was trained at, `only_these`
    tells that it has seen no others, as checkpoints of our own.
    """

    title: str
    area: Size
    multiple: int
    cover: bool
    negative: str = ""
    sizes: tuple[Size, ...] = ()
    only_these: bool = False

    def size_for(self, shape: float, asked: Size | None) -> Size:
        """The clip's (width, height) for a frame of the aspect ratio `shape` and the area of `asked`, None for the
        model's own. Raises UsageError when there is none.

        Models that were trained at many shapes keep to a listed size where that costs next to nothing; those that know
        only the listed ones make others worse, so a visible squeeze is the lesser evil.
        """
        width, height = asked or self.area
        tolerance = _OWN_SHAPE if self.only_these else _ANY_SHAPE
        return nearest_size(shape, width * height, self.multiple, self.sizes, tolerance)


def outline(place: Path) -> Outline:
    """The outline of a checkpoint, a folder or one transformer file. Raises CheckpointError when there is none or a
    part is missing; whether the parts fit together shows when they are loaded.
    """
    found = find_layout(place)
    own = read_own_facts(found.folder)
    header = _header(next(iter(found.experts.values())))
    row, latent = _by_tensors(found, header) if header else _by_names(found)
    sizes = own.get("sizes") or row.sizes
    area = own.get("area") or row.area or sizes[0]
    wide = latent == _WIDE_LATENT
    return Outline(
        title=str(own.get("title", row.title)),
        area=(int(area[0]), int(area[1])),
        multiple=32 if wide else 16,
        cover=wide and row is models.TI2V_5B,
        sizes=tuple((int(width), int(height)) for width, height in sizes),
        only_these="sizes" in own,
        negative=str(own.get("negative", row.negative)),
    )


def _header(path: Path) -> dict[str, Stored]:
    """The tensors of a safetensors file or index; {} for other kinds, whose headers need more than the standard
    library.
    """
    if path.name.endswith(".json"):
        weight_map = read_json(path).get("weight_map")
        files = {path.parent / str(file) for file in weight_map.values()} if isinstance(weight_map, dict) else set()
    else:
        files = {path}
    headers: dict[str, Stored] = {}
    for file in files:
        if kind_of(file) != "safetensors":
            return {}
        headers |= read_header(file)
    return headers


def _by_tensors(found: Layout, header: dict[str, Stored]) -> tuple[models.Model, int]:
    shapes = shapes_of(header, "transformer")
    latent = latent_channels(header, "transformer")
    if latent is None:
        raise CheckpointError(f"{found.folder} holds no transformer of a Wan model. Choose another folder.")
    dim, channels = shapes["patch_embedding.weight"][:2]
    model = models.identify(
        found.experts,
        channel_conditioned=channels != latent,
        latent_channels=latent,
        dim=dim,
        clip="img_emb.proj.1.weight" in shapes,
        flf="img_emb.emb_pos" in shapes,
        hints=found.hints,
    )
    return model, latent


def _by_names(found: Layout) -> tuple[models.Model, int]:
    """What the names of the files say, as their publishers write them."""
    hints = found.hints.lower()
    wide = "5b" in hints
    pictures = "i2v" in hints and not wide
    flf = "flf2v" in hints
    model = models.identify(
        found.experts,
        channel_conditioned=pictures or flf,
        latent_channels=_WIDE_LATENT if wide else 16,
        dim=1536 if "1.3b" in hints or "1_3b" in hints else 5120,
        clip=flf or (pictures and len(found.experts) == 1),
        flf=flf,
        hints=hints,
    )
    return model, _WIDE_LATENT if wide else 16


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
