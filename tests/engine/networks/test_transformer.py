# SPDX-License-Identifier: GPL-3.0-or-later
"""The diffusion transformer alone: against the original in float32, and what must not change its result."""

import pytest
import torch
from golden import assert_close, facts, tensors

from wan_engine.errors import UsageError
from wan_engine.networks import rotary
from wan_engine.networks.token_spans import token_spans
from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig

TRANSFORMERS = ("dit_t2v", "dit_i2v", "dit_ti2v", "dit21_t2v", "dit21_i2v", "dit21_flf2v")


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def transformer_of(name):
    case, fact = tensors(name), facts(name)
    state = {k[2:]: v for k, v in case.items() if k.startswith("w.")}
    shapes = {k: tuple(v.shape) for k, v in state.items()}
    model = WanTransformer(TransformerConfig.from_state(shapes, fact["config"]))
    model.load_state_dict(state)
    return model, case, fact


def run(model, case, item, times, **options):
    x = case[f"in.x{item}"][None]
    if f"in.y{item}" in case:
        x = torch.cat([x, case[f"in.y{item}"][None]], 1)
    clip = None
    if "in.clip_fea" in case:
        pictures = 2 if model.config.flf else 1
        clip = case["in.clip_fea"][item * pictures : (item + 1) * pictures].flatten(0, 1)[None]
    return model(x, times, model.embed_text([case[f"in.context{item}"]], clip), **options)[0]


def expected(case):
    """Key, item and timesteps of every recorded output."""
    for key in (k for k in case if k.startswith("out.t")):
        _, when, item = key.split(".")
        number = int(item[1:])
        if f"in.{when}" in case:  # per token, padded to seq_len
            yield key, number, case[f"in.{when}"][number : number + 1, : case[f"in.x{number}"][0].numel() // 4]
        else:
            yield key, number, case["in.t"][int(when[1:])].reshape(-1)[number : number + 1]


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_it_predicts_what_the_original_does(name):
    model, case, fact = transformer_of(name)
    for key, number, times in expected(case):
        assert_close(run(model, case, number, times), case[key], fact["suggested_atol"], fact["suggested_rtol"], key)


@pytest.mark.parametrize("name", ["dit_ti2v", "dit21_i2v"])
def test_short_spans_of_tokens_give_the_same(name, monkeypatch):
    monkeypatch.setattr(WanTransformer, "_longest_span", lambda self, x: 7)
    model, case, fact = transformer_of(name)
    for key, number, times in expected(case):
        assert_close(run(model, case, number, times), case[key], fact["suggested_atol"], fact["suggested_rtol"], key)


def test_tokens_are_cut_where_the_timestep_changes():
    index = torch.tensor([[0, 0, 1, 1, 1, 1, 1]])
    cut = [(s.tokens.start, s.tokens.stop, s.rows.tolist()) for s in token_spans(index, 7, 3)]
    assert cut == [(0, 2, [[0]]), (2, 5, [[1]]), (5, 7, [[1]])]
    busy = torch.arange(40)[None] % 2
    assert [s.rows.tolist() for s in token_spans(busy, 40, 30)] == [busy[:, :30].tolist(), busy[:, 30:].tolist()]
    assert [s.tokens for s in token_spans(index[:, :1], 7, 100)] == [slice(0, 7)]


def test_timesteps_that_change_with_every_token_equal_those_told_one_by_one():
    """Self attention aside every token is on its own, so the layers' modulation is seen per token."""
    model, case, fact = transformer_of("dit_t2v")
    tokens = case["in.x0"][0].numel() // 4
    times = torch.arange(tokens)[None] * 7.0 % 1000
    got = run(model, case, 0, times)
    with torch.enable_grad():  # all tokens in one span, nothing in place
        want = run(model, case, 0, times).detach()
    assert_close(got, want, fact["suggested_atol"], fact["suggested_rtol"])


def test_one_timestep_for_all_tokens_equals_the_same_timestep_for_each():
    model, case, _ = transformer_of("dit_t2v")
    tokens = case["in.x0"][0].numel() // 4
    one, each = run(model, case, 0, torch.tensor([500.0])), run(model, case, 0, torch.full((1, tokens), 500.0))
    assert torch.equal(one, each)


def test_several_clips_at_once_equal_each_alone():
    model, case, fact = transformer_of("dit_t2v")
    x = torch.stack([case["in.x0"], case["in.x0"].flip(1)])
    rows = [case["in.context0"], 2 * case["in.context0"]]
    together = model(x, torch.tensor([700.0, 300.0]), model.embed_text(rows))
    for k, time in enumerate((700.0, 300.0)):
        alone = model(x[k : k + 1], torch.tensor([time]), model.embed_text(rows[k : k + 1]))[0]
        assert_close(together[k], alone, fact["suggested_atol"], fact["suggested_rtol"])


def test_keys_and_values_of_the_text_are_kept_between_steps_without_changing_the_result():
    model, case, _ = transformer_of("dit_t2v")
    context = model.embed_text([case["in.context0"]])
    x = case["in.x0"][None]
    first = model(x, torch.tensor([900.0]), context)
    assert len(context.known) == len(model.blocks)
    assert torch.equal(model(x, torch.tensor([900.0]), context), first)
    fresh = model(x, torch.tensor([300.0]), model.embed_text([case["in.context0"]]))
    assert torch.equal(model(x, torch.tensor([300.0]), context), fresh)


def test_the_input_is_left_as_it_was():
    model, case, _ = transformer_of("dit_t2v")
    x = case["in.x0"][None].clone()
    model(x, torch.tensor([900.0]), model.embed_text([case["in.context0"]]))
    assert torch.equal(x, case["in.x0"][None])


def test_a_block_can_be_refused_before_it_runs():
    model, case, _ = transformer_of("dit_t2v")
    seen = []

    def stop(block):
        seen.append(block)
        if block == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(model, case, 0, torch.tensor([500.0]), on_block=stop)
    assert seen == [0, 1]


class OneOfOne:
    """Token parallelism of a single process, which notes what was cut and joined."""

    def __init__(self):
        self.split_along, self.joined_along = [], []

    def split(self, x, dim):
        self.split_along.append(dim)
        return x

    def join(self, x, dim):
        self.joined_along.append(dim)
        return x


def test_keys_values_and_result_are_joined_over_the_ranks():
    model, case, _ = transformer_of("dit_t2v")
    alone = run(model, case, 0, torch.tensor([500.0]))
    model.sequence = OneOfOne()
    assert torch.equal(run(model, case, 0, torch.tensor([500.0])), alone)
    assert model.sequence.split_along == [1, 0]
    assert model.sequence.joined_along == [1, 1] * len(model.blocks) + [1]


@pytest.mark.parametrize("name", ["sdpa", "math", "blocked"])
def test_attention_is_chosen_by_name(name):
    model, case, fact = transformer_of("dit_t2v")
    model.attention = name
    key, number, times = next(expected(case))
    assert_close(run(model, case, number, times), case[key], fact["suggested_atol"], fact["suggested_rtol"], key)


def test_unknown_attention_is_refused():
    model, case, _ = transformer_of("dit_t2v")
    model.attention = "magic"
    with pytest.raises(UsageError, match="'magic' is unknown"):
        run(model, case, 0, torch.tensor([500.0]))


def test_it_learns():
    """Gradients reach every parameter, and under bfloat16 autocast a few steps lower the loss."""
    torch.manual_seed(0)
    model = WanTransformer(TransformerConfig(48, 96, 2, 2, 4, 4, 8, freq_dim=32, text_len=6))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    x, text, t = torch.randn(2, 4, 2, 8, 8), [torch.randn(5, 8)] * 2, torch.tensor([900.0, 100.0])
    losses = []
    with torch.enable_grad():
        for _ in range(8):
            with torch.autocast("cpu", torch.bfloat16):
                loss = (model(x, t, model.embed_text(text)).float() - x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert losses[-1] < 0.7 * losses[0]


def test_gradients_are_those_of_the_plain_formula():
    """float64 finite differences along a random direction."""
    torch.manual_seed(0)
    model = WanTransformer(TransformerConfig(24, 48, 2, 1, 2, 2, 8, freq_dim=16, text_len=4))
    x, text, t = torch.randn(1, 2, 1, 4, 4), [torch.randn(3, 8)], torch.tensor([500.0])
    step = torch.randn_like(x)
    with torch.enable_grad():
        probe = x.clone().requires_grad_()
        model(probe, t, model.embed_text(text)).square().sum().backward()
    context = model.embed_text(text)
    up, down = (float(model(x + s * step, t, context).double().square().sum()) for s in (1e-2, -1e-2))
    assert (probe.grad * step).sum().item() == pytest.approx((up - down) / 2e-2, rel=2e-2)


def test_the_rotary_table_may_be_used_with_gradients_after_inference():
    rotary.rotary_table.cache_clear()
    with torch.inference_mode():
        rotary.rotary_table(12, (2, 2, 2))
    assert not rotary.rotary_table(12, (2, 2, 2)).is_inference()
