# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user chose for a generation: the table of options as Blender's side has it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import bpy

from ..prompting import DEFAULT_TEMPLATE
from ..wan_engine.errors import CheckpointError
from ..wan_engine.option_kinds import Choice, File, Files, Number, OneOf, Text
from ..wan_engine.options import AUTO, SharedOptions, changed, options_of, row

ADDON_DIR = Path(__file__).resolve().parents[1]
PACKAGE = __package__.rpartition(".")[0]  # what Blender knows the extension by
NANO = ADDON_DIR / "checkpoints" / "nano"
NANO_DTYPE = "float32"
RAW = "raw"  # the folder of a job's frames as the model made them, before any finishing
OVERVIEW = "overview.png"

MODE = OneOf(
    Choice(
        AUTO,
        "Automatic",
        "The best that the model can do: every frame or the camera where it follows these, else first and last frame, "
        "else the first, else the prompt",
        3,
    ),
    Choice("control", "Every Frame", "The clip follows every frame of the scene, by its depth or as a blockout", 4),
    Choice("camera", "Camera", "The clip starts with the scene and follows its camera, the rest is free", 5),
    Choice("first_last", "First and Last Frame", "The clip starts and ends with the scene as Blender renders it", 0),
    Choice("first", "First Frame", "The clip starts with the scene as Blender renders it, the rest is free", 1),
    Choice("text", "Prompt Only", "The clip follows the prompt alone; nothing is rendered in Blender", 2),
    Choice(
        "motion",
        "Motion",
        "The clip starts with the scene and follows the objects that are marked for it, or the camera's move; for "
        "models that were not trained to follow (Time-to-Move)",
        6,
    ),
)
CONTROL = OneOf(
    Choice("depth", "Depth", "How far everything is from the camera: shapes and motion, but no colors", 0),
    Choice("blockout", "Blockout", "The scene in its viewport colors, without its light: shapes, motion and colors", 1),
    Choice("lines", "Lines", "Outlines, creases and borders of materials: forms and motion, nothing between", 2),
    Choice("mixed", "Depth and Lines", "The depth with the lines drawn over it; no model was trained on just that", 3),
    Choice("pose", "Pose", "The bodies of armatures as stick figures: how people move, and nothing else", 4),
)
BLOCKOUT_LIGHT = OneOf(
    Choice("flat", "Flat", "The viewport colors alone", 0),
    Choice("studio", "Studio", "The viewport colors under a light from the camera's side, which shows forms", 1),
)
DEPTH_CURVE = OneOf(
    Choice(AUTO, "Automatic", "As the model was trained", 2),
    Choice("linear", "Distance", "Grey goes with the distance in metres, as the Fun models were trained", 0),
    Choice("inverse", "Inverse", "Grey goes with one over the distance, as VACE was trained: the near counts more", 1),
)
DEPTH_RANGE = OneOf(
    Choice("clip", "Whole Clip", "The same grey is the same distance in all frames", 0),
    Choice("frame", "Each Frame", "Each frame goes from white to black, as in training; it may flicker", 1),
)
EXPECTED_LIGHT = OneOf(
    Choice(
        "brief",
        "Scene's Facts",
        "Sun, lamps, sky and a few hundred rays tell how the light changes; mirrors and textures are guessed",
        0,
    ),
    Choice(
        "render",
        "Small Renders",
        "A few tiny renders of the shot tell how bright it is; takes some seconds, and the light follows closely",
        1,
    ),
)

Note = Callable[[str], None]  # is told what the user should know and is no error


@dataclass(frozen=True)
class ShotWords:
    """The user's own words about one shot, and what it must not look like."""

    description: str = ""
    negative: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings(SharedOptions):
    """What the user chose: the options that the engine has too, and those that only the scene's side knows. None means
    the model's own default, "auto" the best that can be done with it.

    `size` is (width, height), of which the area counts: the clip has the scene's shape. `shot_words` are the user's
    words about single shots, by their names. `engine_python` and `user_dir` tell where the engine's environment is.
    """

    model: str = row(
        Text("'nano' or a checkpoint folder"), "nano",
        "The video model that makes the clips: nano, or the folder of a model",
        group="main", metavar="nano|DIR",
    )  # fmt: skip
    mode: str = row(MODE, AUTO, "What of the scene the clip is held to", title="Guided by", group="main")
    control: str = row(
        CONTROL, "depth", "What of every frame a clip in mode control follows", title="Follows", group="main"
    )
    resemblance: float = row(
        Number(0, 1), 0.75,
        "How closely the clip keeps to what it follows, from 0 (only the idea) to 1 (exactly the blockout); 0.75 is as "
        "the model's makers have it",
        group="main",
    )  # fmt: skip
    blockout_light: str = row(BLOCKOUT_LIGHT, "studio", "How the blockout that a clip follows is lit")
    depth_curve: str = row(DEPTH_CURVE, AUTO, "How the grey of a depth picture goes with the distance")
    depth_range: str = row(DEPTH_RANGE, "clip", "What the white and the black of depth pictures stand for")
    size: tuple[int, int] | None = changed(
        SharedOptions, "size", help="The area of the clips; they have the scene's shape"
    )
    frames: int | None = changed(
        SharedOptions, "frames",
        help="How many frames (4n+1) the model makes of a shot; 0 makes as many as its length takes at the model's "
        "rate, so that motion has its true speed",
    )  # fmt: skip
    camera_scale: float | None = changed(
        SharedOptions, "camera_scale",
        help="In mode camera: how many of the model's units a metre of the camera's way is; 0 goes by the distance to "
        "the subject",
    )  # fmt: skip
    guide_light: str = changed(SharedOptions, "guide_light", default="gentle")
    upscale: int | None = changed(  # type: ignore[assignment]  # the request has what the model stands for it
        SharedOptions, "upscale", default=None, empty=("Default", "Small pictures, such as nano's, four times as large")
    )
    expected_light: str = row(
        EXPECTED_LIGHT, "brief", "What tells how the light should go: the scene's facts, or small renders of it",
        title="Follows", group="main", needs="guide_light",
    )  # fmt: skip
    dtype: str = changed(SharedOptions, "dtype", default=AUTO)
    offload: str = changed(SharedOptions, "offload", default=AUTO)
    description: str = row(
        Text(),
        "",
        "Your own words about the scene: place, materials, mood. They become part of every prompt",
        group="words",
    )
    style: str = row(
        Text(),
        "",
        "The look of the whole film, such as: cinematic, 35mm film look. It opens every prompt",
        group="words",
    )
    negative: str = row(
        Text(), "", "What no clip may look like, besides what the model avoids anyway", title="Avoid", group="words"
    )
    template: str = row(
        Text(),
        DEFAULT_TEMPLATE,
        "The parts of a prompt in their order, with words of your own between them",
        group="words",
    )
    output: Path | str | None = row(
        File("a folder"), None, 'Where clips go; else a folder named "previs" beside the .blend file', group="main",
        metavar="DIR",
    )  # fmt: skip
    references: tuple[str, ...] | None = row(
        Files("picture files"), None,
        "What the clips are to look like: pictures for all shots, or, after the name of an object or a collection, for "
        "those in which that is seen; instead of the references that the file holds",
        group="main", flag="--reference", metavar="[SUBJECT=]FILE",
    )  # fmt: skip
    shot_words: Mapping[str, ShotWords] = field(default_factory=dict)
    engine_python: str | None = None
    user_dir: Path | None = None

    @property
    def checkpoint(self) -> Path:
        """The checkpoint folder. Raises CheckpointError where none was chosen."""
        if not self.model:
            raise CheckpointError("No model folder is chosen. Choose one in the settings, or name one with --model.")
        return NANO if self.model == "nano" else Path(os.path.realpath(bpy.path.abspath(self.model)))


OPTIONS = options_of(Settings)


def _ignored(note: str) -> None:
    """For whom notes do not matter."""
