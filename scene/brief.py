# SPDX-License-Identifier: GPL-3.0-or-later
"""The shot brief: what a scene holds about each shot, as plain data that survives JSON unchanged.

No bpy here. Conventions: azimuth in degrees clockwise from north seen from above (north = world +Y, turned by the
north offset), elevation in degrees above the horizon, lengths in metres, lens and sensor in mm, colour temperature in
kelvin, frames are Blender frames with both ends inclusive, matrices are 16 numbers row by row. A fact that the scene
does not hold is None.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

SCHEMA = "wan_previs.brief/1"

SunSource = Literal["sun_position", "sky_texture", "sun_light"]
TimeOfDay = Literal["night", "dawn", "dusk", "sunrise", "sunset", "midday", "morning", "afternoon"]
Sector = Literal[
    "front", "front_left", "left", "back_left", "back", "back_right", "right", "front_right", "top"
]  # where a light stands, against the camera's heading; left and right are the camera's
ShadowFall = Literal[
    "toward", "toward_left", "left", "away_left", "away", "away_right", "right", "toward_right", "under"
]  # where shadows fall, against the camera: toward it with the sun ahead; under what casts them with the sun at the top
ShadowSlide = Literal["left", "right", "toward", "away", "clockwise", "counterclockwise"]
ShadowChange = Literal["lengthen", "shorten"]
MoveKind = Literal[
    "static", "push_in", "pull_back", "truck_left", "truck_right", "pedestal_up", "pedestal_down", "pan_left",
    "pan_right", "tilt_up", "tilt_down", "roll_clockwise", "roll_counterclockwise", "zoom_in", "zoom_out", "arc_left",
    "arc_right", "tracking", "handheld", "dolly_zoom",
]  # fmt: skip
MoveUnit = Literal["m", "deg", "mm"]
ShotSize = Literal[
    "extreme_wide", "wide", "medium_wide", "medium", "medium_close_up", "close_up", "extreme_close_up"
]  # fmt: skip
Angle = Literal["eye_level", "low", "high", "overhead", "aerial", "dutch", "over_the_shoulder"]
LensClass = Literal["fisheye", "wide", "medium", "long"]
Composition = Literal["center", "balanced", "left_heavy", "right_heavy", "symmetrical"]
LightChangeKind = Literal["comes_on", "fades_in", "goes_out", "fades_out", "brightens", "dims", "flickers"]
LightRole = Literal["key", "fill", "rim", "practical", "background"]
MotionKind = Literal["static", "moving", "turning", "deforming"]
ScreenDirection = Literal["left", "right", "up", "down", "toward", "away"]
Setting = Literal["exterior", "interior", "unknown"]
Sky = Literal["clear", "overcast", "night"]
Weather = Literal["fog"]
ReferenceKind = Literal["object", "collection", "scene"]

Vector3 = tuple[float, float, float]
Rgb = tuple[float, float, float]
"""Linear Rec. 709, where nothing else is said."""
Matrix16 = tuple[
    float, float, float, float, float, float, float, float,
    float, float, float, float, float, float, float, float,
]  # fmt: skip


def settled(value: float) -> float:
    """A number to the fourth place, for comparisons with a bound: Blender keeps single precision, in which what a user
    sets to the bound lies a little beside it."""
    return round(value, 4)


class SceneError(Exception):
    """The scene (or a brief of it) lacks what was asked for; the message says what to do."""

    exit_status = 3


@dataclass(frozen=True)
class StartEnd:
    """One word (a TimeOfDay, a Sector or a ShadowFall) for the first frame of the shot and one for the last."""

    start: Literal[TimeOfDay, Sector, ShadowFall] | None = None
    end: Literal[TimeOfDay, Sector, ShadowFall] | None = None


@dataclass(frozen=True)
class Extent:
    """One number for the first frame of the shot and one for the last."""

    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class SunSample:
    """The sun at one frame. `direction` is a world-space unit vector from the scene to the sun; `strength` is the Sun
    light's irradiance (W/m2: its energy, exposure and nodes) or a Sky Texture's sun intensity times the background
    strength; `color` is a Sun light's, linear RGB with 1 the largest."""

    frame: int
    azimuth_deg: float
    elevation_deg: float
    direction: Vector3
    color_temperature_k: float | None = None
    strength: float | None = None
    color: Rgb | None = None


@dataclass(frozen=True)
class Shadows:
    """Shadows on level ground. `turn_deg` is how far they turn over the shot, clockwise seen from above; `length_ratio`
    their length in heights of what casts them, at most 20, None with the sun down. `slide`: which way they go over the
    ground as the camera sees it, by the sun's way and the camera's turning (clockwise and counterclockwise: half a turn
    and more, seen from above), `change`: what becomes of their length; None where little happens."""

    fall: StartEnd = field(default_factory=StartEnd)
    turn_deg: float | None = None
    length_ratio: Extent = field(default_factory=Extent)
    slide: ShadowSlide | None = None
    change: ShadowChange | None = None


@dataclass(frozen=True)
class SunStretch:
    """The sun over a part of a shot, as `Sun` has it over the whole."""

    samples: tuple[SunSample, ...]
    time_of_day: StartEnd = field(default_factory=StartEnd)
    relative_to_camera: StartEnd = field(default_factory=StartEnd)
    shadows: Shadows | None = None


@dataclass(frozen=True)
class Sun:
    """The sun of a shot; samples go from the first frame to the last, linear between. `shadows` is None for a sun that
    stays below the horizon. `stretches`: the parts of the shot between the frames at which the sunlight turns (it
    peaks or dips in height, side, strength or colour); empty where it does not."""

    source: SunSource
    samples: tuple[SunSample, ...]
    time_of_day: StartEnd = field(default_factory=StartEnd)
    relative_to_camera: StartEnd = field(default_factory=StartEnd)
    shadows: Shadows | None = None
    stretches: tuple[SunStretch, ...] = ()


@dataclass(frozen=True)
class CameraSample:
    """The camera at one frame. `matrix_world` is row-major, camera to world (camera looks along local -Z, +Y up), its
    translation in metres. `lens_mm` is None for a camera without focal length (orthographic)."""

    frame: int
    matrix_world: Matrix16
    lens_mm: float | None
    sensor_mm: tuple[float, float]
    shift: tuple[float, float] = (0.0, 0.0)
    focus_distance_m: float | None = None
    fstop: float | None = None


@dataclass(frozen=True)
class Move:
    """One camera move. `amount` is positive and in `unit`; both are None where a size means nothing (static)."""

    kind: MoveKind
    frame_start: int
    frame_end: int
    amount: float | None = None
    unit: MoveUnit | None = None


@dataclass(frozen=True)
class CameraPath:
    """The camera over the shot and what it amounts to; moves stand strongest first."""

    samples: tuple[CameraSample, ...]
    moves: tuple[Move, ...] = ()
    shot_size: ShotSize | None = None
    angle: Angle | None = None
    lens_class: LensClass | None = None
    composition: Composition | None = None


@dataclass(frozen=True)
class LightChange:
    """What a light does over a part of the shot, by half as much again and more. `comes_on` and `goes_out` are sudden,
    within a quarter of a second; `flickers` stands for many."""

    kind: LightChangeKind
    frame_start: int
    frame_end: int


@dataclass(frozen=True)
class Light:
    """A light other than the sun; `type` is Blender's type in lower case, `energy` Blender's number (W, or W/m2),
    `elevation_deg` how high it stands seen from what it lights (-90 straight below it), `library` the name of the
    library that its object is linked from ("" for the file's own, None where a brief does not say). `changes`: how its
    power goes over the shot, in order; empty for a steady light. `moves_to`: where a light that moves stands at its
    last frame. `color`: linear RGB with 1 the largest. `share`: the part (0..1) of the light of all such lights on what
    they light that is its own; None where a brief does not say."""

    name: str
    type: str
    role: LightRole | None = None
    color_temperature_k: float | None = None
    energy: float | None = None
    relative_to_camera: Sector | None = None
    elevation_deg: float | None = None
    library: str | None = None
    changes: tuple[LightChange, ...] = ()
    moves_to: Sector | None = None
    color: Rgb | None = None
    share: float | None = None


@dataclass(frozen=True)
class Motion:
    """What a subject does over the shot; speed is the mean speed of its centre in metres per second."""

    kind: MotionKind
    speed_m_s: float | None = None
    screen_direction: ScreenDirection | None = None


@dataclass(frozen=True)
class Subject:
    """Something seen. `name` is the object's own in the file, `noun` what it says in words ("Chair.003" is a chair).
    `screen_box` is (x0, y0, x1, y1) in 0..1, y up, clipped to the frame; `distance_m` goes along the view axis to the
    subject's centre. Both at the shot's first frame where it is visible. `count`: how many equal things are told as one
    (a row of trees), in the box around them all; counting stops at 24. Of several objects told as one, `name` is that
    of the largest and `members` are the names of all, largest first; None for one object."""

    name: str
    description: str | None
    screen_box: tuple[float, float, float, float]
    distance_m: float
    motion: Motion | None = None
    count: int = 1
    noun: str | None = None
    members: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Hdri:
    """The brightest direction of a world lit by a picture (compass azimuth, elevation, side of the camera at the first
    frame). `confidence` is the share of all its light that comes from within 15 degrees of there, less what an even
    sky would give: near 0 overcast, from about 0.3 a sun or a lamp."""

    azimuth_deg: float
    elevation_deg: float
    confidence: float
    relative_to_camera: Sector | None = None
    color_temperature_k: float | None = None


@dataclass(frozen=True)
class Emitter:
    """A thing in the picture whose material shines: a practical light. `screen_box` is (x0, y0, x1, y1) in 0..1, y up,
    clipped to the frame, at the first frame; `strength` Blender's emission strength times the colour's luminance,
    `color` linear RGB with 1 the largest (None where a texture decides it)."""

    name: str
    screen_box: tuple[float, float, float, float]
    color_temperature_k: float | None = None
    strength: float | None = None
    color: Rgb | None = None


@dataclass(frozen=True)
class Environment:
    """What surrounds the shot; `world_color` is linear RGB, `world_share` the largest part of the picture in which
    nothing stands before the world, at a few frames (None where a brief does not say); emitters stand largest first.
    `sky` is `night` for a sun under the horizon, and for a moon: a weak, bluish Sun light in a black world."""

    setting: Setting = "unknown"
    sky: Sky | None = None
    weather: Weather | None = None
    world_color: Rgb | None = None
    hdri: Hdri | None = None
    emitters: tuple[Emitter, ...] = ()
    world_share: float | None = None


@dataclass(frozen=True)
class Reference:
    """A picture (its whole path, "" for one that is no file) of what an object or a collection, by its `name`, or the
    scene is to look like."""

    kind: ReferenceKind
    name: str
    path: str


@dataclass(frozen=True)
class Shot:
    """One shot: the frames from `frame_start` to `frame_end` inclusive, seen by `camera`, an object's name;
    `suns` are all that light it, strongest first, `sun` the first of them (W/m2 by colour, the mean over the shot).
    `camera_library` is the name of the library that the object is linked from ("" for the file's own, None where a
    brief does not say). `references` are the pictures of what the shot shows, the most important first."""

    name: str
    frame_start: int
    frame_end: int
    camera: str
    sun: Sun | None
    camera_path: CameraPath
    lights: tuple[Light, ...] = ()
    subjects: tuple[Subject, ...] = ()
    environment: Environment = field(default_factory=Environment)
    camera_library: str | None = None
    suns: tuple[Sun, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def frame_count(self) -> int:
        """Number of frames, both ends counted."""
        return self.frame_end - self.frame_start + 1


@dataclass(frozen=True)
class Brief:
    """All shots that were asked for, and what they share. `blend_file` is "" for an unsaved scene."""

    blend_file: str
    scene: str
    fps: float
    resolution: tuple[int, int]
    north_offset_deg: float
    shots: tuple[Shot, ...]

    def shot(self, name: str) -> Shot:
        """The shot of that name. Raises SceneError that lists the names there are."""
        for shot in self.shots:
            if shot.name == name:
                return shot
        raise unknown_shot(name, [shot.name for shot in self.shots])

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers, strings and None, with the schema's name."""
        return {"schema": SCHEMA, **_encode(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Brief:
        """The brief that `to_json` wrote. A key that may be absent reads as None; raises SceneError that names the
        first key that is missing, unknown or of a wrong type."""
        schema = data.get("schema") if isinstance(data, Mapping) else None
        if schema != SCHEMA:
            raise SceneError(f"This is not a shot brief: its schema is {schema!r}, expected {SCHEMA!r}.")
        return _decode(cls, {key: value for key, value in data.items() if key != "schema"}, "brief")


def library_name(block: Any) -> str:
    """Name in its file of the library that a Blender data-block is linked from; "" for what is the file's own, library
    overrides too. It stays when the file is saved elsewhere, as the library's path does not."""
    return "" if block.library is None else str(block.library.name)


def find_block(blocks: Iterable[Any], name: str, library: str | None) -> Any:
    """The first Blender data-block (None among them is passed over) that a brief means by a name and a library, None
    where there is none."""
    return next((b for b in blocks if b is not None and b.name == name and library in (None, library_name(b))), None)


def unknown_shot(name: str, names: list[str]) -> SceneError:
    """The error for a shot that is not there."""
    known = ", ".join(repr(known) for known in names)
    return SceneError(f"There is no shot named {name!r}. The shots of this scene are {known}.")


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _decode(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type that `hint` names; SceneError when it is not one."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _decode(inner, value, where)
    if origin is Literal:
        if value not in arguments:
            raise SceneError(f"{where} is {value!r}, expected one of {', '.join(map(str, arguments))}.")
        return value
    if origin is tuple:
        return _decode_tuple(arguments, value, where)
    if dataclasses.is_dataclass(hint):
        return _decode_dataclass(hint, value, where)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if hint in (int, str) and type(value) is hint:
        return value
    raise SceneError(f"{where} is {value!r}, expected {getattr(hint, '__name__', hint)}.")


def _decode_tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise SceneError(f"{where} is {value!r}, expected a list.")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(value) != len(arguments):
        raise SceneError(f"{where} has {len(value)} items, expected {len(arguments)}.")
    return tuple(
        _decode(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(zip(arguments, value, strict=True))
    )


def _decode_dataclass(cls: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise SceneError(f"{where} is {value!r}, expected an object.")
    hints = _hints(cls)
    for key in value:
        if key not in hints:
            raise SceneError(f"{where} has an unknown key {key!r}.")
    for f in dataclasses.fields(cls):
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and f.name not in value and type(None) not in typing.get_args(hints[f.name]):
            raise SceneError(f"{where} lacks the key {f.name!r}.")
    absent = {
        f.name: None
        for f in dataclasses.fields(cls)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and f.name not in value
    }
    return cls(**absent, **{key: _decode(hints[key], item, f"{where}.{key}") for key, item in value.items()})
