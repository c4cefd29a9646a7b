# SPDX-License-Identifier: GPL-3.0-or-later
"""Subjects in words: nouns out of object names, equal ones counted together, where they stand, what they do."""

from __future__ import annotations

import colorsys
import re
import unicodedata

from ..scene.brief import Emitter, Subject, Vector3
from .english.grammar import IRREGULAR, PRONOUNS, is_clause
from .lamps import light_color
from .nouns import ADJECTIVES, NOUNS, english_of
from .structured import Glow, Position, SubjectWords
from .vocabulary import HUES
from .weave import tidy

MOST = 6
SLOW, FAST = 0.7, 3.0  # metres per second
SIDE = 1 / 6  # of the frame's width off the middle: the frame in thirds
SPREAD = 0.5  # of the frame's width: many things that take more of it have no side
NOISE = frozenset({"geo", "mesh", "obj", "sm", "lod", "proxy", "grp", "ob", "l", "r"})
NICKNAMES = {"suzanne": "monkey"}  # Blender's test model
_LATIN = re.compile(r"[\u0000-\u024f\u1e00-\u1eff\u2019]*")
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
GREY = 0.12  # saturation up to which a colour has no hue


def subject_words(subjects: tuple[Subject, ...], most: int = MOST) -> tuple[SubjectWords, ...]:
    """At most `most` groups of subjects, in the brief's order; moving ones are never counted together."""
    groups: dict[tuple[str, int], list[Subject]] = {}
    for index, subject in enumerate(subjects):
        moving = subject.motion is not None and subject.motion.kind != "static"
        groups.setdefault((noun(subject), index if moving else -1), []).append(subject)
    return tuple(_words(name, members) for (name, _), members in list(groups.items())[:most])


def glowing(emitters: tuple[Emitter, ...], most: int = 2) -> tuple[Glow, ...]:
    """The largest things that shine by themselves; of one name only the first."""
    found: dict[str, Glow] = {}
    for emitter in emitters:
        seen = Subject(emitter.name, None, emitter.screen_box, 0.0)
        glow = Glow(noun(seen), _third(seen), light_color(emitter.color_temperature_k, emitter.color))
        found.setdefault(glow.noun, glow)
    return tuple(found.values())[:most]


def noun(subject: Subject) -> str:
    """English noun of a subject without article: its description if it has one, as it was written, else what its
    object's name says, made readable (`LampPost.002` is a lamp post, `geo_Cube` a cube, `Wall North` a north wall). A
    name that is no noun is quoted."""
    if told := tidy(subject.description or "").rstrip(" .,;。，"):
        if is_clause(told):
            return told
        told = _ARTICLE.sub("", told)
        if _is_no_noun(told.lower()):
            return f'object called "{told}"'
        return english_of(told) or (told if told[1:2].isupper() else told[:1].lower() + told[1:])
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", subject.noun or subject.name)
    words = [word.lower() for word in re.split(r"[^\w'’]|[\d_]", text) if word.strip("'’")]
    kept = [word for word in words if word not in NOISE]
    if len(kept) > 1 and len(kept[-1]) == 1 and kept[-1].isascii():
        kept.pop()  # a letter that numbers it
    name = _ARTICLE.sub("", " ".join(_adjectives_first(kept)))
    name = NICKNAMES.get(name) or english_of(name) or name or "object"
    if is_clause(name) or _is_no_noun(name) or not _LATIN.fullmatch(name):
        return f'object called "{tidy(subject.name)}"'.replace("_", " ")
    return name


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


def color_name(color: Vector3 | None) -> str | None:
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
    speed = motion.speed_m_s if motion is not None and motion.kind == "moving" else None
    return SubjectWords(
        noun=name,
        count=sum(member.count for member in members),
        position=_position({_third(subject) for subject in members}),
        motion=motion.kind if motion is not None else None,
        direction=motion.screen_direction if motion is not None else None,
        speed=None if speed is None else "slowly" if speed < SLOW else "fast" if speed > FAST else None,
    )


def _third(subject: Subject) -> Position:
    """The third of the picture in which a thing stands, or that many stand all over it."""
    if subject.count > 1 and subject.screen_box[2] - subject.screen_box[0] > SPREAD:
        return "across"
    offset = round((subject.screen_box[0] + subject.screen_box[2]) / 2 - 0.5, 6)
    return "left" if offset < -SIDE else "right" if offset > SIDE else "middle"


def _position(thirds: set[Position]) -> Position | None:
    if len(thirds) == 1:
        return next(iter(thirds))
    return "both_sides" if thirds == {"left", "right"} else None
