# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips that are longer than their window: what each window is given, and that they make one clip."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import pytest
import torch
from cases import Case
from safetensors.torch import load_file
from test_resume import kill_in_step, outcome
from test_resume import request as asked_of_t2v

from wan_engine.errors import Cancelled, UsageError
from wan_engine.inputs.camera_rays import CameraPath
from wan_engine.inputs.conditioning import Conditioning
from wan_engine.light_curve import LightCurve
from wan_engine.networks.transformer_blocks import Context, Control
from wan_engine.pipeline import load
from wan_engine.sampling.windowed_pass import WindowedPass
from wan_engine.windows import windows

CONTEXT = Context(torch.zeros(1, 1, 1), None, 0)
# Rows that text, control, a camera or VACE lead; each case has 9 frames.
ROWS = [
    ("", "Wan2.2-T2V-A14B", "en"),
    ("", "Wan2.1-T2V-1.3B", "en"),
    ("", "Wan2.2-TI2V-5B", "en"),
    ("control/", "Wan2.2-Fun-A14B-InP", "text"),
    ("control/", "Wan2.2-Fun-A14B-Control", "control_ref"),
    ("control/", "Wan2.2-Fun-5B-Control", "control_ref"),
    ("control/", "Wan2.1-Fun-V1.1-14B-Control", "control_ref"),
    ("control/", "Wan2.2-Fun-A14B-Control-Camera", "camera_zoom_flow"),
    ("vace/", "Wan2.1-VACE-1.3B", "control_reference"),
    ("vace/", "Wan2.2-VACE-Fun-A14B", "control_reference"),
]


class Local:
    """A network whose prediction of each place depends on what stands in that place alone, in input channels and
    control; `seen` are the timesteps and the counts of latent frames that it was asked for."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def embed_control(self, reference, rays, vace, scale) -> Control:
        return Control(vace=vace)

    def __call__(self, x, t, context, on_block):
        on_block(0)
        self.seen.append((float(t.max()), x.shape[2]))
        z = 2
        beside = sum(x[:, z:].split(z, 1)) if x.shape[1] > z else 0
        return torch.sin(x[:, :z] + beside) + (0 if context.control.vace is None else context.control.vace[:, :z])


def made(conditioning: Conditioning, x: torch.Tensor, parts) -> torch.Tensor:
    passes = WindowedPass(Local(), conditioning, parts, lambda number: None, lambda number, count: None)
    return passes.velocity(x, torch.tensor(500), CONTEXT)


@pytest.mark.parametrize("lead", [0, 2])
def test_what_each_window_is_given_is_what_the_whole_clip_has_in_its_place(lead):
    torch.manual_seed(0)
    shape, count = (13 + lead, 3, 4), 13
    x, vace = torch.randn(2, *shape), torch.randn(1, 4, *shape)
    channels = None if lead else torch.randn(1, 4, *shape)
    conditioning = Conditioning(channels=channels, vace=vace, lead=lead)
    whole = made(conditioning, x, windows(count, count, 0))
    for length, overlap in ((5, 2), (4, 1), (12, 11), (1, 0)):
        torch.testing.assert_close(made(conditioning, x, windows(count, length, overlap)), whole)


def test_the_held_frame_is_the_first_window_s_alone():
    conditioning = Conditioning(held=torch.zeros(2, 1, 4, 4))
    first, second = windows(9, 5, 1)
    x = torch.zeros(2, 5, 4, 4)
    assert conditioning.cut(first).timestep(torch.tensor(700), x)[0, :5].tolist() == [0, 0, 0, 0, 700]
    assert conditioning.cut(second).timestep(torch.tensor(700), x).tolist() == [700]


def test_a_camera_starts_where_it_stands_when_the_window_begins():
    """A window of a camera on rails is told as a clip of its own: rays as of a clip that starts there."""
    worlds = torch.eye(4).repeat(33, 1, 1)
    worlds[:, 2, 3] = torch.arange(33) * 0.5
    path = CameraPath(worlds, torch.tensor([[0.9, 1.6, 0.5, 0.5]]).repeat(33, 1).double())
    conditioning = Conditioning(camera=path, frames=33, size=(16, 8))
    first, _, last = windows(9, 5, 2)
    cut = conditioning.cut(last)
    assert (cut.frames, len(cut.camera)) == (17, 17)
    for moved, still in zip(cut.camera.packed(17, (16, 8)), path.packed(17, (16, 8)), strict=True):
        torch.testing.assert_close(moved, still)
    assert torch.equal(conditioning.cut(first).camera.worlds, worlds[:17])


def of_length(case: Case, frames: int, folder: Path) -> dict:
    """What is given to a case for `frames` frames: its pictures and its camera, to and fro."""
    found: dict[str, object] = {"frames": frames}
    for name in ("control_video", "control_mask"):
        if name in case.given:
            files = sorted(Path(case.given[name]).iterdir())
            (folder / name).mkdir(parents=True)
            for number, file in zip(range(frames), cycle([*files, *files[-2:0:-1]]), strict=False):
                (folder / name / f"{number:04}{file.suffix}").symlink_to(file)
            found[name] = str(folder / name)
    if "camera" in case.given:
        data = json.loads(Path(case.given["camera"]).read_text(encoding="utf-8"))["frames"]
        found["camera"] = str(folder / "camera.json")
        long = list(islice(cycle([*data, *data[-2:0:-1]]), frames))
        Path(found["camera"]).write_text(json.dumps({"frames": long}), encoding="utf-8")
    return found


def made_of(case: Case, folder: Path, frames: int, **changes) -> tuple[torch.Tensor, dict, list[dict]]:
    """Final latents, report and events of a case made longer, without a first picture, from which it had segments."""
    folder.mkdir()
    given = of_length(case, frames, folder) | {
        "image": None,
        "last_image": None,
        "steps": 2,
        "latents": "latents.safetensors",
        "out": "clip.mp4",
    }
    events: list[dict] = []
    pipeline = load(case.checkpoint, offload=changes.pop("offload", "none"))
    report = pipeline.generate(replace(case.request(), **given | changes), folder, events.append)
    return load_file(folder / "latents.safetensors")["latents"], report, events


@pytest.mark.parametrize(("root", "model", "name"), ROWS, ids=lambda value: str(value))
def test_every_row_makes_more_frames_than_it_was_trained_for(root, model, name, tmp_path):
    case = Case(model, name, root)
    latents, report, events = made_of(case, tmp_path / "long", 33, window=17)
    assert latents.shape[1] == 9 and report["clip"]["frames"] == 33
    (told,) = [words for words in report["warnings"] if "windows of" in words]
    count = int(told.split(" windows of ")[0].split()[-1])
    windowed = [(e["step"], e["window"], e["windows"]) for e in events if e["event"] == "window"]
    passes = 1 if set(case.guide) == {1.0} else 2
    laid = [count, len(windows(9, 5, 1, turn=1))]
    assert windowed == [
        (step, number, laid[step - 1])
        for step in (1, 2)
        for _ in range(passes)
        for number in range(1, laid[step - 1] + 1)
    ]
    apart = made_of(case, tmp_path / "apart", 33, window=17, offload="block")[0]
    assert torch.equal(apart, latents)


def test_left_to_itself_a_clip_has_windows_of_the_trained_count(tmp_path):
    latents, report, _ = made_of(Case("Wan2.2-T2V-A14B", "en"), tmp_path / "clip", 129, size=(32, 32), steps=1)
    assert latents.shape[1] == 33
    assert any("129 frames are made in 2 windows of 81 with 36 or more in common" in w for w in report["warnings"])


@pytest.mark.parametrize(("root", "model", "name"), ROWS, ids=lambda value: str(value))
def test_a_window_that_holds_the_whole_clip_changes_nothing(root, model, name, tmp_path):
    case = Case(model, name, root)
    plain, report, events = made_of(case, tmp_path / "plain", 9)
    assert not any("windows" in words for words in report["warnings"]) and not any("window" in e for e in events)
    for number, asked in enumerate(({"window": 9}, {"window": 13, "overlap": 8})):
        assert torch.equal(made_of(case, tmp_path / str(number), 9, **asked)[0], plain)


def test_later_frames_have_the_noise_of_earlier_ones_and_do_not_repeat_them(tmp_path):
    """They have it in another order, so that the clip does not begin anew with each window."""
    latents, _, _ = made_of(Case("Wan2.2-T2V-A14B", "en"), tmp_path / "clip", 33, window=17)
    assert (latents[:, 1] - latents[:, 5]).abs().mean() > 0.1


def test_light_is_guided_across_windows(tmp_path):
    case = Case("Wan2.2-T2V-A14B", "en")
    curve = LightCurve("render", (0.0, 1.0), (0.8, 0.2))
    free = made_of(case, tmp_path / "free", 33, window=17)[0]
    led, report, _ = made_of(case, tmp_path / "led", 33, window=17, light=curve)
    assert report["light"]["guide"]["steps"] == 2 and not torch.equal(led, free)
    moved = (led - free).abs().mean((0, 2, 3))
    assert (moved > 0).all()


@pytest.mark.parametrize("name", ["control_reference"])
def test_a_step_cache_that_leaves_out_nothing_changes_no_window(name, tmp_path):
    case = Case("Wan2.1-VACE-1.3B", name, "vace/")
    plain = made_of(case, tmp_path / "plain", 33, window=17)[0]
    assert torch.equal(made_of(case, tmp_path / "cached", 33, window=17, step_cache=1e-9)[0], plain)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_inside_a_window_it_ends_bit_equal(tmp_path):
    asked = replace(asked_of_t2v(frames=33), window=17)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    pipeline = load(asked.checkpoint)
    pipeline.generate(asked, whole)
    kill_in_step(asked, broken, 2, questions=4)  # two blocks a window
    assert pipeline.generate(asked, broken)["resumed_from_step"] == 2
    (latents, frames), (wanted, wanted_frames) = outcome(broken), outcome(whole)
    assert torch.equal(latents, wanted) and frames == wanted_frames


def test_a_cancel_is_heard_inside_a_window(tmp_path):
    asked, seen = replace(asked_of_t2v(frames=33), window=17), []
    with pytest.raises(Cancelled):
        load(asked.checkpoint).generate(asked, tmp_path, seen.append, lambda: any(e.get("window") == 2 for e in seen))
    assert not any(event["event"] == "step" for event in seen)


@pytest.mark.parametrize(
    ("asked", "told"),
    [({"window": 18}, "17 and 21"), ({"window": 17, "overlap": 20}, "at most 16"), ({"overlap": 6}, "multiple of 4")],
)
def test_windows_that_cannot_be_are_refused(asked, told, tmp_path):
    with pytest.raises(UsageError, match=told):
        made_of(Case("Wan2.2-T2V-A14B", "en"), tmp_path / "clip", 33, **asked)
