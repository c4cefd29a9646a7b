# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped checkpoint, on a scene that its training never saw: a courtyard that goes from afternoon to dusk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest

ROOT = Path(__file__).resolve().parents[2]
NANO = ROOT / "checkpoints" / "nano"
DATA = ROOT / "tests" / "data"
LUMA = np.array([0.299, 0.587, 0.114])
REQUEST = GenerationRequest(
    checkpoint=str(NANO),
    prompt=(DATA / "dusk_prompt.txt").read_text(encoding="utf-8"),
    image=str(DATA / "dusk_first.png"),
    frames_out="frames",
    seed=1,
)


@pytest.fixture(scope="module")
def pipeline():
    return load(NANO)


def frames_of(pipeline, request, folder):
    """The model's frames, [T,H,W,3] in 0..1."""
    report = pipeline.generate(request, folder)
    files = sorted((folder / "frames").glob("*.png"))
    frames = np.stack([np.asarray(Image.open(f)) for f in files]) / 255
    assert len(frames) == 17 and (folder / "clip.mp4").exists()
    return frames, report


def luminance(frames):
    return (frames @ LUMA).mean(axis=(1, 2))


def picture(name):
    return np.asarray(Image.open(DATA / name).convert("RGB")) / 255


def error(a, b):
    return float(np.abs(a - b).mean())


def test_it_is_small_and_laid_out_like_a_published_one():
    files = {p.relative_to(NANO).as_posix(): p.stat().st_size for p in NANO.rglob("*") if p.is_file()}
    assert sum(files.values()) < 40e6
    assert {
        "high_noise_model/config.json",
        "low_noise_model/config.json",
        "Wan2.2_VAE.pth",
        "models_t5_umt5-xxl-enc-bf16.pth",
        "google/umt5-xxl/tokenizer.json",
    } <= set(files)


def test_first_and_last_frame_are_held_and_the_light_goes_from_one_to_the_other(pipeline, tmp_path):
    request = replace(REQUEST, last_image=str(DATA / "dusk_last.png"))
    frames, report = frames_of(pipeline, request, tmp_path)
    assert {step["expert"] for step in report["steps"]} == {"high", "low"}
    first, last = picture("dusk_first.png"), picture("dusk_last.png")
    assert error(frames[0], first) < 0.5 * error(frames[-1], first)
    assert error(frames[-1], last) < 0.5 * error(frames[0], last)
    curve = luminance(frames)
    assert np.corrcoef(curve, np.linspace(1, 0, len(curve)))[0, 1] > 0.9  # dusk falls, and does not flicker


def test_from_the_first_frame_alone_the_prompt_makes_the_dusk(pipeline, tmp_path):
    curve = luminance(frames_of(pipeline, REQUEST, tmp_path)[0])
    assert curve[-4:].mean() < curve[:4].mean() - 0.02


def test_text_alone_makes_a_clip(pipeline, tmp_path):
    frames, _ = frames_of(pipeline, replace(REQUEST, image=None), tmp_path)
    assert frames.std() > 0.02


def test_one_request_is_repeatable(pipeline, tmp_path):
    clips = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        clips.append(frames_of(pipeline, REQUEST, tmp_path / name)[0])
    assert np.array_equal(*clips)
