# SPDX-License-Identifier: GPL-3.0-or-later
"""Size rules and picture preparation against the original."""

import golden
import numpy as np
import pytest
import torch
from PIL import Image

from wan_engine.checkpoint import sizes
from wan_engine.errors import UsageError
from wan_engine.inputs import images
from wan_engine.media.pictures import read_picture


def test_sizes_of_image_models():
    for case in golden.facts("preproc")["i2v_latent_size"] + golden.facts("preproc21")["i2v_size"]:
        got = sizes.size_for_picture((case["img_w"], case["img_h"]), case["max_area"], 8)
        assert got == (case["out_w"], case["out_h"]), case
    for case in golden.facts("preproc21")["flf2v"]:
        assert sizes.size_for_picture(tuple(case["first_wh"]), case["max_area"], 8) == (case["out_w"], case["out_h"])


def test_sizes_of_the_text_and_image_model():
    for case in golden.facts("preproc")["ti2v_best_output_size"]:
        assert sizes.size_for_cover((case["w"], case["h"]), case["area"], 32) == tuple(case["out_w_h"]), case
    for case in golden.facts("preproc21")["ti2v_resize_crop"]:
        size = sizes.size_for_cover((case["img_w"], case["img_h"]), case["max_area"], 32)
        assert size == (case["out_w"], case["out_h"]), case


def test_covering_scales_then_cuts_the_middle():
    for case in golden.facts("preproc21")["ti2v_resize_crop"]:
        pixels = np.random.default_rng(3).integers(0, 256, (case["img_h"], case["img_w"], 3), np.uint8)
        picture = Image.fromarray(pixels)
        scaled = picture.resize((case["resized_w"], case["resized_h"]), Image.Resampling.LANCZOS)
        x, y, w, h = case["crop_x1"], case["crop_y1"], case["out_w"], case["out_h"]
        want = images.as_tensor(scaled.crop((x, y, x + w, y + h)))
        assert torch.equal(images.covered(picture, (w, h)), want), case


@pytest.mark.parametrize("case", ["en", "zh"])
@pytest.mark.parametrize("model", ["Wan2.2-I2V-A14B", "Wan2.1-I2V-14B"])
def test_stretching(model, case):
    folder = f"fullstack/{model}/cases/{case}"
    want = golden.tensors(f"{folder}/expected")["image_preprocessed"][:, 0]
    picture = read_picture(golden.path(f"{folder}/image.png"))
    got = images.stretched(images.as_tensor(picture), (want.shape[2], want.shape[1]))
    golden.assert_close(got, want, 1e-5, 0)


def test_last_picture_of_another_size_is_cut_as_in_the_original():
    """Every pixel has a value of its own, so that the place it comes from shows; borders are 0, mid grey."""
    cases = [case for case in golden.facts("preproc21")["flf2v"] if "result_hw" in case]
    assert len(cases) == 5
    for case in cases:
        width, height = case["last_wh"]
        last = 1 + torch.arange(3 * height * width, dtype=torch.float64).reshape(3, height, width)
        got = images.cut_like_original(last, tuple(case["first_wh"]))
        assert list(got.shape[1:]) == case["result_hw"], case
        (top, left), (bottom, right) = case["pad_top_left"], case["pad_bottom_right"]
        inside = got[:, top : got.shape[1] - bottom, left : got.shape[2] - right]
        y, x = case["source_top_left"]
        assert torch.equal(inside, last[:, y : y + inside.shape[1], x : x + inside.shape[2]]), case
        assert int((got != 0).sum()) == inside.numel(), case


@pytest.mark.parametrize("case", ["en", "zh"])
def test_pictures_of_first_and_last_frame(case):
    folder = f"fullstack/Wan2.1-FLF2V-14B/cases/{case}"
    want = golden.tensors(f"{folder}/expected")
    first, last = (read_picture(golden.path(f"{folder}/{name}.png")) for name in ("first", "last"))
    size = tuple(reversed(want["image_preprocessed"].shape[2:]))
    assert size == sizes.size_for_picture(first.size, golden.facts(f"{folder}/request")["max_area"], 8)
    golden.assert_close(images.stretched(images.as_tensor(first), size), want["image_preprocessed"][:, 0], 1e-5, 0)
    matched = images.as_tensor(last)
    if last.size != first.size:
        matched = images.cut_like_original(matched, first.size)
    golden.assert_close(images.stretched(matched, size), want["last_frame_preprocessed"][:, 0], 1e-5, 0)


def test_nearest_size_is_named():
    sizes.check_size((832, 480), 16)
    with pytest.raises(UsageError, match="848x480"):
        sizes.check_size((844, 478), 16)
    with pytest.raises(UsageError, match="32x32"):
        sizes.check_size((1, 1), 32)


def test_too_small_for_a_picture():
    with pytest.raises(UsageError, match="larger size"):
        sizes.size_for_picture((4000, 10), 3072, 8)
    with pytest.raises(UsageError, match="larger size"):
        sizes.size_for_cover((4000, 10), 3072, 32)


def test_cropping_to_an_aspect_ratio():
    picture = Image.new("RGB", (100, 50))
    assert images.cropped_to_aspect(picture, (64, 64)).size == (50, 50)
    assert images.cropped_to_aspect(picture, (400, 100)).size == (100, 25)
