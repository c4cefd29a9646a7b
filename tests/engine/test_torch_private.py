# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch's private names: still there in the installed release, and still what the engine takes them for."""

import pytest
import torch
import torch.nn.functional as F

from wan_engine.torch_private import KNOWN, TorchDispatchMode, onednn_dtypes, onednn_linear


def test_the_installed_release_is_known():
    release = ".".join(torch.__version__.split(".")[:2])
    assert release in KNOWN, f"PyTorch {release} is new: add it to KNOWN once the other tests here pass"


def test_no_name_is_gone():
    assert torch.backends.mkldnn.is_available()
    assert str(torch.ops.mkldnn._linear_pointwise.default._schema) == (
        "mkldnn::_linear_pointwise(Tensor X, Tensor W, Tensor? B, str attr, Scalar?[] scalars, str? algorithm) "
        "-> Tensor Y"
    )
    assert isinstance(torch.ops.mkldnn._is_mkldnn_bf16_supported(), bool)
    assert torch.float32 in onednn_dtypes()


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
def test_onednn_gives_what_pytorch_gives(gelu, with_bias):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(shape, generator=generator) for shape in ((2, 5, 32), (24, 32), (24,)))
    with torch.no_grad():
        got = onednn_linear(x, weight, bias if with_bias else None, gelu)
    want = F.linear(x, weight, bias if with_bias else None)
    torch.testing.assert_close(got, F.gelu(want, approximate="tanh") if gelu else want, atol=1e-5, rtol=1e-5)


def test_a_dispatch_mode_sees_every_operation_also_on_tensors_without_data():
    seen = []

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(func)
            return func(*args, **(kwargs or {}))

    with Watching():
        torch.empty(2, 3, device="meta") + 1
    assert seen[-1] is torch.ops.aten.add.Tensor
