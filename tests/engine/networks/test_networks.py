# SPDX-License-Identifier: GPL-3.0-or-later
"""Each network alone, against the original implementation in float32."""

import pytest
import torch
from golden import assert_close, facts, tensors

from wan_engine.networks.umt5 import T5Config, T5Encoder, relative_buckets
from wan_engine.networks.vae import WanVAE, load_vae


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def weights_of(case):
    return {k[2:]: v for k, v in case.items() if k.startswith("w.")}


def shapes_of(state):
    return {k: tuple(v.shape) for k, v in state.items()}


@pytest.mark.parametrize("name", ["vae21", "vae22"])
@pytest.mark.parametrize("frames", [1, 5, 9, 17])
def test_the_autoencoder_encodes_and_decodes_as_the_original(name, frames):
    case, fact = tensors(name), facts(name)
    vae = load_vae(weights_of(case))
    atol, rtol = fact["suggested_atol"], fact["suggested_rtol"]
    latents = vae.encode(case["in.video"][None, :, :frames])[0]
    assert_close(latents, case[f"out.enc{frames}"], atol, rtol, "encode")
    video = vae.decode(case["in.z"][None, :, : (frames - 1) // 4 + 1])[0]
    assert_close(video, case[f"out.dec{frames}"], atol, rtol, "decode")


@pytest.mark.parametrize("name", ["vae21", "vae22"])
def test_a_whole_clip_equals_its_chunks(name):
    case = tensors(name)
    vae: WanVAE = load_vae(weights_of(case))
    mean, inverse_std = vae._statistics(case["in.z"])
    video, z = case["in.video"][None], case["in.z"][None]
    whole = (vae.moments(video)[0] - mean) * inverse_std
    assert_close(whole, vae.encode(video), 1e-5, 1e-5, "encode")
    assert_close(vae.pixels(z / inverse_std + mean), vae.decode(z), 1e-5, 1e-5, "decode")


def test_other_weights_are_no_autoencoder():
    state = weights_of(tensors("vae21"))
    with pytest.raises(ValueError, match=r"decoder\.head\.2\.bias"):
        load_vae({k: v for k, v in state.items() if k != "decoder.head.2.bias"})
    with pytest.raises(ValueError, match="not a Wan autoencoder"):
        load_vae(weights_of(tensors("t5_encoder")))


def test_the_text_encoder_gives_the_originals_states():
    case, fact = tensors("t5_encoder"), facts("t5_encoder")
    state = weights_of(case)
    encoder = T5Encoder(T5Config.from_state(shapes_of(state)))
    encoder.load_state_dict(state)
    padded = encoder(case["in.ids"], case["in.mask"])
    for item, length in enumerate(fact["lens"]):
        want = case[f"out.context{item}"]
        for got in (padded[item, :length], encoder(case["in.ids"][item : item + 1, :length])[0]):
            assert_close(got, want, fact["suggested_atol"], fact["suggested_rtol"], f"context{item}")
    length = fact["L"]
    rows = [0, length // 2, length - 1]
    assert torch.equal(relative_buckets(length, fact["config"]["num_buckets"])[rows], case["out.bucket"])
