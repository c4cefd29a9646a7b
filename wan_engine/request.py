# SPDX-License-Identifier: GPL-3.0-or-later
"""What a generation is asked for: the options of its clip, and what comes with them from the scene. Without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import PureWindowsPath
from typing import Any

from .errors import UsageError
from .light_curve import SunPlace, is_number
from .option_kinds import File, Flag, Number, Records, Text, Whole, is_whole
from .options import EngineOptions, options_of, row
from .request_parts import PromptPart, joined

SCHEMA = "wan_previs.request/1"
# The options that memory and time are planned by.
PLANNED = ("size", "frames", "steps", "preset", "device", "dtype", "offload", "vae_tiles", "attention")
# The fields that name what a generation writes.
OUTPUTS = ("out", "latents", "frames_out", "report", "resume", "preview", "prompt_cache", "page")
# What a job folder holds besides, which no output may take the place of.
JOBS_OWN = (
    "request.json",
    "state.json",
    "identity.json",
    "brief.json",
    "events.jsonl",
    "job.lock",
    "log.txt",
    "conditioning",
    "control",
)
_PARTS = Records(
    PromptPart,
    "A part of the prompt",
    lambda part: isinstance(part.text, str) and is_whole(part.rank),
    "sentences, each with text and rank",
)
_SUNS = Records(
    SunPlace,
    "A place of the sun",
    lambda sun: is_whole(sun.frame) and is_number(sun.azimuth_deg) and is_number(sun.elevation_deg),
    "places of the sun, each with a frame, azimuth_deg and elevation_deg",
)


@dataclass(frozen=True)
class GenerationRequest(EngineOptions):
    """One clip to make. None means the default of the preset, or else of the checkpoint's model.

    `size` is (width, height) in pixels. With a picture only its area counts, unless `exact_size` says that the clip is
    to have it, whatever the picture's. `guide` is (low-noise, high-noise), `fps` the rate at which the model's frames
    play. With `clip_frames` and `clip_fps` the clip is retimed to exactly that many frames at that rate.
    Words about the clip count its frames from `first_frame`; numbers in the report from 0.

    `prompt_parts` are the sentences of `prompt`, () where nothing is known of them and a prompt that is longer than the
    model reads is cut off. `light` is the light that the scene predicts; a `page` about the clip's light shows the
    scene's `sun` along the shot (() for a scene without one, None where that is not known).
    With `dtype` and `offload` auto the machine that makes the clip chooses: float32 for small models, bfloat16 for
    large ones, and the offload with which the clip fits into the free memory.
    Paths other than `checkpoint` and those of `loras` may be relative to the folder the generation runs in.
    """

    checkpoint: str = row(File("a folder"), MISSING, "The model's folder, in a published layout", must=True)
    prompt: str = row(Text(), MISSING, "What the clip shows", must=True)
    prompt_parts: tuple[PromptPart, ...] = row(_PARTS, (), "The sentences of the prompt", flag=None)
    exact_size: bool = row(Flag(), False, "The clip has exactly its size", flag=None)
    clip_frames: int | None = row(Whole(1), None, "Frames of the delivered clip", flag=None)
    clip_fps: float | None = row(Number(0.01, 1000), None, "Frame rate of the delivered clip", flag=None)
    first_frame: int = row(Whole(-(2**31)), 0, "The number of the clip's first frame in words", flag=None)
    redo_of: str | None = row(Text(), None, "What the clip to redo is called", flag=None)
    sun: tuple[SunPlace, ...] | None = row(_SUNS, None, "Where the scene's sun stands along the shot", flag=None)

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
        names = ("checkpoint", "dtype", "offload", "loras", "attention", "compile", "device")
        return {name: getattr(self, name) for name in names}

    def with_preset(self, values: Mapping[str, Any]) -> GenerationRequest:
        """The request with the `values` of its preset where it states none itself."""
        missing = {name: value for name, value in values.items() if getattr(self, name) is None}
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
        values = _renamed({key: value for key, value in data.items() if key != "schema"})
        unknown = sorted(set(values) - set(OPTIONS))
        if unknown:
            raise UsageError(f"The request has an unknown key {unknown[0]!r}; remove it.")
        for name, option in OPTIONS.items():
            if option.default is MISSING and name not in values:
                raise UsageError(f"The request lacks {name!r}.")
        request = cls(**{key: OPTIONS[key].kind.from_json(value) for key, value in values.items()})
        request.validate()
        return request

    def validate(self) -> None:
        """Raise UsageError for the first value that no model could work with."""
        for name, option in OPTIONS.items():
            if not option.allows(value := getattr(self, name)):
                raise UsageError(f"{name} is {value!r}, but must be {option.kind.wording}.")
        check_frames(self.frames)
        check_frames(self.window)
        if self.prompt_parts and joined(self.prompt_parts) != self.prompt:
            raise UsageError("prompt_parts must make up the prompt; leave them out of a request with another prompt.")
        if self.last_image is not None and self.image is None:
            raise UsageError("A last picture needs a first picture too; give image.")
        if self.keyframes and self.image is None:
            raise UsageError("Keyframes need a first picture too; give image.")
        if self.control_mask is not None and self.control_video is None:
            raise UsageError("A control mask needs a control clip too; give control_video.")
        for name, other in (("camera_scale", "camera"), ("control_share", "control_video")):
            if getattr(self, name) is not None and getattr(self, other) is None:
                raise UsageError(f"{name} has no effect without {other}; give {other} too, or leave out {name}.")
        if (self.motion_video is None) != (self.motion_mask is None):
            raise UsageError("A motion clip and its mask belong together; give motion_video and motion_mask.")
        if self.motion_video is None and (self.motion_start, self.motion_end) != (None, None):
            raise UsageError("motion_start and motion_end are for a motion clip; give motion_video and motion_mask.")
        if self.redo is None and (self.redo_from, self.redo_mask) != (None, None):
            raise UsageError("redo_from and redo_mask tell what to make anew of a clip; give it as redo.")
        if self.redo is not None and (self.redo_from, self.redo_mask) == (None, None):
            raise UsageError("A clip is made anew from a frame on, or in a mask; give redo_from or redo_mask.")
        if self.redo is not None and self.refine:
            raise UsageError("Refining redraws all of a clip, also what is to stay; leave out refine, or redo.")
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


OPTIONS = options_of(GenerationRequest)


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    """Values under the names that their options have now; a request of an earlier version may use an old one."""
    old = {name: option.name for option in OPTIONS.values() for name in option.old}
    return {key if old.get(key, key) in values else old[key]: value for key, value in values.items()}


def _plain(value: Any) -> Any:
    """Tuples as lists, also inside."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def check_frames(frames: int | None) -> None:
    """The video autoencoder packs one frame, then four at a time: raise UsageError when `frames` is not 4n+1."""
    if frames is not None and frames % 4 != 1:
        below = max(1, (frames - 1) // 4 * 4 + 1)
        raise UsageError(
            f"{frames} frames cannot be made; the count must be 4n+1, nearest are {below} and {below + 4}."
        )


def _stays_below(name: str) -> bool:
    """Whether a folder joined with `name` is something below that folder. Windows' reading knows both slashes and
    drives; "...mp4" is refused because ".." is left of it without its ending."""
    path = PureWindowsPath(name)
    return not path.anchor and path.parts != () and not any(part.startswith("..") for part in path.parts)


def _of_the_job(name: str) -> bool:
    """Whether an output would take the place of what a job is made of and told by, on any system: Windows knows no
    capitals, no dots at the end and no streams (behind a colon), and a sequence of pictures loses its ending."""
    first = PureWindowsPath(name).parts[0].casefold().partition(":")[0].rstrip(". ")
    return first in JOBS_OWN or PureWindowsPath(first).stem in JOBS_OWN
