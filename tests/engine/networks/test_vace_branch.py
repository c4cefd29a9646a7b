# SPDX-License-Identifier: GPL-3.0-or-later
"""The VACE branch of the transformer: against the original, and streamed block by block."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from golden import assert_close, facts, tensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_blocks import VaceBlock
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.networks.vace_layers import vace_layers
from wan_engine.runtime.block_offload import stream_blocks
from wan_engine.weights.weight_file import WeightFile

TRANSFORMERS = ("vace/dit_vace_1.3B", "vace/dit_vace_14B")


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def network_of(name):
    case, fact = tensors(name), facts(name)
    state = {key[2:]: value for key, value in case.items() if key.startswith("w.")}
    config = TransformerConfig.from_state({key: tuple(value.shape) for key, value in state.items()}, fact["config"])
    network = WanTransformer(config)
    network.load_state_dict(state)
    return network, case, fact


def velocity(network, case, item, times, scale):
    control = network.embed_control(vace=case[f"in.vace{item}"][None], scale=scale)
    return network(case[f"in.x{item}"][None], times, network.embed_text([case[f"in.context{item}"]], None, control))[0]


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_it_predicts_what_the_original_does(name):
    network, case, fact = network_of(name)
    scales, tolerances = fact["context_scales"], (fact["suggested_atol"], fact["suggested_rtol"])
    for when, scale in enumerate(scales):
        for item in (0, 1):
            got = velocity(network, case, item, case["in.t"][when, item : item + 1], scale)
            assert_close(got, case[f"out.t{when}.x{item}"], *tolerances, f"t{when} x{item}")
    assert_close(velocity(network, case, 0, case["in.t"][0, :1], 0.0), case["out.zero_scale"], *tolerances, "scale 0")


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_control_stream_and_hints_are_those_of_the_original(name):
    network, case, fact = network_of(name)
    seen = {}
    for number, block in enumerate(network.vace_blocks):
        block.register_forward_hook(lambda _, __, out, n=number: seen.update({n: [part.clone() for part in out]}))
    got = velocity(network, case, 0, case["in.t"][0, :1], fact["context_scales"][-1])
    tolerances = (fact["suggested_atol"], fact["suggested_rtol"])
    assert_close(got, case["out.single"], *tolerances, "velocity")
    for number in range(len(network.vace_blocks)):
        assert_close(seen[number][0], case[f"dbg.vace_block{number}"], *tolerances, f"stream {number}")
        assert_close(seen[number][1], case[f"dbg.hint{number}"], *tolerances, f"hint {number}")


def test_with_gradients_it_is_the_same_and_every_weight_learns():
    network, case, fact = network_of(TRANSFORMERS[0])
    want = velocity(network, case, 0, case["in.t"][0, :1], 0.5)
    with torch.enable_grad():
        got = velocity(network, case, 0, case["in.t"][0, :1], 0.5)
        got.square().sum().backward()
    assert_close(got.detach(), want, fact["suggested_atol"], fact["suggested_rtol"])
    assert all(weight.grad is not None for weight in network.parameters())


def test_spans_and_repeated_passes_change_nothing(monkeypatch):
    network, case, fact = network_of(TRANSFORMERS[1])
    control = network.embed_control(vace=case["in.vace0"][None])
    context = network.embed_text([case["in.context0"]], None, control)
    x, t = case["in.x0"][None], torch.tensor([400.0])
    first = network(x, t, context)
    assert torch.equal(network(x, t, context), first)
    monkeypatch.setattr(WanTransformer, "_longest_span", lambda self, x: 7)
    assert_close(network(x, t, context), first, fact["suggested_atol"], fact["suggested_rtol"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_streamed_block_by_block_it_gives_the_same_to_the_bit(dtype, tmp_path):
    network, case, _ = network_of(TRANSFORMERS[0])
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    file = WeightFile.open(tmp_path / "net.safetensors", "transformer")

    def build():
        return WanTransformer(network.config)

    resident, streamed = file.fill(build, dtype), stream_blocks(file, build, dtype, "cpu")
    held = [name for name, weight in streamed.named_parameters() if not weight.is_meta]
    assert not any("blocks." in name for name in held)
    for t in (900.0, 400.0):
        want, got = (velocity(each, case, 0, torch.tensor([t]), 0.8) for each in (resident, streamed))
        assert torch.equal(want, got)


def test_blocks_run_in_the_order_that_offloading_reads_them():
    network, case, _ = network_of(TRANSFORMERS[0])
    ran = []
    for prefix, block in network.in_order.items():
        block.register_forward_pre_hook(lambda *_, prefix=prefix: ran.append(prefix))
    velocity(network, case, 0, torch.tensor([500.0]), 1.0)
    assert ran == list(network.in_order)
    assert [isinstance(block, VaceBlock) for block in network.in_order.values()].count(True) == 2


def branch(count):
    return [f"vace_blocks.{number}.after_proj.weight" for number in range(count)]


def test_layers_of_the_published_models_follow_from_the_tensors():
    assert vace_layers(branch(15), 30) == tuple(range(0, 30, 2))
    assert vace_layers(branch(8), 40) == tuple(range(0, 40, 5))
    assert vace_layers([], 40) == ()


@given(st.integers(1, 60), st.integers(1, 60))
def test_layers_that_are_not_stated_are_evenly_spread_or_refused(count, layers):
    try:
        found = vace_layers(branch(count), layers)
    except ValueError:
        return
    assert len(found) == count and found[0] == 0 and found[-1] < layers
    assert len({after - before for before, after in pairwise(found)}) <= 1


@pytest.mark.parametrize("stated", [[0], [1, 2], [0, 9], [2, 0], [0, "1"], "0,2", [0, True]])
def test_stated_layers_that_do_not_fit_are_refused(stated):
    with pytest.raises(ValueError, match="vace_layers"):
        vace_layers(branch(2), 4, stated)
