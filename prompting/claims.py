# SPDX-License-Identifier: GPL-3.0-or-later
"""What the words of a user's claims admit: times by the sun's height, sides of the light, sizes, moves."""

from __future__ import annotations

from dataclasses import dataclass

from .shot_facts import RING


@dataclass(frozen=True)
class TimeSpan:
    """What a word for a time admits: the contract's words, elevations in degrees, and whether the sun rises."""

    words: frozenset[str]
    low: float
    high: float
    rising: bool | None = None


def _span(words: str, low: float, high: float, rising: bool | None = None) -> TimeSpan:
    return TimeSpan(frozenset(words.split()), low, high, rising)


TIMES = {
    "night": _span("night", -90, -1),
    "dawn": _span("dawn", -14, 8, True),
    "sunrise": _span("sunrise", -6, 14, True),
    "morning": _span("morning sunrise", -2, 70, True),
    "early_morning": _span("dawn sunrise", -6, 35, True),
    "noon": _span("midday", 50, 90),
    "afternoon": _span("afternoon", 5, 70, False),
    "evening": _span("sunset dusk night", -90, 22, False),
    "sunset": _span("sunset", -6, 14, False),
    "dusk": _span("dusk", -14, 6, False),
    "twilight": _span("dusk dawn", -18, 4),
    "golden_hour": _span("sunrise sunset", -5, 17),
    "blue_hour": _span("dusk dawn", -12, 3),
    "day": _span("sunrise morning midday afternoon sunset", -1, 90),
}
BACK = frozenset({"back", "back_left", "back_right"})
LIT_FROM = {
    "light_back": BACK,
    "light_front": frozenset({"front", "front_left", "front_right"}),
    "light_side": frozenset(RING) - {"front", "back"},
    "light_left": frozenset({"left", "front_left", "back_left"}),
    "light_right": frozenset({"right", "front_right", "back_right"}),
}
HIGH_SUN, LOW_SUN = 40.0, 32.0  # degrees: above one it may be called high, below the other low
CLEAR_RISE = 1.5  # degrees over the shot
WIDE_ENOUGH, LONG_ENOUGH = 50.0, 40.0  # degrees of view that may still be called wide, or long
LENS_TOLERANCE = 0.2  # of a focal length that the user names
NEAR_GROUND = 0.8  # metres; a level camera down there may be called low
SIZES = ("extreme_wide", "wide", "medium_wide", "medium", "medium_close_up", "close_up", "extreme_close_up")
SIZE_SPANS = {
    "size_extreme_wide": (0, 1),
    "size_wide": (0, 2),
    "size_medium_wide": (1, 3),
    "size_medium": (2, 4),
    "size_medium_close_up": (3, 5),
    "size_close_up": (4, 6),
    "size_extreme_close_up": (5, 6),
}
MOVE_KINDS = {
    "pan": {"pan_left", "pan_right"},
    "zoom": {"zoom_in", "zoom_out"},
    "arc": {"arc_left", "arc_right"},
}
DOLLIES = {"push_in", "pull_back", "truck_left", "truck_right", "arc_left", "arc_right"}
STANDS_FOR = {  # a move of the brief that is made of others
    "tracking": DOLLIES
    | {"pan_left", "pan_right", "tilt_up", "tilt_down", "pedestal_up", "pedestal_down", "pan", "arc"},
    "arc_left": {"truck_left", "pan_right", "pan"},
    "arc_right": {"truck_right", "pan_left", "pan"},
    "dolly_zoom": {"push_in", "pull_back", "zoom_in", "zoom_out", "zoom"},
}
CLOSER, FARTHER = {"push_in", "zoom_in"}, {"pull_back", "zoom_out"}
