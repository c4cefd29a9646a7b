# SPDX-License-Identifier: GPL-3.0-or-later
"""English grammar of free nouns: articles, plurals, lists, and words that are no noun at all."""

from __future__ import annotations

import re
import unicodedata

from ..weave import ended

NUMBERS = ("no", "one", "two", "three", "four", "five")
IRREGULAR = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet", "tooth": "teeth",
    "goose": "geese", "mouse": "mice", "ox": "oxen", "knife": "knives", "wife": "wives", "life": "lives",
    "leaf": "leaves", "shelf": "shelves", "bookshelf": "bookshelves", "wolf": "wolves", "half": "halves",
    "loaf": "loaves", "thief": "thieves", "calf": "calves", "scarf": "scarves", "hoof": "hooves", "elf": "elves",
    "torus": "tori", "cactus": "cacti", "fungus": "fungi", "radius": "radii", "stimulus": "stimuli",
    "potato": "potatoes", "tomato": "tomatoes", "hero": "heroes", "volcano": "volcanoes", "torpedo": "torpedoes",
    "cargo": "cargoes", "mosquito": "mosquitoes", "echo": "echoes", "axis": "axes", "oasis": "oases",
}  # fmt: skip
UNCHANGED = frozenset(
    """
    sheep fish deer moose bison aircraft spacecraft hovercraft series species salmon trout squid offspring swine
    shrimp
    """.split()  # noqa: SIM905
)
SINGULAR_IN_S = frozenset(
    """
    lens gas atlas canvas cosmos christmas chaos pancreas alias bias ethos cutlass compass glass grass brass
    """.split()  # noqa: SIM905
)
PLURAL_ONLY = frozenset(
    """
    people police cattle scissors stairs trousers jeans pants glasses binoculars pliers
    """.split()  # noqa: SIM905
)
NO_COUNT = frozenset(
    """
    water sand grass snow ice mud dirt dust smoke steam fire rain fog mist foliage ivy moss gravel rubble debris
    furniture scaffolding machinery equipment luggage hair cloth lava vegetation seaweed hay straw wheat rice
    bread wood metal concrete asphalt soil earth air light lightning jewelry trash garbage rubbish
    """.split()  # noqa: SIM905
)
PRONOUNS = frozenset(
    """
    i me my mine myself we us our ours ourselves you your yours he him his himself she her hers herself it its itself
    they them their theirs who whom whose which what that this these those here there and or of the all none
    """.split()  # noqa: SIM905
)
NO_MEN = frozenset("omen specimen abdomen regimen stamen ramen acumen".split())  # noqa: SIM905
_COUNTED = re.compile(
    r"(?:[2-9] (?=.*s$)|\d\d+ (?=.*s$)|(?:two|three|four|five|six|several|some|many|few|a few|both|all|a pair of)\b)",
    re.IGNORECASE,
)
_DETERMINED = re.compile(
    r"(?:my|your|his|her|its|our|their|this|that|these|those|each|every|another|no)\b"
    r"|one\b(?![- ](?:way|piece|eyed|man))",
    re.I,
)
_CLAUSE = re.compile(
    r"^(?:he|she|it|they|we|i|you|there|who|what)\b"
    r"|\b(?:is|are|was|were|am|has|have|had|said|says|will|would|can|could)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r'".*"')
_FOREIGN = re.compile(r"[^\u0000-\u024f\u1e00-\u1eff\u2000-\u206f]")
_AFTER_HEAD = re.compile(
    r"\s(?:of|with|without|in|on|at|from|for|by|near|under|over|behind|beside|made|called|that|which|who|and"
    r"|holding|wearing|carrying|standing|sitting|walking|riding|leaning|lying|full)\b|,"
)
_LETTER_VOWEL = re.compile(
    r"[AEFHILMNORSX](?:[A-Z\d]|\b)|(?:led|lcd|suv|mri|x[- ]?ray)\b|[aefhilmnorsx]\d|8|1[18]\b"
    r"|[fhlmnrsx][b-df-hj-np-tv-xz]+\b"  # nothing that can be said but letter by letter
)
_SOUNDS_LIKE_CONSONANT = re.compile(r"(?:uni(?!n)|u[bcfhjkqrst][aeiou]|eu|ewe|one\b|one-|once)", re.IGNORECASE)
_SILENT_H = re.compile(r"(?:hour|honest|hono[u]?r|heir)", re.IGNORECASE)


def is_clause(words: str) -> bool:
    """Whether words say something of their own ("he said hi there") instead of naming a thing."""
    return _CLAUSE.search(_QUOTED.sub("", words)) is not None


def with_article(noun: str) -> str:
    """The noun as one thing is told first: "a tree", "an arch", "water", "two men", "his hat"."""
    if _FOREIGN.match(noun) or is_plural(noun) or _DETERMINED.match(noun) or _last(noun) in NO_COUNT:
        return noun
    return f"{_indefinite(noun)} {noun}"


def is_plural(noun: str) -> bool:
    """Whether the noun stands for several things already."""
    if _COUNTED.match(noun):
        return True
    last = _last(noun)
    if last in PLURAL_ONLY or last in _IRREGULAR_PLURALS or (last.endswith("men") and last not in NO_MEN):
        return True
    return last.endswith("s") and not last.endswith(("ss", "us", "is")) and last not in SINGULAR_IN_S | UNCHANGED


def plural(noun: str) -> str:
    """Several of it: "trees", "statues of a man", "tori"."""
    if is_plural(noun):
        return noun
    head, rest = _head(noun)
    before, _, last = head.rpartition(" ")
    return f"{before} {_plural_word(last)}".lstrip() + rest


def counted(noun: str, count: int) -> str:
    """So many of it, told for the first time: "a tree", "two trees", "several trees"."""
    if count == 1:
        return with_article(noun)
    if _COUNTED.match(noun) or _DETERMINED.match(noun):
        return noun
    if _last(noun) in NO_COUNT:
        return noun
    number = NUMBERS[count] if count < len(NUMBERS) else "several"
    return f"{number} {plural(noun)}"


def listed(items: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def finished(text: str) -> str:
    """The text as a sentence."""
    return capital(ended(text, "."))


def capital(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def _indefinite(noun: str) -> str:
    first = noun.lstrip("\"'(“")
    if _LETTER_VOWEL.match(first) or _SILENT_H.match(first):
        return "an"
    if not first[:1].isascii():  # an accent is no consonant
        return "an" if unicodedata.normalize("NFD", first)[:1].lower() in tuple("aeiou") else "a"
    return "an" if first[:1].lower() in tuple("aeiou") and not _SOUNDS_LIKE_CONSONANT.match(first) else "a"


def head_of(noun: str) -> str:
    """The noun up to its head: "statue" of "statue of a man"."""
    return _head(noun)[0]


def _head(noun: str) -> tuple[str, str]:
    """The noun up to its head, and what comes after it ("statue", " of a man")."""
    after = _AFTER_HEAD.search(noun)
    return (noun, "") if after is None or after.start() == 0 else (noun[: after.start()], noun[after.start() :])


def _last(noun: str) -> str:
    return _head(noun)[0].rpartition(" ")[2].lower()


def _plural_word(word: str) -> str:
    low = word.lower()
    if low in UNCHANGED:
        return word
    for singular, several in IRREGULAR.items():
        if low == singular or (singular in ("man", "woman", "child") and low.endswith(singular) and low != "human"):
            return word[: len(word) - len(singular)] + several
    if low.endswith(("s", "x", "ch", "sh", "z")):
        return word + "es"
    if low.endswith("y") and low[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    return word + "s"


_IRREGULAR_PLURALS = frozenset(IRREGULAR.values())
