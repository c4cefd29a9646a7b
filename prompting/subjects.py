# SPDX-License-Identifier: GPL-3.0-or-later
"""Subjects in words: nouns out of object names, equal ones counted together, where they stand, what they do."""

from __future__ import annotations

import colorsys
import re
import unicodedata
from typing import Literal

from ..scene.brief import Emitter, Motion, Rgb, Subject, settled
from .english.grammar import IRREGULAR, PRONOUNS, is_clause
from .foreign_nouns import from_abroad
from .lamps import light_color
from .nouns import ADJECTIVES, COLORED, NOUNS, PEOPLE, english_head_of, english_of
from .structured import Glow, Position, SubjectWords
from .vocabulary import HUES
from .weave import tidy

MOST = 6
SLOW, FAST = 0.7, 3.0  # metres per second
SIDE = settled(1 / 6)  # of the frame's width off the middle: the frame in thirds
SPREAD = 0.5  # of the frame's width: many things that take more of it have no side
NOISE = frozenset({"geo", "mesh", "obj", "sm", "lod", "proxy", "grp", "ob", "l", "r"})
PARTS = frozenset(
    """
    roof chimney door window wall facade frame base top bottom wheel wheels blade blades handle lid leg legs pin trunk
    crown seat backrest cap stand label rim
    """.split()  # noqa: SIM905
)
CROWNS, TRUNKS = frozenset({"crown", "foliage", "canopy", "leaves"}), frozenset({"trunk", "branches", "bark"})
SKIN = frozenset({"orange", "brown", "beige", "pink", "white"})
BODY = frozenset(
    "face head hand hands arm arms leg legs foot feet body torso ear ears nose neck finger mouth shoulder".split()  # noqa: SIM905
)
BEFORE_COLOR = frozenset(
    """
    big large huge giant small little tiny tall high low long short wide narrow thin thick old new ancient young broken
    ruined rusty dirty dusty
    """.split()  # noqa: SIM905
)
"""English adjectives that stand before a colour: "an old red barn"."""
NICKNAMES = {"suzanne": "monkey"}  # Blender's test model
_LATIN = re.compile(r"[\u0000-\u024f\u1e00-\u1eff\u2019]*")
_CHINESE = re.compile(r"[\u3400-\u9fff]+")
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
GREY = 0.12  # saturation up to which a colour has no hue


def subject_words(subjects: tuple[Subject, ...], most: int = MOST) -> tuple[SubjectWords, ...]:
    """At most `most` groups of subjects, in the brief's order; moving ones are counted together where they do the same.
    Still parts of what is told (the roof of a barn) are not told beside it."""
    groups: dict[tuple[str, str], list[Subject]] = {}
    whole = {_name_words(subject) for subject in subjects}
    for subject in subjects:
        motion = subject.motion
        moving = motion is not None and motion.kind != "static"
        does = f"{motion.kind} {motion.screen_direction} {_speed(motion)}" if motion is not None and moving else ""
        if moving or not _is_part(_name_words(subject), whole):
            groups.setdefault((noun(subject), does), []).append(subject)
    return tuple(_words(name, members) for (name, _), members in list(groups.items())[:most])


def _is_part(name: str, told: set[str]) -> bool:
    """Whether a name is that of a part of something told; of a tree's parts the crown stands for it."""
    *before, last = name.split() or [""]
    thing = " ".join(before)
    return bool(thing) and ((last in PARTS and thing in told) or (last in TRUNKS and _tree_of(thing) in told))


def _tree_of(name: str) -> str | None:
    """ "fir tree" of a fir, None for what is no tree."""
    last = name.rpartition(" ")[2]
    if NOUNS.get(last, ("", ""))[1] != "棵":
        return None
    return name if last == "tree" else f"{name} tree"


def glowing(emitters: tuple[Emitter, ...], most: int = 2) -> tuple[Glow, ...]:
    """The largest things that shine by themselves; of one name only the first."""
    found: dict[str, Glow] = {}
    for emitter in emitters:
        seen = Subject(emitter.name, None, emitter.screen_box, 0.0)
        color = light_color(emitter.color_temperature_k, emitter.color)
        glow = Glow(noun(seen), _third(seen), color, chinese_noun(seen))
        found.setdefault(glow.noun, glow)
    return tuple(found.values())[:most]


def noun(subject: Subject) -> str:
    """English noun of a subject without article: its description if the user wrote one, as it was written, else what
    its object's name says, made readable (`LampPost.002` is a lamp post, `geo_Cube` a cube, `Wall North` a north wall),
    with its colour. A name that is no noun is quoted."""
    told, color = _described(subject)
    if told:
        if is_clause(told):
            return told
        told = _ARTICLE.sub("", told)
        if _is_no_noun(told.lower()):
            return f'object called "{told}"'
        return english_of(told) or (told if told[1:2].isupper() else told[:1].lower() + told[1:])
    name = _name_words(subject)
    if is_clause(name) or _is_no_noun(name) or not _LATIN.fullmatch(name):
        return f'object called "{tidy(subject.name)}"'.replace("_", " ")
    return _colored(name, color)


def chinese_noun(subject: Subject) -> str | None:
    """What an object is called in Chinese, with its colour; None for another language, for what nobody knows (its
    name is quoted), and where the user's description wins."""
    told, color = _described(subject)
    name = "".join(_kept_words(subject))
    english = english_of(name) or english_head_of(name)
    if told or english is None or not _CHINESE.fullmatch(name):
        return None
    colored = _colored(english, color)
    if color is None or colored == english or name.startswith(COLORED[color][0]):
        return name
    return f"穿{COLORED[color]}衣服的{name}" if colored.startswith(english) else COLORED[color] + name


def _described(subject: Subject) -> tuple[str, str | None]:
    """(the user's own description, "" without one; the colour that the brief puts before the noun)."""
    told = tidy(subject.description or "").rstrip(" .,;。，")
    plain = (subject.noun or "").lower()
    color = told.lower().removesuffix(plain).strip() if plain and told.lower().endswith(plain) else ""
    return ("", color) if color in COLORED else (told, None)


def _colored(name: str, color: str | None) -> str:
    """A thing with its colour. People wear it, and the colours of skin tell nothing of a blocked-out body."""
    if color is None or color in name.split():
        return name
    last = name.rpartition(" ")[2]
    if last in PEOPLE:
        return name if color in SKIN else f"{name} in {color}"
    if last in BODY and color in SKIN:
        return name
    words = name.split()
    looks = next((place for place, word in enumerate(words[:-1]) if word not in BEFORE_COLOR), len(words) - 1)
    return " ".join([*words[:looks], color, *words[looks:]])


def _kept_words(subject: Subject) -> list[str]:
    """The words of an object's name, in lower case, without numbers and what only files need."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", subject.noun or subject.name)
    words = [word.lower() for word in re.split(r"[^\w'’]|[\d_]", text) if word.strip("'’")]
    kept = [word for word in words if word not in NOISE]
    if len(kept) > 1 and len(kept[-1]) == 1 and kept[-1].isascii():
        kept.pop()  # a letter that numbers it
    return kept


def _name_words(subject: Subject) -> str:
    """What an object's name says, in English as far as the vocabulary knows it."""
    kept = _kept_words(subject)
    name = _ARTICLE.sub("", " ".join(_adjectives_first(kept)))
    *before, last = name.split() or [""]
    if last in CROWNS and (tree := _tree_of(" ".join(before))) is not None:
        return tree
    known = NICKNAMES.get(name) or english_of(name) or english_head_of(name)
    return known or (None if name in NOUNS else from_abroad(name)) or name or "object"


def _is_no_noun(name: str) -> bool:
    """Whether a lower-case name is a pronoun, a letter or an abbreviation: nothing that an article goes before."""
    if name in NOUNS or name in IRREGULAR:
        return False
    plain = unicodedata.normalize("NFD", name)
    short = plain.isascii() and (len(plain) < 3 or not re.search("[aeiouy]", plain))
    return short or name in PRONOUNS


def _adjectives_first(words: list[str]) -> list[str]:
    """`wall north` as north wall, where the vocabulary knows both."""
    for split in range(1, len(words)):
        if " ".join(words[:split]) in NOUNS and all(word in ADJECTIVES for word in words[split:]):
            last = words[split:]
            return words if " ".join(last) in NOUNS or " ".join(words) in NOUNS else [*last, *words[:split]]
    return words


def color_name(color: Rgb | None) -> str | None:
    """Name of a linear RGB colour, one of `vocabulary.COLORS`."""
    if color is None:
        return None
    # Gamma 2.2 stands for the display's curve; values above 1 are clipped as on the display.
    hue, saturation, value = colorsys.rgb_to_hsv(*(min(max(c, 0.0), 1.0) ** (1 / 2.2) for c in color))
    if value < 0.15:
        return "black"
    if saturation < GREY:
        return "white" if value > 0.9 else "gray" if value > 0.45 else "dark gray"
    degrees = hue * 360
    name = "red" if degrees >= 345 else next((word for limit, word in HUES if degrees < limit), "pink")
    shade = "dark " if value < 0.55 else "pale " if saturation < 0.45 else ""
    return shade + name


def _words(name: str, members: list[Subject]) -> SubjectWords:
    motion = members[0].motion
    return SubjectWords(
        noun=name,
        count=sum(member.count for member in members),
        position=_position({_third(subject) for subject in members}),
        motion=motion.kind if motion is not None else None,
        direction=motion.screen_direction if motion is not None else None,
        speed=_speed(motion),
        own=bool(_described(members[0])[0]),
        chinese=chinese_noun(members[0]),
    )


def _speed(motion: Motion | None) -> Literal["slowly", "fast"] | None:
    speed = motion.speed_m_s if motion is not None and motion.kind == "moving" else None
    return None if speed is None else "slowly" if speed < SLOW else "fast" if speed > FAST else None


def _third(subject: Subject) -> Position:
    """The third of the picture in which a thing stands, or that many stand all over it."""
    if subject.count > 1 and subject.screen_box[2] - subject.screen_box[0] > SPREAD:
        return "across"
    offset = settled((subject.screen_box[0] + subject.screen_box[2]) / 2 - 0.5)
    return "left" if offset < -SIDE else "right" if offset > SIDE else "middle"


def _position(thirds: set[Position]) -> Position | None:
    if len(thirds) == 1:
        return next(iter(thirds))
    return "both_sides" if thirds == {"left", "right"} else "across" if len(thirds) > 2 else None
