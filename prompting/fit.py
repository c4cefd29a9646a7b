# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a text between 60 and 200 words: optional sentences give way, spare ones fill in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

LEAST, MOST = 60, 200
FACTS = 140  # words that the scene's facts have at least, whatever the user's own take
CHARACTERS = 1.4  # of a Chinese word, on the average


class Rank(IntEnum):
    """What a text that is too long can do without: the highest goes first. Nothing is left out of the user's OWN words
    and of what tells subject and light (MAIN), and of how the light goes (COURSE) only where nothing else is left."""

    OWN = -1
    MAIN = 0
    COURSE = 1  # of the light between the shot's ends, of a second sun, and of lamps that change
    CAMERA = 2
    TERMS = 3
    ACTION = 4
    SETTING = 5
    LAMPS = 6


@dataclass(frozen=True)
class Sentence:
    """A sentence of a prompt; `told`: it is in the text, which has room for it."""

    text: str
    rank: Rank = Rank.MAIN
    told: bool = True


def fit(
    sentences: Sequence[Sentence], spare: Sequence[str], length: Callable[[str], int], last: Sequence[Sentence] = ()
) -> list[Sentence]:
    """All sentences, those marked that do not fit: spare ones are added while the text is shorter than LEAST, optional
    ones give way while it is longer than MOST, or while the facts are longer than FACTS beside many words of the user's
    OWN. What must stay may still be longer, and where facts are few a text stays shorter. `last` comes after the spare
    ones; it is longer than MOST by itself, and so counts for nothing."""
    end = [sentence for sentence in last if sentence.text]
    given = [sentence for sentence in sentences if sentence.text]
    missing = LEAST - _total([*given, *end], length)
    given += [Sentence(text, Rank.LAMPS) for text in _needed(spare, missing, length)]
    own = _total([sentence for sentence in given if sentence.rank == Rank.OWN], length)
    over = _total(given, length) - max(MOST, own + FACTS)
    optional = [place for place, sentence in enumerate(given) if sentence.rank >= Rank.COURSE]
    gone: list[int] = []
    while over > 0 and optional:
        highest = max(given[place].rank for place in optional)
        least = [place for place in optional if given[place].rank == highest]
        enough = [place for place in least if length(given[place].text) >= over]
        gone.append(min(enough, key=lambda place: (length(given[place].text), -place)) if enough else least[-1])
        optional.remove(gone[-1])
        over -= length(given[gone[-1]].text)
    for place in sorted(gone, key=lambda place: (given[place].rank, place)):  # what a longer one has made room for
        if over + length(given[place].text) <= 0:
            gone.remove(place)
            over += length(given[place].text)
    return [replace(sentence, told=place not in gone) for place, sentence in enumerate(given)] + end


def _needed(spare: Sequence[str], missing: int, length: Callable[[str], int]) -> list[str]:
    needed: list[str] = []
    for text in filter(None, spare):
        if missing <= 0:
            break
        needed.append(text)
        missing -= length(text)
    return needed


def _total(sentences: list[Sentence], length: Callable[[str], int]) -> int:
    return sum(length(sentence.text) for sentence in sentences)


def length(text: str) -> int:
    """Words of a text, punctuation aside; of Chinese ones about as many as its characters make."""
    characters = len(re.findall(r"[\u3400-\u9fff]", text))
    return len(re.findall(r"[^\W\u3400-\u9fff]+", text)) + round(characters / CHARACTERS)
