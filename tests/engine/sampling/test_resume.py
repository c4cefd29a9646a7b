# SPDX-License-Identifier: GPL-3.0-or-later
"""Interrupted and resumed: the same clip, to the last bit, as one that was never interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import golden
import pytest
import torch
from killed import KILLED, kill_in_step
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from wan_engine.errors import Cancelled
from wan_engine.inputs.plan import Plan
from wan_engine.light_curve import LightCurve
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.sampling.resume import ResumeFile, Saved
from wan_engine.sampling.solvers import make_solver
from wan_engine.saved_state import SCHEMA

T2V = "fullstack/Wan2.2-T2V-A14B/checkpoint"
STEPS = 6


def request(**changes) -> GenerationRequest:
    values = {"prompt": "a cube", "size": (64, 48), "frames": 9, "steps": STEPS, "seed": 3, **changes}
    return GenerationRequest(
        str(golden.path(T2V)), **values, latents="latents.safetensors", frames_out="frames", resume="resume.safetensors"
    )


def outcome(folder: Path) -> tuple[torch.Tensor, list[bytes]]:
    frames = [path.read_bytes() for path in sorted((folder / "frames").iterdir())]
    return load_file(folder / "latents.safetensors")["latents"], frames


@pytest.fixture(scope="module")
def pipeline():
    return load(golden.path(T2V))


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize(("solver", "finished"), [("unipc", 1), ("unipc", 4), ("dpm++", 3), ("lcm", 2)])
def test_killed_in_the_middle_of_a_step_it_ends_bit_equal(solver, finished, pipeline, tmp_path):
    asked = request(solver=solver)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    never_stopped = pipeline.generate(asked, whole)
    kill_in_step(asked, broken, finished, questions=3)
    assert (broken / "resume.safetensors").exists() and not (broken / "clip.mp4").exists()
    events = []
    report = pipeline.generate(asked, broken, on_event=events.append)
    assert report["resumed_from_step"] == finished and "resumed_from_step" not in never_stopped
    computed = [event["step"] for event in events if event["event"] == "step"]
    assert computed == list(range(finished + 1, STEPS + 1))
    assert [step["step"] for step in report["steps"]] == list(range(1, STEPS + 1))
    (latents, frames), (wanted, wanted_frames) = outcome(broken), outcome(whole)
    assert torch.equal(latents, wanted) and frames == wanted_frames
    assert [path.name for path in broken.iterdir() if "resume" in path.name] == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_step_that_was_told_is_kept(pipeline, tmp_path):
    """Killed at the very moment at which a step is told as done, it is not computed again."""
    asked = request()
    (tmp_path / "request.json").write_text(json.dumps(asked.to_json()))
    code = KILLED.replace("done.append(event", "os.kill(os.getpid(), signal.SIGKILL); done.append(event")
    words = [str(tmp_path / "request.json"), str(tmp_path), "0", "1000000"]
    result = subprocess.run([sys.executable, "-c", code, *words], cwd=golden.REPOSITORY, capture_output=True)
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert pipeline.generate(asked, tmp_path)["resumed_from_step"] == 1


def test_interrupted_again_and_again(pipeline, tmp_path):
    asked = request(solver="unipc")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    pipeline.generate(asked, whole)
    for stop in range(1, STEPS + 1):
        seen = []
        with pytest.raises(Cancelled):
            pipeline.generate(
                asked, broken, seen.append, lambda stop=stop, seen=seen: {"step": stop} in map(_step, seen)
            )
    report = pipeline.generate(asked, broken)
    assert report["resumed_from_step"] == STEPS  # stopped while decoding: no step is computed again
    assert torch.equal(outcome(broken)[0], outcome(whole)[0])


def test_guided_light_goes_on_and_is_told_as_if_never_interrupted(pipeline, tmp_path):
    asked = request(light=LightCurve("render", (0.0, 1.0), (0.8, 0.2)))
    whole, broken, seen = tmp_path / "whole", tmp_path / "broken", []
    for folder in (whole, broken):
        folder.mkdir()
    report = pipeline.generate(asked, whole)
    with pytest.raises(Cancelled):
        pipeline.generate(asked, broken, seen.append, lambda: {"step": 4} in map(_step, seen))
    again = pipeline.generate(asked, broken)
    assert torch.equal(outcome(broken)[0], outcome(whole)[0])
    assert again["light"] == report["light"] and report["light"]["guide"]["steps"] == STEPS


@pytest.mark.parametrize("stop", [3, 4, 5, 13, 16])  # experts change behind step 5
def test_step_caches_go_on_with_what_they_had_learnt(stop, cached, pipeline, tmp_path):
    asked, wanted, report = cached
    seen = []
    with pytest.raises(Cancelled):
        pipeline.generate(asked, tmp_path, seen.append, lambda: {"step": stop} in map(_step, seen))
    again = pipeline.generate(asked, tmp_path)
    assert again["resumed_from_step"] == stop
    assert torch.equal(outcome(tmp_path)[0], wanted)
    assert again["step_cache"] == report["step_cache"]


@pytest.fixture(scope="module")
def cached(pipeline, tmp_path_factory):
    """A request of 16 steps with step caching, its latents and its report."""
    folder = tmp_path_factory.mktemp("cached")
    asked = replace(request(), steps=16, shift=3.0, step_cache=1.0)
    report = pipeline.generate(asked, folder)
    assert report["step_cache"]["skipped"]["conditional"] == [4, 12, 15]
    return asked, outcome(folder)[0], report


def _step(event: dict) -> dict:
    return {"step": event["step"]} if event["event"] == "step" else {}


@pytest.fixture
def stopped(pipeline, tmp_path) -> Path:
    """A folder with the state behind two steps."""
    seen = []
    with pytest.raises(Cancelled):
        pipeline.generate(request(), tmp_path, seen.append, lambda: {"step": 2} in map(_step, seen))
    return tmp_path


@pytest.mark.parametrize(
    "change", [{"seed": 4}, {"prompt": "a ball"}, {"steps": STEPS + 1}, {"solver": "dpm++"}, {"guide": (3.0, 4.5)}]
)
def test_a_changed_request_starts_anew_and_says_so(change, pipeline, stopped):
    report = pipeline.generate(replace(request(), **change), stopped)
    assert "resumed_from_step" not in report
    assert any("another request" in warning for warning in report["warnings"])


def test_what_does_not_change_the_latents_may_change(pipeline, stopped):
    report = pipeline.generate(replace(request(), out="other.mp4", fps=12.0, preview="preview.png"), stopped)
    assert report["resumed_from_step"] == 2


def test_another_dtype_starts_anew(stopped):
    report = load(golden.path(T2V), dtype="bfloat16").generate(replace(request(), dtype="bfloat16"), stopped)
    assert "resumed_from_step" not in report and report["warnings"]


def test_a_state_below_a_path_that_is_not_utf8_goes_on(pipeline, stopped):
    folder = stopped / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (stopped / "resume.safetensors").rename(folder / "resume.safetensors")
    report = pipeline.generate(request(), folder)
    assert report["resumed_from_step"] == 2
    assert not any("damaged" in warning for warning in report["warnings"])


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_damaged_state_starts_anew_and_says_so(content, pipeline, stopped):
    path = stopped / "resume.safetensors"
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    report = pipeline.generate(request(), stopped)
    assert "resumed_from_step" not in report
    assert any("damaged" in warning for warning in report["warnings"])


@pytest.mark.parametrize("place", range(0, 100, 3))
def test_one_wrong_bit_anywhere_is_damage(place, kept):
    path, fingerprint = kept
    data = bytearray(path.read_bytes())
    data[place * len(data) // 100] ^= 1 << place % 8
    path.write_bytes(data)
    saved, words = ResumeFile(path, fingerprint).load("cpu")
    assert saved is None and "anew" in words


def test_a_number_changed_behind_the_header_is_not_gone_on_from(pipeline, stopped):
    path = stopped / "resume.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    events = []
    report = pipeline.generate(request(), stopped, on_event=events.append)
    assert "resumed_from_step" not in report and any("damaged" in warning for warning in report["warnings"])
    assert any(event["event"] == "note" and "damaged" in event["message"] for event in events)


def test_facts_that_were_edited_are_damage(kept):
    """A file that is whole by itself, but says another count of steps than was written."""
    path, fingerprint = kept
    with safe_open(path, "pt") as file:
        facts = file.metadata()
    save_file(load_file(path), path, {**facts, "steps": "[]"})
    assert ResumeFile(path, fingerprint).load("cpu") == (None, "The saved state is damaged; sampling started anew.")


def test_another_number_of_threads_goes_on_and_says_what_that_means(kept):
    path, fingerprint = kept
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        saved, words = ResumeFile(path, fingerprint).load("cpu")
    finally:
        torch.set_num_threads(before)
    assert saved is not None and f"with {before} threads" in words
    assert ResumeFile(path, fingerprint).load("cpu")[1] == ""


def test_a_state_of_an_earlier_version_starts_anew_in_words(kept):
    path, fingerprint = kept
    facts = {"schema": "wan_previs.resume/4", "fingerprint": fingerprint, "steps": "[]", "caches": "0", "cached": "{}"}
    save_file(load_file(path), path, facts)
    saved, words = ResumeFile(path, fingerprint).load("cpu")
    assert saved is None and "version" in words


def test_a_state_made_with_another_pytorch_goes_on_and_says_what_that_means(kept, monkeypatch):
    path, fingerprint = kept
    here = torch.__version__
    monkeypatch.setattr(torch, "__version__", "9.9")
    saved, words = ResumeFile(path, fingerprint).load("cpu")
    assert saved is not None and f"PyTorch {here}" in words and "9.9" in words


def test_what_a_state_depends_on_is_that_of_its_schema():
    """Who offers to go on reads the schema alone: raise it, and state the fields here anew, when they change."""
    assert SCHEMA == "wan_previs.resume/8"
    assert " ".join(item.name for item in fields(Plan)) == (
        "prompt negative size frames latent_shape fps steps shift guide boundary solver seed first last warnings "
        "clip_pictures prompt_parts references control camera motion vace redo control_scale control_share window "
        "overlap borders keyframes holds_ends"
    )


@pytest.fixture
def kept(tmp_path) -> tuple[Path, str]:
    """A state file of its own, with solver and cache, and the fingerprint it was written under."""
    path = tmp_path / "resume.safetensors"
    state = Saved(
        torch.randn(2, 3, 4, 4),
        {"known": torch.randn(2, 3, 4, 4)},
        [{"step": 1, "expert": "high"}],
        [{"bend": torch.tensor(0.5)}],
        {"skipped": {}},
    )
    file = ResumeFile(path, "f" * 64)
    file.save(state)
    saved, words = file.load("cpu")
    assert words == "" and torch.equal(saved.latents, state.latents) and saved.steps == state.steps
    return path, "f" * 64


def test_a_foreign_safetensors_file_is_not_taken_for_a_state(pipeline, tmp_path):
    save_file({"latents": torch.zeros(1)}, tmp_path / "resume.safetensors")
    assert "resumed_from_step" not in pipeline.generate(request(), tmp_path)


@pytest.mark.parametrize("name", ["unipc", "dpm++", "euler", "lcm"])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_solvers_go_on_where_they_were(name, steps):
    torch.manual_seed(0)
    start, velocities, noises = torch.randn(2, 3, 4, 4), *torch.randn(2, steps, 2, 3, 4, 4)

    def run(solver, x, begin, end):
        for k in range(begin, end):
            x = solver.step(velocities[k], x)
        return x

    for split in range(steps + 1):
        whole, first, second = (make_solver(name, steps, 5.0, fresh=noises.__getitem__) for _ in range(3))
        x = run(first, start, 0, split)
        second.restore(split, {key: value.clone() for key, value in first.state().items()})
        assert torch.equal(run(second, x, split, steps), run(whole, start, 0, steps))
