# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares a user's own words with the brief of a shot: "sunset" where the sun stands at 61 degrees is worth a warning.

A claim is judged over the whole shot: what is true at any moment of it contradicts nothing, and neither does a fact
that the scene leaves open. Near misses (a sun at 12 degrees called sunset) are let pass; the tables hold the bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..scene.brief import Shot
from .cues import Cue, find_cues
from .english.light import source as source_of
from .english.words import MOVES
from .shot_facts import RING, ShotFacts, SunMoment
from .structured import Contradiction

Verdict = bool | None
"""True: so throughout the shot. False: at no moment. None: at times, nearly, or not known."""


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


def contradictions(shot: Shot, text: str) -> tuple[Contradiction, ...]:
    """The claims of a text (English, Chinese or both) that the shot contradicts, in the order of the text, each said
    once. A denied claim ("no fog") contradicts what holds throughout the shot."""
    facts = ShotFacts(shot)
    found: dict[tuple[str, bool], Contradiction] = {}
    for cue in find_cues(text):
        verdict = _verdict(facts, cue)
        if verdict is cue.negated and verdict is not None:
            fact = _FACTS[cue.family](facts, cue)
            message = f"'{cue.word}' but {fact} in {_shot_words(shot.name)}"
            found.setdefault((cue.claim, cue.negated), Contradiction(cue.word, fact, message))
    return tuple(found.values())


def _shot_words(name: str) -> str:
    return name if name.lower().startswith("shot") else f"shot {name}"


def _verdict(facts: ShotFacts, cue: Cue) -> Verdict:
    return _JUDGES[cue.family](facts, cue)


def _all_or_none(verdicts: Iterable[Verdict]) -> Verdict:
    """Of the moments of a shot: True or False only where all agree."""
    seen = set(verdicts)
    return seen.pop() if len(seen) == 1 else None


def _time(facts: ShotFacts, cue: Cue) -> Verdict:
    if facts.sky == "night":
        if cue.claim == "night":
            return True
        if not facts.samples:
            return None if cue.claim in ("dawn", "evening", "dusk", "twilight", "blue_hour") else False
    span = TIMES[cue.claim]
    return _all_or_none(_time_at(span, moment) for moment in facts.moments)


def _time_at(span: TimeSpan, moment: SunMoment) -> Verdict:
    if moment.word in span.words:
        return True
    if not span.low <= moment.elevation <= span.high:
        return False
    if span.rising is not None and moment.rising is not None and moment.rising != span.rising:
        return False
    return None


def _light(facts: ShotFacts, cue: Cue) -> Verdict:
    claim = cue.claim
    if claim in LIT_FROM:
        return _lit_from(facts, claim)
    if claim in ("light_warm", "light_cool"):
        against = {"bluish"} if claim == "light_warm" else {"orange", "golden"}
        return False if facts.colors and facts.colors <= against else None
    if claim == "light_hard":
        return False if (facts.sky == "overcast" or facts.weather) and not facts.shot.lights else None
    if not facts.elevations:
        return None
    high, low = max(facts.elevations), min(facts.elevations)
    if claim == "light_top":
        return None if facts.shot.lights or high >= HIGH_SUN or high < 0 else False
    if claim == "light_below":
        return None if facts.shot.lights or high < 0 else False
    if claim in ("sun_rises", "sun_sinks"):
        ways = {rise > 0 for rise in facts.rises if abs(rise) >= CLEAR_RISE}
        return (claim == "sun_rises") in ways if len(ways) == 1 else None
    if claim in ("sun_high", "shadow_short"):
        return False if high < HIGH_SUN else None
    return False if low > LOW_SUN else None  # a low sun, long shadows


def _lit_from(facts: ShotFacts, claim: str) -> Verdict:
    sectors = facts.sectors
    if not sectors or None in sectors:
        return None
    if claim == "light_back" and any(light.role == "rim" for light in facts.shot.lights):
        return None
    if claim != "light_back" and "top" in sectors:
        return None
    return _all_or_none(sector in LIT_FROM[claim] for sector in sectors)


def _sky(facts: ShotFacts, cue: Cue) -> Verdict:
    if cue.claim in ("indoors", "outdoors"):
        here = {"interior": "indoors", "exterior": "outdoors"}.get(facts.shot.environment.setting)
        return None if here is None else here == cue.claim
    if cue.claim == "fog":
        return True if facts.weather == "fog" else None
    if cue.claim == "overcast":
        return {"overcast": True, "clear": False}.get(facts.sky or "")
    dark = bool(facts.elevations) and max(facts.elevations) < -2
    if cue.claim == "sunny" and dark:
        return False
    return {"overcast": False, "clear": True}.get(facts.sky or "")


def _move(facts: ShotFacts, cue: Cue) -> Verdict:
    kinds, claim = facts.kinds, cue.claim
    if not kinds:
        return None
    if kinds & MOVE_KINDS.get(claim, {claim}):
        return True
    if any(claim in STANDS_FOR.get(kind, ()) for kind in kinds) or (claim == "tracking" and kinds & DOLLIES):
        return None
    return False


def _lens(facts: ShotFacts, cue: Cue) -> Verdict:
    if cue.claim == "lens_mm":
        lenses = [sample.lens_mm for sample in facts.path.samples if sample.lens_mm]
        near = [abs(lens - cue.number) <= LENS_TOLERANCE * cue.number for lens in lenses if cue.number]
        return any(near) if near else None
    own, claim = facts.path.lens_class, cue.claim.removeprefix("lens_")
    if own is None or own == claim:
        return None if own is None else True
    if claim == "wide" and (own == "fisheye" or any(view > WIDE_ENOUGH for view in facts.views)):
        return None
    if claim == "long" and any(view < LONG_ENOUGH for view in facts.views):
        return None
    if claim == "medium" and own != "fisheye" and any(25 < view < 70 for view in facts.views):
        return None
    return False


def _size(facts: ShotFacts, cue: Cue) -> Verdict:
    if facts.path.shot_size is None:
        return None
    least, most = SIZE_SPANS[cue.claim]
    here = SIZES.index(facts.path.shot_size)
    if least <= here <= most:
        return True if cue.claim == f"size_{facts.path.shot_size}" else None
    changes = facts.kinds & (CLOSER | FARTHER | {"dolly_zoom", "tracking"})
    return None if changes else False


def _angle(facts: ShotFacts, cue: Cue) -> Verdict:
    own, claim = facts.path.angle, cue.claim.removeprefix("angle_")
    if own is None or own == claim:
        return None if own is None else True
    if "dutch" in (own, claim) or "over_the_shoulder" in (own, claim):
        return None if own in ("dutch", "over_the_shoulder") else False
    looking_down = {"high", "overhead", "aerial"}
    if {own, claim} <= looking_down:
        return None
    heights = [sample.matrix_world[11] for sample in facts.path.samples]
    if (claim, own) == ("low", "eye_level") and heights and min(heights) < NEAR_GROUND:
        return None
    if facts.kinds & {"tilt_up", "tilt_down", "pedestal_up", "pedestal_down"}:
        return None
    return False


_JUDGES: dict[str, Callable[[ShotFacts, Cue], Verdict]] = {
    "time": _time, "light": _light, "sky": _sky, "move": _move, "lens": _lens, "size": _size, "angle": _angle,
}  # fmt: skip


def _sun_words(facts: ShotFacts, cue: Cue) -> str:
    if not facts.elevations:
        return "the sky is a night sky"
    first, last = round(facts.elevations[0]), round(facts.elevations[-1])
    if first < 0 and last < 0:
        where = f"the sun stands {-first} degrees below the horizon"
    elif abs(first - last) <= 1:
        where = f"the sun stands at {first} degrees"
    else:
        where = f"the sun goes from {first} to {last} degrees"
    sun = facts.suns[0] if facts.suns else None
    words = [word for word in dict.fromkeys((sun.time_of_day.start, sun.time_of_day.end)) if word] if sun else []
    span = TIMES.get(cue.claim)
    fits = span is not None and any(span.low <= elevation <= span.high for elevation in facts.elevations)
    return f"it is {' to '.join(words)} and {where}" if words and (fits or cue.negated) else where


def _light_words(facts: ShotFacts, cue: Cue) -> str:
    if cue.claim in ("light_warm", "light_cool"):
        return f"the light is {' and '.join(sorted(facts.colors))}"
    if cue.claim == "light_hard":
        return _sky_words(facts, cue)
    if cue.claim not in LIT_FROM:
        return _sun_words(facts, cue)
    sun = facts.suns[0] if facts.suns else None
    sides = [sun.relative_to_camera.start, sun.relative_to_camera.end] if sun else []
    places: list[str] = [side for side in sides if side] or sorted(side for side in facts.sectors if side)
    told = list(dict.fromkeys(source_of(place, facts.steep) for place in places))
    source = "sunlight" if any(sides) else "brightest light" if facts.bright_sides else "light"
    return f"the {source} comes from {' and then from '.join(told)}"


def _sky_words(facts: ShotFacts, cue: Cue) -> str:
    if cue.claim in ("indoors", "outdoors"):
        return f"the scene is an {facts.shot.environment.setting}"
    if facts.weather and (cue.claim == "fog" or facts.sky is None):
        return "fog lies over the scene"
    return f"the sky is {facts.sky}" if facts.sky in ("clear", "overcast") else _sun_words(facts, cue)


def _move_words(facts: ShotFacts, cue: Cue) -> str:
    kinds = dict.fromkeys(move.kind for move in facts.path.moves if move.kind != "static")
    told = [MOVES[kind].format("") for kind in list(kinds)[:3]] or [MOVES["static"]]
    return f"the camera {' and '.join(told)}"


def _lens_words(facts: ShotFacts, cue: Cue) -> str:
    lenses = sorted({round(sample.lens_mm) for sample in facts.path.samples if sample.lens_mm})
    size = f" of {lenses[0]} mm" if len(lenses) == 1 else f" of {lenses[0]} to {lenses[-1]} mm" if lenses else ""
    name = f"a {facts.path.lens_class} lens" if facts.path.lens_class else "one"
    return f"the lens is {name}{size}"


def _size_words(facts: ShotFacts, cue: Cue) -> str:
    return f"the frame is {_article((facts.path.shot_size or '').replace('_', ' '))} shot"


def _angle_words(facts: ShotFacts, cue: Cue) -> str:
    own = facts.path.angle or ""
    return {
        "eye_level": "the camera looks level", "low": "the camera looks up", "high": "the camera looks down",
        "overhead": "the camera looks straight down", "aerial": "the camera looks down from high above",
    }.get(own, f"the camera's angle is {own.replace('_', ' ')}")  # fmt: skip


def _article(words: str) -> str:
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"


_FACTS: dict[str, Callable[[ShotFacts, Cue], str]] = {
    "time": _sun_words, "light": _light_words, "sky": _sky_words, "move": _move_words, "lens": _lens_words,
    "size": _size_words, "angle": _angle_words,
}  # fmt: skip
