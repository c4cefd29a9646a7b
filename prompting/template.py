# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates: which parts of a prompt are told, and in what order. `{light}` stands for all that is told of the light;
text between the placeholders is put into the prompt as it is, as sentences of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

PARTS = {
    "style": "the style of the scene",
    "terms": "Wan's own terms for the shot",
    "user": "your own words",
    "subject": "what is seen, and where",
    "action": "what moves",
    "light": "where the light comes from, and how it changes",
    "camera": "what the camera does",
    "setting": "sky, weather, surroundings",
}
DEFAULT = "{style} {terms} {user} {subject} {action} {light} {camera} {setting}"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class TemplateError(ValueError):
    """A template that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Piece:
    """A part of PARTS, or text of the user's (then `part` is "")."""

    part: str
    text: str = ""


@cache
def parse_template(template: str) -> tuple[Piece, ...]:
    """The pieces of a template in their order; "" is the DEFAULT. Raises TemplateError for a placeholder that is
    unknown or there twice, and for a brace that belongs to none."""
    pieces: list[Piece] = []
    position = 0
    source = template if template.strip() else DEFAULT
    for match in _PLACEHOLDER.finditer(source):
        pieces.append(Piece("", _literal(source[position : match.start()])))
        pieces.append(Piece(_part(match[1], {piece.part for piece in pieces})))
        position = match.end()
    pieces.append(Piece("", _literal(source[position:])))
    return tuple(piece for piece in pieces if piece.part or piece.text)


def _part(name: str, before: set[str]) -> str:
    part = name.strip().lower()
    if part not in PARTS:
        known = ", ".join(f"{{{known}}}" for known in PARTS)
        raise TemplateError(f"The template has a placeholder {{{name}}} that is unknown. Use some of {known}.")
    if part in before:
        raise TemplateError(f"The template names {{{part}}} twice. Take one of them away.")
    return part


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise TemplateError("The template has a brace without its partner. Write placeholders as {light}.")
    words = " ".join(text.split())
    return words if any(character.isalnum() for character in words) else ""
