# SPDX-License-Identifier: GPL-3.0-or-later
"""The text for a bug report says what is needed, and nothing of the user's names and places."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

import bpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wan_previs.previs.settings import Settings
from wan_previs.previs.support import support_report, without_names


def test_a_report_names_versions_and_no_places(tmp_path):
    text = support_report(Settings(model=str(tmp_path / "jane doe" / "secret film")))
    assert bpy.app.version_string in text and "Card: " in text and "NO Model: " in text and "torch" in text
    for secret in ("jane", "secret", str(tmp_path), str(Path.home()) + "/", "/tmp"):
        assert secret not in text


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("The folder /home/jane/film does not exist.", "The folder <path>."),
        (r"C:\Users\Jane Doe\AppData\engine (the add-on's set-up)", "<path> (the add-on's set-up)"),
        (r"\\server\share\film.blend is gone", "<path> is gone"),
        ("~/film, and 3/4 of it", "<path>, and 3/4 of it"),
        ("1.5 GB/s over https", "1.5 GB/s over https"),
    ],
)
def test_paths_of_each_system_are_replaced(told, left):
    assert without_names(told) == left


LETTERS = st.characters(exclude_characters="/\0\n\r", exclude_categories=["Cs"])


@given(st.lists(st.text(LETTERS, min_size=1), max_size=3))
def test_no_part_of_a_known_place_is_left(parts):
    """Whatever stands in a folder's name: commas, brackets, quotes, full stops, spaces."""
    place = "/".join(["", "home", *(f"Zq{part}Zq" for part in parts), "Zq"])
    told = without_names(f"NO Model: {place}/engine, named by you, is gone ({place}). Look at {place}.", [place])
    assert "Zq" not in told and told.startswith("NO Model: <path>")


@pytest.mark.parametrize("name", ["O'Brien, Jane (studio). film", "\u5f20 \u4f1f", "a; b", "C: drive", "100 %. Done"])
def test_a_report_hides_a_folder_of_any_name(tmp_path, monkeypatch, name):
    """Of the checkpoint that is missing, and of the engine's Python that does not exist."""
    place = tmp_path / f"Zq{name}Zq"
    monkeypatch.setenv("WAN_PREVIS_ENGINE_PYTHON", str(place / "Zq python"))
    text = support_report(Settings(model=str(place / "model Zq"), output=place, user_dir=place))
    assert "Zq" not in text and "NO Model" in text and "NO Engine" in text


def test_names_are_replaced():
    user, computer = getpass.getuser(), socket.gethostname()
    text = without_names(f"{user} at {computer}: all is well")
    assert all(name not in text for name in (user, computer) if len(name) > 2)
