# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint folder tells without reading tensors (and so without torch): enough to prepare a request for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..options import AUTO
from .frame_counts import frames_for
from .layout import Layout
from .layouts import find_layout
from .model import MODES, Model
from .sizes import Size, nearest_size

TEXT_LENGTH = 512  # of the published models
# The modes in which a clip follows every frame, by what such a model is given.
_FOLLOWED = {"control": "control_video", "camera": "camera"}
_MOST_REFERENCES = 4  # of a model that takes several: each costs as much as four frames of the clip
_ANY_SHAPE, _OWN_SHAPE = 0.03, 0.07  # the squeeze up to which a trained size goes first; see Outline.size_for


@dataclass(frozen=True)
class Outline:
    """`model` is the row of the published model with the checkpoint's own defaults put over it; `text_length` how many
    tokens of a prompt are read; `notes` what the user should know of how the model was told.
    """

    model: Model
    text_length: int = TEXT_LENGTH
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The model's name for the user."""
        return self.model.title

    @property
    def negative(self) -> str:
        """The negative prompt that is used when none is given."""
        return self.model.negative

    @property
    def modes(self) -> tuple[str, ...]:
        """What its clips can be made from, the best first. Any model that starts from a picture follows an animation
        too, which is none's best, for it needs no training."""
        followed = [mode for mode, given in _FOLLOWED.items() if given in self.model.controls]
        return (*followed, *self.model.modes, *(["motion"] if "first" in self.model.modes else []))

    @property
    def references(self) -> int:
        """How many reference pictures a shot's clip is given at most."""
        if "reference" not in self.model.controls:
            return 0
        return _MOST_REFERENCES if "vace" in self.model.modules else 1

    @property
    def area(self) -> Size:
        """The default (width, height) whose product bounds a clip that starts from a picture."""
        return self.model.area or self.model.sizes[0]

    @property
    def multiple(self) -> int:
        """What the clip's sides, in pixels, are multiples of: a patch of 2x2 latents."""
        return 2 * self.model.stride[1]

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

    def frames_for(self, count: int, fps: float) -> int:
        """How many frames, 4n+1, it makes of a shot of `count` frames at `fps`, so that motion has its true speed."""
        return frames_for(count, fps, self.model.fps, self.model.fewest)

    def size_for(self, shape: float, asked: Size | None) -> Size:
        """The clip's (width, height) for a frame of the aspect ratio `shape` and the area of `asked`, None for the
        model's own. Raises UsageError when there is none.

        Models that were trained at many shapes keep to a listed size where that costs next to nothing; those that know
        only the listed ones make others worse, so a visible squeeze is the lesser evil.
        """
        width, height = asked or self.area
        tolerance = _OWN_SHAPE if self.model.only_listed else _ANY_SHAPE
        return nearest_size(shape, width * height, self.multiple, self.model.sizes, tolerance)


def outline(place: Path) -> Outline:
    """The outline of a checkpoint, a folder or one transformer file. Raises CheckpointError when there is none or a
    part is missing; whether the parts fit together shows when they are loaded.
    """
    found = find_layout(place)
    return Outline(found.model, _text_length(found), found.notes)


def _text_length(found: Layout) -> int:
    """As the transformer's config.json says; what is wrong with its number shows when it is loaded."""
    told = (stated.get("text_len") for stated in found.stated.values())
    return next((length for length in told if isinstance(length, int) and length > 0), TEXT_LENGTH)
