# SPDX-License-Identifier: GPL-3.0-or-later
"""What the value of an option may be: how it is checked, told in words, and read from a command line or from JSON.

Standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from .errors import UsageError
from .light_curve import LightCurve, is_number, read_light


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, and not true or false."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_path(value: object) -> bool:
    """Whether a value can be the name of a file or folder."""
    return isinstance(value, str) and value != "" and "\0" not in value


class Kind:
    """A kind of values. `accepts` checks one, `wording` ends the sentence "... must be".

    `parse` reads one word of a command line (ValueError or UsageError for what it is not), `arguments` are what
    argparse is told besides, `collect` makes the value of what argparse gives, `from_json` of plain data, whose
    lists are tuples here.
    """

    metavar: ClassVar[str] = ""
    arguments: ClassVar[Mapping[str, Any]] = {}

    def accepts(self, value: Any) -> bool:
        """Whether it is such a value."""
        raise NotImplementedError

    @property
    def wording(self) -> str:
        """What ends the sentence "... must be"."""
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """The value that one word of a command line stands for. Raises ValueError or UsageError."""
        raise ValueError(text)

    def collect(self, given: Any) -> Any:
        """The value of what argparse gives."""
        return given

    def from_json(self, data: Any) -> Any:
        """The value of plain data. Raises UsageError."""
        return tuple(data) if isinstance(data, list) else data


@dataclass(frozen=True)
class Text(Kind):
    """Words; `what` tells which where they may not be empty."""

    metavar: ClassVar[str] = "TEXT"
    what: str = ""

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and (value != "" or not self.what)

    @property
    def wording(self) -> str:
        return self.what or "text"

    def parse(self, text: str) -> str:
        return text


@dataclass(frozen=True)
class File(Kind):
    """The name of a file or folder; `what` is "a file", "a folder" or the like."""

    what: str = "a file"

    def accepts(self, value: Any) -> bool:
        return is_path(value)

    @property
    def is_folder(self) -> bool:
        """Whether a folder is meant."""
        return self.what == "a folder"

    @property
    def wording(self) -> str:
        return self.what

    def parse(self, text: str) -> str:
        return text


@dataclass(frozen=True)
class Files(Kind):
    """The names of several files; a command line may give the option several times, or several names after it."""

    metavar: ClassVar[str] = "FILE"
    arguments: ClassVar[Mapping[str, Any]] = {"nargs": "+", "action": "extend"}
    what: str = "files"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, tuple) and all(map(is_path, value))

    @property
    def wording(self) -> str:
        return self.what

    def parse(self, text: str) -> str:
        return text

    def collect(self, given: Any) -> tuple[str, ...]:
        return tuple(name for name in given if name is not None)


@dataclass(frozen=True)
class Flag(Kind):
    """Yes or no."""

    def accepts(self, value: Any) -> bool:
        return isinstance(value, bool)

    @property
    def wording(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Choice:
    """One of several values. `title` and `help` tell it in a panel, `number` is what .blend files store: a choice keeps
    its own for good."""

    value: str | int
    title: str
    help: str
    number: int


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number from `low` to `high`, of multiples of `step`; with `off` also 0. A panel lets one choose from
    `offered` where there are such."""

    metavar: ClassVar[str] = "N"
    low: int = 0
    high: int | None = None
    step: int = 1
    off: bool = False
    offered: tuple[Choice, ...] = ()

    def accepts(self, value: Any) -> bool:
        if not is_whole(value):
            return False
        within = value >= self.low and (self.high is None or value <= self.high) and value % self.step == 0
        return within or (self.off and value == 0)

    @property
    def wording(self) -> str:
        if (self.low, self.high, self.step, self.off) == (1, None, 1, False):
            return "a positive whole number"
        bounds = f"of at least {self.low}" if self.high is None else f"from {self.low} to {self.high}"
        multiple = f", a multiple of {self.step}" if self.step > 1 else ""
        return f"{'0 (off) or ' if self.off else ''}a whole number {bounds}{multiple}"

    def parse(self, text: str) -> int:
        return int(text)


@dataclass(frozen=True)
class Number(Kind):
    """A finite number from `low` to `high`, or above `low` with `open`; with `off` also 0."""

    metavar: ClassVar[str] = "F"
    low: float | None = None
    high: float | None = None
    open: bool = False
    off: bool = False

    def accepts(self, value: Any) -> bool:
        if not is_number(value):
            return False
        above = self.low is None or value > self.low or (value == self.low and not self.open)
        return (above and (self.high is None or value <= self.high)) or (self.off and value == 0)

    @property
    def wording(self) -> str:
        low = "" if self.low is None else f" above {self.low:g}" if self.open else f" from {self.low:g}"
        high = "" if self.high is None else f" to {self.high:g}"
        return f"{'0 (off) or ' if self.off else ''}a number{low}{high}"

    def parse(self, text: str) -> float:
        return float(text)


@dataclass(frozen=True)
class Size(Kind):
    """Width and height in pixels."""

    metavar: ClassVar[str] = "WxH"
    low: int = 1
    high: int = 65536

    def accepts(self, value: Any) -> bool:
        sides = isinstance(value, tuple) and len(value) == 2
        return sides and all(is_whole(side) and self.low <= side <= self.high for side in value)

    @property
    def wording(self) -> str:
        return f"width and height, whole numbers from {self.low} to {self.high}, written like 832x480"

    def parse(self, text: str) -> tuple[int, int]:
        width, _, height = text.lower().partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            raise ValueError(text)
        return int(width), int(height)


@dataclass(frozen=True)
class LowHigh(Kind):
    """A number for the low-noise and one for the high-noise part; one alone is for both."""

    metavar: ClassVar[str] = "LOW[,HIGH]"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, tuple) and len(value) == 2 and all(map(is_number, value))

    @property
    def wording(self) -> str:
        return "two numbers, low-noise and high-noise, written like 3.5 or 3,4"

    def parse(self, text: str) -> tuple[float, float]:
        values = [float(part) for part in text.split(",")]
        if len(values) > 2:
            raise ValueError(text)
        return values[0], values[-1]


class OneOf(Kind):
    """One of several choices."""

    def __init__(self, *choices: Choice) -> None:
        self.choices = choices
        self.names = tuple(choice.value for choice in choices)
        self._by_word = {str(name): name for name in self.names}

    def accepts(self, value: Any) -> bool:
        return any(value == name and type(value) is type(name) for name in self.names)

    @property
    def wording(self) -> str:
        return "one of " + ", ".join(self._by_word)

    def parse(self, text: str) -> str | int:
        return self._by_word.get(text, text)


class OneOfNumbered(OneOf):
    """One of several choices, also with a number behind a colon, such as cuda:1; a panel offers those without."""

    def accepts(self, value: Any) -> bool:
        name, colon, number = value.partition(":") if isinstance(value, str) else ("", "", "")
        return super().accepts(name) and (not colon or (number.isascii() and number.isdecimal() and len(number) < 4))

    @property
    def wording(self) -> str:
        return f"{super().wording}, of several of a kind with its number, such as cuda:1"


class AnyOf(Kind):
    """Any of several choices; on a command line with spaces or commas between, and all where none is named."""

    arguments: ClassVar[Mapping[str, Any]] = {"nargs": "*"}

    def __init__(self, *choices: Choice) -> None:
        self.choices = choices
        self.names = tuple(str(choice.value) for choice in choices)

    def accepts(self, value: Any) -> bool:
        return isinstance(value, tuple) and all(name in self.names for name in value)

    @property
    def wording(self) -> str:
        return "any of " + ", ".join(self.names)

    def parse(self, text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())

    def collect(self, given: Any) -> tuple[str, ...]:
        if given == []:
            return self.names
        return tuple(dict.fromkeys(name for names in given for name in names or ()))


@dataclass(frozen=True)
class Records(Kind):
    """Several objects of the dataclass `of`, each told as `what` and checked by `fits`; `told` is the wording."""

    of: type
    what: str
    fits: Callable[[Any], bool]
    told: str

    def accepts(self, value: Any) -> bool:
        return isinstance(value, tuple) and all(isinstance(item, self.of) and self.fits(item) for item in value)

    @property
    def wording(self) -> str:
        return self.told

    def from_json(self, data: Any) -> Any:
        return tuple(self._made(item) for item in data) if isinstance(data, list) else data

    def _made(self, data: object) -> Any:
        known = {field.name: field.default is dataclasses.MISSING for field in dataclasses.fields(self.of)}
        needed = {name for name, must in known.items() if must}
        if not isinstance(data, Mapping) or not needed <= set(data) <= set(known):
            names = ", ".join(sorted(known))
            raise UsageError(f"{self.what} in the request is {data!r}, but must be an object with {names}.")
        return self.of(**data)


@dataclass(frozen=True)
class Repeated(Records):
    """Records of which a command line names one each time its option is given; `read` reads that."""

    arguments: ClassVar[Mapping[str, Any]] = {"action": "append"}
    read: Callable[[str], Any]

    def parse(self, text: str) -> Any:
        return self.read(text)

    def collect(self, given: Any) -> tuple[Any, ...]:
        return tuple(item for item in given if item is not None)


@dataclass(frozen=True)
class Curve(Kind):
    """A light curve; a command line names its file."""

    metavar: ClassVar[str] = "LIGHT.json"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, LightCurve)

    @property
    def wording(self) -> str:
        return "a light curve"

    def parse(self, text: str) -> LightCurve:
        return read_light(Path(text))

    def from_json(self, data: Any) -> Any:
        return None if data is None else LightCurve.from_json(data)
