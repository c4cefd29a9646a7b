# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a job folder is, which work can go on, and what becomes of a folder whose take is deleted."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from saved_states import state_file
from wan_previs.bridge import history
from wan_previs.bridge.identity import (
    Identity,
    asked_for,
    changes,
    fingerprint,
    is_same,
    place_of,
    read_identity,
    standing,
    write_identity,
)
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.state import JobError, JobState, utc_now
from wan_previs.wan_engine.light_curve import LightCurve
from wan_previs.wan_engine.request import GenerationRequest
from wan_previs.wan_engine.request_parts import Keyframe

BRIEF = {"resolution": [64, 48], "fps": 24.0, "shots": [{"frame_start": 1, "frame_end": 10, "subjects": [{"x": 0.5}]}]}


@pytest.fixture
def project(tmp_path):
    """A folder with a .blend; its jobs go below `previs`."""
    folder = tmp_path / "project"
    (folder / "previs").mkdir(parents=True)
    (folder / "a.blend").write_bytes(b"")
    return folder


def make(project, file="a.blend", scene="s", shot="k", made="1", state="failed", step=3, name="Wide") -> JobFolder:
    """A job that was cut short behind `step`, or before it had begun (0)."""
    root = project / "previs"
    job = JobFolder.create(root, name)
    job.request.write_text(json.dumps({"clip_frames": 10}))
    if file is not None:
        write_identity(job, Identity(place_of(project / file, root), scene, shot, "", made=made))
    job.write_state(JobState(state, started=utc_now(), pid=1, host="elsewhere.example"))
    if step:
        job.append_event({"event": "step", "step": step, "steps": 12})
        job.resume.write_bytes(state_file())
    return job


def found(project, file="a.blend", scene="s", shot="k", name="Wide"):
    asker = history.Asker(file and project / file, lambda _: scene)
    return history.unfinished(history.jobs_of(project / "previs", asker), shot, name)


def test_the_latest_work_of_file_scene_and_shot_goes_on(project):
    job = make(project, made="1")
    offer = found(project)
    assert offer.job.path == job.path and offer.words == "Continue at step 4 of 12" and offer.found.sure
    assert offer.frames == 10
    assert found(project, scene="other") is None and found(project, shot="other") is None
    later = make(project, made="2", step=5, name="Renamed")
    assert found(project).job.path == later.path


@pytest.mark.parametrize("content", [state_file("wan_previs.resume/5"), b"state", b"", b"\xff" * 40])
@pytest.mark.parametrize("step", [3, 12])
def test_work_whose_state_is_not_gone_on_from_is_offered_from_its_first_step(project, content, step):
    job = make(project, step=step)
    job.resume.write_bytes(content)
    offer = found(project)
    assert offer.words == "Continue from step 1 of 12" and not offer.kept and not offer.sampled


def test_a_take_that_died_at_once_hides_none_but_a_finished_one_does(project):
    job = make(project, made="1")
    for number, state in enumerate(("failed", "cancelled", "queued"), 2):
        make(project, made=str(number), state=state, step=0)
    assert found(project).job.path == job.path
    make(project, made="9", state="done")
    assert found(project) is None
    assert found(project / "nowhere") is None


def test_another_files_work_is_told_apart_and_comes_last(project):
    (project / "b.blend").write_bytes(b"")
    foreign = make(project, file="b.blend", made="5")
    offer = found(project)
    assert offer.job.path == foreign.path and not offer.found.sure and "b.blend" in offer.found.owner
    own = make(project, made="1")
    assert found(project).job.path == own.path and found(project).found.sure


def test_a_renamed_file_a_moved_project_and_a_first_save_keep_their_work(project, tmp_path):
    job = make(project)
    (project / "a.blend").rename(project / "b.blend")
    assert found(project, "b.blend").found.standing == "moved"
    (project / "b.blend").rename(project / "a.blend")
    moved = project.rename(tmp_path / "elsewhere")
    offer = found(moved)
    assert offer.found.standing == "own" and offer.job.path == moved / "previs" / job.path.name
    unsaved = Identity(None, "s", "k", "")
    assert standing(unsaved, moved / "previs", None) == "own"
    assert standing(unsaved, moved / "previs", moved / "a.blend") == "moved"
    assert standing(read_identity(offer.job), moved / "previs", None) == "other"


def test_work_of_an_earlier_version_is_nobodys_for_sure(project):
    make(project, file=None)
    offer = found(project)
    assert not offer.found.sure and "earlier version" in offer.found.owner
    assert found(project, name="Close") is None


def test_a_linked_job_folder_is_no_job(project, tmp_path):
    job = make(project)
    job.path.rename(tmp_path / "outside")
    (project / "previs" / "Wide-take-004").symlink_to(tmp_path / "outside")
    assert found(project) is None


def test_a_job_of_an_earlier_version_is_known_by_its_fingerprint():
    old = Path(__file__).resolve().parents[1] / "data" / "before_options" / "request.json"
    request = GenerationRequest.from_json(json.loads(old.read_text()))
    identity = Identity(None, "scene", "shot", "d701d40292cc55fd5b802bea5bf1537a61bb9c73a146af34acd54b28f7d76217")
    assert is_same(identity, asked_for(request, "render"))
    assert not is_same(identity, asked_for(request, "brief"))
    assert not is_same(identity, asked_for(replace(request, repair=()), "render"))
    assert is_same(replace(identity, fingerprint=fingerprint(asked_for(request, "brief"))), asked_for(request, "brief"))
    uncounted = asked_for(replace(request, frames=None), "brief")  # as earlier versions left it to the model
    assert is_same(
        replace(identity, fingerprint=fingerprint(uncounted)), asked_for(replace(request, frames=9), "brief")
    )


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"schema": "wan_previs.identity/1"}'])
def test_a_damaged_identity_is_none(project, content):
    job = make(project)
    job.identity.write_bytes(content)
    assert read_identity(job) is None


@pytest.mark.parametrize("file", ["a\0.blend", "a" * 5000, "../" + "b" * 300])
def test_a_damaged_path_is_another_files(project, file):
    """One such folder keeps nobody from going on with the others."""
    good, bad = make(project, made="1"), make(project, made="2")
    write_identity(bad, replace(read_identity(bad), file=file))
    assert found(project).job.path == good.path
    (project / "a.blend").unlink()
    offer = found(project, file="b.blend")
    assert offer.job.path == good.path and offer.found.standing == "moved"
    assert history.why_kept(bad, read_identity(bad).job, project / "b.blend", lambda _: True)


def test_what_would_be_asked_for_otherwise_is_named(project):
    light = LightCurve("brief", (0.0, 1.0), (1.0, 1.0))
    then = GenerationRequest("/nano", "a fox", seed=7, clip_frames=10, clip_fps=24.0, guide_light="gentle")
    job = make(project)
    job.write_request(replace(then, light=light, report="elsewhere.json", offload="block"))
    job.write_json(job.brief, BRIEF)
    assert changes(job, asked_for(then, "brief"), BRIEF) == []
    now = asked_for(replace(then, seed=8, prompt="a hare", clip_frames=11, checkpoint="/other"), "render")
    names = changes(job, now, BRIEF)
    assert set(names) == {"seed", "prompt", "number of frames", "model", "expected light"}
    assert changes(job, now, BRIEF, as_then={"seed", "checkpoint", "expected_light"}) == ["prompt", "number of frames"]
    keyed = asked_for(replace(then, keyframes=(Keyframe(4, "conditioning/00004.png"),)), "brief")
    assert changes(job, keyed, BRIEF) == ["pictures between"]
    assert fingerprint(now) != fingerprint(asked_for(then, "brief"))
    near, far = (json.loads(json.dumps(BRIEF).replace("0.5", text)) for text in ("0.500000001", "0.6"))
    assert changes(job, asked_for(then, "brief"), near) == []
    assert changes(job, asked_for(then, "brief"), far) == ["subjects"]
    job.brief.unlink()
    assert changes(job, asked_for(then, "brief"), BRIEF) == ["scene"]


def test_a_subject_that_an_earlier_version_called_by_its_noun_has_not_changed(project):
    def told(**subject):
        return {**BRIEF, "shots": [{**BRIEF["shots"][0], "subjects": [{**subject, "x": 0.5}]}]}

    job, then = make(project), GenerationRequest("nano", "prompt")
    job.write_request(then)
    job.write_json(job.brief, told(name="chair"))
    asked = asked_for(then, "")
    assert changes(job, asked, told(name="Chair.003", noun="chair")) == []
    assert changes(job, asked, told(name="Chair.003", noun="stool")) == ["subjects"]


def test_what_an_earlier_version_did_not_note_is_not_told_as_changed(project):
    then = GenerationRequest("/nano", "a fox", seed=7, clip_frames=10, clip_fps=24.0)
    now = asked_for(replace(then, exact_size=True, size=(64, 64), first_frame=11, frames=5), "")
    job = make(project)
    job.write_json(job.brief, BRIEF)
    stored = then.to_json()
    for name in ("prompt_parts", "exact_size", "first_frame"):
        del stored[name]
    job.write_json(job.request, {**stored, "size": [64, 64]})
    read_since = {**BRIEF, "shots": [{**BRIEF["shots"][0], "suns": [], "subjects": [{"x": 0.5, "noun": "fox"}]}]}
    assert changes(job, now, read_since) == []
    job.write_json(job.request, {**stored, "size": [64, 64], "first_frame": 1})
    moved = {**read_since, "shots": [{**read_since["shots"][0], "subjects": [{"x": 0.6, "noun": "fox"}]}]}
    assert set(changes(job, now, moved)) == {"first frame", "subjects"}
    job.write_json(job.brief, {"shots": [{}]})
    assert "scene" in changes(job, now, BRIEF)


def test_only_what_is_provably_the_takes_own_goes_to_the_trash(project):
    file, job = project / "a.blend", make(project, state="done")
    take = read_identity(job).job
    (project / "b.blend").write_bytes(b"")
    for other, owner in ((take, project / "b.blend"), (take, None), ("", file), ("0" * 32, file)):
        assert "stays" in history.why_kept(job, other, owner, lambda _: True)
    for missing in (job.request, job.state, job.identity):
        content = missing.read_bytes()
        missing.unlink()
        assert "proves" in history.why_kept(job, take, file, lambda _: False)
        missing.write_bytes(content)
    assert history.why_kept(job, take, file, lambda _: False) == ""
    (project / "a.blend").unlink()
    for ours in (True, False):
        assert (history.why_kept(job, take, project / "b.blend", lambda _, ours=ours: ours) == "") is ours
    before = {path.name for path in job.path.iterdir()}
    place = history.discard(job)
    assert place == project / "previs" / "trash" / "Wide-take-001" and {p.name for p in place.iterdir()} == before
    assert JobFolder.create(project / "previs", "Wide").path.name == "Wide-take-002", "a name is not used twice"
    assert found(project) is None


def test_the_trash_keeps_all_and_is_never_a_link(project, tmp_path):
    root = project / "previs"
    for _ in range(3):
        job = make(project)
        if job.path.name != "Wide-take-001":
            job = JobFolder(job.path.rename(root / "Wide-take-001"))
        history.discard(job)
    kept = sorted(path.name for path in (root / "trash").iterdir())
    assert kept == ["Wide-take-001", "Wide-take-001 (2)", "Wide-take-001 (3)"]
    (root / "trash").rename(tmp_path / "outside")
    (root / "trash").symlink_to(tmp_path / "outside")
    job = make(project)
    with pytest.raises(JobError, match="link"):
        history.discard(job)
    assert job.path.is_dir() and len(list((tmp_path / "outside").iterdir())) == 3


def test_a_running_job_is_not_thrown_away(project):
    job = make(project, state="running")
    with pytest.raises(JobError, match="still works"):
        history.discard(job)
    assert job.path.is_dir()


def test_a_copy_goes_on_and_leaves_the_other_as_it_was(project):
    job = make(project)
    (job.conditioning / "first.png").write_bytes(b"picture")
    before = {str(path): path.read_bytes() for path in job.path.rglob("*") if path.is_file()}
    copy = history.copied(job, project / "previs", "Wide")
    assert copy.path != job.path and copy.resume.read_bytes() == job.resume.read_bytes() and read_identity(copy) is None
    assert (copy.conditioning / "first.png").read_bytes() == b"picture" and not copy.read_state().interrupted
    assert before == {str(path): path.read_bytes() for path in job.path.rglob("*") if path.is_file()}
    job.preview.symlink_to(Path("/etc/hostname"))
    with pytest.raises(JobError, match="link"):
        history.copied(job, project / "previs", "Wide")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_copy_that_fails_waits_for_nothing(project):
    job = make(project)
    os.mkfifo(job.conditioning / "first.png")
    with pytest.raises(JobError, match="cannot be copied"):
        history.copied(job, project / "previs", "Wide")
    (copy,) = (path for path in (project / "previs").iterdir() if path != job.path)
    state = JobFolder(copy).read_state()
    assert state.state == "failed" and "cannot be copied" in state.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    "name", ["request.json", "state.json", "events.jsonl", "identity.json", "report.json", "resume.safetensors"]
)
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_is_no_file_is_never_read(project, name, kind):
    """Looking for unfinished work must not hang Blender, nor read what lies elsewhere."""
    job = make(project)
    (job.path / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(job.path / name)
    elif kind == "link":
        (job.path / name).symlink_to("/dev/zero")
    else:
        (job.path / name).mkdir()
    offer = found(project)
    assert offer is None or name in ("report.json", "state.json") or not offer.found.sure
    assert history.read_report(job) == {}


def test_a_job_that_the_engine_never_began_goes_on_where_its_frames_were_rendered(project):
    job = make(project, step=0)
    job.write_state(JobState("failed", interrupted=True))
    offer = found(project)
    assert offer.job.path == job.path and (offer.step, offer.steps, offer.sampled) == (0, 0, False)
    assert offer.words == "Continue where Blender ended"
    job.request.unlink()
    assert found(project) is None, "without a request there is nothing to run"


def test_a_clip_that_has_only_to_be_finished_is_offered_so_however_often_that_fails(project):
    job = make(project, step=12)
    assert found(project).sampled and found(project).words == "Continue: finish the clip"
    for _ in range(2):
        job.mark_running()
        job.mark_ended("failed", "The disk is full.", 5)
        assert found(project).sampled
