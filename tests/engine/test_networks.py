# SPDX-License-Identifier: GPL-3.0-or-later
"""Each network alone, against the original implementation in float32."""

import pytest
import torch
from golden import assert_close, facts, tensors

from wan_engine.t5 import T5Config, T5Encoder, relative_buckets
from wan_engine.transformer import TransformerConfig, WanTransformer
from wan_engine.vae import WanVAE, load_vae

TRANSFORMERS = ("dit_t2v", "dit_i2v", "dit_ti2v", "dit21_t2v", "dit21_i2v", "dit21_flf2v")


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def weights_of(case):
    return {k[2:]: v for k, v in case.items() if k.startswith("w.")}


def shapes_of(state):
    return {k: tuple(v.shape) for k, v in state.items()}


def transformer_of(name):
    case, fact = tensors(name), facts(name)
    state = weights_of(case)
    model = WanTransformer(TransformerConfig.from_state(shapes_of(state), fact["config"]))
    model.load_state_dict(state)
    return model, case, fact


def run(model, case, item, times):
    x = case[f"in.x{item}"][None]
    if f"in.y{item}" in case:
        x = torch.cat([x, case[f"in.y{item}"][None]], 1)
    clip = None
    if "in.clip_fea" in case:
        pictures = 2 if model.config.flf else 1
        clip = case["in.clip_fea"][item * pictures : (item + 1) * pictures].flatten(0, 1)[None]
    return model(x, times, model.embed_text([case[f"in.context{item}"]], clip))[0]


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_the_transformer_predicts_what_the_original_does(name):
    model, case, fact = transformer_of(name)
    for key in (k for k in case if k.startswith("out.t")):
        _, when, item = key.split(".")
        number = int(item[1:])
        if f"in.{when}" in case:  # per token, padded to seq_len
            x = case[f"in.x{number}"]
            times = case[f"in.{when}"][number : number + 1, : x[0].numel() // 4]
        else:
            times = case["in.t"][int(when[1:])].reshape(-1)[number : number + 1]
        got = run(model, case, number, times)
        assert_close(got, case[key], fact["suggested_atol"], fact["suggested_rtol"], key)


def test_one_timestep_for_all_tokens_equals_the_same_timestep_for_each():
    model, case, _ = transformer_of("dit_t2v")
    tokens = case["in.x0"][0].numel() // 4
    one, each = run(model, case, 0, torch.tensor([500.0])), run(model, case, 0, torch.full((1, tokens), 500.0))
    assert torch.equal(one, each)


def test_keys_and_values_of_the_text_are_kept_between_steps_without_changing_the_result():
    model, case, _ = transformer_of("dit_t2v")
    context = model.embed_text([case["in.context0"]])
    x = case["in.x0"][None]
    first = model(x, torch.tensor([900.0]), context)
    assert len(context.cache) == len(model.blocks)
    assert torch.equal(model(x, torch.tensor([900.0]), context), first)
    fresh = model(x, torch.tensor([300.0]), model.embed_text([case["in.context0"]]))
    assert torch.equal(model(x, torch.tensor([300.0]), context), fresh)


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
