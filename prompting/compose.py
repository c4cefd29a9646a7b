# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the parts of a prompt into the order of its template, with the user's words where they belong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .fit import MOST, Rank, Sentence, fit
from .structured import StructuredPrompt
from .template import parse_template
from .weave import weave


def compose(
    prompt: StructuredPrompt,
    parts: Mapping[str, Sequence[Sentence]],
    spare: Sequence[tuple[str, str]],
    length: Callable[[str], int],
    finish: Callable[[str], str],
) -> list[Sentence]:
    """The sentences of a prompt. `parts` are a language's sentences by the names of `template.PARTS`, `spare` pairs of
    a part and a sentence that may fill a short text; `length` counts words, `finish` makes a
    sentence of words of the user's. Where the user's words are longer than a
    whole prompt should be, they come last: the model stops reading at some point, and the scene's facts go first."""
    pieces = parse_template(prompt.template)
    told = {piece.part for piece in pieces}
    woven = weave(prompt.user_text)
    whole = "user" in told and not {"light", "camera"} <= told  # then some words would have no place
    own = {
        "style": (prompt.style,),
        "user": (prompt.user_text,) if whole else woven.user,
        "light": () if whole else woven.light,
        "camera": () if whole else woven.camera,
    }
    sentences: list[Sentence] = []
    last: list[Sentence] = []
    for piece in pieces:
        texts = [piece.text] if piece.text else own.get(piece.part, ())
        words = [Sentence(finish(text), Rank.OWN) for text in texts if text]
        long = sum(length(word.text) for word in words) > MOST
        (last if long else sentences).extend(words)
        sentences += parts.get(piece.part, ())
    return fit(sentences, [text for part, text in spare if part in told], length, last)


def told_by_user(prompt: StructuredPrompt, *claims: str) -> bool:
    """Whether the user's words say all of these (keys of `cue_words.py`) already."""
    return bool(claims) and set(claims) <= weave(prompt.user_text).claims
