# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders for temporary files, also where the usual ones cannot be written."""

import tempfile
from pathlib import Path

import bpy
import pytest
from scene_makers import add_box, add_camera
from wan_previs.conditioning.tone import tone_of
from wan_previs.scratch import ScratchError, scratch_folder

NOWHERE = "/proc"  # nobody, not even root, makes folders there


def test_a_folder_is_empty_and_gone_afterwards():
    with scratch_folder() as folder:
        assert folder.is_dir() and not list(folder.iterdir())
        (folder / "a").write_text("a")
    assert not folder.exists()


def test_without_the_systems_temporary_folder_blenders_serves(blank_scene, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", NOWHERE)
    add_camera(blank_scene), add_box(blank_scene)
    with scratch_folder() as folder:
        assert Path(bpy.app.tempdir) in folder.parents
    assert 0.0 < tone_of(blank_scene)(0.5) < 1.0


def test_without_any_folder_that_is_told(blank_scene, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", NOWHERE)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(ScratchError, match="Temporary Files"):
        tone_of(blank_scene)


def test_errors_inside_are_the_callers(monkeypatch):
    with pytest.raises(OSError, match="mine"), scratch_folder():
        raise OSError("mine")
