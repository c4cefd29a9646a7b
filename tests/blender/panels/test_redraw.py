# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing looks at no disk: every panel, and whether its buttons can be pressed, with the calls to the disk counted."""

import builtins
import io
import os
import sys
from types import SimpleNamespace

import bpy
import pytest
import wan_previs
from drawn_panels import draw_all
from made_takes import made
from wan_previs import previs
from wan_previs.bridge.environment import venv_python
from wan_previs.bridge.setup.installer import READY
from wan_previs.operators.common import look_at_disk

DISK = [
    (os, name)
    for name in ("stat", "lstat", "listdir", "scandir", "open", "access", "readlink", "mkdir", "unlink", "replace")
] + [(builtins, "open"), (io, "open")]


@pytest.fixture
def context(blank_scene, tmp_path):
    """A scene with a shot and a take, in a sidebar that is wide enough."""
    wan_previs.register()
    bpy.ops.mesh.primitive_cube_add()
    camera = bpy.data.objects.new("Wide", bpy.data.cameras.new("Wide"))
    blank_scene.collection.objects.link(camera)
    blank_scene.camera = camera
    blank_scene.frame_end = 2
    blank_scene.wan_previs.output = str(tmp_path / "jobs")
    made(blank_scene, previs.Settings(output=tmp_path / "jobs"))
    assert bpy.ops.wan_previs.read_shots() == {"FINISHED"}
    yield SimpleNamespace(
        scene=blank_scene, window_manager=bpy.context.window_manager, preferences=bpy.context.preferences,
        region=SimpleNamespace(width=400), object=bpy.context.object, collection=blank_scene.collection,
    )  # fmt: skip
    wan_previs.unregister()


@pytest.mark.parametrize("running", [False, True])
def test_drawing_every_panel_touches_no_disk(context, monkeypatch, running):
    session = context.window_manager.wan_previs
    session.engine_missing = session.running = running
    session.engine_words = "Set up the engine." if running else ""
    calls = []
    for module, name in DISK:
        real = getattr(module, name)

        def counted(*arguments, _real=real, _name=name, **options):
            calls.append((_name, arguments[:1]))
            return _real(*arguments, **options)

        monkeypatch.setattr(module, name, counted)
    drawn = draw_all(context)
    monkeypatch.undo()
    assert ("label", "Take 1") in drawn and len(drawn) > 100
    assert calls == []


def test_a_clip_that_is_gone_and_an_engine_that_is_missing_are_told_once_looked_for(context, tmp_path):
    assert ("label", "Clip missing") not in draw_all(context)
    (tmp_path / "jobs").rename(tmp_path / "away")
    assert ("label", "Clip missing") not in draw_all(context)
    look_at_disk(context)
    assert ("label", "Clip missing") in draw_all(context)
    (tmp_path / "away").rename(tmp_path / "jobs")
    assert bpy.ops.wan_previs.read_shots() == {"FINISHED"}
    assert ("label", "Clip missing") not in draw_all(context)


def test_the_engine_that_is_missing_is_told(context, monkeypatch, tmp_path):
    monkeypatch.setenv("WAN_PREVIS_ENGINE_PYTHON", str(tmp_path / "nowhere"))
    look_at_disk(context)
    told = context.window_manager.wan_previs.engine_missing
    assert told and ("operator", "wan_previs.setup_engine") in draw_all(context)


def test_an_engine_of_another_version_is_offered_to_be_renewed(context, monkeypatch, tmp_path):
    """It is used meanwhile."""
    python = venv_python(tmp_path)
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    (tmp_path / READY).write_text('{"lock": "another"}')
    monkeypatch.setenv("WAN_PREVIS_ENGINE_PYTHON", str(python))
    look_at_disk(context)
    drawn = draw_all(context)
    assert not context.window_manager.wan_previs.engine_missing
    assert ("operator", "wan_previs.setup_engine") in drawn
    assert "by another version of Wan Previs" in " ".join(words for kind, words in drawn if kind == "label")


@pytest.mark.parametrize("width", [400, 170])
def test_the_whole_verdict_of_a_take_is_drawn(context, width):
    context.region.width = width
    (strip,) = context.scene.sequence_editor.strips
    strip["verdict"], strip["verdict_frame"] = "jumps", 31
    strip["verdict_words"] = "The light jumps down by 23 % at frame 31."
    words = " ".join(words for kind, words in draw_all(context) if kind == "label")
    assert "Jumps at frame 31 The light jumps down by 23 % at frame 31." in words


@pytest.mark.parametrize("name", ["verdict", "verdict_words", "follow", "follow_words"])
def test_a_takes_words_with_control_characters_are_drawn(context, name):
    (strip,) = context.scene.sequence_editor.strips
    strip["verdict"], strip["follow"] = "jumps", "strays"
    strip[name] = "\x1b[31m a\0b"
    assert not any("\0" in words for kind, words in draw_all(context) if kind == "label")


@pytest.mark.parametrize("number", [-1, 10**9])
@pytest.mark.parametrize("name", ["mode", "upscale", "model", "size", "preset", "guide_light"])
def test_a_choice_of_another_version_is_drawn_and_read(context, name, number):
    """Blender reads "" for a number that is none of the choices' here."""
    context.scene.wan_previs[name] = number
    draw_all(context)
    previs.Settings(**context.scene.wan_previs.chosen())


def test_an_unknown_mode_of_the_model_is_told_by_its_name(context):
    context.scene.wan_previs.able = "holograms"
    assert context.scene.wan_previs.mode_words == "holograms"
    draw_all(context)


@pytest.mark.parametrize(
    ("noted", "words"),
    [
        ({"follow": "follows"}, "Follows the scene"),
        (
            {"follow": "cannot be told", "follow_words": "Hardly anything moves in the scene."},
            "Following the scene cannot be told Hardly anything moves in the scene.",
        ),
        (
            {"follow": "strays", "follow_frame": 31, "follow_words": "From frame 31 on the clip stands still."},
            "Strays from the scene at frame 31 From frame 31 on the clip stands still.",
        ),
    ],
)
def test_whether_a_take_follows_its_scene_is_drawn(context, noted, words):
    (strip,) = context.scene.sequence_editor.strips
    for name, value in noted.items():
        strip[name] = value
    assert words in " ".join(words for kind, words in draw_all(context) if kind == "label")
