# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command line prints, wherever it goes and whatever names are in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import golden
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wan_engine.terminal import plain

NANO = golden.REPOSITORY / "checkpoints" / "nano"
STEERING = "\x1b[2J\x1b]0;owned\x07\x9b31m\x7f\u202e"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full and names of any bytes")


def engine(*words: str | bytes | Path, **options):
    command = [sys.executable, "-m", "wan_engine", *words]
    return subprocess.run(command, cwd=golden.REPOSITORY, stdin=subprocess.DEVNULL, **options)


@settings(deadline=None)
@given(st.text())
def test_nothing_that_steers_is_left(text):
    shown = plain(text)
    assert all(char.isprintable() or char in "\n\t" or ord(char) > 0x9F for char in shown)
    assert plain(shown) == shown
    shown.encode("utf-8")


def test_letters_of_every_script_stay():
    for text in ("晨光里的院子　一棵树", "Écran à l’aube", "مشهد", "👩‍🎬 shot", "two\nlines\tand a tab"):
        assert plain(text) == text
    assert plain("a\x1b[31mb\udcff") == r"a\x1b[31mb\udcff"


@LINUX
@pytest.mark.parametrize("name", [STEERING, "\udcff\udcfe", "line\rover"])
def test_names_cannot_steer_the_terminal(name, tmp_path):
    shutil.copytree(NANO, tmp_path / name)
    made = engine("inspect", "--checkpoint", os.fsencode(tmp_path / name), capture_output=True)
    assert made.returncode == 0 and b"nano" in made.stdout
    lost = engine("inspect", "--checkpoint", os.fsencode(tmp_path / name / name), capture_output=True)
    assert lost.returncode == 4 and b"Traceback" not in lost.stderr
    wrong = engine("inspect", "--checkpoint", "x", "--" + "\x1b[2J", capture_output=True)
    assert wrong.returncode == 2
    for said in (made.stdout, made.stderr, lost.stdout, lost.stderr, wrong.stderr):
        text = said.decode("utf-8")
        assert not [char for char in text if char != "\n" and not char.isprintable()], text


@LINUX
def test_a_full_place_for_the_output_is_told(tmp_path):
    with open("/dev/full", "wb") as full:
        made = engine("inspect", "--checkpoint", NANO, stdout=full, stderr=subprocess.PIPE)
        assert made.returncode == 5 and b"No space" in made.stderr
        assert b"Traceback" not in made.stderr and b"Exception ignored" not in made.stderr
        silent = engine("inspect", "--checkpoint", tmp_path, stdout=full, stderr=full)
        assert silent.returncode == 4


@LINUX
@pytest.mark.parametrize("loop", ["itself", "two", "inside"])
def test_loops_of_links_end_in_words(loop, tmp_path):
    place = tmp_path / "model"
    if loop == "itself":
        place.symlink_to(place)
    elif loop == "two":
        place.symlink_to(tmp_path / "other")
        (tmp_path / "other").symlink_to(place)
    else:
        place.mkdir()
        (place / "high_noise_model").symlink_to(place)
        (place / "config.json").symlink_to(place / "config.json")
    for words in (("inspect", "--checkpoint", place), ("measure", place, "--report", place)):
        made = engine(*words, capture_output=True)
        assert made.returncode in (2, 4, 5) and b"Traceback" not in made.stderr and made.stderr.strip()
