# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a text between 60 and 200 words: optional sentences give way, spare ones fill in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

LEAST, MOST = 60, 200


class Rank(IntEnum):
    """What a text that is too long can do without: the highest goes first. Nothing is left out of the user's OWN words
    and of what tells light and subject (MAIN); camera and terms go only where the model could not read them."""

    OWN = -1
    MAIN = 0
    CAMERA = 1
    TERMS = 2
    COURSE = 3  # of the light between the shot's ends, and of a second sun
    ACTION = 4
    SETTING = 5
    LAMPS = 6


@dataclass(frozen=True)
class Sentence:
    """A sentence of a prompt."""

    text: str
    rank: Rank = Rank.MAIN


def fit(
    sentences: Sequence[Sentence], spare: Sequence[str], length: Callable[[str], int], last: Sequence[Sentence] = ()
) -> list[Sentence]:
    """The sentences that fit: spare ones are added while the text is shorter than LEAST, optional ones taken away
    while it is longer than MOST. What must stay may still be longer, and where facts are few a text stays shorter.
    `last` comes after the spare ones; it is longer than MOST by itself, and so counts for nothing."""
    end = [sentence for sentence in last if sentence.text]
    chosen = [sentence for sentence in sentences if sentence.text]
    missing = LEAST - _total([*chosen, *end], length)
    chosen += [Sentence(text, Rank.LAMPS) for text in _needed(spare, missing, length)]
    while _total(chosen, length) > MOST and any(sentence.rank >= Rank.COURSE for sentence in chosen):
        highest = max(sentence.rank for sentence in chosen)
        drop = max(i for i, sentence in enumerate(chosen) if sentence.rank == highest)
        del chosen[drop]
    return [*chosen, *end]


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
    """Chinese characters and Latin words or numbers of a text, punctuation aside."""
    return len(re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+", text))
