# SPDX-License-Identifier: GPL-3.0-or-later
"""The structured prompt: what a shot's text says, before it is put into a language.

Every field holds words from a closed set (the Literal types here and the tables of `vocabulary.py`), never numbers
of degrees; nouns of subjects and the user's own text are the only free words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..scene.brief import (
    Angle,
    Composition,
    LensClass,
    LightChangeKind,
    LightRole,
    MotionKind,
    MoveKind,
    ScreenDirection,
    Sector,
    Setting,
    ShadowFall,
    ShotSize,
    Sky,
    TimeOfDay,
    Weather,
)
from . import template
from .fit import Rank

Height = Literal["below", "very_low", "low", "middle", "high", "overhead"]
"""The sun's elevation: below the horizon, under 10, 25, 50, 70 degrees, and above; fixes the shadows' length too."""
LightColor = Literal[
    "orange", "golden", "white", "bluish", "red", "yellow", "green", "teal", "blue", "purple", "pink"
]  # fmt: skip
"""By colour temperature, the first four; a vivid light that no temperature tells has the name of its hue."""
Turn = Literal["left", "right", "front", "back", "clockwise", "counterclockwise"]
"""Where the light wanders, seen from the camera; the last two are half turns and more, seen from above."""
LampKind = Literal["lamp", "spotlight", "panel", "beam"]
Around = Literal["both_sides", "around"]
"""Where several lamps stand that do not share a side."""
HeightChange = Literal["rises", "sinks"]
LengthChange = Literal["shorten", "lengthen", "appear", "fade"]
Brightness = Literal["brighter", "dimmer"]
Strength = Literal["weak", "out"]
Power = Literal["stronger", "weaker"]
When = Literal["early", "halfway", "late", "later"]
"""In which third of the shot; `later` is in the same as the moment before."""
TurnCause = Literal["sun", "camera"]
Amount = Literal["slightly", "clearly", "far", "fast"]
"""How far something goes, and of a camera's move that it is fast, however far."""
Position = Literal["left", "middle", "right", "both_sides", "across"]


@dataclass(frozen=True)
class SunMoment:
    """The sunlight at a moment. `shadows` is where they fall, None where the sun casts none (below the horizon) or the
    camera looks over all ground;
    `strength` compares with the sun's own strongest moment; `steep` is true for a camera that looks down or up so
    steeply that front and back are the bottom and the top of its picture."""

    time: TimeOfDay | None
    sector: Sector | None
    height: Height
    color: LightColor | None
    shadows: ShadowFall | None
    strength: Strength | None = None
    steep: bool = False

    @property
    def shines(self) -> bool:
        """Whether it lights the scene."""
        return self.height != "below" and self.strength != "out"

    @property
    def look(self) -> SunMoment:
        """What is seen of it: the light, whatever the time."""
        return replace(self, time=None)


@dataclass(frozen=True)
class SunChange:
    """How the sunlight changes from one moment to another; a None did not happen. `turn` is where the light wanders as
    the camera sees it, `turn_cause` what does most of that: the sun's own way, or the camera's turning. `brightness` is
    the scene's, by all its suns; `power` the sun's own where it is not the only one; `steep` as at its start."""

    height: HeightChange | None = None
    height_amount: Amount | None = None
    turn: Turn | None = None
    turn_amount: Amount | None = None
    turn_cause: TurnCause | None = None
    shadow_length: LengthChange | None = None
    shadow_slide: Turn | None = None
    brightness: Brightness | None = None
    power: Power | None = None
    steep: bool = False


@dataclass(frozen=True)
class SunStop:
    """A moment on the way at which the sunlight turns, and the change that leads to it."""

    change: SunChange
    moment: SunMoment
    when: When


@dataclass(frozen=True)
class SunLight:
    """The sunlight from the shot's first frame over its stops to its last; `change` leads to the end. `steady`: it is
    the same all the while, `returns`: at the end it is as at the start; both are of the light, not of its words. `net`:
    what its strength is at the end against the start. `moon`: it lights a night."""

    start: SunMoment
    end: SunMoment
    change: SunChange
    stops: tuple[SunStop, ...] = ()
    steady: bool = False
    returns: bool = False
    net: Power | None = None
    moon: bool = False

    @property
    def moments(self) -> tuple[SunMoment, ...]:
        """The start, each stop and the end."""
        return (self.start, *(stop.moment for stop in self.stops), self.end)

    @property
    def changes(self) -> tuple[SunChange, ...]:
        """What happens between one moment and the next."""
        return (*(stop.change for stop in self.stops), self.change)


@dataclass(frozen=True)
class LampChange:
    """What a lamp does, and when, where that is a moment of the shot."""

    kind: LightChangeKind
    when: When | None


@dataclass(frozen=True)
class LampLight:
    """Some of the strongest other lights, `count` of a kind that do the same; `steep` as in `SunMoment`, `moves_to`
    where they go."""

    kind: LampKind
    role: LightRole | None
    color: LightColor | None
    sector: Sector | Around | None
    steep: bool = False
    changes: tuple[LampChange, ...] = ()
    moves_to: Sector | None = None
    count: int = 1


@dataclass(frozen=True)
class SkyLight:
    """Where the surroundings shine brightest, in a scene without a sun that a picture of a sky or a room lights."""

    sector: Sector
    height: Height
    color: LightColor | None
    steep: bool = False


@dataclass(frozen=True)
class Glow:
    """A thing in the picture that shines by itself; `chinese` as in `SubjectWords`."""

    noun: str
    position: Position | None
    color: LightColor | None
    chinese: str | None = None


@dataclass(frozen=True)
class CameraMove:
    """One camera move; `amount` is None where size means nothing. `back`: it is undone within the shot."""

    kind: MoveKind
    amount: Amount | None
    back: bool = False


@dataclass(frozen=True)
class FocusShift:
    """The things (English nouns) that are sharp at the start and at the end, and their `chinese` as in
    `SubjectWords`."""

    start: str
    end: str
    chinese: tuple[str | None, str | None] = (None, None)


@dataclass(frozen=True)
class Camera:
    """Moves, framing and where the focus goes. `in_turn` is true when the moves follow one another, else they happen
    together."""

    moves: tuple[CameraMove, ...]
    in_turn: bool
    shot_size: ShotSize | None
    angle: Angle | None
    lens: LensClass | None
    composition: Composition | None
    focus: FocusShift | None = None


@dataclass(frozen=True)
class SubjectWords:
    """Subjects of one name: English noun without article, how many, where in the picture, what they do; `own`: the
    noun is the user's own description; `chinese` the noun of an object that is called in Chinese."""

    noun: str
    count: int
    position: Position | None
    motion: MotionKind | None
    direction: ScreenDirection | None
    speed: Literal["slowly", "fast"] | None
    own: bool = False
    chinese: str | None = None


@dataclass(frozen=True)
class Surroundings:
    """What is around the subjects; `color` is a colour name of the world background (`vocabulary.COLORS`), None where
    it says little; `sky_seen` whether any of the sky can be in the picture."""

    setting: Setting
    sky: Sky | None
    weather: Weather | None
    color: str | None
    sky_seen: bool = True


@dataclass(frozen=True)
class Contradiction:
    """A warning: the user's phrase, the fact of the scene that speaks against it, and both in a sentence."""

    word: str
    fact: str
    message: str


@dataclass(frozen=True)
class StructuredPrompt:
    """A shot's prompt. `terms` are keys of `vocabulary.TERMS` (at most five); `user_text` and `style` are the user's
    own words with their spaces tidied; `sun` is None for a scene without a sun, `other_suns` share the shot with it,
    `sky_light` where nothing says where
    the light of the surroundings comes from; `template` orders the parts (`template.py`); `negative_text` is what the
    user adds to the engine's negative prompt, None for nothing; `warnings` are the user's claims that the scene
    contradicts."""

    shot: str
    terms: tuple[str, ...]
    user_text: str
    sun: SunLight | None
    lamps: tuple[LampLight, ...]
    camera: Camera
    subjects: tuple[SubjectWords, ...]
    surroundings: Surroundings
    negative_text: str | None = None
    glows: tuple[Glow, ...] = ()
    sky_light: SkyLight | None = None
    other_suns: tuple[SunLight, ...] = ()
    style: str = ""
    template: str = template.DEFAULT
    warnings: tuple[Contradiction, ...] = ()

    def rank_of(self, lamp: LampLight) -> Rank:
        """What leads the light is not left out: the strongest lamp, where there is no sun and no sky. A lamp that
        changes or moves is a part of how the light goes."""
        leads = self.sun is None and self.sky_light is None and lamp is self.lamps[0]
        return Rank.MAIN if leads else Rank.COURSE if lamp.changes or lamp.moves_to else Rank.LAMPS

    def subjects_by_position(self) -> dict[Position | None, list[SubjectWords]]:
        """The subjects that stand in the same part of the picture, in the order of their first ones."""
        groups: dict[Position | None, list[SubjectWords]] = {}
        for subject in self.subjects:
            groups.setdefault(subject.position, []).append(subject)
        return groups

    def negative(self, default: str) -> str | None:
        """The negative prompt: the user's addition behind the model's own (`default`), with that language's comma; None
        where the user adds nothing, so that the engine takes its default."""
        if not self.negative_text:
            return None
        comma = ", " if default.isascii() else "，"
        return f"{default}{comma}{self.negative_text}" if default else self.negative_text
