# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that the scene predicts for a shot, as plain data. Standard library only."""

from __future__ import annotations

import dataclasses
import math
import sys
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from .errors import UsageError
from .text_files import read_given

LIGHT_SOURCES = ("brief", "render")


@dataclass(frozen=True)
class SunPlace:
    """Where the scene's sun stands at a frame of the shot, which counts from 0; for the page about the clip's light."""

    frame: int
    azimuth_deg: float
    elevation_deg: float


@dataclass(frozen=True)
class LightCurve:
    """The light that the scene predicts for the shot, at `times` that rise from 0 to 1; linear between them.

    `luminance` is the display-referred mean luminance of the frame: of a small render, 0..1 (`source` "render"), or
    worked out from the brief, relative to the first frame, so that it begins with 1 ("brief"). `temperature_k` is the
    light's colour temperature at the same times. `jumps` are the times at which the scene itself changes light at once.
    `rgb` is the mean display value, 0..1, of each channel of a render at the same times. `uncertainty` is by how much a
    brief's luminance may be off at the same times, relative, where its facts leave light open.
    """

    source: str
    times: tuple[float, ...]
    luminance: tuple[float, ...]
    temperature_k: tuple[float, ...] | None = None
    jumps: tuple[float, ...] = ()
    rgb: tuple[tuple[float, ...], ...] | None = None
    uncertainty: tuple[float, ...] | None = None

    @classmethod
    def from_json(cls, data: object) -> LightCurve:
        """The curve in `data`; raises UsageError that names what is wrong with it."""
        known = {field.name for field in dataclasses.fields(cls)}
        needed = {"source", "times", "luminance"}
        if not isinstance(data, Mapping) or not needed <= set(data) or not set(data) <= known:
            raise UsageError(
                f"A light curve is an object with {', '.join(sorted(needed))} and may hold "
                "temperature_k, jumps, rgb and uncertainty."
            )
        values: dict[str, Any] = {key: _as_tuples(v) for key, v in data.items()}
        curve = cls(**values)
        curve.validate()
        return curve

    def to_json(self) -> dict[str, Any]:
        """Plain data: what `from_json` takes."""
        return {key: _as_lists(value) for key, value in dataclasses.asdict(self).items()}

    def cut(self, start: float, stop: float) -> LightCurve:
        """The part from time `start` to `stop` (0..1) as a curve of its own; that of a brief begins with 1 again."""
        if (start, stop) == (0, 1):
            return self
        inner = [time for time in self.times if start < time < stop]
        places = [start, *inner, stop]

        def cut(track: Sequence[float]) -> tuple[float, ...]:
            return tuple(_between(self.times, track, place) for place in places)

        luminance, mired = cut(self.luminance), None
        if self.source == "brief" and luminance[0] > 0:
            luminance = tuple(light / luminance[0] for light in luminance)
        if self.temperature_k is not None:
            mired = cut([1e6 / kelvin for kelvin in self.temperature_k])
        return LightCurve(
            self.source,
            tuple((place - start) / (stop - start) for place in places),
            luminance,
            None if mired is None else tuple(1e6 / value for value in mired),
            tuple((jump - start) / (stop - start) for jump in self.jumps if start <= jump <= stop),
            None if self.rgb is None else tuple(zip(*map(cut, zip(*self.rgb, strict=True)), strict=True)),
        )

    def validate(self) -> None:
        """Raises UsageError for the first thing that makes no curve."""
        for accepts, wording in (
            (self.source in LIGHT_SOURCES, f"its source is one of {', '.join(LIGHT_SOURCES)}"),
            (_numbers(self.times, 0, 1) and len(self.times) >= 2, "it has at least two times, numbers from 0 to 1"),
            (_numbers(self.luminance, 0, math.inf), "its luminance holds numbers from 0 up"),
            (self.temperature_k is None or _numbers(self.temperature_k, 500, 100000), "temperature_k holds kelvin"),
            (_numbers(self.jumps, 0, 1), "its jumps are numbers from 0 to 1"),
            (self.rgb is None or _colors(self.rgb), "its rgb holds three numbers from 0 to 1 for every time"),
            (self.rgb is None or self.source == "render", "only a render has rgb"),
            (
                self.uncertainty is None or _numbers(self.uncertainty, 0, math.inf),
                "uncertainty has numbers from 0 up",
            ),
            (self.uncertainty is None or self.source == "brief", "only a brief has an uncertainty"),
        ):
            if not accepts:
                raise UsageError(f"The light curve is wrong: {wording}.")
        times = self.times
        if times[0] != 0 or times[-1] != 1 or any(b <= a for a, b in pairwise(times)):
            raise UsageError("The light curve is wrong: its times rise from 0 to 1.")
        tracks = (self.luminance, self.temperature_k, self.rgb, self.uncertainty)
        if any(len(track) != len(times) for track in tracks if track is not None):
            raise UsageError(
                "The light curve is wrong: every time has one luminance "
                "(and one temperature_k, one rgb, one uncertainty)."
            )
        if self.source == "render" and max(self.luminance) > 1:
            raise UsageError("The light curve is wrong: the luminance of a render is at most 1.")
        if self.source == "brief" and abs(self.luminance[0] - 1) > 1e-6:
            raise UsageError(
                "The light curve is wrong: the luminance of a brief is relative to the first frame and begins with 1."
            )


def _between(times: Sequence[float], values: Sequence[float], time: float) -> float:
    """The value at a time from the first to the last of `times`, linear between them."""
    after = min(bisect_left(times, time, 1), len(times) - 1)
    share = (time - times[after - 1]) / (times[after] - times[after - 1])
    return values[after - 1] + share * (values[after] - values[after - 1])


def _as_tuples(value: Any) -> Any:
    """Lists as tuples, also inside."""
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value


def read_light(path: Path) -> LightCurve:
    """The expected light in a JSON file; raises UsageError that names what is wrong with it."""
    return LightCurve.from_json(read_given(path, "is no light curve"))


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value


def is_number(value: object) -> bool:
    """Whether a value is a finite number, and not true or false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _numbers(value: object, low: float, high: float) -> bool:
    return isinstance(value, tuple) and all(is_number(item) and low <= item <= high for item in value)


def _colors(value: object) -> bool:
    return isinstance(value, tuple) and all(_numbers(rgb, 0, 1) and len(rgb) == 3 for rgb in value)
