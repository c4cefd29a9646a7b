# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds in a user's own words, English or Chinese, what they claim about time, light, weather, camera and lens.

Comparisons ("like a sunset"), pictures of a thing ("a painting of a sunset") and bounds in time ("before sunset",
日落前) claim nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from .cue_words import FAMILIES, OF_THE_CAMERA


@dataclass(frozen=True)
class Cue:
    """A phrase of the text that claims something, or denies it. `word` is the phrase as the user wrote it (with what
    denies it), `claim` a key of the tables in `cue_words.py`, `family` the table; `number` is the number in it (a focal
    length)."""

    word: str
    claim: str
    family: str
    negated: bool
    start: int
    end: int
    number: float | None = None


_SENTENCE_END = re.compile(r"[.!?;:。！？；：\n]")
_CAMERA = re.compile(r"\b(?:camera|shot|lens|we)\b|镜头|机位", re.IGNORECASE)
_NOT_MEANT = re.compile(
    r"(?:\b(?:like|as if|resembl\w+|reminiscent of"
    r"|(?:painting|picture|poster|photo|photograph|mural|image|postcard|song|dream)s? (?:of|about))"
    r"\s+(?:(?:a|an|the|it is|at)\s+)*(?:\w+\s+)?|(?:像|如同|仿佛|好像|宛如)[^，。]{0,3})$",
    re.IGNORECASE,
)
_BOUND_BEFORE = re.compile(r"\b(?:before|until|till|after|since|by)\s+(?:(?:the|a|an|late|early)\s+)*$", re.IGNORECASE)
_BOUND_AFTER = re.compile(r"\s*(?:之|以)?[前后](?![方面侧])")
_NEGATOR = re.compile(
    r"\b(?:no|not|never|without|neither|nor|none|nothing|avoid(?:ing)?|lacking|lacks|free of|rather than|instead of"
    r"|isn['’]t|aren['’]t|wasn['’]t|don['’]t|doesn['’]t|won['’]t|cannot|can['’]t|mustn['’]t)\b",
    re.IGNORECASE,
)
_NOT_ONLY = re.compile(r"\b(?:not (?:only|just|merely)|no (?:sooner|doubt|matter|one))\b", re.IGNORECASE)
_OR = re.compile(r"\b(?:or|nor)\b", re.IGNORECASE)
_UNLINKED = re.compile(r"\b(?:but|and then|yet|while|though|except)\b|，", re.IGNORECASE)
_FAR = 6  # words that a negation reaches over
_ZH_NEGATION = re.compile(
    r"(?:没有|没|无|不是|不要|不在|不用|不|并非|绝非|非|别|避免|禁止|勿|毫无|而非|去掉)"
    r"(?:(?:任何|一点|一丝|一片|半点|什么|太多|在|有|是|要|出现|用|使用|下|起|到|再是|再|的)*"
    r"|[^，。；,.;]{0,6}(?:、|或者|或))$"
)


@cache
def _patterns() -> tuple[tuple[str, str, bool, re.Pattern[str]], ...]:
    """(family, claim, whether the sentence must name the camera, pattern)."""
    rows = [(family, claim, False, pair) for family, table in FAMILIES.items() for claim, pair in table.items()]
    rows += [("move", claim, True, (english, "")) for claim, english in OF_THE_CAMERA.items()]
    compiled = []
    for family, claim, needs, (english, chinese) in rows:
        either = rf"(?<![A-Za-z0-9_-])(?:{english})(?![a-z])" + (f"|(?:{chinese})" if chinese else "")
        compiled.append((family, claim, needs, re.compile(either, re.IGNORECASE)))
    return tuple(compiled)


def find_cues(text: str) -> list[Cue]:
    """The cues of the text from its start to its end. Where one lies inside another ("close-up" in "extreme
    close-up") only the longer one counts."""
    found = [cue for row in _patterns() for cue in _matches(text, *row)]
    found.sort(key=lambda cue: (cue.start, -cue.end))
    kept: list[Cue] = []
    for cue in found:
        if not kept or cue.end > kept[-1].end:
            kept.append(cue)
    return [cue for cue in kept if not _is_no_claim(text, cue)]


def _matches(text: str, family: str, claim: str, needs_camera: bool, pattern: re.Pattern[str]) -> list[Cue]:
    cues = []
    for match in pattern.finditer(text):
        before = _clause_before(text, match.start())
        if needs_camera and not _CAMERA.search(before + match[0]):
            continue
        denial = _denial(before, text[match.end() :])
        number = next((float(group) for group in match.groups() if group), None)
        word = " ".join((denial + match[0]).split())
        cues.append(Cue(word, claim, family, bool(denial), match.start(), match.end(), number))
    return cues


def _clause_before(text: str, position: int) -> str:
    """The text from the start of the sentence to the position."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, position)]
    return text[ends[-1] if ends else 0 : position]


def _is_no_claim(text: str, cue: Cue) -> bool:
    before = _clause_before(text, cue.start)
    if _NOT_MEANT.search(before):
        return True
    bounded = _BOUND_BEFORE.search(before) or _BOUND_AFTER.match(text, cue.end)
    return cue.family == "time" and bounded is not None


def _denial(before: str, after: str) -> str:
    """The end of `before` that denies what comes next, from the negation on; "" for none. Two negations cancel ("not
    without fog"); one holds for a list ("no fog, mist or rain")."""
    chinese = _ZH_NEGATION.search(before)
    if chinese:
        return before[chinese.start() :]
    listed = _OR.search(" ".join(_SENTENCE_END.split(after)[0].split()[:_FAR])) is not None
    only = [match.span() for match in _NOT_ONLY.finditer(before)]
    found = [m for m in _NEGATOR.finditer(before) if not any(a <= m.start() < b for a, b in only)]
    if not found:
        return ""
    last = found[-1]
    between = before[last.end() :]
    linked = "," not in between or listed or _OR.search(between)
    doubled = len(found) > 1 and not before[found[-2].end() : last.start()].strip()
    reaches = linked and not _UNLINKED.search(between) and len(between.split()) <= _FAR
    return before[last.start() :] if reaches and not doubled else ""
