# SPDX-License-Identifier: GPL-3.0-or-later
"""Every attention backend that can be had here against the formula in float64."""

import pytest
import torch

from wan_engine.errors import UsageError
from wan_engine.networks import attention

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# relative L2 error that rounding alone explains; `sage` works with 8 bits
BOUNDS = {torch.float32: 2e-6, torch.bfloat16: 6e-3}


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def formula(q, k, v):
    q, k, v = (x.double().transpose(1, 2) for x in (q, k, v))
    return ((q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v).transpose(1, 2)


def inputs(dtype, queries, keys, heads=3, width=32):
    generator = torch.Generator().manual_seed(queries)
    shapes = ((2, queries, heads, width), (2, keys, heads, width), (2, keys, heads, width))
    return [(2 * torch.randn(s, generator=generator)).to(DEVICE, dtype) for s in shapes]


def relative_error(got, want):
    return ((got.double() - want).norm() / want.norm()).item()


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize(("queries", "keys"), [(700, 700), (1000, 77), (5, 400), (1, 1)])
@pytest.mark.parametrize("name", attention.available(DEVICE))
def test_every_backend_gives_what_the_formula_gives(name, queries, keys, dtype):
    if dtype == torch.float32 and name in ("flash", "sage"):
        pytest.skip("works with 16 bits only")
    q, k, v = inputs(dtype, queries, keys)
    got = attention.choose(name, DEVICE, dtype)(q, k, v)
    assert got.shape == q.shape
    assert got.dtype == dtype
    bound = 0.05 if name == "sage" else BOUNDS[dtype]
    assert relative_error(got, formula(q, k, v)) < bound


def test_large_scores_do_not_overflow():
    q, k, v = inputs(torch.float32, 300, 300)
    for name in attention.available("cpu"):
        got = attention.BACKENDS[name](30 * q.cpu(), 30 * k.cpu(), v.cpu())
        assert relative_error(got, formula(30 * q.cpu(), 30 * k.cpu(), v.cpu())) < 2e-4, name


def test_views_of_any_layout_are_taken():
    q, k, v = (x.cpu() for x in inputs(torch.float32, 300, 250))
    want = formula(q, k, v)
    shuffled = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v)]
    for name in attention.available("cpu"):
        assert relative_error(attention.BACKENDS[name](*shuffled), want) < 2e-6, name


def test_gradients_flow_through_the_default():
    with torch.enable_grad():
        q, k, v = (x.cpu().requires_grad_() for x in inputs(torch.float32, 300, 300))
        attention.auto(q, k, v).square().sum().backward()
        ours = [x.grad.clone() for x in (q, k, v)]
        for x in (q, k, v):
            x.grad = None
        formula(q, k, v).square().sum().backward()
    for got, x in zip(ours, (q, k, v), strict=True):
        assert relative_error(got, x.grad.double()) < 1e-5


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UsageError, match=r"'quick' is unknown; choose one of auto, sdpa, math, blocked\."):
        attention.choose("quick", "cpu", torch.float32)


def test_a_backend_that_is_not_installed_says_what_it_needs():
    with pytest.raises(UsageError, match="needs CUDA and the package sageattention; choose one of auto, sdpa"):
        attention.choose("sage", "cpu", torch.bfloat16)
