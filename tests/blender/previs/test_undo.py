# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo goes back in a straight line, but takes no clip away: what has no strip is listed and can be put back."""

import shutil
from types import SimpleNamespace

import bpy
import pytest
import wan_previs
from drawn_panels import draw_all
from scene_makers import add_box, add_camera
from tiny_shots import TEXT_ONLY
from wan_previs import previs
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.state import JobError
from wan_previs.scene.identity import KEY


@pytest.fixture
def scene(blank_scene, tmp_path):
    """The sidebar's scene: a shot of ten frames that starts at 11, in a file that was never saved."""
    wan_previs.register()
    blank_scene.frame_start, blank_scene.frame_end = 11, 20
    blank_scene.render.resolution_x, blank_scene.render.resolution_y = 64, 48
    add_camera(blank_scene, name="Wide")
    add_box(blank_scene)
    state = blank_scene.wan_previs
    state.model, state.checkpoint, state.mode, state.output = "CUSTOM", str(TEXT_ONLY), "text", str(tmp_path / "out")
    state.size, state.width, state.height = "CUSTOM", 64, 48
    bpy.ops.ed.undo_push(message="Before")
    bpy.ops.wan_previs.read_shots("EXEC_DEFAULT", True)  # as a button does it: with a step to undo
    yield blank_scene
    wan_previs.unregister()


def settings():
    return previs.Settings(**bpy.context.scene.wan_previs.chosen())


def generated():
    """A take whose clip no engine made, added as the operator adds it."""
    scene = bpy.context.scene
    brief, _ = previs.read_shots(scene)
    job = previs.prepare(scene, brief, brief.shots[0], settings())
    image = bpy.data.images.new("frame", 16, 12)
    for frame in range(1, 11):
        image.filepath_raw, image.file_format = str(job.path / "clip" / f"frame_{frame:04}.png"), "PNG"
        image.save()
    bpy.data.images.remove(image)
    job.write_json(job.report, {"clip": {"path": "clip"}})
    job.mark_ended("done", "", 0)
    take = previs.import_take(scene, "Wide", range(11, 21), job)
    bpy.ops.ed.undo_push(message=f"Add {take.name}")
    return take


def strips():
    return [take.name for take in previs.takes_of(bpy.context.scene, "Wide")]


def listed():
    """The clips without a strip that the panel offers to put back."""
    context = SimpleNamespace(
        scene=bpy.context.scene, window_manager=bpy.context.window_manager, preferences=bpy.context.preferences,
        region=SimpleNamespace(width=400), object=None, collection=None,
    )  # fmt: skip
    return draw_all(context).count(("operator", "wan_previs.put_back")) // 2  # in two editors


def test_an_undone_take_stays_listed_and_one_call_puts_it_back(scene):
    first = generated()
    bpy.ops.wan_previs.read_shots()
    bpy.ops.ed.undo()
    assert (strips(), listed()) == ([], 1)
    bpy.ops.ed.redo()
    assert (strips(), listed()) == (["Wide take 1"], 0)
    bpy.ops.ed.undo()
    second = generated()  # made meanwhile: from here on redo has nothing
    assert second.name == "Wide take 2" and listed() == 1
    assert bpy.ops.wan_previs.put_back(job=first.job) == {"FINISHED"}
    assert (strips(), listed()) == (["Wide take 1", "Wide take 2"], 0)
    back = previs.takes_of(bpy.context.scene, "Wide")[0]
    assert (back.job, back.start, back.frames, back.clip) == (first.job, first.start, 10, first.clip)
    with pytest.raises(RuntimeError, match="has its strip already"):
        bpy.ops.wan_previs.put_back(job=first.job)


def test_undoing_what_came_after_reading_the_shots_leaves_their_rows(scene):
    scene.objects[0].location.x += 1.0
    bpy.ops.ed.undo_push(message="Move")
    bpy.ops.ed.undo()
    assert [row.name for row in bpy.context.scene.wan_previs.shots] == ["Wide"]


def test_what_was_made_in_a_file_never_saved_is_this_scenes_after_undo_and_after_the_first_save(scene, tmp_path):
    take = generated()
    bpy.ops.ed.undo()
    assert KEY not in bpy.context.scene
    assert [clip.job for clip in previs.clips_of(bpy.context.scene, settings())] == [take.job]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "film.blend"))
    assert [clip.job for clip in previs.clips_of(bpy.context.scene, settings())] == [take.job]
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "film.blend"))
    assert listed() == 1 and bpy.ops.wan_previs.put_back(job=take.job) == {"FINISHED"}


def test_a_clip_goes_back_where_its_shot_begins_now(scene):
    take = generated()
    bpy.ops.ed.undo()
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 31, 50
    back = previs.put_back(bpy.context.scene, settings(), take.job)
    assert (back.start, back.frames) == (31, 10)


def test_a_clip_without_a_strip_is_deleted_from_the_panel(scene):
    take = generated()
    with pytest.raises(JobError, match="has its strip already"):
        previs.discard_clip(bpy.context.scene, settings(), take.job)
    bpy.ops.ed.undo()
    assert bpy.ops.wan_previs.discard_clip(job=take.job) == {"FINISHED"}
    assert listed() == 0 and previs.clips_of(bpy.context.scene, settings()) == []
    assert list((JobFolder(take.folder).path.parent / "trash").iterdir())
    with pytest.raises(RuntimeError, match="job folder is gone"):
        bpy.ops.wan_previs.put_back(job=take.job)


def test_a_deleted_take_whose_strip_undo_brings_back_is_told_as_missing(scene):
    take = generated()
    assert bpy.ops.wan_previs.delete_take(take=take.name) == {"FINISHED"}
    bpy.ops.ed.undo_push(message="Delete Take")
    bpy.ops.ed.undo()
    assert strips() == [take.name]
    assert bpy.context.window_manager.wan_previs.is_lost(bpy.context.scene, take.name)


def test_other_files_clips_are_not_listed(scene, tmp_path):
    generated()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "film.blend"))
    shutil.copy(tmp_path / "film.blend", tmp_path / "copy.blend")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "copy.blend"))
    scene = bpy.context.scene
    scene.sequence_editor_clear()
    assert previs.clips_of(scene, settings()) == [] and listed() == 0
