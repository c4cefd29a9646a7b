# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings by themselves: the first request of every published model on machines of all sizes."""

from __future__ import annotations

import dataclasses
from itertools import product

import pytest
from published import PUBLISHED, in_words, published_folder

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.options import STATED_OFFLOADS
from wan_engine.runtime.automatic import TILES, Machine, automatic_dtype, settled, smaller_sizes
from wan_engine.runtime.memory_plan import MemorySettings, Planner

GIB = 2**30
COMPUTERS = (8, 12, 16, 24, 32, 48, 64)
CARDS = (6, 8, 10, 12, 16, 24, 32, 48, 80)
TAKEN = 2.5  # GiB that a desktop and its programs have of a computer's memory
SHOWN = 0.7  # GiB that a desktop and PyTorch have of a card's
MACHINES = [Machine("cpu", round((n - TAKEN) * GIB), round((n - TAKEN) * GIB)) for n in COMPUTERS]
MACHINES += [Machine("cuda", round((n - SHOWN) * GIB), round((16 - TAKEN) * GIB)) for n in CARDS]


@pytest.fixture(scope="module", params=PUBLISHED, ids=lambda row: in_words(row[1]))
def checkpoint(request, tmp_path_factory):
    manifest, row, _ = request.param
    return open_checkpoint(published_folder(tmp_path_factory.mktemp("models"), manifest, row))


def first_request(checkpoint, device):
    model = checkpoint.model
    return MemorySettings(
        model.sizes[0], model.frame_counts[0], "auto", "auto", any(guide != 1 for guide in model.guide),
        window=model.longest, device=device,
    )  # fmt: skip


def every_setting(checkpoint, asked):
    """All that can be chosen of a request, by brute force."""
    planner = Planner(checkpoint)
    for size in [asked.size, *smaller_sizes(checkpoint, asked.size)]:
        for offload, tiles in product(STATED_OFFLOADS, TILES):
            settings = dataclasses.replace(asked, size=size, dtype="bfloat16", offload=offload, vae_tiles=tiles)
            yield planner.plan(settings, 0, 0)


def test_no_first_request_that_could_be_met_is_refused(checkpoint):
    model, told = checkpoint.model, {}
    areas = {width * height for width, height in model.sizes}
    for device in ("cpu", "cuda"):
        asked = first_request(checkpoint, device)
        tried = list(every_setting(checkpoint, asked))
        for machine in (machine for machine in MACHINES if machine.device == device):
            could = [plan for plan in tried if plan.peak <= machine.memory and plan.host <= machine.host]
            found = settled(checkpoint, machine, asked, None, any_size=True)
            assert found.fits == bool(could), (machine, found.settings)
            settings = found.settings
            told[device, machine.memory / GIB] = settings.as_options()
            assert settings.dtype == automatic_dtype(checkpoint) and settings.frames == asked.frames
            if not could:
                continue
            largest = max(plan.settings.size[0] * plan.settings.size[1] for plan in could)
            assert settings.size[0] * settings.size[1] == largest
            if largest in areas:  # exact wherever it can be
                exact = any(not p.settings.vae_tiles for p in could if p.settings.size == settings.size)
                assert (settings.vae_tiles == 0) == exact
    assert len(told) == len(MACHINES)


def test_a_smaller_size_is_taken_where_the_larger_takes_too_long(checkpoint):
    asked = first_request(checkpoint, "cuda")
    machine = Machine("cuda", 2**60, 2**60)

    def sides(bearable):
        return settled(checkpoint, machine, asked, None, True, bearable).settings.size

    assert sides(lambda settings: True) == asked.size
    slow = sides(lambda settings: settings.size != asked.size)
    least = min(width * height for width, height in checkpoint.model.sizes)
    assert slow[0] * slow[1] <= asked.size[0] * asked.size[1]
    never = sides(lambda settings: False)
    assert never[0] * never[1] >= 0.8 * least  # of a size that it was not made for it makes no good clip, however quick


def test_what_is_stated_is_not_changed(checkpoint):
    machine = Machine("cuda", 6 * GIB, 6 * GIB)
    stated = dataclasses.replace(first_request(checkpoint, "cuda"), dtype="float16", offload="expert")
    found = settled(checkpoint, machine, stated, 0).settings
    assert (found.size, found.dtype, found.offload, found.vae_tiles) == (stated.size, "float16", "expert", 0)
