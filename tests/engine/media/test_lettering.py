# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of any kind are drawn as they are, with a font that has them where one is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image

from wan_engine.commands.overview import draw_sheet
from wan_engine.media.lettering import drawable, letters_for, shortened, wrapped

ROOT = Path(__file__).resolve().parents[3]
SIGN = "\U0001b8b8"  # a character of Nushu, for which no usual font has a glyph


def test_what_cannot_be_drawn_is_left_out():
    assert drawable("a\x00b\x1b[31m \udcff\n\u202ereversed\t c") == "ab[31m reversed c"
    assert drawable(r"$\frac{ ^_\ 日 שלום") == r"$\frac{ ^_\ 日 שלום"


def test_wide_letters_count_twice():
    assert shortened("abcdef", 6) == "abcdef" and shortened("abcdefg", 6) == "abcde…"
    assert shortened("日日日", 6) == "日日日" and shortened("日日日日", 6) == "日日…"
    assert len(shortened("x" * 1_000_000, 40)) == 40
    assert wrapped("日出时分 a b", 4) == ["日出", "时分", "a b"]


def test_a_letter_without_a_font_has_a_stand_in_and_no_mark():
    letters = letters_for([f"take {SIGN}\ufe0f"])
    assert letters.shown(f"take {SIGN}") == "take ?"
    assert letters_for(["Привет, γειά, שלום, مرحبا, $"]).missing == frozenset()


def font_with(path, characters):
    """A font in which every one of these is a full square."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 900), (900, 900), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(c): "square" for c in characters})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": square})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 0)})
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path.parent.mkdir(parents=True)
    builder.save(path)


@pytest.mark.skipif(sys.platform != "linux", reason="says where fonts lie as Linux does")
def test_an_installed_font_is_found_and_used(tmp_path):
    font_with(tmp_path / "fonts" / "squares.ttf", SIGN)
    code = f"""
import warnings; warnings.simplefilter("error")
from pathlib import Path
from wan_engine.media.lettering import letters_for
from wan_engine.commands.overview import draw_sheet
letters = letters_for(["take {SIGN}"])
assert letters.families()[-1] == "Squares" and not letters.missing, letters
draw_sheet({{"title": "{SIGN * 9}", "out": "{tmp_path}/sheet.png", "shots": []}})
"""
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "matplotlib")}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment)
    title = np.asarray(Image.open(tmp_path / "sheet.png").convert("L"))[:60, :400]
    assert (title > 200).sum() > 9 * 400  # squares of some 24 pixels


HARD = (r"$\frac{", r"$x_{$", "a\x00\x1b\udcff", "日出 שלום مرحبا हिन्दी 😀", "\u202egnp.exe", "%s {0}", "", "w" * 400)


def test_the_overview_is_drawn_whatever_the_words_and_numbers(tmp_path):
    nan = float("nan")
    odd = {"measured": {"light": [1, nan, float("inf"), None, 1.2], "expected": {}, "jumps": []}}
    shots = [{"name": name, "clip": name or ".", "verdict": name, "light": odd} for name in HARD if "\0" not in name]
    task = json.loads(json.dumps({"title": HARD[0], "out": str(tmp_path / "a.png"), "shots": shots}))
    assert Image.open(draw_sheet(task)).height > 100 * len(shots)
