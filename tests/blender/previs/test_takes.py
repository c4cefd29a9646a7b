# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes after they were made: verdict, showing, deleting, repairing, going on with interrupted work (real engine)."""

import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
from held_engine import HeldEngine
from tiny_shots import TINY, one_shot, step_until
from wan_previs import previs, sequencer
from wan_previs.bridge import history
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.state import JobError
from wan_previs.previs.progress import Progress, duration_in_words


@pytest.fixture
def scene(blank_scene):
    yield one_shot(blank_scene, first=11, last=20)
    previs.close_engine()


@pytest.fixture
def settings(tmp_path):
    return previs.Settings(model=str(TINY), size=(64, 48), steps=2, output=tmp_path / "jobs", mode="first")


@pytest.fixture
def take(scene, settings):
    generation = previs.Generation(scene, settings)
    generation.run()
    assert generation.errors == []
    return generation.made[0]


@pytest.mark.engine
def test_a_take_has_a_verdict_a_report_and_its_raw_frames(scene, take):
    report = history.read_report(JobFolder(take.folder))
    told = report["light"]["verdict"]
    assert take.sentence and take.code == told["code"] and take.fails == (told["word"] != "holds")
    assert (
        take.held_to == told["held_to"]
        and told["first_frame"] == 11
        and report["light"]["expected"]["source"] == "brief"
    )
    assert previs.report_picture(scene, take.name).read_bytes().startswith(b"\x89PNG")
    assert (take.start, take.frames, take.seen, take.missing) == (11, 10, True, False)
    assert list((Path(take.folder) / previs.RAW).glob("frame_*.png"))


@pytest.mark.engine
def test_a_repair_is_another_take_and_the_first_one_stays(scene, settings, take):
    clip, raw = Path(take.folder) / "clip.mp4", sorted((Path(take.folder) / previs.RAW).iterdir())
    before = [path.read_bytes() for path in (clip, *raw)]
    repair = previs.Repair(scene, settings, take.name)
    repair.run()
    assert repair.errors == [] and repair.made.name == "Wide take 2" and repair.made.code
    assert (repair.made.start, repair.made.frames) == (11, 10)
    assert [path.read_bytes() for path in (clip, *raw)] == before
    report = history.read_report(JobFolder(repair.made.folder))
    assert report["repaired"]["from"] == take.folder and {"before", "after"} <= set(report["light"])
    assert previs.report_picture(scene, "Wide take 2").is_file() and repair.made.repaired
    with pytest.raises(JobError, match="repaired already"):
        previs.Repair(scene, settings, "Wide take 2")


@pytest.mark.engine
def test_what_cannot_be_repaired_is_told_in_words(scene, settings, take):
    for path in (Path(take.folder) / previs.RAW).iterdir():
        path.unlink()
    (Path(take.folder) / previs.RAW).rmdir()
    with pytest.raises(JobError, match="are gone"):
        previs.Repair(scene, settings, take.name)
    with pytest.raises(sequencer.SequencerError, match="no take"):
        previs.Repair(scene, settings, "nothing")


@pytest.mark.engine
def test_a_lost_report_and_a_lost_folder_are_told_in_words(scene, take):
    (Path(take.folder) / "report.png").unlink()
    with pytest.raises(JobError, match="has no report picture"):
        previs.report_picture(scene, take.name)
    Path(take.folder).rename(Path(take.folder).with_name("moved"))
    with pytest.raises(JobError, match="folder of Wide take 1 is gone"):
        previs.report_picture(scene, take.name)
    (lost,) = previs.takes_of(scene, "Wide")
    assert lost.missing
    with pytest.raises(sequencer.SequencerError, match="is not there"):
        previs.show_take(scene, lost.name)
    previs.delete_take(scene, lost.name)  # nothing is left on disk, the strip can still go
    assert previs.takes_of(scene, "Wide") == []


@pytest.mark.engine
def test_deleting_takes_the_files_and_shows_another_take(scene, take):
    job = JobFolder(take.folder)
    clip = Path(take.folder) / "clip.mp4"
    second = sequencer.add_take(scene, "Wide", 11, 20, clip, {})  # another strip of the same clip
    previs.show_take(scene, take.name)
    assert second.mute and not sequencer.find_take(scene, take.name).mute
    assert scene.frame_current == 11 and scene.sequence_editor.active_strip.name == take.name
    previs.delete_take(scene, take.name)
    assert job.path.is_dir() and not second.mute  # the other strip lives from the folder
    second["job_id"] = take.job
    words = previs.delete_take(scene, second.name)
    trashed = job.path.parent / "trash" / job.path.name
    assert not job.path.exists() and (trashed / "clip.mp4").is_file() and str(trashed) in words


@pytest.mark.engine
def test_a_folder_that_is_no_job_is_never_deleted(scene, take, tmp_path):
    other = tmp_path / "holiday"
    other.mkdir()
    (other / "photo.jpg").write_bytes(b"dear")
    Path(take.folder).rename(tmp_path / "moved")
    sequencer.find_take(scene, take.name)["job_folder"] = str(other)
    assert f"Nothing in {other} proves" in previs.delete_take(scene, take.name)
    assert (other / "photo.jpg").exists() and not previs.takes_of(scene, "Wide")


@pytest.mark.engine
def test_a_job_that_was_cut_short_goes_on_in_its_folder(scene, settings, tmp_path):
    model = shutil.copytree(TINY, tmp_path / "model")
    engine = HeldEngine(tmp_path)
    asked = replace(settings, model=str(model), steps=5, engine_python=str(engine.python))
    engine.hold(3)
    generation = previs.Generation(scene, asked)
    step_until(generation, lambda: generation.status.startswith("Step 3 of 5"))
    os.kill(previs.engine_client(asked).pid, signal.SIGKILL)
    engine.go_on()
    while not generation.step():
        time.sleep(0.02)
    assert generation.exit_status == 5
    found = previs.unfinished(scene, asked)["Wide"]
    assert (found.words, found.step) == ("Continue at step 4 of 5", 3)
    assert found.frames == 10 and previs.doubts_about(scene, asked, "Wide") == ""
    weights = next(model.rglob("*.safetensors"))
    before = weights.stat()
    os.utime(weights, (1, 1))  # as after another download
    assert previs.unfinished(scene, asked)["Wide"].words == "Continue from step 1 of 5"
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    going_on = previs.Generation(scene, asked, resume=True)
    going_on.run()
    assert going_on.errors == [] and going_on.made[0].folder == str(found.job.path)
    assert any("Goes on after step 3" in note for note in going_on.progress.notes)
    assert previs.unfinished(scene, asked) == {}
    assert len(list(asked.output.glob("Wide-take-*"))) == 1


@pytest.mark.engine
def test_a_page_that_cannot_be_drawn_costs_no_take(scene, settings, tmp_path, monkeypatch):
    """An engine without matplotlib: the module is there, but cannot be imported."""
    from wan_previs.bridge import process

    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "matplotlib.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'matplotlib'\", name='matplotlib')"
    )
    scrubbed = process.scrubbed_environment

    def without_matplotlib(environment, **variables):
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(broken), variables.get("PYTHONPATH"))))
        return scrubbed(environment, **variables)

    monkeypatch.setattr(process, "scrubbed_environment", without_matplotlib)
    generation = previs.Generation(scene, settings)
    generation.run()
    assert generation.errors == [] and generation.made[0].code
    with pytest.raises(JobError, match="lacks matplotlib"):
        previs.report_picture(scene, generation.made[0].name)


@pytest.mark.engine
def test_shots_of_any_name_become_takes_with_page_and_overview(scene, settings):
    names = [r"$\frac{", "日出 שלום 😀 $x_{$"]
    scene.timeline_markers.clear()
    for name, frame in zip(names, (1, 11), strict=True):
        scene.timeline_markers.new(name, frame=frame).camera = scene.camera
    scene.frame_start, scene.frame_end = 1, 20
    generation = previs.Generation(scene, replace(settings, description=r"It costs $\frac{$ in $x_{$."))
    generation.run()
    assert generation.errors == [] and generation.takes == [f"{name} take 1" for name in names]
    assert generation.overview.is_file() and not [note for note in generation.progress.notes if "not" in note]
    for take in generation.made:
        assert previs.report_picture(scene, take.name).is_file()


@pytest.mark.engine
def test_a_text_that_is_too_long_is_told_before_and_after_and_costs_neither_light_nor_subject(scene, settings):
    words = "A weathered fisherman repairs nets beside his boat at the harbour wall. " * 14
    generation = previs.Generation(scene, replace(settings, model="nano", steps=1, style=words, negative=words * 9))
    told = [warning for warning in generation.warnings if "words long" in warning]
    assert len(told) == 2 and all("Wan Previs nano reads about 147" in warning for warning in told)
    generation.run()
    assert generation.errors == [] and any("cut off from here on" in note for note in generation.progress.notes)
    report = history.read_report(JobFolder(generation.made[0].folder))
    read, asked = report["prompt_read"], report["request"]["prompt"]
    assert asked.startswith("A weathered") and read.index("The scene shows") < read.index("A weathered")


@pytest.mark.engine
@pytest.mark.parametrize("codec", ["h264", "prores", "png"])
def test_a_clip_without_its_report_is_imported(scene, settings, codec):
    """The report is lost between the worker and the import; a damaged one does as little harm."""
    job = previs.prepare(scene, *_first_shot(scene), replace(settings, codec=codec))
    client = previs.engine_client(settings)
    client.submit(job)
    while not any(message.ends_job for message in client.poll()):
        time.sleep(0.02)
    assert job.read_state().state == "done"
    for content in (None, "[]", '{"clip": null, "light": []}', '{"clip": [], "light": {"verdict": 3}}'):
        job.report.unlink(missing_ok=True)
        if content is not None:
            job.report.write_text(content)
        take = previs.import_take(scene, "Wide", range(11, 21), job)
        assert take.frames == 10 and not take.missing and take.code == ""


def _first_shot(scene):
    brief, _ = previs.read_shots(scene)
    return brief, brief.shots[0]


def test_progress_tells_time_left_and_notes():
    from wan_previs.bridge.messages import Message

    now = [100.0]
    progress = Progress(clock=lambda: now[0])

    def hear(**event):
        progress.follow(Message("event", job=Path("/job"), event=event))

    hear(event="stage", stage="encode_text")
    assert progress.status == "Reading the prompt" and progress.left is None
    hear(event="step", step=2, steps=12, seconds=6.0)
    assert progress.status == "Step 2 of 12" and progress.left == pytest.approx(10 * 6 + 0.15 * 12 * 6)
    now[0] += 30
    assert progress.left == pytest.approx(40.8)
    hear(event="preview", step=2, path="preview.png")
    hear(event="preview", step=3, path="preview.png")
    assert progress.picture == Path("/job/preview.png") and progress.pictures == 2
    for _ in range(2):
        hear(event="retry", step=3, message="Step 3 gave NaN or infinite values.")
    assert progress.notes == ["Step 3 gave NaN or infinite values."]
    assert [duration_in_words(s) for s in (2, 41, 70, 3600, 7900)] == [
        "5 s",
        "40 s",
        "1 min",
        "1 h 0 min",
        "2 h 10 min",
    ]


def test_progress_tells_segments_and_never_goes_back():
    from wan_previs.bridge.messages import Message

    progress, shares = Progress(), []

    def hear(**event):
        progress.follow(Message("event", job=Path("/job"), event=event))
        shares.append(progress.share)
        return progress.status

    for number in (1, 2, 3):
        hear(event="segment", segment=number, segments=3)
        hear(event="stage", stage="encode_image")
        hear(event="stage", stage="denoise")
        for step in (2 * number - 1, 2 * number):
            told = hear(event="step", step=step, steps=6, seconds=1.0)
            assert told == f"Segment {number} of 3: step {step} of 6"
        hear(event="resume", step=2 * number)
        assert hear(event="stage", stage="decode") == f"Segment {number} of 3: decoding"
    assert shares == sorted(shares) and len(set(shares)) >= 6 and shares[-1] == 0.9 > shares[-8]
    assert progress.notes == ["Goes on after step 6, where it was interrupted."]
    progress.begin()
    assert hear(event="stage", stage="decode") == "Decoding"


def test_a_sequence_of_pictures_is_a_take_too(scene, tmp_path):
    folder = tmp_path / "job" / "clip"
    folder.mkdir(parents=True)
    image = bpy.data.images.new("frame", 16, 12)
    for frame in range(1, 11):
        image.filepath_raw, image.file_format = str(folder / f"frame_{frame:04}.png"), "PNG"
        image.save()
    strip = sequencer.add_take(scene, "Wide", 11, 20, folder, {})
    made = sequencer.read_take(strip)
    assert (made.start, made.frames, made.missing) == (11, 10, False)
    (folder / "frame_0001.png").unlink()
    assert sequencer.read_take(strip).missing
