# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user chose for a generation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import bpy

from ..prompting import DEFAULT_TEMPLATE
from ..wan_engine.checkpoint.summary import MODES
from ..wan_engine.light_curve import LIGHT_SOURCES
from ..wan_engine.request import AUTO, CODECS, DTYPES, GUIDES, OFFLOADS, PRESETS, REPAIRS, Lora

ADDON_DIR = Path(__file__).resolve().parents[1]
PACKAGE = __package__.rpartition(".")[0]  # what Blender knows the extension by


NANO = ADDON_DIR / "checkpoints" / "nano"


NANO_DTYPE = "float32"


RAW = "raw"  # the folder of a job's frames as the model made them, before any finishing


OVERVIEW = "overview.png"


# What the engine lets one choose from.
CHOICES = {
    "mode": (AUTO, *MODES),
    "guide_light": GUIDES, "light_truth": LIGHT_SOURCES, "preset": tuple(PRESETS), "dtype": DTYPES, "offload": OFFLOADS,
    "correct": REPAIRS, "codec": CODECS,
}  # fmt: skip


Note = Callable[[str], None]  # is told what the user should know and is no error


@dataclass(frozen=True)
class ShotWords:
    """The user's own words about one shot, and what it must not look like."""

    description: str = ""
    negative: str = ""


@dataclass(frozen=True)
class Settings:
    """What the user chose. `model` is "nano" or a checkpoint folder; None means the model's own default, "auto" the
    best that can be done with it.

    `description`, `style` and `negative` are the user's words about the whole scene, `shot_words` those about single
    shots, by their names; `template` orders a prompt's parts.

    `size` is (width, height), of which the area counts: the clip has the scene's shape. `output` None puts job folders
    beside the .blend.
    `engine_python` and `user_dir` tell where the engine's environment is.
    """

    model: str = "nano"
    mode: str = AUTO
    size: tuple[int, int] | None = None
    steps: int | None = None
    seed: int = 0
    preset: str | None = None
    loras: tuple[Lora, ...] = ()
    dtype: str = AUTO
    offload: str = AUTO
    step_cache: float = 0.0
    vae_tiles: int = 0
    guide_light: str = "gentle"
    light_truth: str = "brief"
    correct: tuple[str, ...] = ()
    upscale: int = 0
    upscale_model: str | None = None
    refine: float = 0.0
    interpolation_model: str | None = None
    codec: str = "h264"
    description: str = ""
    style: str = ""
    negative: str = ""
    template: str = DEFAULT_TEMPLATE
    shot_words: Mapping[str, ShotWords] = field(default_factory=dict)
    output: Path | None = None
    engine_python: str | None = None
    user_dir: Path | None = None

    @property
    def checkpoint(self) -> Path:
        """The checkpoint folder."""
        return NANO if self.model == "nano" else Path(bpy.path.abspath(self.model)).resolve()


def _ignored(note: str) -> None:
    """For whom notes do not matter."""
