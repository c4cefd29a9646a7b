# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint folder tells without reading tensors (and so without torch): enough to prepare a request for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError, UsageError
from ..options import AUTO
from ..weights.safetensors_header import parsed
from . import models
from .layouts import Layout, find_layout, read_own_facts
from .sizes import Size, nearest_size

TEXT_LENGTH = 512  # of the published models
MODES = {"first_last": "a first and a last frame", "first": "a first frame", "text": "text alone"}
_ANY_SHAPE, _OWN_SHAPE = 0.03, 0.07  # the squeeze up to which a trained size goes first; see Outline.size_for
_WIDE_LATENT = 48  # latent channels of the 2.2 autoencoder, whose latents stand for 16x16 pixels


@dataclass(frozen=True)
class Outline:
    """`area` is the default (width, height) whose product bounds an image-to-video clip; `multiple` what sides are
    rounded to.

    `negative` is the negative prompt that is used when none is given. `sizes` are those it was trained at, `only_these`
    tells that it has seen no others, as checkpoints of our own. `modes` are what its clips can be held to, best first.
    `text_length` is how many tokens of a prompt are read.
    """

    title: str
    area: Size
    multiple: int
    negative: str = ""
    sizes: tuple[Size, ...] = ()
    only_these: bool = False
    modes: tuple[str, ...] = ("first_last", "first")
    text_length: int = TEXT_LENGTH

    def mode_for(self, asked: str) -> str:
        """What a clip is held to: what was `asked`, or with AUTO the best that the model can do. Raises UsageError for
        what it cannot.
        """
        if asked == AUTO:
            return self.modes[0]
        if asked not in self.modes:
            raise UsageError(
                f"{self.title} cannot make a clip from {MODES.get(asked, asked)} (mode {asked}). "
                f"It can do the modes {', '.join((AUTO, *self.modes))}; choose one of these."
            )
        return asked

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
    row, latent = _by_tensors(found)
    model = models.overridden(row, own, found.folder)
    wide = latent == _WIDE_LATENT
    return Outline(
        title=model.title,
        area=model.area or model.sizes[0],
        multiple=32 if wide else 16,
        sizes=model.sizes,
        only_these="sizes" in own,
        modes=_modes(row, own.get("text_to_video")),
        negative=model.negative,
        text_length=_text_length(found),
    )


def _text_length(found: Layout) -> int:
    """As the transformer's config.json says; what is wrong with that file shows when it is loaded."""
    for path in found.settings.values():
        try:
            length = parsed(path.read_text(encoding="utf-8"))["text_len"] if path else None
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(length, int) and length > 0:
            return length
    return TEXT_LENGTH


def _modes(row: models.Model, text_to_video: object) -> tuple[str, ...]:
    """The model's modes; whether text alone does, a checkpoint of our own may say itself."""
    if text_to_video is None or bool(text_to_video) == ("text" in row.modes):
        return row.modes
    return (*row.modes, "text") if text_to_video else tuple(mode for mode in row.modes if mode != "text")


def _by_tensors(found: Layout) -> tuple[models.Model, int]:
    shapes = found.transformer.shapes("transformer")
    latent = found.transformer.latent_channels("transformer")
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
