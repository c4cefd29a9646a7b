# SPDX-License-Identifier: GPL-3.0-or-later
"""The fact of a shot that speaks against a claim, in words for a warning."""

from __future__ import annotations

from collections.abc import Callable

from .claims import LIT_FROM, TIMES
from .cues import Cue
from .english.grammar import with_article
from .english.light import source as source_of
from .english.words import MOVES
from .shot_facts import ShotFacts


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
    return f"the frame is {with_article((facts.path.shot_size or '').replace('_', ' '))} shot"


def _angle_words(facts: ShotFacts, cue: Cue) -> str:
    own = facts.path.angle or ""
    return {
        "eye_level": "the camera looks level", "low": "the camera looks up", "high": "the camera looks down",
        "overhead": "the camera looks straight down", "aerial": "the camera looks down from high above",
    }.get(own, f"the camera's angle is {own.replace('_', ' ')}")  # fmt: skip


FACT_WORDS: dict[str, Callable[[ShotFacts, Cue], str]] = {
    "time": _sun_words, "light": _light_words, "sky": _sky_words, "move": _move_words, "lens": _lens_words,
    "size": _size_words, "angle": _angle_words,
}  # fmt: skip
