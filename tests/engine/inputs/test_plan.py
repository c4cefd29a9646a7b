# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request becomes with each model: size, frames, pictures, sampling, and what the user is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import golden
import numpy as np
import pytest
import torch
from PIL import Image

from wan_engine.checkpoint import models
from wan_engine.checkpoint.checkpoint import Checkpoint, open_checkpoint
from wan_engine.checkpoint.model import Model, overridden
from wan_engine.errors import UsageError
from wan_engine.inputs import images
from wan_engine.inputs.plan import Plan, make_plan
from wan_engine.media.pictures import read_picture
from wan_engine.request import GenerationRequest
from wan_engine.request_parts import Lora
from wan_engine.sampling.solvers import make_solver

STRIDE_8, STRIDE_16 = (4, 8, 8), (4, 16, 16)


@pytest.fixture(scope="module")
def opened() -> Checkpoint:
    return open_checkpoint(golden.path("fullstack/Wan2.2-I2V-A14B/checkpoint"))


def like(opened: Checkpoint, model: Model, *, dense: bool = True, **config) -> Checkpoint:
    """The small checkpoint as if it were one of `model`."""
    experts = {"dense": opened.experts["high"]} if dense else opened.experts
    return replace(opened, model=model, experts=experts, config=replace(opened.config, **config))


@pytest.fixture(scope="module")
def i2v21(opened) -> Checkpoint:
    return like(opened, models.I2V_14B_V21, clip_dim=24)


@pytest.fixture(scope="module")
def flf2v(opened) -> Checkpoint:
    return like(opened, models.FLF2V_14B_V21, clip_dim=24, flf=True)


@pytest.fixture(scope="module")
def ti2v(opened) -> Checkpoint:
    return like(opened, models.TI2V_5B, in_dim=48, out_dim=48)


@pytest.fixture(scope="module")
def t2v21(opened) -> Checkpoint:
    return like(opened, models.T2V_1_3B_V21, in_dim=16)


def planned(checkpoint: Checkpoint, folder: Path, stride=STRIDE_8, **changes) -> Plan:
    return make_plan(GenerationRequest(str(checkpoint.folder), "a cube", **changes), checkpoint, stride, folder)


def picture(folder: Path, name: str, size: tuple[int, int], seed: int = 1) -> str:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return name


def told(plan: Plan, words: str) -> bool:
    return any(words in warning for warning in plan.warnings)


@pytest.mark.parametrize("task", ["i2v-14B", "flf2v-14B", "t2v-1.3B", "t2v-14B"])
def test_published_defaults_by_size(task, i2v21, flf2v, t2v21, opened, tmp_path):
    """Steps, shift, guidance and frames of the original's `generate.py`, for every size it takes."""
    checkpoint = {
        "i2v-14B": i2v21,
        "flf2v-14B": flf2v,
        "t2v-1.3B": t2v21,
        "t2v-14B": replace(t2v21, model=models.T2V_14B_V21),
    }[task]
    shifts = {"i2v-14B": {720: 5.0, 480: 3.0}, "flf2v-14B": {720: 16.0, 480: 16.0}}.get(task, {720: 5.0, 480: 5.0})
    for size in checkpoint.model.sizes:
        asked = {"size": size}
        if task in ("i2v-14B", "flf2v-14B"):
            asked["image"] = picture(tmp_path, "a.png", size)
        if task == "flf2v-14B":
            asked["last_image"] = asked["image"]
        plan = planned(checkpoint, tmp_path, **asked)
        assert plan.shift == shifts[min(size)]
        assert (plan.steps, plan.guide) == (40 if task == "i2v-14B" else 50, (5.0, 5.0))
        assert (plan.frames, plan.fps, plan.solver, plan.boundary) == (81, 16.0, "unipc", None)
        assert plan.latent_shape[1] == 21


def test_users_shift_goes_before_that_of_the_size(i2v21, tmp_path):
    name = picture(tmp_path, "a.png", (832, 480))
    assert planned(i2v21, tmp_path, image=name, size=(832, 480), shift=7.0).shift == 7.0
    assert planned(i2v21, tmp_path, image=name, size=(64, 32)).shift == 3.0


@pytest.mark.parametrize(("solver", "shift"), [(None, 5.0), ("flow", 5.0), ("unipc", 3.0), ("dpm++", 3.0)])
def test_fun_models_of_2_1_have_another_shift_on_wan_s_schedules(t2v21, tmp_path, solver, shift):
    """As the scripts of VideoX-Fun have it, whose own schedule is the default."""
    for row in (*models.FUN_V21, *map(models.small_of, models.FUN_V21)):
        fun = replace(t2v21, model=replace(row, inputs=("noise",), modules=frozenset()))
        assert planned(fun, tmp_path, solver=solver).shift == shift
        own = replace(fun, model=overridden(fun.model, {"shift": 7}, tmp_path))
        assert planned(own, tmp_path, solver=solver).shift == 7.0


def test_size_of_a_picture_is_told(i2v21, tmp_path):
    plan = planned(i2v21, tmp_path, image=picture(tmp_path, "a.png", (832, 480)), size=(832, 480))
    assert plan.size == (832, 464) and plan.latent_shape[2:] == (58, 104)
    assert told(plan, "stretched to 832x464, which changes its shape by 3.4%")
    assert not told(plan, "may look worse")
    fitting = planned(i2v21, tmp_path, image=picture(tmp_path, "b.png", (640, 1136)), size=(1280, 720))
    assert fitting.size == (720, 1264) and told(fitting, "changes its shape by 1.1%")
    whole = planned(i2v21, tmp_path, image=picture(tmp_path, "c.png", (1280, 720)))
    assert whole.size == (1280, 720) and whole.warnings == ()
    assert told(planned(i2v21, tmp_path, image="c.png", size=(400, 400)), "was made for 1280x720")


def test_picture_of_the_5b_model_is_covered_and_cut(ti2v, tmp_path):
    for case in golden.facts("preproc21")["ti2v_resize_crop"]:
        width, height = case["img_w"], case["img_h"]
        if width * height > 1_000_000:
            continue
        name = picture(tmp_path, "a.png", (width, height))
        plan = planned(ti2v, tmp_path, STRIDE_16, image=name, size=(case["max_area"], 1))
        assert plan.size == (case["out_w"], case["out_h"])
        assert (plan.size[0] % 32, plan.size[1] % 32) == (0, 0)
        assert plan.first.shape == (3, case["out_h"], case["out_w"]) and plan.clip_pictures == ()
        scaled = f"{case['resized_w']}x{case['resized_h']}"
        assert told(plan, f"scaled to {scaled}") == (scaled != f"{case['out_w']}x{case['out_h']}")


@pytest.mark.parametrize("size", [(64, 32), (1488, 624), (848, 480), (96, 160)])
def test_an_exact_size_is_made_whatever_the_shape_of_the_picture(size, i2v21, flf2v, ti2v, t2v21, opened, tmp_path):
    """What renders its pictures itself settles the size; the engine must not round it again."""
    name = picture(tmp_path, "a.png", size)
    odd = picture(tmp_path, "odd.png", (50, 70))
    for checkpoint, stride in ((i2v21, STRIDE_8), (flf2v, STRIDE_8), (opened, STRIDE_8), (ti2v, STRIDE_16)):
        if stride == STRIDE_16 and any(side % 32 for side in size):
            continue
        last = None if checkpoint is ti2v else name
        plan = planned(checkpoint, tmp_path, stride, image=name, last_image=last, size=size, exact_size=True)
        assert plan.size == size and torch.equal(plan.first, images.as_tensor(read_picture(tmp_path / name)))
        assert not told(plan, "stretched") and not told(plan, "scaled")
        assert (
            planned(checkpoint, tmp_path, stride, image=odd, last_image=last and odd, size=size, exact_size=True).size
            == size
        )
    assert planned(t2v21, tmp_path, size=size, exact_size=True).size == size
    with pytest.raises(UsageError, match="multiples of 16"):
        planned(i2v21, tmp_path, image=name, size=(size[0] + 8, size[1]), exact_size=True)


def test_an_exact_size_counts_as_the_trained_area_that_it_was_chosen_for(i2v21, opened, tmp_path):
    """A size on the grid may be a little larger than 832x480; the shift of the 480p model must not change for that."""
    name = picture(tmp_path, "a.png", (64, 32))
    for size in ((848, 480), (992, 416), (704, 528)):
        plan = planned(i2v21, tmp_path, image=name, size=size, exact_size=True)
        assert plan.shift == 3.0 and not told(plan, "may look worse")
    for size in ((1488, 624), (1152, 768)):
        assert planned(i2v21, tmp_path, image=name, size=size, exact_size=True).shift == 5.0
    assert told(planned(i2v21, tmp_path, image=name, size=(64, 32), exact_size=True), "made for 1280x720")
    own = replace(opened, model=replace(opened.model, sizes=((160, 96),), only_listed=True, area=None))
    assert told(planned(own, tmp_path, image=name, size=(224, 96), exact_size=True), "was made for 160x96")
    assert not told(planned(own, tmp_path, image=name, size=(160, 96), exact_size=True), "was made for")


def test_sizes_and_frames_that_cannot_be_made_name_the_nearest(ti2v, t2v21, tmp_path):
    with pytest.raises(UsageError, match="1280x704"):
        planned(ti2v, tmp_path, STRIDE_16, size=(1280, 720))
    with pytest.raises(UsageError, match="multiples of 16"):
        planned(t2v21, tmp_path, size=(840, 480))
    with pytest.raises(UsageError, match="nearest are 77 and 81"):
        planned(t2v21, tmp_path, frames=80)
    plan = planned(t2v21, tmp_path, size=(1280, 720), frames=77)
    assert told(plan, "was made for 832x480, 480x832") and told(plan, "was made for 81 frames")
    assert planned(t2v21, tmp_path).warnings == ()


def test_first_and_last_frame_model_needs_both_pictures(flf2v, tmp_path):
    name = picture(tmp_path, "a.png", (64, 32))
    for asked in ({}, {"image": name}):
        with pytest.raises(UsageError, match="--image and --last-image"):
            planned(flf2v, tmp_path, **asked)
    with pytest.raises(UsageError, match="at least 5 frames"):
        planned(flf2v, tmp_path, image=name, last_image=name, frames=1)
    assert told(planned(flf2v, tmp_path, image=name, last_image=name, frames=17), "made for 81 frames")


def test_clip_sees_the_pictures_at_their_own_size(flf2v, i2v21, opened, tmp_path):
    first, last = picture(tmp_path, "a.png", (70, 50)), picture(tmp_path, "b.png", (70, 50), 2)
    other = picture(tmp_path, "c.png", (50, 44), 3)

    def original(name: str) -> torch.Tensor:
        return images.as_tensor(read_picture(tmp_path / name))

    plan = planned(i2v21, tmp_path, image=first, size=(64, 48))
    assert len(plan.clip_pictures) == 1 and torch.equal(plan.clip_pictures[0], original(first))
    assert torch.equal(plan.first, images.stretched(original(first), plan.size))
    plan = planned(flf2v, tmp_path, image=first, last_image=last, size=(64, 48))
    assert [torch.equal(*pair) for pair in zip(plan.clip_pictures, map(original, (first, last)), strict=True)] == [
        True,
        True,
    ]
    assert torch.equal(plan.last, images.stretched(original(last), plan.size)) and not told(plan, "last picture")
    plan = planned(flf2v, tmp_path, image=first, last_image=other, size=(64, 48))
    cut = images.cut_like_original(original(other), (70, 50))
    assert torch.equal(plan.clip_pictures[1], cut) and torch.equal(plan.last, images.stretched(cut, plan.size))
    assert told(plan, "The last picture is 50x44, the first 70x50")
    assert planned(opened, tmp_path, image=first, last_image=last, size=(64, 48)).clip_pictures == ()


def test_last_picture_in_the_2_1_image_model_is_told(i2v21, tmp_path):
    name = picture(tmp_path, "a.png", (64, 32))
    plan = planned(i2v21, tmp_path, image=name, last_image=name, size=(64, 32))
    assert plan.last is not None and len(plan.clip_pictures) == 1
    assert told(plan, "trained with a first picture only")


@pytest.mark.parametrize("case", ["en", "zh"])
@pytest.mark.parametrize("model", ["Wan2.1-I2V-14B", "Wan2.1-FLF2V-14B"])
@torch.inference_mode()
def test_features_of_the_published_cases(model, case):
    """From the pictures on disk to what the original's CLIP encoder makes of them."""
    folder = f"fullstack/{model}/cases/{case}"
    want, asked = golden.tensors(f"{folder}/expected"), golden.facts(f"{folder}/request")
    checkpoint = open_checkpoint(golden.path(f"fullstack/{model}/checkpoint"))
    names = [asked["image"]] if "image" in asked else [asked["first_frame"], asked["last_frame"]]
    last = names[1] if len(names) == 2 else None
    plan = planned(
        checkpoint,
        golden.path(folder),
        image=names[0],
        last_image=last,
        size=(asked["max_area"], 1),
        frames=asked["frame_num"],
    )
    facts = asked["expected"]
    assert plan.size == (facts["width"], facts["height"]) and list(plan.latent_shape) == facts["latent_shape"]
    assert plan.negative == asked["negative_prompt"]
    clip = checkpoint.load_clip("cpu")
    got = clip(torch.stack([clip.prepare(picture) for picture in plan.clip_pictures]))
    golden.assert_close(got, want["clip_fea"], 1e-4, 1e-4, "clip_fea")


def test_the_preset_sets_what_the_user_does_not(opened, t2v21, tmp_path):
    loras = (Lora("lightning/high.safetensors", 1.0, "high"), Lora("lightning/low.safetensors", 1.0, "low"))
    for model in (models.T2V_A14B, models.I2V_A14B):
        checkpoint = like(opened, replace(model, modes=("text",)), dense=False)
        plan = planned(checkpoint, tmp_path, preset="lightning", loras=loras)
        assert (plan.steps, plan.shift, plan.guide, plan.solver) == (4, 5.0, (1.0, 1.0), "euler")
        times = make_solver(plan.solver, plan.steps, plan.shift).timesteps
        assert [plan.expert(float(t)) for t in times] == ["high", "high", "low", "low"]
        assert not told(plan, "distilled")
        own = planned(checkpoint, tmp_path, preset="lightning", steps=8, solver="unipc", guide=(2.0, 1.0), shift=6.0)
        assert (own.steps, own.shift, own.guide, own.solver) == (8, 6.0, (2.0, 1.0), "unipc")
        assert told(own, "distilled weights")
    plan = planned(replace(t2v21, model=models.T2V_14B_V21), tmp_path, preset="lightning")
    assert (plan.steps, plan.shift, plan.guide, plan.solver) == (4, 5.0, (1.0, 1.0), "lcm")
    assert planned(t2v21, tmp_path).solver == "unipc"


def test_checkpoint_of_our_own_keeps_to_its_sizes(opened, tmp_path):
    own = replace(opened, model=replace(opened.model, sizes=((160, 96),), only_listed=True, area=None))
    plan = planned(own, tmp_path, image=picture(tmp_path, "a.png", (320, 192)))
    assert plan.size == (160, 96) and not told(plan, "may look worse")
    other = planned(own, tmp_path, image=picture(tmp_path, "b.png", (300, 300)))
    assert told(other, "was made for 160x96")


def test_facts_of_the_model_table_match_the_original(tmp_path):
    """The published task settings, where the folder with the facts lies beside the checkout."""
    path = golden.BESIDE.parent / "facts" / "manifests" / "models21.json"
    if not path.exists():
        pytest.skip("the facts about the published models are not beside the checkout")
    tasks = json.loads(path.read_text(encoding="utf-8"))["tasks"]
    rows = {
        "t2v-1.3B": models.T2V_1_3B_V21,
        "t2v-14B": models.T2V_14B_V21,
        "i2v-14B": models.I2V_14B_V21,
        "flf2v-14B": models.FLF2V_14B_V21,
    }
    for name, row in rows.items():
        facts, defaults = tasks[name]["config"], tasks[name]["generate_py_defaults"]
        assert row.negative == facts["sample_neg_prompt"] and row.fps == facts["sample_fps"]
        assert (row.steps, row.guide[0]) == (defaults["sample_steps"], defaults["sample_guide_scale"])
        assert row.frame_counts == (defaults["frame_num"],)
        sizes = [tuple(map(int, size.split("*"))) for size in tasks[name]["supported_sizes"]]
        assert sorted(row.sizes) == sorted(sizes)
        for size, shift in defaults["sample_shift_by_size"].items():
            assert row.shift_for(tuple(map(int, size.split("*")))) == shift


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"control_video": "clip"}, "--control-video"),
        ({"control_video": "clip", "control_mask": "mask"}, "--control-video"),
        ({"control_scale": 1.0}, "--control-scale"),
        ({"reference": ("a.png",)}, "--reference"),
        ({"camera": "camera.json"}, "--camera"),
    ],
)
def test_control_asked_of_a_model_without_it(t2v21, tmp_path, given, flag):
    with pytest.raises(UsageError, match=f"Wan2.1 T2V-1.3B takes no .*{flag}"):
        planned(t2v21, tmp_path, **given)


def test_a_control_mask_needs_a_control_clip():
    with pytest.raises(UsageError, match="control_video"):
        GenerationRequest("folder", "a cube", control_mask="mask").validate()
