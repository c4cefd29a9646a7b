# SPDX-License-Identifier: GPL-3.0-or-later
"""Chinese for free nouns. What the vocabulary does not know of an object's name is left out, so that no foreign word
takes a place in a sentence; the user's own words stand in brackets behind what is known of them."""

from __future__ import annotations

import re

from ..english import grammar as english
from ..noun_rows import BY_MEASURE
from ..nouns import ADJECTIVES, COLORED, GROUPS, NOUNS, PEOPLE, measure_of

NUMBERS = ("零", "一", "两", "三", "四", "五")
COUNTED = {word: index for index, word in enumerate(("zero", "one", "two", "three", "four", "five"))}
SINGULAR = {several: one for one, several in english.IRREGULAR.items()}
UNKNOWN = "物体"
SOME = {"several": "几", "some": "几", "few": "几", "many": "许多", "all": "所有", "both": "两", "six": "六"}
SOME |= {"seven": "七", "eight": "八", "nine": "九", "ten": "十"}
_PEOPLE = frozenset(NOUNS[person][0] for person in PEOPLE)
_DRESSED = re.compile(rf"(.+) in ({'|'.join(COLORED)})")
WITHOUT_MEASURE = frozenset({"许多", "所有"})
OF_PEOPLE = {"old": "年老的", "small": "小", "big": "高大的", "tall": "高个子", "short": "矮个子"}
ALIVE = frozenset("只头匹棵")
LIFELESS = frozenset(
    "风筝 手表 鞋 靴子 茶杯 高脚杯 酒杯 手套 袜子 拖鞋 凉鞋 运动鞋 手镯 耳环 玩具熊 热气球 瓮".split()  # noqa: SIM905
)
"""What is counted as animals are and does not live."""
MADE = ("制", "砌")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_COUNTED = re.compile(rf"[一两二三四五六七八九十几数多][{''.join(BY_MEASURE)}位群堆排对束摞]")


def noun(told: str, own: bool = False) -> tuple[str, str]:
    """Chinese noun and its measure word for an English noun, adjectives in front (`red box` is 红色方块). What is not
    known is left out; of the user's `own` words nothing is, they follow in brackets."""
    plain = _bare(told)
    if _CHINESE.search(plain) and not _LATIN.search(plain):
        return plain, measure_of(plain)
    if english.is_clause(told):
        return _with_own(UNKNOWN, plain, own), "个"
    if (group := _group(told)) is not None:
        return group
    if (dressed := _DRESSED.fullmatch(told)) is not None and not own:
        person, measure = noun(dressed[1])
        return f"穿{COLORED[dressed[2]]}衣服的{person}", measure
    head = english.head_of(told)
    words = [word for word in head.lower().split() if word not in ("a", "an", "the")]
    whole = head == told and len(words) == len(head.split())
    if words and words[0] in COUNTED | SOME:
        words = words[1:]
    words = _color_first(words)
    for start in range(len(words)):
        known = _translated(words[start:])
        if known is not None:
            if start == 0 and whole:
                return known
            before = "" if own else "".join(COLORED[word] for word in _colors(words[:start]))
            return _with_own(before + known[0], plain, own), known[1]
    before = "" if own else "".join(COLORED[word] for word in _colors(words))
    return _with_own(before + UNKNOWN, plain, own), "个"


def _color_first(words: list[str]) -> list[str]:
    """Short adjectives with the colour before them, as Chinese has it: 棕色旧卡车."""
    for place, word in enumerate(words):
        if color := _colors(words[place:]):
            taken = color[0].split()
            return [*taken, *words[:place], *words[place + len(taken) :]]
        if len(ADJECTIVES.get(word, UNKNOWN)) > 1:
            break
    return words


def _with_own(known: str, told: str, own: bool) -> str:
    return f"{known}（{told}）" if own else known


def _colors(words: list[str]) -> list[str]:
    """The colour that some words start with, as one entry; nothing where they start with another word."""
    ends = range(min(len(words), 2), 0, -1)
    return next(([" ".join(words[:end])] for end in ends if " ".join(words[:end]) in COLORED), [])


def counted(told: str, count: int, own: bool = False) -> str:
    """So many of it, with the measure word: 三棵树."""
    name, measure = noun(told, own)
    if _CHINESE.search(told) and _COUNTED.match(name):
        return name  # somebody has counted already
    first = next((word for word in told.lower().split() if word not in ("a", "an", "the")), "")
    if first in SOME and count == 1:
        return f"{SOME[first]}{'' if SOME[first] in WITHOUT_MEASURE else _one_by_one(measure)}{name}"
    if measure == "群" and english.is_plural(told) and count > 1:
        measure = "个"
    count = COUNTED.get(first, count) if count == 1 else count
    if count == 1 and english.is_plural(told) and first not in COUNTED and noun_is_several(told):
        return f"几{measure}{name}"
    return f"{number(count)}{measure}{name}"


def number(count: int) -> str:
    """How many, in words."""
    return NUMBERS[count] if count < len(NUMBERS) else "好几"


def _one_by_one(measure: str) -> str:
    """The measure word of what is counted by one: people are a crowd, and several of them persons."""
    return "个" if measure == "群" else measure


def _group(told: str) -> tuple[str, str] | None:
    """Many together ("a flock of birds"), with the measure word of such a group."""
    found = re.fullmatch(rf"(?:an? )?({'|'.join(GROUPS)})s? of (.+)", told, re.IGNORECASE)
    name = _translated(found[2].lower().split()) if found else None
    return (name[0], GROUPS[found[1].lower()]) if found and name else None


def noun_is_several(told: str) -> bool:
    """Whether an English plural is one in Chinese too: trees are several, stairs are one flight."""
    last = english.head_of(told).lower().split()[-1:]
    return bool(last) and last[0] not in NOUNS


def listed(items: list[str]) -> str:
    """甲、乙和丙."""
    return items[0] if len(items) == 1 else f"{'、'.join(items[:-1])}和{items[-1]}"


def _translated(words: list[str]) -> tuple[str, str] | None:
    """The words one after the other, the longest known ones first; None where one is unknown or the last no noun."""
    told, start = "", 0
    while start < len(words):
        for end in range(len(words), start, -1):
            part = " ".join(words[start:end])
            entry = _noun_entry(words[start:end])
            if end == len(words):
                if entry is not None:
                    return told + entry[0], entry[1]
            elif part in ADJECTIVES or entry is not None:
                told = told.removesuffix("的") + (_before(part, words[end:]) or (entry or ("", ""))[0])
                start = end
                break
        else:
            return None
    return None


def _before(adjective: str, words: list[str]) -> str | None:
    """An adjective as it stands before these words, by the noun that it belongs to: another one for people, for what
    lives, and short before a short noun (铁锅, not 铁制锅)."""
    known, (noun, measure) = ADJECTIVES.get(adjective), _first_noun(words) or ("", "")
    if noun in _PEOPLE and adjective in OF_PEOPLE:
        return OF_PEOPLE[adjective]
    if adjective == "old" and measure in ALIVE and noun not in LIFELESS:
        return "老"
    return known[:-1] if known and known.endswith(MADE) and len(noun) == 1 else known


def _first_noun(words: list[str]) -> tuple[str, str] | None:
    """The first noun in these words that is no adjective there, the longest one."""
    for start, word in enumerate(words):
        entries = (_noun_entry(words[start:end]) for end in range(len(words), start, -1))
        if (found := next(filter(None, entries), None)) and (word not in ADJECTIVES or start == len(words) - 1):
            return found
    return None


def _noun_entry(words: list[str]) -> tuple[str, str] | None:
    last = words[-1]
    stems = [last, SINGULAR.get(last, last)]
    if last.endswith("men"):
        stems.append(f"{last[:-3]}man")
    if last.endswith("s"):
        stems += [last[:-1], last.removesuffix("es"), last.removesuffix("ies") + "y"]
    for stem in stems:
        if (entry := NOUNS.get(" ".join([*words[:-1], stem]))) is not None:
            return entry
    return None


def _bare(told: str) -> str:
    quoted = re.fullmatch(r'object called "(.*)"', told)
    return quoted[1] if quoted else told
