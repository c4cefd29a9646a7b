# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Fun model in every way of running: streamed blocks, resumed, with a step cache; and what bad input gets."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import golden
import pytest
import torch
from cases import Case
from safetensors.torch import load_file, save_file

from wan_engine.cli import main
from wan_engine.errors import Cancelled
from wan_engine.pipeline import load

CASES = [
    ("Wan2.2-Fun-A14B-Control", "control_all"),
    ("Wan2.2-Fun-A14B-Control-Camera", "camera_image"),
    ("Wan2.2-Fun-A14B-InP", "text"),
    ("Wan2.2-Fun-5B-Control", "control_image"),
    ("Wan2.2-Fun-5B-Control-Camera", "camera_image"),
    ("Wan2.1-Fun-V1.1-14B-Control", "control_ref"),
]
CONTROL, CAMERA = CASES[0], CASES[1]


@pytest.fixture(params=CASES, ids=lambda pair: pair[0])
def case(request) -> Case:
    return Case(*request.param, root="control/")


def latents(case: Case, folder: Path, *, stop_behind: int = 0, **changes) -> torch.Tensor:
    """Final latents of a case with some of its request changed."""
    asked = {"steps": 4, "latents": "latents.safetensors", "out": "clip.mp4"} | changes
    offload = asked.pop("offload", "none")
    pipeline, done = load(case.checkpoint, offload=offload), 0

    def on_event(event: dict) -> None:
        nonlocal done
        done += event.get("event") == "step"

    request = case.request(**asked)
    pipeline.generate(request, folder, on_event, lambda: bool(stop_behind) and done >= stop_behind)
    return load_file(folder / "latents.safetensors")["latents"]


def test_streamed_blocks_and_a_resumed_run_give_the_same_to_the_bit(case, tmp_path):
    whole = latents(case, tmp_path)
    assert torch.equal(latents(case, tmp_path, offload="block"), whole)
    with pytest.raises(Cancelled):
        latents(case, tmp_path, resume="state", stop_behind=3)
    (tmp_path / "latents.safetensors").unlink()
    assert (tmp_path / "state").is_file()
    assert torch.equal(latents(case, tmp_path, resume="state"), whole)


def test_a_step_cache_that_leaves_out_nothing_changes_nothing(case, tmp_path):
    assert torch.equal(latents(case, tmp_path, step_cache=1e-9), latents(case, tmp_path))


@pytest.mark.parametrize("pair", [CASES[3], CASES[5]], ids=lambda pair: pair[0])
def test_a_step_cache_that_leaves_out_steps_goes_on_where_it_was(pair, tmp_path):
    case = Case(*pair, root="control/")
    asked = {"step_cache": 1.0, "steps": 8}
    whole = latents(case, tmp_path, **asked, report="report.json")
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["step_cache"]
    assert told["skipped"]["conditional"] == told["skipped"]["unconditional"] == [4, 6, 8]
    with pytest.raises(Cancelled):
        latents(case, tmp_path, **asked, resume="state", stop_behind=5)
    assert torch.equal(latents(case, tmp_path, **asked, resume="state"), whole)


def test_control_counts_in_the_first_share_of_the_steps(tmp_path):
    """In none of them it is as if no clip were given, which the model knows from training."""
    case = Case(*CONTROL, root="control/")
    whole, without = latents(case, tmp_path), latents(case, tmp_path, control_video=None)
    assert torch.equal(latents(case, tmp_path, control_share=0.0), without)
    assert torch.equal(latents(case, tmp_path, control_share=1.0), whole)
    half = latents(case, tmp_path, control_share=0.5)
    assert not torch.equal(half, whole) and not torch.equal(half, without)
    with pytest.raises(Cancelled):
        latents(case, tmp_path, control_share=0.5, resume="state", stop_behind=3)
    assert torch.equal(latents(case, tmp_path, control_share=0.5, resume="state"), half)


def test_another_control_clip_is_another_request(tmp_path):
    """What had been saved for one must not be gone on from with the other."""
    case = Case(*CONTROL, root="control/")
    shutil.copytree(case.given["control_video"], tmp_path / "control")
    with pytest.raises(Cancelled):
        latents(case, tmp_path, resume="state", control_video="control", stop_behind=2)
    shutil.copy(tmp_path / "control" / "0001.png", tmp_path / "control" / "0005.png")
    changed = latents(case, tmp_path, resume="state", control_video="control")
    assert torch.equal(changed, latents(case, tmp_path, control_video="control"))


def command(case: Case, folder: Path, **changes: object) -> list[str]:
    """The command line of a case with other control; None leaves an option out."""
    for name, value in changes.items():
        case.given.pop(name, None)
        if value is not None:
            case.given[name] = str(value)
    return case.command(folder)


def _few(folder: Path) -> dict:
    (folder / "0008.png").unlink()
    return {}


def _broken(folder: Path) -> dict:
    (folder / "0004.png").write_bytes(b"no picture")
    return {}


def _two_clips(folder: Path) -> dict:
    (folder / "0004.png").rename(folder / "other_4.png")
    return {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_few, "8 pictures, but the clip has 9 frames"),
        (_broken, "0004.png cannot be read"),
        (_two_clips, "pictures of several clips"),
        (lambda folder: {"control_video": folder / "missing"}, "does not exist"),
        (lambda folder: {"control_video": folder / "0001.png"}, "is a single picture"),
        (lambda folder: {"camera": folder / "0001.png"}, "takes no camera"),
        (lambda folder: {"control_scale": 1}, "takes no strength of control"),
    ],
)
def test_bad_control_is_told_before_anything_is_loaded(change, told, tmp_path, capsys, monkeypatch):
    case = Case(*CONTROL, root="control/")
    shutil.copytree(case.given["control_video"], tmp_path / "control")
    monkeypatch.setattr("wan_engine.weights.weight_file.WeightFile.fill", _never)
    changes = {"control_video": tmp_path / "control"} | change(tmp_path / "control")
    assert main(command(case, tmp_path, **changes)) == 2
    assert told in capsys.readouterr().err


def _never(*_: object) -> None:
    raise AssertionError("weights were read")


@pytest.mark.parametrize(("cut", "told"), [(1, "9"), (None, "finite")])
def test_a_camera_that_is_too_short_or_not_finite(cut, told, tmp_path, capsys):
    case = Case(*CAMERA, root="control/")
    data = json.loads(Path(case.given["camera"]).read_text(encoding="utf-8"))
    if cut:
        data["frames"] = data["frames"][:-cut]
    else:
        data["frames"][2]["lens_mm"] = float("nan")
    (tmp_path / "camera.json").write_text(json.dumps(data), encoding="utf-8")
    assert main(command(case, tmp_path, camera=tmp_path / "camera.json")) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pair", "gone"),
    [
        (CONTROL, "ref_conv.bias"),
        (CONTROL, "ref_conv.weight"),
        (CAMERA, "control_adapter.residual_blocks.0.conv2.weight"),
        (CAMERA, "control_adapter.conv.weight"),
    ],
)
def test_half_a_control_branch_is_no_checkpoint(pair, gone, tmp_path, capsys):
    case = Case(*pair, root="control/")
    folder = tmp_path / "checkpoint"
    shutil.copytree(case.checkpoint, folder)
    for expert in ("high_noise_model", "low_noise_model"):
        path = folder / expert / "diffusion_pytorch_model.safetensors"
        path.chmod(0o644)
        state = load_file(path)
        del state[gone]
        path.unlink()
        save_file(state, path)
    case.checkpoint = folder
    assert main(case.command(tmp_path)) == 4
    told = capsys.readouterr().err
    assert "download it again" in told.lower(), told


MANUAL = (golden.REPOSITORY / "docs" / "engine.md").read_text(encoding="utf-8")
COMMANDS = [
    line.strip() for line in MANUAL.splitlines() if line.startswith("    python -m wan_engine") and "-Fun-" in line
]


@pytest.mark.parametrize("words", [shlex.split(line) for line in COMMANDS], ids=lambda words: words[5])
def test_the_manual_s_examples_run(words, tmp_path, monkeypatch):
    """With small files in the places that they name."""
    model = words[words.index("--checkpoint") + 1]
    given = golden.path(f"control/fullstack/{CONTROL[0]}/cases/{CONTROL[1]}")
    camera = golden.path(f"control/fullstack/{CAMERA[0]}/cases/{CAMERA[1]}/camera.json")
    (tmp_path / model).symlink_to(golden.path(f"control/fullstack/{model}/checkpoint"))
    places = {"depth": given / "control", "fox.png": given / "image.png", "den.png": given / "last.png"}
    for name, place in (places | {"camera.json": camera}).items():
        (tmp_path / name).symlink_to(place)
    monkeypatch.chdir(tmp_path)
    assert main([*words[3:], "--size", "64x48", "--frames", "9", "--steps", "2"]) == 0
    assert (tmp_path / "clip.mp4").is_file()


def test_every_kind_of_control_has_an_example():
    assert len(COMMANDS) == 3 and all(
        any(flag in line for line in COMMANDS) for flag in ("--control-video", "--camera")
    )
