# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's tracks and outlines, as a job's `control/tracks.json` holds them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError, reason_of
from ..text_files import read_given

SCHEMA = "wan_previs.tracks/1"
_MOST_PLACES = 1 << 26  # of all points over all frames: 1 GB of memory
_LARGEST = 1e6  # pixels and frames


@dataclass(frozen=True)
class Outline:
    """What is seen where at `frame` of the clip. `names` of the things, `instance` whether each is one of several
    copies, `map` [h, w] numbers of things, -1 for none; `points` [P, 2] x, y of outlines in pixels from the top left,
    `owner` [P] the thing in front at each."""

    frame: int
    names: tuple[str, ...]
    instance: tuple[bool, ...]
    map: np.ndarray
    points: np.ndarray
    owner: np.ndarray


@dataclass(frozen=True)
class Tracks:
    """N points of the scene over T frames of a clip of `size` (width, height). `objects` [N] their things' names,
    `still` [N] whether they stand still in the scene; `places` [N, T, 2] x, y in pixels from the top left, NaN where
    unknown; `seen` [N, T]."""

    size: tuple[int, int]
    objects: np.ndarray
    still: np.ndarray
    places: np.ndarray
    seen: np.ndarray
    outlines: tuple[Outline, ...] = ()

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return int(self.places.shape[1])

    def over(self, count: int) -> Tracks:
        """The same over a clip of `count` frames that spans the same time; between two frames on a straight line."""
        if count == self.frames:
            return self
        times = np.linspace(0, self.frames - 1, count)
        low = np.floor(times + 1e-9).astype(int)
        high = np.minimum(low + 1, self.frames - 1)
        share = (times - low)[:, None]
        places = self.places[:, low] * (1 - share) + self.places[:, high] * share
        places[:, share[:, 0] < 1e-6] = self.places[:, low[share[:, 0] < 1e-6]]
        scale = (count - 1) / max(1, self.frames - 1)
        outlines = tuple(replace(one, frame=round(one.frame * scale)) for one in self.outlines)
        return replace(self, places=places, seen=self.seen[:, low] & self.seen[:, high], outlines=outlines)


def read_tracks(path: Path) -> Tracks:
    """The tracks in a JSON file; raises UsageError that says what is wrong with it."""
    data = read_given(path, "holds no tracks")
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise UsageError(f'{path} holds no tracks: it is no JSON object with "schema": "{SCHEMA}".')
    try:
        return _tracks(data)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        words = f"{path} holds no whole tracks ({reason_of(error)}). Make the shot's job folder again."
        raise UsageError(words) from error


def _tracks(data: dict[str, Any]) -> Tracks:
    count, listed = len(data["frames"]), data["tracks"]
    width, height = (_whole(side, 1) for side in data["size"])
    if count < 1 or len(listed) * count > _MOST_PLACES:
        raise ValueError("no frames, or too many points")
    places = np.full((len(listed), count, 2), np.nan)
    seen = np.zeros((len(listed), count), bool)
    for k, track in enumerate(listed):
        for t, point in enumerate(track["points"], _whole(track["start"])):
            if point is not None:
                places[k, t], seen[k, t] = point[:2], bool(point[3])
    seen &= (np.abs(places) <= _LARGEST).all(-1)  # not where a place is unknown
    return Tracks(
        (width, height),
        np.array([str(track["object"]) for track in listed], dtype=object),
        np.array([bool(track.get("still", False)) for track in listed], bool),
        places,
        seen,
        tuple(map(_outline, data.get("outlines", []))),
    )


def _outline(data: dict[str, Any]) -> Outline:
    points = np.array(data["points"], float).reshape(-1, 3)
    things = data["things"]
    cells = np.array(data["map"], int)
    if cells.ndim != 2 or not cells.size:
        raise ValueError("a map is no table")
    if not (np.abs(points) <= _LARGEST).all():
        raise ValueError("an outline has no numbers")
    return Outline(
        _whole(data["frame"]),
        tuple(str(thing["object"]) for thing in things),
        tuple(bool(thing["instance"]) for thing in things),
        cells,
        points[:, :2],
        points[:, 2].astype(int),
    )


def _whole(value: object, least: int = 0) -> int:
    """A whole number of frames or pixels; raises ValueError for what is none."""
    if not isinstance(value, int) or not least <= value <= _LARGEST:
        raise ValueError(f"{value!r} is no whole number of at least {least}")
    return value
