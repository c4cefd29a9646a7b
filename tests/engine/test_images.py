# SPDX-License-Identifier: GPL-3.0-or-later
"""Size rules and picture preparation against the original."""

import golden
import numpy as np
import pytest
import torch
from PIL import Image

from wan_engine import images, sizes
from wan_engine.request import UsageError


def test_sizes_of_image_models():
    for case in golden.facts("preproc")["i2v_latent_size"] + golden.facts("preproc21")["i2v_size"]:
        got = sizes.size_for_picture((case["img_w"], case["img_h"]), case["max_area"], 8)
        assert got == (case["out_w"], case["out_h"]), case


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
def test_stretching(case):
    folder = f"fullstack/Wan2.2-I2V-A14B/cases/{case}"
    want = golden.tensors(f"{folder}/expected")["image_preprocessed"][:, 0]
    picture = images.read_picture(golden.path(f"{folder}/image.png"))
    golden.assert_close(images.stretched(picture, (want.shape[2], want.shape[1])), want, 1e-5, 0)


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


def test_unreadable_pictures(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "b.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    for name, word in (("a.png", "cannot be read"), ("b.png", "cannot be read"), ("c.png", "does not exist")):
        with pytest.raises(UsageError, match=word):
            images.read_picture(tmp_path / name)
    with pytest.raises(UsageError, match="cannot be read"):
        images.read_picture(tmp_path)


def test_alpha_and_gray_become_rgb(tmp_path):
    Image.fromarray(np.full((4, 6), 128, np.uint8)).save(tmp_path / "gray.png")
    Image.fromarray(np.full((4, 6, 4), 200, np.uint8)).save(tmp_path / "alpha.png")
    for name in ("gray.png", "alpha.png"):
        assert images.as_tensor(images.read_picture(tmp_path / name)).shape == (3, 4, 6)


def test_cropping_to_an_aspect_ratio():
    picture = Image.new("RGB", (100, 50))
    assert images.cropped_to_aspect(picture, (64, 64)).size == (50, 50)
    assert images.cropped_to_aspect(picture, (400, 100)).size == (100, 25)
