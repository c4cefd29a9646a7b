# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a text between 60 and 200 words: optional sentences give way, spare ones fill in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST, MOST = 60, 200


@dataclass(frozen=True)
class Sentence:
    """A sentence of a prompt; `rank` 0 stays always, of the others the highest goes first."""

    text: str
    rank: int = 0


def fit(
    sentences: Sequence[Sentence], spare: Sequence[str], length: Callable[[str], int], last: Sequence[Sentence] = ()
) -> list[str]:
    """The sentences that fit: spare ones are added while the text is shorter than LEAST, optional ones taken away
    while it is longer than MOST. What must stay may still be longer, and where facts are few a text stays shorter.
    `last` comes after the spare ones."""
    chosen = [sentence for sentence in (*sentences, *last) if sentence.text]
    end = len(chosen) - sum(bool(sentence.text) for sentence in last)
    chosen[end:end] = [Sentence(text) for text in _needed(spare, LEAST - _total(chosen, length), length)]
    while _total(chosen, length) > MOST and any(sentence.rank for sentence in chosen):
        highest = max(sentence.rank for sentence in chosen)
        drop = max(i for i, sentence in enumerate(chosen) if sentence.rank == highest)
        del chosen[drop]
    return [sentence.text for sentence in chosen]


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
