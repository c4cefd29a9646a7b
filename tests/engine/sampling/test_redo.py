# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip of which a part is made anew: what stays is the old clip's, bit by bit, and the new part goes on from it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import golden
import numpy as np
import pytest
import torch
from cases import Case, assert_refused_before_loading
from killed import kill_in_step
from movies import write_frames
from PIL import Image
from test_nano import REQUEST, frames_of

from wan_engine.errors import Cancelled
from wan_engine.inputs.conditioning import condition
from wan_engine.inputs.plan import make_plan
from wan_engine.inputs.redo import SEAM_PIXELS
from wan_engine.light_curve import LightCurve
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.runtime.run import Run
from wan_engine.sampling.resume import fingerprint

SIZE = (64, 32)
LIGHT = LightCurve("brief", (0.0, 1.0), (1.0, 0.5))
ROWS = [
    ("fullstack/Wan2.2-T2V-A14B", {}),
    ("fullstack/Wan2.2-T2V-A14B", {"window": 5, "overlap": 4}),
    ("fullstack/Wan2.2-I2V-A14B", {"image": "0000.png", "light": LIGHT, "guide_light": "strict"}),
    ("fullstack/Wan2.2-I2V-A14B", {"image": "0000.png", "window": 5}),  # in segments, of which one stays whole
    ("fullstack/Wan2.2-TI2V-5B", {"image": "0000.png"}),
    ("vace/fullstack/Wan2.1-VACE-1.3B", {"reference": ("old/0000.png",)}),
    ("control/fullstack/Wan2.2-Fun-A14B-InP", {"image": "0000.png"}),
]


def old_clip(folder: Path, frames: int = 9, size=SIZE) -> np.ndarray:
    """A drift of colours, in the folder `old` below."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    levels = [np.stack([4 * x + 8 * t, 8 * y, 2 * x + 4 * y], 2) % 256 for t in range(frames)]
    clip = np.stack(levels).astype(np.uint8)
    write_frames(folder / "old", clip)
    Image.fromarray(clip[0]).save(folder / "0000.png")
    return clip


def asked_of(checkpoint: str, **changes) -> GenerationRequest:
    given = {"redo": "old", "redo_from": 5, "frames": 9, "steps": 2, "size": SIZE, "frames_out": "frames", **changes}
    return GenerationRequest(str(golden.path(f"{checkpoint}/checkpoint")), "a cube", **given)


def shown(folder: Path) -> np.ndarray:
    return np.stack([np.array(Image.open(file)) for file in sorted((folder / "frames").iterdir())])


def box(frames: int = 9, size=SIZE) -> np.ndarray:
    """White in a box that moves to the right."""
    mask = np.zeros((frames, size[1], size[0]), np.uint8)
    for t in range(frames):
        mask[t, 8:24, 16 + t : 32 + t] = 255
    return mask


@pytest.mark.parametrize(("checkpoint", "given"), ROWS, ids=lambda value: str(value))
def test_what_goes_before_the_seam_stays_bit_by_bit_whatever_the_model(checkpoint, given, tmp_path):
    old = old_clip(tmp_path)
    asked = asked_of(checkpoint, **given)
    pipeline = load(asked.checkpoint)
    report = pipeline.generate(asked, tmp_path)
    assert all(("light_change" in step) == ("light" in given) for step in report["steps"])
    new = shown(tmp_path)
    assert np.array_equal(new[0], old[0]) and not (new[5:] == old[5:]).all(axis=(1, 2, 3)).any()
    told = "The clip is made anew from frame 5 on; the rest of it stays. Over its frames 1 to 4 old and new are faded"
    assert any(words.startswith(told) for words in report["warnings"])
    pipeline.generate(replace(asked, redo_from=8, frames_out="later"), tmp_path)
    (tmp_path / "frames").rename(tmp_path / "earlier")
    (tmp_path / "later").rename(tmp_path / "frames")
    assert np.array_equal(shown(tmp_path)[0], old[0])
    masks = box()
    write_frames(tmp_path / "mask", masks)
    pipeline.generate(replace(asked, redo_from=None, redo_mask="mask", frames_out="masked"), tmp_path)
    (tmp_path / "frames").rename(tmp_path / "earlier_too")
    (tmp_path / "masked").rename(tmp_path / "frames")
    for frame, mask, before in zip(shown(tmp_path), masks, old, strict=True):
        left, right = np.flatnonzero(mask.any(0))[[0, -1]]
        far = np.ones(mask.shape, bool)
        far[:, max(0, left - SEAM_PIXELS) : right + SEAM_PIXELS + 1] = False
        assert np.array_equal(frame[far], before[far]) and (frame[mask > 0] != before[mask > 0]).mean() > 0.5


def test_the_latents_of_what_stays_are_the_old_clips_at_every_noise_level(tmp_path):
    old_clip(tmp_path)
    asked = asked_of("fullstack/Wan2.2-T2V-A14B")
    pipeline = load(asked.checkpoint)
    plan = make_plan(asked, pipeline.checkpoint, (4, 8, 8), tmp_path)
    with torch.inference_mode():
        conditioning = condition(plan, pipeline.pool, Run())
        kept = conditioning.kept
        assert kept.mask[0, :, 0, 0].tolist() == [1, 1, 0]
        x = torch.randn(plan.latent_shape)
        for sigma in (1.0, 0.5, 0.0):
            imposed = conditioning.impose(x, sigma)
            assert torch.equal(imposed[:, 2:], x[:, 2:])
            want = (1 - sigma) * kept.latents + sigma * kept.noise
            torch.testing.assert_close(imposed[:, :2], want[:, :2], rtol=0, atol=0)
        made = kept.noise - conditioning.corrected(x)  # the clean latents that the velocity leads to from pure noise
        torch.testing.assert_close(made[:, :2], kept.latents[:, :2], rtol=0, atol=1e-5)


def test_vace_reads_the_old_clip_and_its_mask_as_if_they_were_given_as_control(tmp_path):
    case = Case("Wan2.1-VACE-1.3B", "masked_soft", "vace/")
    size = (48, 32)
    old_clip(tmp_path, 9, size)
    write_frames(tmp_path / "mask", box(9, size))
    plain = {"control_video": "old", "control_mask": "mask", "size": size, "reference": (), "frames": 9}
    redo = {"control_video": None, "control_mask": None, "redo": "old", "redo_mask": "mask"}
    pipeline, read = load(case.checkpoint), []
    for given in (plain, {**plain, **redo}):
        plan = make_plan(case.request(**given), pipeline.checkpoint, (4, 8, 8), tmp_path)
        assert (plan.size, plan.frames) == (size, 9)
        with torch.inference_mode():
            read.append(condition(plan, pipeline.pool, Run()).vace)
    assert torch.equal(read[0][:, :16], read[1][:, :16]) and torch.equal(read[0][:, 32:], read[1][:, 32:])


def test_a_picture_model_reads_what_stays_as_given_frames(tmp_path):
    old_clip(tmp_path)
    write_frames(tmp_path / "mask", box())
    pipeline = load(golden.path("fullstack/Wan2.2-I2V-A14B/checkpoint"))
    for given in ({"redo_from": 6}, {"redo_from": None, "redo_mask": "mask"}):
        asked = asked_of("fullstack/Wan2.2-I2V-A14B", image="0000.png", **given)
        plan = make_plan(asked, pipeline.checkpoint, (4, 8, 8), tmp_path)
        with torch.inference_mode():
            mask = condition(plan, pipeline.pool, Run()).channels[0, :4]
        if "redo_mask" not in given:
            assert mask[:, :, 0, 0].tolist() == [[1, 1, 0]] * 4
        else:  # 4 frames, by the cells that a frame's box touches; the first picture is given whole
            want = [[(box()[t, :, 8 * c : 8 * c + 8] == 0).all() for c in range(8)] for t in range(1, 9)]
            assert mask[:, 0].eq(1).all()
            assert mask[:, 1:, 1].transpose(0, 1).reshape(8, 8).bool().tolist() == want


@pytest.mark.parametrize("given", [{"image": "0000.png", "window": 5, "redo_from": 3}, {"image": "0000.png"}])
def test_cancelled_in_between_it_goes_on_bit_equal(given, tmp_path):
    """Also with the step cache, streamed block by block."""
    old_clip(tmp_path)
    given = {**given, "steps": 4, "resume": "state", "step_cache": 0.3}
    asked = asked_of("fullstack/Wan2.2-I2V-A14B", **given)
    load(asked.checkpoint).generate(asked, tmp_path)
    want = shown(tmp_path)
    streamed, done = load(asked.checkpoint, offload="block"), []
    with pytest.raises(Cancelled):
        streamed.generate(asked, tmp_path, done.append, lambda: sum(event["event"] == "step" for event in done) == 3)
    assert streamed.generate(asked, tmp_path)["resumed_from_step"] == 3
    assert np.array_equal(shown(tmp_path), want)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_in_the_middle_of_a_step_it_ends_bit_equal(tmp_path):
    """In segments, in the first step of the second one."""
    old_clip(tmp_path)
    given = {"image": "0000.png", "window": 5, "redo_from": 3, "steps": 2, "resume": "state"}
    asked = asked_of("fullstack/Wan2.2-I2V-A14B", **given)
    pipeline = load(asked.checkpoint)
    pipeline.generate(asked, tmp_path)
    want = shown(tmp_path)
    kill_in_step(asked, tmp_path, finished=2, questions=5)
    events = []
    pipeline.generate(asked, tmp_path, events.append)
    assert [event["step"] for event in events if event["event"] == "step"] == [3, 4]
    assert np.array_equal(shown(tmp_path), want)


def test_an_end_of_its_own_goes_on_from_what_the_shipped_model_made(tmp_path):
    """The border of old and new is not seen as a jump: the change there, and that of the frames faded, is like the
    largest one of the old clip."""
    pipeline = load(REQUEST.checkpoint)
    (tmp_path / "old").mkdir()
    old, _ = frames_of(pipeline, REQUEST, tmp_path / "old")
    (tmp_path / "new").mkdir()
    asked = replace(REQUEST, redo="../old/frames", redo_from=9, seed=2)
    new, _ = frames_of(pipeline, asked, tmp_path / "new")
    assert np.array_equal(new[:5], old[:5]) and np.abs(new[10:] - old[10:]).mean(axis=(1, 2, 3)).min() > 0.02
    change, usual = (np.abs(np.diff(clip, axis=0)).mean(axis=(1, 2, 3)) for clip in (new, old))
    assert change[4:9].max() < usual.max()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"redo_from": None}, "give redo_from or redo_mask"),
        ({"redo": None}, "give it as redo"),
        ({"redo_from": 0}, "redo_from is 0"),
        ({"redo_from": 9}, "has the frames 0 to 8"),
        ({"redo": "nowhere"}, "does not exist"),
        ({"redo": "short"}, "has 5 pictures, but the clip has 9 frames"),
        ({"redo": "small"}, "is 32x32, but the clip is made at 64x32"),
        ({"redo_mask": "small"}, "redo mask is 32x32, but"),
        ({"redo_mask": "short"}, "redo mask has 5 pictures, but"),
        ({"redo_mask": "black"}, "nothing would be made anew"),
        ({"redo_from": None, "redo_mask": "white"}, "nothing would stay"),
        ({"upscale": 2, "refine": 0.3}, "leave out refine"),
    ],
)
def test_what_cannot_be_redone_is_told_before_anything_is_loaded(changes, told, tmp_path, monkeypatch):
    old_clip(tmp_path)
    for name, frames, size, level in (
        ("short", 5, SIZE, 0), ("small", 9, (32, 32), 255), ("black", 9, SIZE, 0), ("white", 9, SIZE, 255),
    ):  # fmt: skip
        write_frames(tmp_path / name, np.full((frames, size[1], size[0], 3), level, np.uint8))
    assert_refused_before_loading(asked_of("fullstack/Wan2.2-T2V-A14B", **changes), told, tmp_path, monkeypatch)


def test_other_pictures_are_another_request_to_resume(tmp_path):
    old = old_clip(tmp_path)
    asked, prints = asked_of("fullstack/Wan2.2-T2V-A14B"), []
    pipeline = load(asked.checkpoint)
    for changes in ({}, {"redo_from": 1}):
        plan = make_plan(replace(asked, **changes), pipeline.checkpoint, (4, 8, 8), tmp_path)
        prints.append(fingerprint(plan, "", {}))
    Image.fromarray(255 - old[2]).save(tmp_path / "old" / "0002.png")
    prints.append(fingerprint(make_plan(asked, pipeline.checkpoint, (4, 8, 8), tmp_path), "", {}))
    assert len(set(prints)) == 3
