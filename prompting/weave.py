# SPDX-License-Identifier: GPL-3.0-or-later
"""Sorts the user's own words into the parts of the prompt where they belong, and finds what they say already.

Sentences about nothing but the camera go to the camera's part, those about nothing but the light to the light's; so do
short phrases between commas ("slow push in", "backlit"). All else stays together, in its order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from .cues import find_cues

# Newlines and tabs are spaces; other control characters and halves of surrogate pairs are nothing that can be written.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SENTENCES = re.compile(r"\S.*?(?:[.!?]+(?=\s|$)|[。！？]+|$)")
_PHRASES = re.compile(r"\s*[,，、;；]\s*")
_CHINESE_END = re.compile(r"[\u3400-\u9fff。！？，]$")
_WORDS = re.compile(r"[^\W\u3400-\u9fff]+|[\u3400-\u9fff]{1,2}")
_MOST_OTHER_WORDS = 4  # of a phrase beside its cues
_OPENS_WITH = {  # within the first three words of a sentence
    "camera": re.compile(r"(?:\W*\w+\W+){0,2}(?:camera|shot)\b|.{0,2}(?:镜头|机位)", re.IGNORECASE),
    "light": re.compile(r"(?:\W*\w+\W+){0,2}(?:\w*light\w*|sun|shadows?)\b|.{0,3}[光影阳]", re.IGNORECASE),
}
_THE_CAMERA = re.compile(r"(?:the |our )?camera\b|镜头", re.IGNORECASE)
_PART_OF = {"move": "camera", "lens": "camera", "size": "camera", "angle": "camera", "light": "light"}


@dataclass(frozen=True)
class Woven:
    """The user's words by part, and what they claim (keys of `cue_words.py`), denials left out."""

    user: tuple[str, ...] = ()
    light: tuple[str, ...] = ()
    camera: tuple[str, ...] = ()
    claims: frozenset[str] = frozenset()


def tidy(text: str) -> str:
    """The text on one line, without characters that no file can hold."""
    return " ".join(_UNWRITABLE.sub("", text).split())


def joined(*texts: str) -> str:
    """Texts of the user's one after the other, each ended as a sentence but for the last."""
    kept = [text for text in map(tidy, texts) if text]
    return " ".join([*map(ended, kept[:-1]), *kept[-1:]])


def ended(text: str, stop: str = "") -> str:
    """The text with a full stop (`stop`, else the one of the text's own script) if nothing ends it."""
    if not text or text[-1] in ".!?。！？…؟۔":
        return text
    return text + (stop or ("。" if _CHINESE_END.search(text) else "."))


@cache
def weave(text: str) -> Woven:
    """Where each piece of a tidied text goes; it stays as it is where nothing needs another place."""
    placed = [piece for sentence in _SENTENCES.findall(text) for piece in _placed(sentence)]
    claims = frozenset(cue.claim for cue in find_cues(text) if not cue.negated)
    if all(part == "user" for part, _ in placed):
        return Woven((text,) if text else (), claims=claims)
    pieces = {part: tuple(words for own, words in placed if own == part) for part in ("user", "light", "camera")}
    return Woven(**pieces, claims=claims)


def _placed(sentence: str) -> list[tuple[str, str]]:
    """(part, words) of a sentence: whole, or with its short phrases about camera or light taken out."""
    part = _part(sentence) or ("camera" if _THE_CAMERA.match(sentence) and not find_cues(sentence) else None)
    if part and _OPENS_WITH[part].match(sentence):
        return [(part, sentence)]
    phrases = _PHRASES.split(sentence.rstrip(".。"))
    parts = [_part(phrase) if _is_short(phrase) else None for phrase in phrases]
    if not any(parts):
        return [("user", sentence)]
    rest = [phrase for phrase, part in zip(phrases, parts, strict=True) if not part]
    comma = "，" if _CHINESE_END.search(phrases[0]) else ", "
    kept = [("user", comma.join(rest))] if rest else []
    return kept + [(part, phrase) for phrase, part in zip(phrases, parts, strict=True) if part]


def _part(words: str) -> str | None:
    """The one part that all cues of the words belong to, if it is not the user's own."""
    parts = {_PART_OF.get(cue.family) for cue in find_cues(words)}
    return parts.pop() if len(parts) == 1 else None


def _is_short(phrase: str) -> bool:
    cued = sum(len(_WORDS.findall(cue.word)) for cue in find_cues(phrase))
    return len(_WORDS.findall(phrase)) - cued <= _MOST_OTHER_WORDS
