# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that a checkpoint keeps its light map in, and what the shipped one is worth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import training.light_map
from training.light_map import save_light_map
from wan_engine.checkpoint.checkpoint import LIGHT_MAP, open_checkpoint
from wan_engine.errors import CheckpointError
from wan_engine.light_curve import LightCurve
from wan_engine.networks.latent_rgb import LightMap, fit_frame_map, fit_light_map, read_light_map, seen_by_latents
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest

ROOT = Path(__file__).resolve().parents[3]
NANO, DATA = ROOT / "checkpoints" / "nano", ROOT / "tests" / "data"
LUMA = torch.tensor([0.299, 0.587, 0.114])
Z = 8
REQUEST = GenerationRequest(
    checkpoint=str(NANO),
    prompt=(DATA / "dusk_prompt.txt").read_text(encoding="utf-8"),
    latents="latents.safetensors",
    frames_out="frames",
    steps=4,
    seed=1,
)


@pytest.fixture
def bare(tmp_path):
    """The shipped checkpoint without its light map."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for part in NANO.iterdir():
        if part.name != LIGHT_MAP:
            (folder / part.name).symlink_to(part)
    return folder


def some_map(frames=2, seed=0) -> LightMap:
    draw = torch.Generator().manual_seed(seed)
    z, rgb = torch.randn(frames, 2, Z, 20, 30, generator=draw), torch.rand(frames, 3, 20, 30, generator=draw)
    return LightMap([fit_frame_map(own, before, seen) for (own, before), seen in zip(z, rgb, strict=True)])


def made(pipeline, folder, **changes):
    """Frames [3, T, H, W] in 0..1 and their latents."""
    pipeline.generate(replace(REQUEST, **changes), folder)
    frames = np.stack([np.asarray(Image.open(file)) for file in sorted((folder / "frames").iterdir())])
    video = torch.from_numpy(frames).movedim(3, 0).float() / 255
    return video, load_file(folder / "latents.safetensors")["latents"]


@pytest.mark.parametrize("frames", [1, 5])
def test_a_map_comes_back_as_it_was_saved(frames, tmp_path):
    light_map, path = some_map(frames), tmp_path / LIGHT_MAP
    save_light_map(light_map, path)
    latents = torch.randn(Z, 7, 4, 6)
    assert torch.equal(read_light_map(path, Z).rgb(latents), light_map.rgb(latents))
    assert [file.name for file in tmp_path.iterdir()] == [LIGHT_MAP]


def truncated(path):
    path.write_bytes(path.read_bytes()[:-9])


def without_bias(path):
    save_file({name: data for name, data in load_file(path).items() if name != "bias"}, path)


def of_no_frames(path):
    save_file({name: data[:0] for name, data in load_file(path).items()}, path)


def with_one_number(path):
    save_file({**load_file(path), "bias": torch.tensor(1.0)}, path)


def with_nan(path):
    save_file({**load_file(path), "before": torch.full((2, 3, Z), torch.nan)}, path)


def of_fewer_channels(path):
    save_file({**load_file(path), "weight": torch.zeros(2, 3, Z - 1)}, path)


def of_text(path):
    path.write_text("light")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncated, "cannot be read"),
        (of_text, "cannot be read"),
        (without_bias, "does not fit"),
        (of_no_frames, "does not fit"),
        (with_one_number, "does not fit"),
        (of_fewer_channels, "does not fit"),
        (with_nan, "NaN"),
    ],
)
def test_a_damaged_map_is_refused_in_words(damage, words, tmp_path):
    path = tmp_path / LIGHT_MAP
    save_light_map(some_map(), path)
    damage(path)
    with pytest.raises(CheckpointError, match=words) as error:
        read_light_map(path, Z)
    assert str(path) in str(error.value)


def test_a_map_of_another_autoencoder_is_told_before_any_work(bare):
    save_light_map(some_map(), bare / LIGHT_MAP)
    with pytest.raises(CheckpointError, match="does not fit this autoencoder of 48 channels"):
        load(bare)


@pytest.mark.parametrize("picture", [None, str(DATA / "dusk_first.png")])
def test_the_shipped_map_reads_what_nano_makes_better_than_one_from_charts(picture, tmp_path):
    pipeline = load(NANO)
    video, latents = made(pipeline, tmp_path, image=picture)
    true = seen_by_latents(video, tuple(latents.shape[2:])).mean((2, 3)).T @ LUMA
    own, charts = open_checkpoint(NANO).load_light_map(), fit_light_map(pipeline.pool.vae())
    errors = [float((one.rgb(latents).mean((2, 3)).T @ LUMA - true).abs().mean()) for one in (own, charts)]
    assert errors[0] < 0.015 and errors[0] < errors[1], errors


def test_a_map_can_be_trained_for_a_checkpoint_that_has_none(bare, tmp_path, monkeypatch):
    first = np.asarray(Image.open(DATA / "dusk_first.png").convert("RGB"))
    for scene in "abc":  # two pictures, one, and text alone
        folder = tmp_path / "data" / "clips" / scene
        folder.mkdir(parents=True)
        for frame, light in enumerate(np.linspace(1, 0.6, 17)):
            Image.fromarray((first * light).astype(np.uint8)).save(folder / f"{frame + 1:04d}.png")
        prompts = tmp_path / "data" / "prompts" / f"{scene}.json"
        prompts.parent.mkdir(exist_ok=True)
        prompts.write_text(json.dumps({"mirror=0 reverse=0": REQUEST.prompt}))
    monkeypatch.setattr("sys.argv", ["light_map", str(tmp_path / "data"), str(bare), "--count", "3"])
    training.light_map.main()
    pipeline = load(bare)
    light_map = pipeline.checkpoint.load_light_map()
    assert light_map is not None and len(light_map.frames) == 5
    video, latents = made(pipeline, tmp_path, checkpoint=str(bare))
    true = seen_by_latents(video, tuple(latents.shape[2:])).mean((2, 3)).T @ LUMA
    assert (light_map.rgb(latents).mean((2, 3)).T @ LUMA - true).abs().max() < 0.05


@pytest.mark.parametrize("own", [True, False])
def test_the_light_is_guided_with_the_checkpoints_map_and_with_charts(own, bare, tmp_path):
    folder = NANO if own else bare
    curve, wanted = LightCurve("render", (0.0, 1.0), (0.5, 0.3)), np.linspace(0.5, 0.3, 17)
    pipeline, errors = load(folder), []
    for guide in ("off", "gentle"):
        video, _ = made(pipeline, tmp_path, checkpoint=str(folder), light=curve, guide_light=guide, steps=8)
        errors.append(np.abs((video.mean((2, 3)).T @ LUMA).numpy() - wanted).mean())
    assert errors[1] < 0.5 * errors[0], errors
