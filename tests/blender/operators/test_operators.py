# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators as scripts call them, and their modal side driven by hand; the engine is the real one."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
import wan_previs
from wan_previs import previs
from wan_previs.operators.common import Work, settings_of
from wan_previs.operators.generate import Generate
from wan_previs.previs import engine
from wan_previs.properties import outdated
from wan_previs.sequencer.takes import all_strips, end_frame, first_frame

ROOT = Path(__file__).resolve().parents[3]
CHECKPOINT = ROOT / "tests" / "golden" / "fullstack" / "Wan2.2-I2V-A14B" / "checkpoint"


@pytest.fixture
def extension(blank_scene):
    wan_previs.register()
    yield SimpleNamespace(session=bpy.context.window_manager.wan_previs)
    wan_previs.unregister()


@pytest.fixture
def two_shots(extension, tmp_path):
    """A cube, a sun, two camera markers of six frames each; settings for the tiny checkpoint."""
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_cube_add()
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.rotation_euler = (0.9, 0.0, 0.4)
    scene.collection.objects.link(sun)
    for frame, name in ((1, "Wide"), (7, "Close")):
        camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
        camera.location, camera.rotation_euler = (0.0, -8.0 + frame / 3, 1.0), (1.5, 0.0, 0.0)
        scene.collection.objects.link(camera)
        scene.timeline_markers.new(name, frame=frame).camera = camera
        scene.camera = scene.camera or camera
    scene.frame_start, scene.frame_end = 1, 12
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    settings = scene.wan_previs
    settings.model, settings.checkpoint = "CUSTOM", str(_tiny_checkpoint(tmp_path))
    settings.mode, settings.size, settings.width, settings.height = "first", "CUSTOM", 64, 48
    settings.steps, settings.output = 2, str(tmp_path / "out")
    return scene


def _tiny_checkpoint(folder):
    copy = folder / "checkpoint"
    shutil.copytree(CHECKPOINT, copy)
    facts = {"schema": "wan_previs.checkpoint/1", "title": "Tiny", "frames": [5]}
    (copy / "wan_previs.json").write_text(json.dumps(facts))
    return copy


def test_reading_fills_the_rows_and_keeps_the_active_shot(two_shots):
    state = two_shots.wan_previs
    two_shots.frame_set(3)
    assert bpy.ops.wan_previs.read_shots() == {"FINISHED"}
    assert [row.name for row in state.shots] == ["Wide", "Close"]
    assert all(row.prompt and row.sun_height and row.move for row in state.shots)
    assert two_shots.frame_current == 3
    state.active_shot = 1
    two_shots.timeline_markers.new("Middle", frame=4).camera = two_shots.camera
    assert outdated(two_shots)
    bpy.ops.wan_previs.read_shots()
    assert state.active.name == "Close" and len(state.shots) == 3
    assert not outdated(two_shots)


def test_the_description_is_part_of_the_prompts_at_once(two_shots):
    bpy.ops.wan_previs.read_shots()
    two_shots.wan_previs.description = "an abandoned lighthouse"
    assert all("lighthouse" in row.prompt for row in two_shots.wan_previs.shots)


def test_a_scene_without_camera_is_told_in_words(extension):
    with pytest.raises(RuntimeError, match="camera"):
        bpy.ops.wan_previs.read_shots()
    assert "camera" in extension.session.errors[0].text
    assert not extension.session.running


def test_an_unsaved_file_needs_an_output_folder(two_shots):
    two_shots.wan_previs.output = ""
    with pytest.raises(RuntimeError, match="Save the file, or choose an output folder"):
        bpy.ops.wan_previs.generate()


def test_the_sidebar_tells_which_modes_the_model_can_do(two_shots):
    state = two_shots.wan_previs
    state.mode = "auto"
    assert (state.mode_words, state.why_not_mode) == ("First and Last Frame", "")
    state.checkpoint = str(CHECKPOINT.parents[1] / "Wan2.2-T2V-A14B" / "checkpoint")
    assert state.mode_words == "Prompt Only"
    state.mode = "first_last"
    assert state.why_not_mode == 'This model cannot do "First and Last Frame", but: Prompt Only'
    assert not bpy.ops.wan_previs.generate.poll() and not bpy.ops.wan_previs.generate_all.poll()
    state.model = "NANO"
    assert state.why_not_mode == "" and bpy.ops.wan_previs.generate_all.poll()
    state.model, state.checkpoint = "CUSTOM", "/nowhere"
    assert (state.able, state.why_not_mode) == ("", "")  # what is wrong with the folder is told when it is used


def test_modes_are_stored_as_they_always_were(two_shots):
    """A file keeps the number of an item; 0, 1 and 2 were there before Automatic."""
    numbers = {item.identifier: item.value for item in two_shots.wan_previs.bl_rna.properties["mode"].enum_items}
    assert numbers == {"first_last": 0, "first": 1, "text": 2, "auto": 3, "control": 4, "camera": 5, "motion": 6}
    two_shots.wan_previs.property_unset("mode")
    assert settings_of(bpy.context).mode == "auto"


def test_a_missing_model_ends_before_anything_is_made(two_shots, extension, tmp_path):
    two_shots.wan_previs.checkpoint = str(tmp_path / "nowhere")
    with pytest.raises(RuntimeError, match="nowhere"):
        bpy.ops.wan_previs.generate()
    assert "nowhere" in extension.session.errors[0].text
    assert not (tmp_path / "out").exists()


def test_setting_up_needs_online_access(extension):
    assert not bpy.app.online_access
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.wan_previs.setup_engine()


def test_check_tells_what_is_missing(two_shots, extension, tmp_path):
    two_shots.wan_previs.checkpoint = str(tmp_path / "nowhere")
    assert bpy.ops.wan_previs.check() == {"CANCELLED"}
    assert any(not line.ok and "nowhere" in line.text for line in extension.session.findings)


@pytest.mark.engine
def test_generate_all_blocks_and_puts_strips_on_the_shots(two_shots, extension):
    bpy.ops.ed.undo_push(message="Before")
    assert bpy.ops.wan_previs.generate_all() == {"FINISHED"}
    strips = sorted(all_strips(two_shots), key=first_frame)
    assert [strip.name for strip in strips] == ["Wide take 1", "Close take 1"]
    assert [(first_frame(strip), end_frame(strip)) for strip in strips] == [(1, 7), (7, 13)]
    assert not extension.session.running and not extension.session.errors
    assert "Close take 1" in extension.session.result
    assert (Path(extension.session.folder) / "clip.mp4").is_file()
    for left in (["Wide take 1"], []):  # each take is a step to undo
        bpy.ops.ed.undo()
        assert [strip.name for strip in all_strips(bpy.context.scene)] == left
        assert len(bpy.context.scene.wan_previs.shots) == 2


class _Hands:
    """Stands in for an operator in a window, which bpy as a module has none of; its methods are the operator's own."""

    start, step, stop, finish = Generate.start, Generate.step, Generate.stop, Generate.finish
    _mirror, modal, _drop_timer, cancel = Generate._mirror, Work.modal, Generate._drop_timer, Work.cancel
    _went_on, redo = Generate._went_on, Generate.redo
    _drop_picture, how_to_resume, _picture = Generate._drop_picture, Generate.how_to_resume, None

    def __init__(self, names):
        self.wanted = lambda context: names
        self.reports = []
        self._timer = None

    def report(self, kinds, words):
        self.reports.append((kinds, words))


def _event(kind):
    return SimpleNamespace(type=kind)


@pytest.mark.engine
def test_escape_passes_through_and_cancel_ends_the_work(two_shots, extension):
    hands = _Hands(["Wide"])
    assert hands.start(bpy.context)
    assert extension.session.running and extension.session.title == "Wide"
    assert hands.modal(bpy.context, _event("ESC")) == {"PASS_THROUGH"}
    assert hands.modal(bpy.context, _event("TIMER")) == {"PASS_THROUGH"}
    assert not bpy.ops.wan_previs.generate.poll()
    assert bpy.ops.wan_previs.cancel() == {"FINISHED"}
    assert not bpy.ops.wan_previs.cancel.poll()
    while (result := hands.modal(bpy.context, _event("TIMER"))) == {"PASS_THROUGH"}:
        pass
    assert result == {"CANCELLED"}
    assert hands.reports[-1] == ({"WARNING"}, "Cancelled.")
    assert not extension.session.running
    assert not list(all_strips(two_shots))


@pytest.mark.engine
def test_a_scene_that_is_deleted_meanwhile_is_told_in_words(two_shots, extension):
    hands = _Hands(["Wide"])
    assert hands.start(bpy.context)
    bpy.data.scenes.new("Other")
    bpy.data.scenes.remove(two_shots)
    while (result := hands.modal(bpy.context, _event("TIMER"))) == {"PASS_THROUGH"}:
        pass
    assert result == {"CANCELLED"}
    assert "is gone" in hands.reports[-1][1]
    assert not extension.session.running


@pytest.mark.engine
def test_loading_a_file_ends_the_work(two_shots, extension):
    hands = _Hands(["Wide"])
    assert hands.start(bpy.context)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    hands.cancel(bpy.context)
    session = bpy.context.window_manager.wan_previs
    assert not session.running and not session.status
    assert engine._client is None


def test_an_unexpected_error_frees_the_buttons(two_shots, extension):
    hands = _Hands(["Wide"])
    extension.session.begin("Wide")

    def broken(context):
        raise ZeroDivisionError

    hands.step = broken
    with pytest.raises(ZeroDivisionError):
        hands.modal(bpy.context, _event("TIMER"))
    assert not extension.session.running
    assert "unexpected error" in extension.session.errors[0].text


@pytest.mark.engine
def test_a_take_is_repaired_and_deleted_from_the_panel(two_shots, extension):
    two_shots.wan_previs.repair = {"deflicker"}
    assert bpy.ops.wan_previs.generate(shot="Wide") == {"FINISHED"}
    assert "Wide take 1 (light " in extension.session.result
    assert bpy.ops.wan_previs.open_report(take="Wide take 1") == {"FINISHED"}
    assert bpy.data.images[".Previs Report"].size[0] > 1000
    assert bpy.ops.wan_previs.repair_take(take="Wide take 1") == {"FINISHED"}
    assert [take.number for take in previs.takes_of(two_shots, "Wide")] == [1, 2]
    assert bpy.ops.wan_previs.open_report(take="Wide take 2") == {"FINISHED"}
    assert len([image for image in bpy.data.images if image.name.startswith(".Previs")]) == 1
    folder = Path(previs.takes_of(two_shots, "Wide")[0].folder)
    assert bpy.ops.wan_previs.show_take(take="Wide take 1") == {"FINISHED"}
    assert bpy.ops.wan_previs.delete_take(take="Wide take 1") == {"FINISHED"}
    assert not folder.exists() and [take.seen for take in previs.takes_of(two_shots, "Wide")] == [True]
    with pytest.raises(RuntimeError, match="There is no take"):
        bpy.ops.wan_previs.open_report(take="Wide take 1")


def test_a_list_of_loras_reaches_the_settings_only_for_a_model_of_ones_own(two_shots):
    state = two_shots.wan_previs
    for path in ("//style.safetensors", ""):
        bpy.ops.wan_previs.add_lora()
        state.loras[-1].path = path
    state.loras[0].strength, state.loras[0].expert = 0.5, "high"
    state.dtype, state.preset, state.vae_tiles = "bfloat16", "lightning", "256"
    (lora,) = settings_of(bpy.context).loras
    assert lora.path.endswith("style.safetensors") and (lora.strength, lora.expert) == (0.5, "high")
    assert settings_of(bpy.context).vae_tiles == 256 and settings_of(bpy.context).preset == "lightning"
    state.model = "NANO"
    assert settings_of(bpy.context).loras == () and settings_of(bpy.context).dtype == "auto"
    bpy.ops.wan_previs.remove_lora(index=0)
    assert [lora.path for lora in state.loras] == [""]


def test_generate_is_grey_in_a_scene_without_a_camera_and_says_which_has_one(two_shots):
    assert bpy.ops.wan_previs.generate_all.poll()
    bpy.context.window.scene = bpy.data.scenes.new("Edit")
    bpy.context.scene.wan_previs.output = two_shots.wan_previs.output
    assert not bpy.ops.wan_previs.generate_all.poll() and not bpy.ops.wan_previs.generate.poll()
    with pytest.raises(RuntimeError, match=r"'Edit' has no camera, but there is one in: 'Scene'"):
        bpy.ops.wan_previs.generate_all()
