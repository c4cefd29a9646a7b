# SPDX-License-Identifier: GPL-3.0-or-later
"""VACE models through the command line and step by step, against the original pipelines."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import golden
import numpy as np
import pytest
import torch
from cases import Case, assert_command_line_makes, assert_refused_before_loading, kept_steps
from PIL import Image
from safetensors.torch import load_file

from wan_engine.errors import Cancelled, UsageError
from wan_engine.inputs.conditioning import condition, encode_texts
from wan_engine.inputs.plan import make_plan, noise
from wan_engine.inputs.vace import read_vace
from wan_engine.light_curve import LightCurve
from wan_engine.pipeline import load
from wan_engine.runtime.run import Run
from wan_engine.sampling.denoise import Denoiser
from wan_engine.sampling.resume import fingerprint

CASES = [
    ("Wan2.1-VACE-1.3B", "control_reference"),
    ("Wan2.1-VACE-1.3B", "first_last_frame"),
    ("Wan2.1-VACE-1.3B", "masked_soft"),
    ("Wan2.1-VACE-1.3B", "references_only"),
    ("Wan2.1-VACE-1.3B", "resized"),
    ("Wan2.1-VACE-14B", "control"),
    ("Wan2.1-VACE-14B", "masked_references"),
    ("Wan2.2-VACE-Fun-A14B", "control_reference"),
    ("Wan2.2-VACE-Fun-A14B", "masked"),
    ("Wan2.2-VACE-Fun-A14B", "references_only"),
]


@pytest.fixture(params=CASES, ids=lambda pair: "-".join(pair))
def case(request) -> Case:
    return Case(*request.param, "vace/")


def test_command_line_makes_the_original_clip(case, tmp_path, capsys):
    assert_command_line_makes(case, tmp_path, capsys)


@torch.inference_mode()
def test_every_stage_and_step_matches(case, monkeypatch):
    pipeline, run = load(case.checkpoint), Run()
    plan = make_plan(case.request(), pipeline.checkpoint, (4, 8, 8), Path("."))
    assert list(plan.latent_shape) == case.asked["expected"]["full_latent_shape"]
    assert torch.equal(noise(plan.seed, plan.latent_shape), case.want["noise"])
    texts = encode_texts(plan, pipeline.pool, run)
    golden.assert_close(texts[0], case.want["context"], 1e-4, 1e-4, "context")
    conditioning = condition(plan, pipeline.pool, run)
    golden.assert_close(conditioning.vace[0], case.want["vace_context"], 5e-4, 1e-4, "vace_context")
    velocities, after = kept_steps(monkeypatch)
    latents, sigmas = Denoiser(plan, pipeline.pool, texts, conditioning, run).sample()
    golden.assert_close(sigmas, case.want["sigmas"], 1e-6, 0, "sigmas")
    golden.assert_close(velocities[0], case.want["velocity0"], 3e-4, 3e-4, "velocity0")
    golden.assert_close(torch.stack(after), case.want["latents_steps"], 3e-4, 3e-4, "latents_steps")
    golden.assert_close(latents, case.want["latents"], 3e-4, 3e-4, "latents")


def request(name="masked_soft", model="Wan2.1-VACE-1.3B", **changes):
    """A case's request with other values."""
    return Case(model, name, "vace/").request(**changes)


@pytest.mark.parametrize(
    ("model", "name", "cache"),
    [
        ("Wan2.1-VACE-1.3B", "masked_soft", 0.3),
        ("Wan2.1-VACE-1.3B", "references_only", 0.0),
        ("Wan2.2-VACE-Fun-A14B", "control_reference", 0.3),
    ],
)
def test_cancelled_in_between_it_goes_on_bit_equal(model, name, cache, tmp_path):
    """Streamed block by block, with and without the step cache."""
    asked = request(name, model, latents="latents.safetensors", resume="state", step_cache=cache)
    whole = load(asked.checkpoint).generate(asked, tmp_path)
    want = load_file(tmp_path / "latents.safetensors")["latents"]
    streamed, done = load(asked.checkpoint, offload="block"), []
    with pytest.raises(Cancelled):
        streamed.generate(asked, tmp_path, done.append, lambda: sum(event["event"] == "step" for event in done) == 4)
    report = streamed.generate(asked, tmp_path)
    assert report["resumed_from_step"] == 4 and "resumed_from_step" not in whole
    assert torch.equal(load_file(tmp_path / "latents.safetensors")["latents"], want)


def test_other_pictures_are_another_request_to_resume(tmp_path):
    asked = request(control_mask="mask")
    pipeline = load(asked.checkpoint)
    shutil.copytree(Case("Wan2.1-VACE-1.3B", "masked_soft", "vace/").given["control_mask"], tmp_path / "mask")
    prints = []
    for _ in range(2):
        plan = make_plan(asked, pipeline.checkpoint, (4, 8, 8), tmp_path)
        prints.append(fingerprint(plan, pipeline.checkpoint.folder, {}))
        pixels = np.array(Image.open(tmp_path / "mask" / "0003.png"))
        pixels[0, 0] ^= 255
        Image.fromarray(pixels).save(tmp_path / "mask" / "0003.png")
    plan = make_plan(replace(asked, control_scale=0.5), pipeline.checkpoint, (4, 8, 8), tmp_path)
    assert len({*prints, fingerprint(plan, pipeline.checkpoint.folder, {})}) == 3


def test_refining_and_light_guide_work_beside_references(tmp_path):
    light = LightCurve("brief", (0.0, 1.0), (1.0, 0.5))
    asked = request(
        "control_reference", upscale=2, refine=0.4, light=light, preview="preview.png", frames_out="frames", steps=4
    )
    report = load(asked.checkpoint).generate(asked, tmp_path)
    assert report["clip"]["size"] == [96, 64] and report["clip"]["frames"] == 9
    assert report["refine"]["size"] == [96, 64]
    assert all("light_change" in step for step in report["steps"])
    assert (tmp_path / "preview.png").is_file()


def folder_of(path: Path, count: int, size=(48, 32), value=128) -> str:
    path.mkdir()
    for number in range(count):
        Image.new("RGB", size, (value, number, value)).save(path / f"{number:04}.png")
    return str(path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"control_video": None}, "needs a control clip"),
        ({"control_video": "nowhere"}, "does not exist"),
        ({"control_video": "empty"}, "holds no pictures"),
        ({"control_video": "mixed"}, "several clips"),
        ({"control_video": "sizes"}, "differ in size"),
        ({"control_mask": "broken"}, "cannot be read"),
        ({"reference": ("missing.png",)}, "missing.png does not exist"),
        ({"control_video": "tiny"}, "larger clip"),
        ({"image": "mixed/a_1.png"}, "by --reference"),
        ({"camera": "camera.json"}, "takes no camera"),
        ({"control_scale": -1.0}, "control_scale"),
        ({"control_video": None, "control_mask": None, "size": (50, 32)}, "multiples of 16"),
    ],
)
def test_what_cannot_be_controlled_is_told_before_anything_is_loaded(changes, told, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    for name, files in (("mixed", ("a_1.png", "b_2.png")), ("sizes", ("1.png", "2.png"))):
        (tmp_path / name).mkdir()
        for number, file in enumerate(files):
            Image.new("RGB", (48 + number, 32)).save(tmp_path / name / file)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "1.png").write_bytes(b"no picture")
    folder_of(tmp_path / "tiny", 9, (12, 12))
    assert_refused_before_loading(request(**changes), told, tmp_path, monkeypatch)


def test_a_text_model_takes_no_control(tmp_path):
    checkpoint = golden.path("fullstack/Wan2.1-T2V-1.3B/checkpoint")
    asked = request(checkpoint=str(checkpoint), control_mask=None)
    with pytest.raises(UsageError, match="takes no control clip"):
        load(checkpoint).generate(asked, tmp_path)


def test_clips_masks_and_references_of_other_sizes_and_lengths_are_fitted_and_told(tmp_path):
    Image.new("RGB", (20, 40), (9, 9, 9)).save(tmp_path / "reference.png")
    asked = request(
        control_video=folder_of(tmp_path / "clip", 14, (80, 56)),
        control_mask=folder_of(tmp_path / "mask", 12, (90, 70)),
        reference=("reference.png",),
        frames=5,
        steps=1,
    )
    report = load(asked.checkpoint).generate(asked, tmp_path)
    assert report["frames"] == 9
    told = "\n".join(report["warnings"])
    assert "control clip of 80x56 is brought to " in told
    assert "control mask of 90x70 is not of the control clip's size" in told
    assert "has 14 frames and its mask 12" in told
    assert "Of the control clip's 14 frames 9 are used" in told
    assert "9 frames instead of 5" in told
    assert "reference picture of 20x40 is fitted into" in told


def test_a_subject_that_is_cut_out_lies_on_white(tmp_path):
    """As the references that VACE was trained with do."""
    Image.fromarray(np.dstack([np.full((32, 48, 3), 90), np.eye(32, 48) * 255]).astype(np.uint8)).save(
        tmp_path / "r.png"
    )
    asked = request(control_video=folder_of(tmp_path / "clip", 5, (48, 32)), control_mask=None, reference=("r.png",))
    given = read_vace(asked, tmp_path, (48, 32), 5, 16)
    assert given.references[0].amin() == pytest.approx(90 / 127.5 - 1) and given.references[0].median() == 1
    assert any("laid over white" in note for note in given.notes)


def test_a_clip_longer_than_trained_is_made_when_asked_for(tmp_path):
    """Without --frames the tokens that the model was trained with are the most."""
    asked = request(control_video=folder_of(tmp_path / "clip", 101, (16, 16)), control_mask=None, size=(16, 16))
    checkpoint = load(asked.checkpoint).checkpoint
    counts = [make_plan(replace(asked, frames=n), checkpoint, (4, 8, 8), tmp_path).frames for n in (None, 101)]
    assert counts == [81, 101]


def test_two_experts_make_exactly_what_is_asked(tmp_path):
    """VideoX-Fun stretches the clip to the size; each frame needs a picture."""
    clip = folder_of(tmp_path / "clip", 9, (30, 70))
    asked = request("masked", "Wan2.2-VACE-Fun-A14B", control_video=clip, control_mask=None, steps=1)
    report = load(asked.checkpoint).generate(asked, tmp_path)
    assert (report["size"], report["frames"]) == ([48, 32], 9)
    with pytest.raises(UsageError, match="9 pictures, but the clip has 13 frames"):
        load(asked.checkpoint).generate(replace(asked, frames=13), tmp_path)


def test_with_nothing_given_it_makes_a_clip_of_text(tmp_path):
    asked = request(control_video=None, control_mask=None, steps=1, frames=5)
    assert load(asked.checkpoint).generate(asked, tmp_path)["frames"] == 5
