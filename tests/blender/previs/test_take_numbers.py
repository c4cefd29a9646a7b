# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's number is decided once, with its job folder; the strip has the same. No engine is needed for that."""

import bpy
import pytest
from made_takes import made
from wan_previs import previs, sequencer
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.state import JobError
from wan_previs.previs.jobs import new_folder
from wan_previs.previs.takes import import_take


@pytest.fixture
def settings(tmp_path):
    return previs.Settings(output=tmp_path / "jobs")


def test_after_a_dry_run_the_strip_has_the_number_of_its_folder(blank_scene, settings):
    new_folder(blank_scene, settings, "Wide").release()
    take, job = made(blank_scene, settings)
    assert (job.path.name, take.name, take.number) == ("Wide-take-002", "Wide take 2", 2)


def test_folders_that_are_gone_give_no_number_again(blank_scene, settings, tmp_path):
    made(blank_scene, settings)
    elsewhere = previs.Settings(output=tmp_path / "elsewhere")
    take, job = made(blank_scene, elsewhere)
    assert (job.path.name, take.name) == ("Wide-take-002", "Wide take 2")


def test_scenes_that_share_a_folder_share_its_numbers(blank_scene, settings):
    made(blank_scene, settings)
    take, job = made(bpy.data.scenes.new("other"), settings)
    assert (job.path.name, take.name) == ("Wide-take-002", "Wide take 2")


def test_a_finished_clip_comes_in_whatever_the_folder_is_called(blank_scene, settings):
    _, job = made(blank_scene, settings)
    renamed = JobFolder(job.path.rename(job.path.with_name("by hand")))
    assert import_take(blank_scene, "Wide", range(1, 3), renamed).name == "Wide take 2"
    assert import_take(blank_scene, "Wide", range(1, 3), renamed).name == "Wide take 3"


@pytest.mark.parametrize("number", ["x", 1.5, -3, [1, 2], None])
def test_a_number_changed_by_hand_breaks_nothing_and_keeps_no_clip_out(blank_scene, settings, number):
    take, _ = made(blank_scene, settings)
    strip = sequencer.find_take(blank_scene, take.name)
    if number is None:
        del strip["take"], strip["shot"]
        strip["shot"] = "Wide"
    else:
        strip["take"] = number
    assert [seen.number for seen in previs.takes_of(blank_scene, "Wide")] == [0]
    second, job = made(blank_scene, settings)
    assert second.name == "Wide take 2" and job.number == 2
    assert [seen.name for seen in previs.takes_of(blank_scene, "Wide")] == ["Wide take 1", "Wide take 2"]
    previs.show_take(blank_scene, "Wide take 1")
    previs.delete_take(blank_scene, "Wide take 1")
    assert [seen.name for seen in previs.takes_of(blank_scene, "Wide")] == ["Wide take 2"]


def test_a_shot_that_a_strip_forgot_can_still_be_shown_and_deleted(blank_scene, settings):
    take, _ = made(blank_scene, settings)
    del sequencer.find_take(blank_scene, take.name)["shot"]
    previs.show_take(blank_scene, take.name)
    previs.delete_take(blank_scene, take.name)
    assert not list(sequencer.all_strips(blank_scene))


@pytest.mark.parametrize("place", ["x" * 5000, "/" + "x" * 300, "/y" * 3000], ids=["relative", "name", "path"])
def test_a_take_whose_folder_no_disk_can_have_is_lost_and_can_be_deleted(blank_scene, settings, place):
    take, job = made(blank_scene, settings)
    strip = sequencer.find_take(blank_scene, take.name)
    strip["job_folder"], strip.directory = place, place[:300]
    assert previs.takes.lost_takes(blank_scene) == [take.name] and previs.why_files_stay(blank_scene, take.name) == ""
    with pytest.raises(JobError, match="is gone"):
        previs.report_picture(blank_scene, take.name)
    previs.delete_take(blank_scene, take.name)
    assert not list(sequencer.all_strips(blank_scene)) and job.path.is_dir()
