# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory plan, beside what the work really takes, and what is proposed when it does not fit."""

import dataclasses
import gc
import weakref
from pathlib import Path
from types import SimpleNamespace

import golden
import pytest
import torch
from peaks import growth

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.runtime import free_memory, vae_memory
from wan_engine.runtime.automatic import automatic_dtype, best_of, choices, nearest_that_fits, refusal, smaller_sizes
from wan_engine.runtime.memory_plan import MemoryPlan, MemorySettings, Stage, plan_memory

NANO = Path(__file__).parents[3] / "checkpoints" / "nano"


@pytest.fixture(scope="module")
def checkpoint():
    return open_checkpoint(NANO)


def plan(checkpoint, **changes):
    available = changes.pop("available", None)
    settings = MemorySettings((640, 384), 33, "float32", "none", guided=True)
    return plan_memory(checkpoint, dataclasses.replace(settings, **changes), available)


def stage(plan, name):
    return next(part for part in plan.parts if part.name == name)


MEASURED = """
from pathlib import Path
from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.runtime.block_offload import stream_blocks
from wan_engine.networks.transformer import WanTransformer

checkpoint = open_checkpoint(Path(sys.argv[1]))
build = lambda: WanTransformer(checkpoint.config)
file = checkpoint.experts["low"]

def sample(network):
    config = checkpoint.config
    contexts = [network.embed_text([torch.randn(20, config.text_dim)]) for _ in range(2)]
    x = torch.randn(1, config.in_dim, 9, 24, 40)
    for context in contexts:
        network(x, torch.tensor([500.0]), context)

def picture():
    vae = checkpoint.load_vae("cpu")
    for latent in vae.encode_stream(torch.zeros(1, 3, 1, 384, 640) for _ in range(9)):
        del latent

def decode(length, tile):
    vae = checkpoint.load_vae("cpu")
    for frame in vae.decode_stream(torch.randn(1, 48, length, 24, 40), tile):
        del frame

with torch.inference_mode():
    vae = checkpoint.load_vae("cpu")
    vae.encode(torch.zeros(1, 3, 5, 32, 32))
    next(vae.decode_stream(torch.zeros(1, 48, 1, 2, 2)))
    del vae
    for work in (
        lambda: sample(checkpoint.load_transformer("low", torch.float32, "cpu")),
        lambda: sample(checkpoint.load_transformer("low", torch.bfloat16, "cpu")),
        lambda: sample(stream_blocks(file, build, torch.float32, "cpu")),
        picture,
        lambda: decode(3, 0),
        lambda: decode(9, 128),
    ):
        begin()
        work()
        end()
"""


def test_it_expects_what_is_measured(checkpoint):
    """Each stage alone, at 640x384 and 33 frames: 2,160 tokens."""
    # A peak is what the worst of the runs shows: the reading thread meets the work at other moments each time.
    whole, half, block, picture, decode, tiles = map(max, growth(MEASURED, NANO), growth(MEASURED, NANO))
    expert = plan(checkpoint, offload="expert")
    expected = {
        "float32": (stage(expert, "transformer").total, whole),
        "bfloat16": (stage(plan(checkpoint, offload="expert", dtype="bfloat16"), "transformer").total, half),
        "block": (stage(plan(checkpoint, offload="block"), "transformer").total, block),
        "picture": (stage(expert, "picture").total, picture),
        "decoding": (stage(expert, "decoding").total, decode),
        "tiles": (stage(plan(checkpoint, offload="expert", vae_tiles=128), "decoding").total, tiles),
    }
    ratios = {name: round(told / measured, 2) for name, (told, measured) in expected.items()}
    assert all(0.6 < ratio < 1.6 for ratio in ratios.values()), ratios
    assert min(measured for _, measured in expected.values()) > 10 * 2**20  # large enough to tell


def test_longer_and_larger_clips_take_more_and_offloading_takes_less(checkpoint):
    base = plan(checkpoint)
    assert plan(checkpoint, size=(1280, 768)).peak > 2 * base.peak
    assert stage(plan(checkpoint, frames=65), "transformer").activations > 1.5 * stage(base, "transformer").activations
    peaks = [stage(plan(checkpoint, offload=offload), "transformer").weights for offload in ("none", "expert", "block")]
    assert peaks == sorted(peaks, reverse=True)
    assert len(set(peaks)) == 3
    short, long = (stage(plan(checkpoint, frames=n, offload="expert"), "decoding") for n in (17, 81))
    assert long.total == short.total  # decoding streams


def test_of_a_clip_in_windows_the_latents_alone_grow_with_its_length(checkpoint):
    def windowed(frames, **changes):
        return plan(checkpoint, frames=frames, window=33, offload="expert", **changes)

    usual, *longer = (windowed(frames, size=(160, 96)) for frames in (81, 129, 257))
    assert all(usual.peak <= long.peak < 1.1 * usual.peak for long in longer)
    grown = stage(windowed(257), "transformer").activations - stage(windowed(33), "transformer").activations
    latents = 4 * 24 * 40 * (65 - 9) * (checkpoint.config.in_dim + 8 * checkpoint.config.out_dim)
    assert latents <= grown < 1.5 * latents


def test_the_text_tells_every_stage_and_the_verdict(checkpoint):
    text = plan(checkpoint, available=2**20).text()
    for words in ("text encoder", "picture", "transformer", "decoding", "--size 640x384 --frames 33", "does not fit"):
        assert words in text
    assert "it fits" in plan(checkpoint, available=2**40).text()


@pytest.mark.parametrize("frames", [33, 257])
def test_what_is_dearest_to_the_picture_is_given_up_last(checkpoint, frames):
    wanted = plan(checkpoint, frames=frames)
    assert nearest_that_fits(checkpoint, dataclasses.replace(wanted, available=wanted.peak)) is not None
    last = wanted
    seen = []
    for _ in range(40):
        tight = dataclasses.replace(wanted, available=last.peak - 1)
        found = nearest_that_fits(checkpoint, tight)
        if found is None:
            break
        assert found.peak <= tight.available
        settings = found.settings
        seen.append((settings.frames, settings.size, settings.vae_tiles, settings.dtype, settings.offload))
        last = found
    assert seen[0][4] == "expert"
    assert seen[0][:4] == (frames, (640, 384), 0, "float32")
    if frames == 33:  # tiles hold the whole clip, so they save nothing of a long one
        assert any(tiles for _, _, tiles, _, _ in seen)
    else:  # of a short one the decoder takes most, whatever its length
        assert seen[-1][0] < frames
    order = [frames for frames, *_ in seen]
    assert order == sorted(order, reverse=True)


@pytest.mark.parametrize(
    ("parameters", "dtype"), [(6e6, "float32"), (2.5e8, "float32"), (1.3e9, "bfloat16"), (14.3e9, "bfloat16")]
)
def test_automatic_precision_goes_by_the_size_of_the_model(checkpoint, parameters, dtype):
    experts = {name: SimpleNamespace(parameters=int(parameters)) for name in checkpoint.experts}
    assert automatic_dtype(dataclasses.replace(checkpoint, experts=experts)) == dtype


def test_the_first_setting_that_fits_is_taken_and_else_the_one_that_needs_least(checkpoint):
    """Exact decoding is dearer than the time that offloading takes."""
    size = (640, 384)
    tried = list(choices("auto", None, size))
    assert tried[:4] == [("none", 0), ("expert", 0), ("block", 0), ("none", 512)] and tried[-1] == ("block", 64)
    plans = {pair: plan(checkpoint, offload=pair[0], vae_tiles=pair[1], frames=5) for pair in tried}
    least = min(plans, key=lambda pair: plans[pair].peak)

    def taken(free):
        found = best_of(dataclasses.replace(each, available=free) for each in plans.values())
        return (found.settings.offload, found.settings.vae_tiles), found.fits

    assert taken(2**40) == (("none", 0), True)
    assert taken(plans["none", 0].peak - 1) == (("expert", 0), True)
    (_, side), fits = taken(plans["block", 0].peak - 1)
    assert side > 0 and fits
    assert taken(2**20) == (least, False)


def test_what_is_stated_stays(checkpoint):
    assert set(choices("expert", None, (640, 384))) == {("expert", side) for side in (0, 512, 256, 128, 64)}
    assert list(choices("auto", 96, (640, 384))) == [("none", 96), ("expert", 96), ("block", 96)]
    assert list(choices("block", 0, (640, 384))) == [("block", 0)]
    assert [side for _, side in choices("block", None, (96, 128))] == [0, 64]  # a larger tile is the whole picture


def test_smaller_sizes_keep_the_shape(checkpoint):
    sizes = smaller_sizes(checkpoint, (640, 384))
    areas = [width * height for width, height in sizes]
    assert areas == sorted(areas, reverse=True) and areas[0] < 640 * 384 and 160 * 96 in areas
    assert areas[-1] < 160 * 96, "below the model's own, too"
    assert all(0.8 < (w / h) / (640 / 384) < 1.25 and w % 32 == h % 32 == 0 for w, h in sizes)


def test_every_autoencoder_peak_is_estimated_once(checkpoint, monkeypatch):
    estimated = []
    inner = vae_memory._most_alive
    monkeypatch.setattr(vae_memory, "_most_alive", lambda work: estimated.append(work) or inner(work))
    vae_memory._decoder_peak.cache_clear()
    vae_memory._encoder_peak.cache_clear()
    tight = plan(checkpoint, size=(1280, 768), available=2**20)
    assert nearest_that_fits(checkpoint, tight) is None
    sides = 1 + len(smaller_sizes(checkpoint, (1280, 768)))
    assert 4 <= len(estimated) <= 2 * sides + 3 * sides  # whole frames one way and the other, and tiles


@pytest.mark.parametrize("frames", [10**8 + 1, 10**30 + 1])
def test_absurd_lengths_are_answered_at_once(frames, checkpoint):
    found = nearest_that_fits(checkpoint, plan(checkpoint, frames=frames, available=2**30))
    assert found is not None and found.fits and found.settings.frames == 5
    tight = plan(checkpoint, frames=frames, available=2**20)
    assert "GiB" in refusal(tight, nearest_that_fits(checkpoint, tight))


def test_several_processes_share_the_blocks(checkpoint):
    alone, first, other = plan(checkpoint), plan(checkpoint, processes=4), plan(checkpoint, processes=4, first=False)
    assert [part.name for part in other.parts] == ["transformer"]
    assert [part.name for part in first.parts] == [part.name for part in alone.parts]
    assert stage(first, "transformer").activations < stage(alone, "transformer").activations
    assert other.peak < stage(first, "transformer").total < stage(alone, "transformer").total


def test_without_pictures_none_are_planned_for(checkpoint):
    assert "picture" not in [part.name for part in plan(checkpoint, pictures=False).parts]


def test_a_refusal_says_what_to_do():
    part = (Stage("decoding", 2**30, 2**33),)
    asked = MemorySettings((1280, 720), 81, "float32", "none", guided=True)
    big = MemoryPlan(asked, part, 2**32)
    tiled = dataclasses.replace(asked, vae_tiles=256, offload="expert")
    small = MemoryPlan(tiled, (Stage("decoding", 2**30, 2**31),), 2**32)
    words = refusal(big, small)
    assert "9.0 GiB" in words
    assert "4.0 GiB are free" in words
    assert "--size 1280x720 --frames 81 --dtype float32 --offload expert --vae-tiles 256 (about 3.0 GiB)" in words
    assert "smaller model" in refusal(big, None)


def test_limits_of_containers_and_processes_count(tmp_path):
    membership = tmp_path / "cgroup"
    membership.write_text("0::/outer/inner\n")
    for name, limit, used, cached in (("outer", "1000", "400", "100"), ("outer/inner", "max", "300", "0")):
        group = tmp_path / "fs" / name
        group.mkdir(parents=True)
        (group / "memory.max").write_text(limit + "\n")
        (group / "memory.current").write_text(used + "\n")
        (group / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")
    assert list(free_memory._control_groups(membership, tmp_path / "fs")) == [700]
    assert 2**20 < free_memory.available_memory("cpu") <= free_memory._physical()


def test_nothing_of_a_network_is_left_once_it_is_let_go_of(checkpoint):
    """Weights are freed with the last reference; neither files nor tables of the engine keep any."""
    expert = checkpoint.load_transformer("low", torch.float32, "cpu")
    vae, encoder = checkpoint.load_vae("cpu"), checkpoint.load_text_encoder(torch.float32, "cpu")
    config = checkpoint.config
    with torch.inference_mode():
        context = expert.embed_text([encoder(torch.tensor([[1, 2, 3]]))[0]])
        expert(torch.zeros(1, config.in_dim, 2, 4, 4), torch.tensor([10.0]), context)
        vae.decode(vae.encode(torch.zeros(1, 3, 5, 32, 32)))
    kept = [weakref.ref(p) for network in (expert, vae, encoder) for p in network.parameters()]
    del expert, vae, encoder, context
    gc.collect()
    assert [ref() for ref in kept if ref() is not None] == []


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("Wan2.2-Fun-A14B-Control", lambda config, tokens, frame: frame * config.dim * 4),
        ("Wan2.2-Fun-A14B-Control-Camera", lambda config, tokens, frame: tokens * config.dim * 4),
    ],
)
def test_reference_and_camera_are_planned_for(model, kept):
    """At least the tokens that are added to the clip's, beside the same transformer without the module."""
    checkpoint = open_checkpoint(golden.path(f"control/fullstack/{model}/checkpoint"))
    plain = dataclasses.replace(checkpoint, model=dataclasses.replace(checkpoint.model, modules=frozenset()))
    (with_it, without) = (stage(plan(one, size=(832, 480)), "transformer").activations for one in (checkpoint, plain))
    frame, frames = 60 * 104 // 4, (33 - 1) // 4 + 1
    assert with_it - without >= kept(checkpoint.config, frames * frame, frame)
