# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of options: every choice about how a clip is made, once, for every face of the product.

A row is a field of a dataclass: its type and, in `row`, its kind, default and words. From the rows come the engine's
command line and the checks of its requests, and from those in `SharedOptions` also the extension's settings, its
command line, its panels and what .blend files store. Standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .light_curve import LightCurve, is_number
from .option_kinds import (
    AnyOf,
    Choice,
    Curve,
    File,
    Files,
    Flag,
    Kind,
    LowHigh,
    Number,
    OneOf,
    OneOfNumbered,
    Repeated,
    Size,
    Text,
    Whole,
    is_path,
    is_whole,
)
from .request_parts import LORA_EXPERTS, MOST_STRENGTH, Keyframe, Lora

AUTO = "auto"


@dataclass(frozen=True)
class Option:
    """One row. `default` None stands for what the model likes, or for nothing.

    `title` is its name in panels, `group` where it stands there: "main", "advanced", "model" (only with a model of the
    user's own), "words", or "" for what has no place of its own. `unit` is what a number counts, `soft` what a slider
    goes up to, `needs` an option without which this one does nothing, `empty` title and help of having none of its
    choices. `flag` is its name on command lines, None where there is none; `must` that a command line has to give it.
    `old` are names that it had, which command lines and stored requests may still use.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    title: str = ""
    group: str = "advanced"
    unit: str = ""
    soft: float | None = None
    needs: str = ""
    empty: tuple[str, str] = ("Default", "As the model was published")
    flag: str | None = ""
    metavar: str = ""
    must: bool = False
    old: tuple[str, ...] = ()

    def allows(self, value: Any) -> bool:
        """Whether the option can have this value."""
        return (value is None and self.default is None) or self.kind.accepts(value)


def row(kind: Kind, default: Any, help: str, **words: Any) -> Any:
    """A field that is an option, of `Option`'s fields; with the default MISSING it must be given."""
    option = Option("", kind, default, help, **words)
    return dataclasses.field(default=default, metadata={"option": option})


def changed(table: type, name: str, **words: Any) -> Any:
    """The row of that name in another table, changed in these fields."""
    option = dataclasses.replace(options_of(table)[name], **words)
    return dataclasses.field(default=option.default, metadata={"option": option})


def options_of(table: Any) -> Mapping[str, Option]:
    """The options that are fields of a dataclass, by name, in their order."""
    found = {}
    for field in dataclasses.fields(table):
        if "option" in field.metadata:
            option = field.metadata["option"]
            flag = f"--{field.name.replace('_', '-')}" if option.flag == "" else option.flag
            title = option.title or field.name.replace("_", " ").title()
            found[field.name] = dataclasses.replace(option, name=field.name, flag=flag, title=title)
    return MappingProxyType(found)


DTYPE = OneOf(
    Choice(AUTO, "Automatic", "Half for large models, full for small ones", 3),
    Choice("float32", "Full", "Exact, and needs the most memory", 0),
    Choice("bfloat16", "Half", "Half the memory; best for large models", 1),
    Choice("float16", "Half, for Older GPUs", "Half the memory, for graphics cards that do not know the other half", 2),
)
# Fastest first, and what needs least last.
OFFLOAD = OneOf(
    Choice(AUTO, "Automatic", "As much of the model as fits into the memory that is free when the clip is made", 3),
    Choice("none", "Keep All", "The whole model stays in memory: fastest", 0),
    Choice("expert", "One Expert", "Only the part of the model that works is in memory", 1),
    Choice("block", "Block by Block", "The least memory, and the slowest", 2),
)
DEVICE = OneOfNumbered(
    Choice(AUTO, "Automatic", "The graphics card where PyTorch can use it, else the processor", 0),
    Choice("cpu", "Processor", "Slow, and always there", 1),
    Choice("cuda", "CUDA or ROCm", "A graphics card of NVIDIA's, or of AMD's on Linux", 2),
    Choice("mps", "Metal", "The graphics of an Apple computer", 3),
    Choice("xpu", "Intel XPU", "An Arc graphics card of Intel's", 4),
)
STATED_OFFLOADS = tuple(str(name) for name in OFFLOAD.names if name != AUTO)
GUIDE = OneOf(
    Choice("off", "Off", "The model alone decides how the light goes", 0),
    Choice("gentle", "Gentle", "While the clip is made, its light is led along the scene's", 1),
    Choice("strict", "Strict", "The light is held to the scene's, also where the model would rather not", 2),
)
REPAIR = AnyOf(
    Choice("deflicker", "Deflicker", "Take out flicker and sudden jumps that the scene does not have", 1),
    Choice("color", "Match Colors", "Hold the colors to the first frame and the scene's light", 2),
)
CODEC = OneOf(
    Choice("h264", "H.264", "Small files for viewing and the Sequencer", 0),
    Choice("prores", "ProRes", "ProRes 422 HQ, for editing elsewhere", 1),
    Choice("ffv1", "FFV1", "Without any loss, for keeping", 4),
    Choice("png", "PNG", "A sequence of pictures, as the clip looks", 2),
    Choice("exr", "OpenEXR", "A sequence of pictures in linear light", 3),
)
SOLVER = OneOf(
    Choice("unipc", "UniPC", "Predicts and corrects: good in few steps", 0),
    Choice("dpm++", "DPM++", "Multistep, of second order", 1),
    Choice("euler", "Euler", "The simplest; distilled models want it", 2),
    Choice("flow", "Flow", "Euler on a schedule that ends at less noise; the makers of the Fun models use it", 3),
    Choice("lcm", "LCM", "A clean clip in every step, under fresh noise; the four-step models of 2.1 want it", 4),
)
UPSCALE = OneOf(
    Choice(0, "Off", "As large as the model made it", 0),
    Choice(2, "2x", "Twice as wide and high", 1),
    Choice(4, "4x", "Four times as wide and high", 2),
)
UPSCALER = OneOf(
    Choice("learned", "Learned", "Clean edges, by Real-ESRGAN's small model for moving pictures", 0),
    Choice("lanczos", "Lanczos", "By calculation alone: soft, and nothing is made up", 1),
)
TILES = (
    Choice(0, "Off", "The picture is decoded whole", 0),
    Choice(512, "512", "Tiles of 512 pixels", 1),
    Choice(256, "256", "Tiles of 256 pixels", 2),
)
PRESET = OneOf(Choice("lightning", "Four Steps", "For models or LoRAs that were distilled for that (Lightning)", 1))
# What a distilled model is sampled with where its own row says nothing; whatever the request states goes before it.
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"lightning": {"steps": 4, "shift": 5.0, "guide": (1.0, 1.0), "solver": "euler"}}
)
LORAS = Repeated(
    Lora,
    "A LoRA",
    lambda lora: (
        is_path(lora.path)
        and is_number(lora.strength)
        and abs(lora.strength) <= MOST_STRENGTH
        and lora.expert in LORA_EXPERTS
    ),
    f"files, each with a strength from -{MOST_STRENGTH:g} to {MOST_STRENGTH:g} and an expert of "
    + ", ".join(LORA_EXPERTS),
    Lora.parse,
)
KEYFRAMES = Repeated(
    Keyframe,
    "A keyframe",
    lambda keyframe: is_path(keyframe.path) and is_whole(keyframe.frame) and keyframe.frame > 0,
    "pictures, each with its path and a frame above 0",
    Keyframe.parse,
)


@dataclass(frozen=True, kw_only=True)
class SharedOptions:
    """What is chosen in Blender and by the engine's own users alike."""

    size: tuple[int, int] | None = row(
        Size(), None, "Width and height of the clip; with a picture only the area counts", group="main"
    )
    frames: int | None = row(
        Whole(1, 1_000_001), None,
        "How many frames (4n+1) the model makes; as many as it was trained for where left out",
        unit="frames",
    )  # fmt: skip
    steps: int | None = row(
        Whole(1, 1000), None, "Sampling steps: more take longer and look cleaner", unit="steps", soft=60
    )
    seed: int = row(Whole(0, 2**64 - 1), 0, "Another number gives another take of the same shot", group="main")
    guide_light: str | None = row(
        GUIDE, None, "How firmly the clip's light is held to the scene's; gentle where it is known",
        title="Light", group="main", old=("light_guide",),
    )  # fmt: skip
    repair: tuple[str, ...] = row(
        REPAIR, (), "Mend the light of the finished clip; all of it where nothing is named", group="main",
        metavar="REPAIR", old=("correct",),
    )  # fmt: skip
    camera_scale: float | None = row(
        Number(0, 65536, open=True), None,
        "How many units of the model's a metre of the camera's way is; as many as it was given in where left out",
    )  # fmt: skip
    upscale: int = row(UPSCALE, 0, "How much larger the finished clip is made", group="main")
    upscaler: str = row(UPSCALER, "learned", "How the clip is made larger", needs="upscale")
    upscale_model: str | None = row(
        File(), None, "The file of a learned upscaling model of your own (needs spandrel), in place of the upscaler",
        title="Upscaling Model", needs="upscale",
    )  # fmt: skip
    refine: float = row(
        Number(0.05, 0.6, off=True), 0.0,
        "Let the model redraw the upscaled clip from this noise level, such as 0.3: more detail, much more time; 0 is "
        "off",
        needs="upscale", metavar="NOISE",
    )  # fmt: skip
    interpolation_model: str | None = row(
        File(), None,
        "The ONNX file of a learned model that makes the frames between the model's own (needs onnxruntime); else by "
        "optical flow",
        title="Interpolator",
    )  # fmt: skip
    codec: str = row(CODEC, "h264", "What the clip is written as", title="Format", group="main")
    preset: str | None = row(
        PRESET,
        None,
        "How a distilled model is sampled",
        group="model",
        empty=("None", "Sampled as the model was published"),
    )
    device: str = row(DEVICE, AUTO, "What the model is computed on", title="Device", group="model")
    dtype: str = row(DTYPE, "float32", "How exactly the model calculates", title="Precision", group="model")
    offload: str = row(OFFLOAD, "none", "How much of the model stays in memory", title="Memory", group="model")
    step_cache: float = row(
        Number(0, 1), 0.0,
        "Reuse what was computed while it changes less than this, such as 0.05: faster, not exact; 0 is off",
        group="model", soft=0.3, metavar="CHANGE",
    )  # fmt: skip
    vae_tiles: int | None = row(
        Whole(64, step=32, off=True, offered=TILES), None,
        "Decode the picture in tiles of this side: less memory, not exact; 0 is off, and left out it is done where the "
        "whole picture does not fit",
        title="Decode Tiles", group="model", unit="pixels",
        empty=("Automatic", "Decoded whole where the memory that is free allows it, else in tiles"),
    )  # fmt: skip
    loras: tuple[Lora, ...] = row(
        LORAS, (), "A file that changes the model; may be given several times", title="LoRA", group="model",
        flag="--lora", metavar="PATH[:STRENGTH][:high|low]",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EngineOptions(SharedOptions):
    """What the engine's own users choose besides."""

    negative: str | None = row(Text(), None, "What the clip must not look like; the model's own where left out")
    image: str | None = row(File("a picture file"), None, "The picture that the clip starts with")
    last_image: str | None = row(File("a picture file"), None, "The picture that the clip ends with")
    keyframes: tuple[Keyframe, ...] = row(
        KEYFRAMES, (), "The picture of a frame between, with which a segment begins; may be given several times",
        needs="image", flag="--keyframe", metavar="FRAME:PATH",
    )  # fmt: skip
    control_video: str | None = row(
        File("a movie or a folder of pictures"),
        None,
        "A movie, or pictures for each frame, that the clip follows, such as depth or lines",
    )
    control_mask: str | None = row(
        File("a movie or a folder of pictures"), None,
        "A movie or pictures, white where the clip is made, black where it is kept",
        needs="control_video",
    )  # fmt: skip
    control_scale: float | None = row(Number(0), None, "How strongly the control counts; 1 is as trained", soft=2)
    control_share: float | None = row(
        Number(0, 1), None, "The share of the steps, from the first on, that see the control clip; 1 is as trained",
        needs="control_video",
    )  # fmt: skip
    reference: tuple[str, ...] = row(
        Files("picture files"),
        (),
        "A picture of what the clip shows; may be given several times where the model allows",
    )
    camera: str | None = row(
        File(), None, "The camera of every frame (.json), for models that follow one", metavar="CAMERA.json"
    )
    motion_video: str | None = row(
        File("a movie or a folder of pictures"),
        None,
        "A movie, or pictures, of a rough animation whose motion the clip follows (Time-to-Move)",
    )
    motion_mask: str | None = row(
        File("a movie or a folder of pictures"),
        None,
        "A movie or pictures, white where the clip follows the motion",
        needs="motion_video",
    )
    motion_start: int | None = row(
        Whole(-1), None, "The step to begin with: the later, the closer all of the clip; -1 begins with noise",
        needs="motion_video", metavar="STEP",
    )  # fmt: skip
    motion_end: int | None = row(
        Whole(), None, "The step up to which the mask's part is held: the later, the closer",
        needs="motion_video", metavar="STEP",
    )  # fmt: skip
    redo: str | None = row(
        File("a movie or a folder of pictures"), None,
        "A clip as the model made it, a picture for each frame, of which a part is made anew",
    )  # fmt: skip
    redo_from: int | None = row(
        Whole(1), None, "The frame from which on that clip is made anew; frames count from 0", needs="redo",
        unit="frame",
    )  # fmt: skip
    redo_mask: str | None = row(
        File("a movie or a folder of pictures"), None,
        "A movie or pictures, white where that clip is made anew", needs="redo",
    )  # fmt: skip
    window: int | None = row(
        Whole(5), None, "Frames (4n+1) that are made at once, at most; a longer clip is made in windows or segments",
        unit="frames",
    )  # fmt: skip
    overlap: int | None = row(
        Whole(4, step=4), None, "Frames that a window has in common with the next, at least", unit="frames"
    )
    shift: float | None = row(Number(0, open=True), None, "How far the schedule leans to high noise")
    guide: tuple[float, float] | None = row(LowHigh(), None, "Guidance of the low-noise and the high-noise part")
    boundary: float | None = row(
        Number(0, 1), None, "The share of the timesteps from which the high-noise expert works", metavar="SHARE"
    )
    solver: str | None = row(SOLVER, None, "How the steps are taken")
    fps: float | None = row(Number(0.01, 1000), None, "The rate at which the model's frames play", metavar="RATE")
    attention: str = row(Text("the name of an attention backend"), "auto", "The attention backend", metavar="NAME")
    compile: bool = row(Flag(), False, "Let torch compile the transformer's blocks")
    light: LightCurve | None = row(Curve(), None, "The light that the scene predicts: source, times, luminance")
    out: str = row(File("a file name"), "clip.mp4", "The clip to write; its ending follows the codec", must=True)
    latents: str | None = row(File("a file name"), None, "Also write the final latents (.safetensors)")
    frames_out: str | None = row(File("a folder"), None, "Also write every decoded frame as PNG into this folder")
    report: str | None = row(File("a file name"), None, "Also write what was done (.json)")
    resume: str | None = row(
        File("a file name"),
        None,
        "Keep the state after every step in this file, and go on from it after an interruption",
    )
    preview: str | None = row(File("a file name"), None, "Rewrite this PNG with a small preview after every step")
    prompt_cache: str | None = row(File("a folder"), None, "The folder in which encoded prompts are kept")
    tracks: str | None = row(
        File(), None, "The scene's tracks (.json), by which page and report tell whether the clip follows the scene",
        needs="page",
    )  # fmt: skip
    page: str | None = row(
        File("a file name"), None,
        "Measure the clip's light and draw a page about it into this PNG; the report then holds the figures",
    )  # fmt: skip
