# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's words in the file: scene, shots, objects; presets; warnings in the rows."""

import os

import bpy
import pytest
import wan_previs
from wan_previs.previs import UsageError, presets


@pytest.fixture
def scene(blank_scene, tmp_path, monkeypatch):
    """A still camera at noon; presets go to a folder of the test's own."""
    monkeypatch.setattr(bpy.utils, "user_resource", lambda *_, **__: str(tmp_path))
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.rotation_euler = (1.5708, 0, 0)
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.rotation_euler = (0.3, 0.0, 0.0)
    for thing in (camera, sun):
        blank_scene.collection.objects.link(thing)
    blank_scene.camera = camera
    wan_previs.register()
    bpy.ops.wan_previs.read_shots()
    yield blank_scene
    wan_previs.unregister()


def test_words_about_the_active_shot_are_kept_by_its_name(scene):
    state = scene.wan_previs
    state.shot_description, state.shot_negative = "pigeons fly up", "people"
    assert state.shot_description == "pigeons fly up" and "Pigeons fly up." in state.active.prompt
    assert [(words.name, words.negative) for words in state.words] == [("Camera", "people")]
    scene.timeline_markers.new("Opening", frame=1).camera = scene.camera
    bpy.ops.wan_previs.read_shots()
    assert state.active.name == "Opening" and state.shot_description == ""


def test_contradictions_stand_at_the_shot(scene):
    state = scene.wan_previs
    state.description = "at sunset, handheld"
    lines = [line.text for line in state.active.contradictions]
    assert len(lines) == 2 and lines[0].startswith("'sunset' but the sun stands at 73 degrees")
    state.description = "at noon"
    assert not len(state.active.contradictions)


def test_a_wrong_template_leaves_the_prompts_and_is_told_on_reading(scene):
    before = scene.wan_previs.active.prompt
    scene.wan_previs.template = "{lihgt}"
    assert scene.wan_previs.active.prompt == before
    with pytest.raises(RuntimeError, match="lihgt"):
        bpy.ops.wan_previs.read_shots()
    scene.wan_previs.template = "{camera}"
    assert scene.wan_previs.active.prompt.startswith("The camera stands still.")


def test_presets_are_saved_loaded_and_deleted(scene):
    state = scene.wan_previs
    state.template, state.style, state.negative = "{style} {light} {camera}", "noir", "people"
    assert bpy.ops.wan_previs.save_preset(name="Only light") == {"FINISHED"}
    (name,) = presets.preset_names()
    state.template, state.style, state.negative = "{user}", "", ""
    assert bpy.ops.wan_previs.load_preset(name=name) == {"FINISHED"}
    assert (state.template, state.style, state.negative) == ("{style} {light} {camera}", "noir", "people")
    assert bpy.ops.wan_previs.remove_preset(name=name) == {"FINISHED"}
    assert presets.preset_names() == []
    with pytest.raises(RuntimeError, match="no preset"):
        bpy.ops.wan_previs.load_preset(name="gone")


def test_a_damaged_preset_is_told(scene):
    path = presets.write_preset("mine", {"template": "", "style": "", "negative": ""})
    path.write_text("{}")
    with pytest.raises(UsageError, match="damaged"):
        presets.read_preset("mine")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_preset_that_is_no_file_is_not_waited_for(scene):
    os.mkfifo(presets.preset_folder(create=True) / "mine.json")
    with pytest.raises(UsageError, match="no file"):
        presets.read_preset("mine")


def test_objects_and_collections_take_a_description(scene):
    scene.camera.wan_previs.description = "a rusty fishing boat"
    scene.collection.wan_previs.description = "a harbour"
    assert bpy.data.objects["Camera"].wan_previs.description == "a rusty fishing boat"
