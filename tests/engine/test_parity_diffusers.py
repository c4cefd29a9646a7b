# SPDX-License-Identifier: GPL-3.0-or-later
"""The transformer beside Diffusers' own at tiny random size, and the error of bfloat16."""

import pytest
import saved
import torch

from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.weights import tensor_names


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def same_weights(theirs, heads):
    """Our network with the weights of Diffusers' one."""
    state = theirs.state_dict()
    recipes = tensor_names.published({name: tuple(data.shape) for name, data in state.items()}, "transformer")
    own = {name: state[recipe.parts[0]] for name, recipe in recipes.items()}
    config = TransformerConfig.from_state({n: tuple(d.shape) for n, d in own.items()}, {"num_heads": heads})
    ours = WanTransformer(config)
    ours.load_state_dict(own)
    return ours.eval()


def relative_error(got, want):
    return float((got.double() - want.double()).norm() / want.double().norm())


@pytest.mark.parametrize(("channels", "pictures"), [((16, 16), 0), ((36, 16), 0), ((36, 16), 1), ((48, 48), 0)])
def test_it_predicts_what_diffusers_does(channels, pictures):
    theirs = saved.diffusers_transformer(channels, pictures=pictures)
    ours = same_weights(theirs, heads=2)
    x, text = drawn(2, channels[0], 3, 8, 12), drawn(2, 512, 32, seed=1)
    clip = drawn(2, 257, 48, seed=2) if pictures else None
    t = torch.tensor([925.0, 3.0])
    want = theirs(x, t, text, encoder_hidden_states_image=clip, return_dict=False)[0]
    assert relative_error(ours(x, t, ours.embed_text(list(text), clip)), want) < 1e-5


def test_a_timestep_for_each_token_is_that_of_diffusers():
    theirs = saved.diffusers_transformer((48, 48))
    ours = same_weights(theirs, heads=2)
    x, text = drawn(1, 48, 3, 8, 12), drawn(1, 512, 32, seed=1)
    t = torch.full((1, 72), 650.0)
    t[:, :24] = 0
    want = theirs(x, t, text, return_dict=False)[0]
    assert relative_error(ours(x, t, ours.embed_text(list(text))), want) < 1e-5


def test_bfloat16_stays_within_half_a_percent_of_float32():
    torch.manual_seed(0)
    exact = WanTransformer(TransformerConfig(512, 2048, 8, 8, 16, 16, 64)).eval()
    x, text, t = drawn(1, 16, 5, 32, 32), [drawn(512, 64, seed=1)], torch.tensor([500.0])
    want = exact(x, t, exact.embed_text(text))
    short = exact.to(torch.bfloat16)
    assert relative_error(short(x, t, short.embed_text(text)), want) < 0.005
