# SPDX-License-Identifier: GPL-3.0-or-later
"""Which thing is seen where in a frame, and the points of its outline, by lines of sight alone."""

from __future__ import annotations

from typing import Any

from .rays import Hit, Look

GRID = 48, 27  # cells across and down, the middle of each looked at
_HALVINGS = 5  # of the way between two middles, toward the outline between them
_Thing = tuple[str, bool, tuple[float, ...]]  # name, whether it is an instance, where that is


class Outlines:
    """What a frame shows: `things`, each with the `object`'s name and whether it is an `instance`; `map`, rows from the
    top of numbers of things, -1 for none, and `points` [x, y, thing] of outlines, 0..1 with y up. An outline belongs to
    the thing in front."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.things: dict[_Thing, int] = {}
        across, down = GRID
        self.hits = [
            [look.hit((column + 0.5) / across, 1 - (row + 0.5) / down) for column in range(across)]
            for row in range(down)
        ]
        self.map = [[self._number(hit) for hit in row] for row in self.hits]
        self.points = [*self._between(1, 0), *self._between(0, 1)]

    def told(self, size: tuple[int, int]) -> dict[str, Any]:
        """Plain data; points in pixels from the top left of a picture of that size."""
        return {
            "things": [{"object": name, "instance": instance} for name, instance, _ in self.things],
            "map": self.map,
            "points": [[round(x * size[0], 3), round((1 - y) * size[1], 3), thing] for x, y, thing in self.points],
        }

    def _number(self, hit: Hit | None) -> int:
        if hit is None:
            return -1
        _, _, item, matrix = hit
        own = self.look.is_own(item, matrix)
        place = () if own else tuple(round(value, 3) for row in matrix for value in row)
        return self.things.setdefault((item.name_full, not own, place), len(self.things))

    def _between(self, right: int, below: int) -> list[tuple[float, float, int]]:
        """The outline's points between each cell and its neighbour to the right or below."""
        found, (across, down) = [], GRID
        for row in range(down - below):
            for column in range(across - right):
                ends = self.hits[row][column], self.hits[row + below][column + right]
                numbers = self.map[row][column], self.map[row + below][column + right]
                if numbers[0] != numbers[1]:
                    start = (column + 0.5) / across, 1 - (row + 0.5) / down
                    step = right / across, -below / down
                    found.append(self._edge(start, step, ends, numbers))
        return found

    def _edge(
        self,
        start: tuple[float, float],
        step: tuple[float, float],
        ends: tuple[Hit | None, Hit | None],
        numbers: tuple[int, int],
    ) -> tuple[float, float, int]:
        """Where from `start` on the thing seen there ends, and which of the two there is in front."""
        low, high, (here, there) = 0.0, 1.0, ends
        near, far = numbers
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            hit = self.look.hit(start[0] + step[0] * middle, start[1] + step[1] * middle)
            if self._number(hit) == near:
                low, here = middle, hit
            else:
                high, there, far = middle, hit, self._number(hit)
        place = (low + high) / 2
        return start[0] + step[0] * place, start[1] + step[1] * place, near if self._before(here, there) else far

    def _before(self, one: Hit | None, other: Hit | None) -> bool:
        if one is None or other is None:
            return one is not None
        return self.look.depth(one[0]) <= self.look.depth(other[0])
