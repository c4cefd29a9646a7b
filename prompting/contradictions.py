# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares a user's own words with the brief of a shot: "sunset" where the sun stands at 61 degrees is worth a warning.

A claim is judged over the whole shot: what is true at any moment of it contradicts nothing, and neither does a fact
that the scene leaves open. Near misses (a sun at 12 degrees called sunset) are let pass; the tables hold the bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..scene.brief import Shot
from .claims import (
    CLEAR_RISE,
    CLOSER,
    DOLLIES,
    FARTHER,
    HIGH_SUN,
    LENS_TOLERANCE,
    LIT_FROM,
    LONG_ENOUGH,
    LOW_SUN,
    MOVE_KINDS,
    NEAR_GROUND,
    SIZE_SPANS,
    SIZES,
    STANDS_FOR,
    TIMES,
    WIDE_ENOUGH,
    TimeSpan,
)
from .cues import Cue, find_cues
from .fact_words import FACT_WORDS
from .lamps import COOL_LIGHT, WARM_LIGHT
from .shot_facts import ShotFacts, SunMoment
from .structured import Contradiction

Verdict = bool | None
"""True: so throughout the shot. False: at no moment. None: at times, nearly, or not known."""


def contradictions(shot: Shot, text: str) -> tuple[Contradiction, ...]:
    """The claims of a text (English, Chinese or both) that the shot contradicts, in the order of the text, each said
    once. A denied claim ("no fog") contradicts what holds throughout the shot."""
    facts = ShotFacts(shot)
    found: dict[tuple[str, bool], Contradiction] = {}
    for cue in find_cues(text):
        verdict = _verdict(facts, cue)
        if verdict is cue.negated and verdict is not None:
            fact = FACT_WORDS[cue.family](facts, cue)
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
        against = COOL_LIGHT if claim == "light_warm" else WARM_LIGHT
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
