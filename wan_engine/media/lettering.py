# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of any origin made fit to be drawn by matplotlib: one line, no character that draws nothing, and fonts that
have the rest."""

from __future__ import annotations

import textwrap
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

from matplotlib import get_data_path, style
from matplotlib.font_manager import FontProperties, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font

_JOINERS = "\u200c\u200d"  # invisible, but they shape Arabic, Indic scripts and emoji
_UNDRAWN = ("Cc", "Cf", "Cs", "Co")  # controls, formats such as reversed direction, halves of pairs, private use
_MARKS = ("Mn", "Me", "Cf")  # without a font they are left out: the letters they belong to can be read
_FILLER = "\ue000"  # private use, so in no drawable text


def drawable(text: object) -> str:
    """The text on one line, without characters that cannot be drawn."""
    kept = (c for c in str(text) if c.isspace() or c in _JOINERS or unicodedata.category(c) not in _UNDRAWN)
    return " ".join("".join(kept).split())


def shortened(text: str, most: int) -> str:
    """The text, or as much of its beginning as is `most` columns (Latin letters) wide, with an ellipsis."""
    wide = list(accumulate(1 + _is_wide(c) for c in text))
    if not wide or wide[-1] <= most:
        return text
    return text[: bisect_right(wide, most - 1)].rstrip() + "…"


def wrapped(text: str, most: int) -> list[str]:
    """The text in lines of `most` columns, broken between words where it can be."""
    filled = "".join(c + _FILLER if _is_wide(c) else c for c in text)
    return [line.replace(_FILLER, "") for line in textwrap.wrap(filled, most)]


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


@dataclass(frozen=True)
class Letters:
    """What some texts are drawn with: font files, best first, and characters that are in none of them."""

    paths: tuple[Path, ...]
    missing: frozenset[str]

    def shown(self, text: object) -> str:
        """The text with a question mark for every letter that no font has."""
        return "".join(_stand_in(c) if c in self.missing else c for c in drawable(text))

    def families(self) -> list[str]:
        """The fonts' names for matplotlib, which looks for each character in one after the other."""
        known = {Path(entry.fname) for entry in fontManager.ttflist}
        for path in self.paths:
            if path not in known:
                fontManager.addfont(path)  # installed since matplotlib last looked
        return [FontProperties(fname=path).get_name() for path in self.paths]


@contextmanager
def plotting(texts: Iterable[object]) -> Iterator[Letters]:
    """What is drawn in the block is drawn by matplotlib's own defaults, not by the user's, with fonts that have these
    texts; words are never formulas, whatever signs they hold.
    """
    letters = letters_for(texts)
    with style.context(["default", {"text.parse_math": False, "font.family": letters.families()}]):
        yield letters


def letters_for(texts: Iterable[object]) -> Letters:
    """The fonts at hand that have what these texts need; DejaVu Sans, which comes with matplotlib, is the first."""
    plain = Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    chosen = [plain]
    missing = {c for text in texts for c in drawable(text) if not c.isspace()} - _characters(plain)
    for path in _installed_fonts() if missing else ():
        found = missing & _characters(path)
        if found:
            chosen.append(path)
            missing -= found
        if not missing:
            break
    return Letters(tuple(chosen), frozenset(missing))


def _stand_in(character: str) -> str:
    return "" if unicodedata.category(character) in _MARKS else "?"


@cache
def _installed_fonts() -> tuple[Path, ...]:
    """Fonts of the system; those that are made for many scripts come first."""
    paths = sorted(Path(path) for path in findSystemFonts())
    return tuple(sorted(paths, key=lambda path: (not _is_broad(path), "regular" not in path.name.lower())))


def _is_broad(path: Path) -> bool:
    return any(name in path.name.lower() for name in ("noto", "cjk", "unicode", "unifont", "droid"))


@cache
def _characters(path: Path) -> frozenset[str]:
    """The characters that a font has as outlines; none of a file that is no such font."""
    try:
        font = FT2Font(str(path))
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError, UnicodeError):
        return frozenset()
