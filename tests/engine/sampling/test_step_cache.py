# SPDX-License-Identifier: GPL-3.0-or-later
"""Step caching: what it leaves out, what it says about it, and that it is exact where it leaves out nothing."""

from functools import partial

import pytest
import torch

from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.sampling.step_cache import StepCache


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def follow(cache, curve, times):
    """Runs the cache along a known curve; the worst relative L1 error of what it predicted."""
    worst = 0.0
    for time in times:
        t = torch.tensor([float(time)])
        truth = curve(float(time))
        guess = cache.predict(t)
        if guess is None:
            cache.keep(t, truth)
        else:
            worst = max(worst, float((guess - truth).abs().sum() / truth.abs().sum()))
    return worst


TIMES = range(1000, 0, -25)


def test_a_straight_line_is_left_out_but_for_the_first_three_steps():
    cache = StepCache(0.01)
    slope = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    assert follow(cache, lambda t: 3 + slope * t / 1000, TIMES) < 1e-4
    assert cache.skipped == list(range(3, 40))


def test_a_steady_bend_stays_within_the_threshold():
    cache = StepCache(0.02)
    worst = follow(cache, lambda t: torch.full((4,), 5 + 20 * (t / 1000) ** 2), TIMES)
    assert 5 < len(cache.skipped) < 30
    assert 0 < worst <= 0.03
    assert cache.measured_error >= worst  # it is taken one step farther out


def test_a_jumping_curve_is_computed_throughout():
    cache = StepCache(0.05)
    generator = torch.Generator().manual_seed(1)
    assert follow(cache, lambda t: torch.randn(16, generator=generator), TIMES) == 0
    assert cache.skipped == []


def test_steps_are_counted_from_the_expert_switch():
    cache = StepCache(0.01, first_step=26)
    follow(cache, lambda t: torch.ones(3), [600, 500, 400, 300, 200])
    assert cache.skipped == [29, 30]


def test_nan_is_not_carried_on():
    cache = StepCache(0.5)
    follow(cache, lambda t: torch.ones(3) * (float("nan") if t == 800 else 1), [1000, 900, 800, 700])
    t = torch.tensor([600.0])
    assert torch.isfinite(cache.predict(t)).all()


def network():
    torch.manual_seed(0)
    return WanTransformer(TransformerConfig(48, 96, 2, 2, 4, 4, 8, freq_dim=32, text_len=6)).eval()


@pytest.mark.parametrize("per_token", [False, True])
def test_a_step_it_knows_runs_no_block_of_the_transformer(per_token):
    model = network()
    context = model.embed_text([torch.randn(5, 8)])
    x, cache, blocks = torch.randn(1, 4, 2, 8, 8), StepCache(0.3), []
    for k, time in enumerate((900.0, 899.0, 898.0, 897.0)):
        t = torch.tensor([time])
        if per_token:
            t = t.repeat(1, 32)
            t[:, :16] = 0
        got = cache.velocity(t, partial(model, x, t, context, blocks.append))
        want = model(x, t, context)
        if k < 3:
            assert torch.equal(got, want)
        else:
            assert (got - want).norm() < 0.05 * want.norm()
    assert cache.skipped == [3]
    assert blocks == [0, 1] * 3
