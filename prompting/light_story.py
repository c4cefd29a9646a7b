# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order the light of a shot is told, whatever the language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from .fit import Rank, Sentence
from .structured import (
    Glow,
    LampLight,
    Power,
    SkyLight,
    StructuredPrompt,
    SunChange,
    SunLight,
    SunMoment,
    SunStop,
    Turn,
)

End = Literal["", "first", "last"]
"""Which end of a shot a moment is, where its light changes."""


@dataclass(frozen=True)
class LightWords:
    """How a language tells the light. Each gives a sentence, or several; `alone` is true for the only sun of a shot."""

    times: Callable[[Sequence[str]], str]
    moment: Callable[[SunMoment, End, bool], list[str]]
    changes: Callable[[SunChange, Sequence[SunChange]], list[str]]
    stop: Callable[[SunMoment, SunStop], str]
    unchanging: Callable[[bool], str]
    as_at_first: str
    net: Callable[[Power], str]
    other_sun: Callable[[SunLight], str]
    sky_light: Callable[[SkyLight], str]
    lamps: Callable[[LampLight], str]
    glow: Callable[[Glow], str]
    by_moon: Callable[[str], str]


def light_sentences(prompt: StructuredPrompt, words: LightWords) -> list[Sentence]:
    """All that is told of the light, the suns first."""
    told = [] if prompt.sun is None else _sun(prompt.sun, not prompt.other_suns, words)
    told += [Sentence(text, Rank.COURSE) for text in dict.fromkeys(map(words.other_sun, prompt.other_suns))]
    if prompt.sun is not None and prompt.sun.moon:
        told = [replace(sentence, text=words.by_moon(sentence.text)) for sentence in told]
    if prompt.sky_light is not None:
        told.append(Sentence(words.sky_light(prompt.sky_light)))
    told += [Sentence(words.lamps(lamp), prompt.rank_of(lamp)) for lamp in prompt.lamps]
    return told + [Sentence(words.glow(glow), Rank.LAMPS) for glow in prompt.glows]


def without_repeats(told: Sequence[Sequence[str]], again: Callable[[str], str]) -> list[str]:
    """The last of some changes' sentences: what goes on as in the one before is not told, what was told earlier comes
    `again`."""
    before = told[-2] if len(told) > 1 else ()
    known = {text for texts in told[:-1] for text in texts}
    return [again(text) if text in known else text for text in told[-1] if text not in before]


def own_turn(change: SunChange) -> Turn | None:
    """Where the sun itself wanders, whatever the camera does."""
    return None if change.turn_cause == "camera" else change.turn


def _sun(sun: SunLight, alone: bool, words: LightWords) -> list[Sentence]:
    """The times, the first moment, the way over the stops, and the last moment where it is another."""
    same = sun.start.look == sun.end.look
    still = same and not sun.stops
    times = [time for time, _ in groupby(moment.time for moment in sun.moments if moment.time)]
    told = [Sentence(words.times(times) if times else "")]
    told += map(Sentence, words.moment(sun.start, "" if still else "first", alone))
    for index, stop in enumerate(sun.stops):
        told += [Sentence(text, Rank.COURSE) for text in words.changes(stop.change, sun.changes[:index])]
        told.append(Sentence(words.stop(sun.moments[index], stop), Rank.COURSE))
    changes = words.changes(sun.change, sun.changes[:-1])
    told += map(Sentence, changes)
    if still:
        return [*told, Sentence(words.unchanging(alone))] if sun.steady and sun.start.shines and not changes else told
    if same and sun.returns:
        return [*told, Sentence(words.as_at_first)]
    end, shaded = sun.end, [moment for moment in sun.moments[:-1] if moment.shadows]
    if shaded and (end.shadows, end.height, end.steep) == (shaded[-1].shadows, shaded[-1].height, shaded[-1].steep):
        end = replace(end, shadows=None)  # where they fall was told last
    last = [text for text in words.moment(end, "last", alone) if text not in {one.text for one in told}]
    net = [words.net(sun.net)] if sun.net and sun.stops and sun.start.shines and sun.end.shines else []
    return told + list(map(Sentence, last + net))
