# SPDX-License-Identifier: GPL-3.0-or-later
"""What a generation is asked for, and the errors it can end in. Without torch."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from types import MappingProxyType
from typing import Any, TypeVar

from .errors import UsageError
from .expert_names import expert_of
from .light_curve import LightCurve, SunPlace, _is_number

SCHEMA = "wan_previs.request/1"
Part = TypeVar("Part")
SOLVERS = ("unipc", "dpm++", "euler")
AUTO = "auto"
DTYPES = ("float32", "bfloat16", "float16", AUTO)
STATED_OFFLOADS = ("none", "expert", "block")  # fastest first, and the one that needs least last
OFFLOADS = (*STATED_OFFLOADS, AUTO)
LORA_EXPERTS = ("both", "high", "low")
_LORA_ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".gguf")
_PLAIN_NAMES = ("adapter_model", "pytorch_lora_weights", "lora", "model")
_STRENGTH = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")
GUIDES = ("off", "gentle", "strict")
REPAIRS = ("deflicker", "color")
CODECS = ("h264", "prores", "ffv1", "png", "exr")
# The fields that name what a generation writes.
OUTPUTS = ("out", "latents", "frames_out", "report", "resume", "preview", "prompt_cache", "page")
# What a job folder holds besides, which no output may take the place of.
JOBS_OWN = ("request.json", "state.json", "identity.json", "brief.json", "events.jsonl", "log.txt", "conditioning")
# What a distilled model is sampled with; whatever the request states itself goes before it.
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"lightning": {"steps": 4, "shift": 5.0, "guide": (1.0, 1.0), "solver": "euler"}}
)


@dataclass(frozen=True)
class Lora:
    """Low-rank changes to the transformer's weights: a file, how strongly it counts, and for which expert
    (`both`, `high`, `low`; a model with one transformer takes `both`).

    An expert left out ("") is the one that the file's name tells, else both.
    """

    path: str
    strength: float = 1.0
    expert: str = ""

    def __post_init__(self) -> None:
        if self.expert == "" and isinstance(self.path, str):
            object.__setattr__(self, "expert", _expert_in(self.path) or "both")

    @classmethod
    def parse(cls, text: str) -> Lora:
        """The LoRA that a command line names: PATH[:STRENGTH][:EXPERT], the two in any order, such as
        `style.safetensors:0.8:high`. Raises UsageError for what is neither.
        """
        path, told = text, dict[str, str]()
        while len(told) < 2:
            head, colon, end = path.rpartition(":")
            kind = "expert" if end.lower() in LORA_EXPERTS else "strength" if _STRENGTH.fullmatch(end) else None
            if kind is None or not colon or kind in told:
                break
            path, told[kind] = head, end.lower().replace(",", ".")
        strength = float(told.get("strength", 1))
        rest = path.rpartition(":")
        if not path.strip() or not math.isfinite(strength) or (rest[1] and rest[0].lower().endswith(_LORA_ENDINGS)):
            raise UsageError(
                f"{text!r} is no LoRA; give a file, its strength and its expert like style.safetensors:0.8:high."
            )
        return cls(path, strength, told.get("expert", ""))


def _expert_in(path: str) -> str | None:
    """What the name of a LoRA's file or folder says; that of the folder where every such file has the same name."""
    *folders, name = re.split(r"[\\/]", path.rstrip("\\/"))
    stem = re.sub(r"\.[A-Za-z]+$", "", name)
    return expert_of(folders[-1] if folders and stem in _PLAIN_NAMES else stem)


@dataclass(frozen=True)
class PromptPart:
    """A sentence of the prompt. Where the model cannot read all of it, sentences of the highest `rank` are left out
    first, those of rank 0 not at all; negative ones, words of the user's own, go behind the rest instead."""

    text: str
    rank: int = 0


@dataclass(frozen=True)
class GenerationRequest:
    """One clip to make. None means the default of the preset, or else of the checkpoint's model.

    `size` is (width, height) in pixels. With a picture only its area counts, unless `exact_size` says that the clip is
    to have it, whatever the picture's. `guide` is (low-noise, high-noise), `fps` the rate at which the model's frames
    play. With `clip_frames` and `clip_fps` the clip is retimed to exactly that many frames at that rate.

    `prompt_parts` are the sentences of `prompt`, () where nothing is known of them and a prompt that is longer than the
    model reads is cut off.
    `step_cache` is the relative change up to which a step may reuse what the blocks gave in an earlier one (0 = every
    step is computed); `attention` the name of a backend; `compile` lets torch compile the transformer's blocks.
    `vae_tiles` is the side in pixels of the tiles that are decoded one by one (0 = none; tiling is not exact).
    `resume` is a file that holds the state after every step while the generation runs; `preview` a PNG that is
    rewritten after every step; `prompt_cache` a folder in which encoded prompts are kept.
    `light` is the light that the scene predicts, `guide_light` how firmly the clip is held to it while it is denoised
    (off, gentle, strict; gentle by default where there is a curve).
    `page` is a PNG about the clip's light, with the scene's `sun` along the shot (() for a scene without one, None
    where that is not known); with it the light is measured and judged in the report.
    `correct` names the repairs of the finished clip's light, `upscale` (2, 4; 0 = off) how much larger it is made, with
    the learned model in the file `upscale_model` or the built-in way; `refine` is the noise level from which the model
    redraws the enlarged clip (0 = off), `interpolation_model` the file of a learned model that makes the frames between
    (None = by optical flow), `codec` what the clip is written as.
    With `dtype` and `offload` auto the machine that makes the clip chooses: float32 for small models, bfloat16 for
    large ones, and the offload with which the clip fits into the free memory.
    Paths other than `checkpoint` and those of `loras` may be relative to the folder the generation runs in.
    """

    checkpoint: str
    prompt: str
    negative: str | None = None
    prompt_parts: tuple[PromptPart, ...] = ()
    image: str | None = None
    last_image: str | None = None
    size: tuple[int, int] | None = None
    exact_size: bool = False
    frames: int | None = None
    steps: int | None = None
    shift: float | None = None
    guide: tuple[float, float] | None = None
    boundary: float | None = None
    solver: str | None = None
    seed: int = 0
    preset: str | None = None
    loras: tuple[Lora, ...] = ()
    dtype: str = "float32"
    offload: str = "none"
    attention: str = "auto"
    compile: bool = False
    step_cache: float = 0.0
    vae_tiles: int = 0
    fps: float | None = None
    clip_frames: int | None = None
    clip_fps: float | None = None
    out: str = "clip.mp4"
    latents: str | None = None
    frames_out: str | None = None
    report: str | None = None
    resume: str | None = None
    preview: str | None = None
    prompt_cache: str | None = None
    page: str | None = None
    sun: tuple[SunPlace, ...] | None = None
    light: LightCurve | None = None
    guide_light: str | None = None
    correct: tuple[str, ...] = ()
    upscale: int = 0
    upscale_model: str | None = None
    refine: float = 0.0
    interpolation_model: str | None = None
    codec: str = "h264"

    @property
    def light_strength(self) -> str:
        """How firmly the light is guided: what was asked for, else gentle with a light curve and off without."""
        return self.guide_light or ("off" if self.light is None else "gentle")

    def check_outputs_inside(self) -> None:
        """Raise UsageError for an output that is not below the folder the generation runs in, on any system.

        The names are looked at, not the disk: whether something in the folder is a link is for its owner to see.
        """
        for field in OUTPUTS:
            name = getattr(self, field)
            if name is not None and not _stays_below(name):
                raise UsageError(
                    f"{field} is {name!r}, but the outputs of a job lie in its folder; give a name without drive, "
                    "leading slash or '..'."
                )
            if name is not None and _of_the_job(name):
                raise UsageError(f"{field} is {name!r}, which is the job's own; give another name.")

    @property
    def load_options(self) -> dict[str, Any]:
        """The arguments of `pipeline.load`: two requests with equal ones can share a loaded pipeline."""
        names = ("checkpoint", "dtype", "offload", "loras", "attention", "compile")
        return {name: getattr(self, name) for name in names}

    def with_preset(self) -> GenerationRequest:
        """The request with its preset's values where it states none itself."""
        if self.preset is None:
            return self
        missing = {name: value for name, value in PRESETS[self.preset].items() if getattr(self, name) is None}
        return dataclasses.replace(self, **missing)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `request.json`."""
        fields = dataclasses.asdict(self)
        return {"schema": SCHEMA, **_plain(fields)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GenerationRequest:
        """The request in `data`; raises UsageError naming an unknown key, a missing key or a wrong type."""
        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            raise UsageError(f'A request must be a JSON object with "schema": "{SCHEMA}".')
        values = {key: value for key, value in data.items() if key != "schema"}
        unknown = sorted(set(values) - set(_CHECKS))
        if unknown:
            raise UsageError(f"The request has an unknown key {unknown[0]!r}; remove it.")
        for key in ("checkpoint", "prompt"):
            if key not in values:
                raise UsageError(f"The request lacks {key!r}.")
        for key in ("size", "guide", "correct"):
            if isinstance(values.get(key), list):
                values[key] = tuple(values[key])
        if isinstance(values.get("loras"), list):
            values["loras"] = tuple(_made(Lora, "A LoRA", item) for item in values["loras"])
        if isinstance(values.get("prompt_parts"), list):
            parts = (_made(PromptPart, "A part of the prompt", item) for item in values["prompt_parts"])
            values["prompt_parts"] = tuple(parts)
        if isinstance(values.get("sun"), list):
            values["sun"] = tuple(_made(SunPlace, "A place of the sun", item) for item in values["sun"])
        if values.get("light") is not None:
            values["light"] = LightCurve.from_json(values["light"])
        request = cls(**values)
        request.validate()
        return request

    def validate(self) -> None:
        """Raise UsageError for the first value that no model could work with."""
        for name, (accepts, wording) in _CHECKS.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if not accepts(value):
                raise UsageError(f"{name} is {value!r}, but must be {wording}.")
        check_frames(self.frames)
        if self.prompt_parts and joined(self.prompt_parts) != self.prompt:
            raise UsageError("prompt_parts must make up the prompt; leave them out of a request with another prompt.")
        if self.last_image is not None and self.image is None:
            raise UsageError("A last picture needs a first picture too; give image.")
        if self.exact_size and self.size is None:
            raise UsageError("An exact size needs a size; give size, or leave out exact_size.")
        if (self.clip_frames is None) != (self.clip_fps is None):
            raise UsageError("clip_frames and clip_fps belong together; give both or neither.")
        if self.light is not None:
            self.light.validate()
        elif self.light_strength != "off":
            raise UsageError(
                "The light can be guided only toward a light curve; give light, or set guide_light to off."
            )


def joined(parts: Iterable[PromptPart]) -> str:
    """The prompt that parts make up."""
    return " ".join(part.text for part in parts)


def _plain(value: Any) -> Any:
    """Tuples as lists, also inside."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _made(kind: type[Part], what: str, data: object) -> Part:
    """The part of a request that `data` describes; UsageError for another kind of object."""
    known = {field.name: field.default is dataclasses.MISSING for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if not isinstance(data, Mapping) or not {name for name, must in known.items() if must} <= set(data) <= set(known):
        raise UsageError(f"{what} in the request is {data!r}, but must be an object with {', '.join(sorted(known))}.")
    return kind(**data)


def check_frames(frames: int | None) -> None:
    """The video autoencoder packs one frame, then four at a time: raise UsageError when `frames` is not 4n+1."""
    if frames is not None and frames % 4 != 1:
        below = max(1, (frames - 1) // 4 * 4 + 1)
        raise UsageError(
            f"{frames} frames cannot be made; the count must be 4n+1, nearest are {below} and {below + 4}."
        )


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return _is_int(value) and value >= 1


def _positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _side(value: Any) -> bool:
    return _count(value) and value <= 65536


def _rate(value: Any) -> bool:
    """Frames per second that every movie container can state."""
    return _is_number(value) and 0.01 <= value <= 1000


def _text(value: object) -> bool:
    return isinstance(value, str)


def _tile(value: Any) -> bool:
    return _is_int(value) and (value == 0 or (value >= 64 and value % 32 == 0))


def _path(value: object) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _stays_below(name: str) -> bool:
    """Whether a folder joined with `name` is something below that folder. Windows' reading knows both slashes and
    drives; "...mp4" is refused because ".." is left of it without its ending."""
    path = PureWindowsPath(name)
    return not path.anchor and path.parts != () and not any(part.startswith("..") for part in path.parts)


def _of_the_job(name: str) -> bool:
    """Whether an output would take the place of what a job is made of and told by, on any system: Windows knows no
    capitals and no dots at the end, and a sequence of pictures loses its ending."""
    first = PureWindowsPath(name).parts[0].lower().rstrip(". ")
    return first in JOBS_OWN or PureWindowsPath(first).stem in JOBS_OWN


def _pair_of(accepts: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, tuple) and len(value) == 2 and all(accepts(item) for item in value)


def _one_of(names: tuple[str, ...]) -> tuple[Callable[[object], bool], str]:
    return lambda value: value in names, "one of " + ", ".join(names)


def _loras(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(lora, Lora) and _path(lora.path) and _is_number(lora.strength) and lora.expert in LORA_EXPERTS
        for lora in value
    )


def _parts(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(part, PromptPart) and _text(part.text) and _is_int(part.rank) for part in value
    )


def _suns(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(sun, SunPlace)
        and _is_int(sun.frame)
        and _is_number(sun.azimuth_deg)
        and _is_number(sun.elevation_deg)
        for sun in value
    )


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "checkpoint": (_path, "a folder"),
    "prompt": (_text, "text"),
    "negative": (_text, "text"),
    "prompt_parts": (_parts, "sentences, each with text and rank"),
    "image": (_path, "a picture file"),
    "last_image": (_path, "a picture file"),
    "size": (_pair_of(_side), "width and height, whole numbers from 1 to 65536"),
    "exact_size": (lambda value: isinstance(value, bool), "true or false"),
    "frames": (_count, "a positive whole number"),
    "steps": (lambda value: _count(value) and value <= 1000, "a whole number from 1 to 1000"),
    "shift": (_positive, "a positive number"),
    "guide": (_pair_of(_is_number), "two numbers, low-noise and high-noise"),
    "boundary": (lambda value: _is_number(value) and 0 <= value <= 1, "a number from 0 to 1"),
    "solver": _one_of(SOLVERS),
    "seed": (lambda value: _is_int(value) and 0 <= value < 2**64, "a whole number from 0 to 2**64-1"),
    "preset": _one_of(tuple(PRESETS)),
    "loras": (_loras, "files, each with a finite strength and an expert of " + ", ".join(LORA_EXPERTS)),
    "dtype": _one_of(DTYPES),
    "offload": _one_of(OFFLOADS),
    "attention": (lambda value: _text(value) and value != "", "the name of an attention backend"),
    "compile": (lambda value: isinstance(value, bool), "true or false"),
    "step_cache": (lambda value: _is_number(value) and 0 <= value <= 1, "a number from 0 (off) to 1"),
    "vae_tiles": (_tile, "0 (off) or a tile's side of at least 64 pixels, a multiple of 32"),
    "fps": (_rate, "a number from 0.01 to 1000"),
    "clip_frames": (_count, "a positive whole number"),
    "clip_fps": (_rate, "a number from 0.01 to 1000"),
    "out": (_path, "a file name"),
    "latents": (_path, "a file name"),
    "frames_out": (_path, "a folder"),
    "report": (_path, "a file name"),
    "resume": (_path, "a file name"),
    "preview": (_path, "a file name"),
    "prompt_cache": (_path, "a folder"),
    "page": (_path, "a file name"),
    "sun": (_suns, "places of the sun, each with a frame, azimuth_deg and elevation_deg"),
    "light": (lambda value: isinstance(value, LightCurve), "a light curve"),
    "guide_light": _one_of(GUIDES),
    "correct": (lambda value: isinstance(value, tuple) and set(value) <= set(REPAIRS), f"any of {', '.join(REPAIRS)}"),
    "upscale": (lambda value: _is_int(value) and value in (0, 2, 4), "0 (off), 2 or 4"),
    "upscale_model": (_path, "a file"),
    "refine": (lambda value: _is_number(value) and (value == 0 or 0.05 <= value <= 0.6), "0 (off) or from 0.05 to 0.6"),
    "interpolation_model": (_path, "a file"),
    "codec": _one_of(CODECS),
}
_OPTIONAL = {field.name for field in dataclasses.fields(GenerationRequest) if field.default is None}
