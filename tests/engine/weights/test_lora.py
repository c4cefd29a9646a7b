# SPDX-License-Identifier: GPL-3.0-or-later
"""One random LoRA in every way of naming, merged and compared with the sum computed by hand."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import golden
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.errors import CheckpointError, UsageError
from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.request_parts import Lora
from wan_engine.weights.lora import lora_notes, lora_patch
from wan_engine.weights.lora_names import LayerIndex
from wan_engine.weights.tensor_names import published

RANK, ALPHA = 4, 3.0
CONFIG = TransformerConfig(
    dim=24, ffn_dim=40, num_heads=2, num_layers=2, in_dim=8, out_dim=4, text_dim=12, freq_dim=16, clip_dim=10
)
# Published layer -> its name in Diffusers.
LAYERS = {
    "blocks.0.self_attn.q": "blocks.0.attn1.to_q",
    "blocks.1.self_attn.k": "blocks.1.attn1.to_k",
    "blocks.1.self_attn.o": "blocks.1.attn1.to_out.0",
    "blocks.0.cross_attn.v": "blocks.0.attn2.to_v",
    "blocks.0.cross_attn.k_img": "blocks.0.attn2.add_k_proj",
    "blocks.1.cross_attn.v_img": "blocks.1.attn2.add_v_proj",
    "blocks.0.ffn.0": "blocks.0.ffn.net.0.proj",
    "blocks.1.ffn.2": "blocks.1.ffn.net.2",
    "patch_embedding": "patch_embedding",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "img_emb.proj.1": "condition_embedder.image_embedder.ff.net.0.proj",
    "img_emb.proj.3": "condition_embedder.image_embedder.ff.net.2",
    "head.head": "proj_out",
}


@pytest.fixture(scope="module")
def network() -> WanTransformer:
    torch.manual_seed(3)
    return WanTransformer(CONFIG).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def weights(network) -> dict[str, Tensor]:
    return network.state_dict()


def shapes_of(weights: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}


@pytest.fixture(scope="module")
def factors(weights) -> dict[str, tuple[Tensor, Tensor]]:
    """(down, up) per layer; those of the convolution keep its kernel."""
    torch.manual_seed(4)
    pairs = {}
    for layer in LAYERS:
        out, *rest = weights[f"{layer}.weight"].shape
        pairs[layer] = torch.randn(RANK, *rest), torch.randn(out, RANK, *[1] * (len(rest) - 1))
    return pairs


def by_hand(weights: dict[str, Tensor], factors: dict[str, tuple[Tensor, Tensor]], scale: float) -> dict[str, Tensor]:
    want = dict(weights)
    for layer, (down, up) in factors.items():
        weight = weights[f"{layer}.weight"]
        delta = torch.einsum("or,ri->oi", up.flatten(1), down.flatten(1)).reshape(weight.shape)
        want[f"{layer}.weight"] = weight + scale * delta
    return want


def merged(weights: dict[str, Tensor], loras: list[Lora], expert: str = "dense") -> dict[str, Tensor]:
    patch = lora_patch(loras, expert, shapes_of(weights))
    assert patch is not None
    return {name: patch(name, tensor) for name, tensor in weights.items()}


def assert_same(got: dict[str, Tensor], want: dict[str, Tensor]) -> None:
    assert got.keys() == want.keys()
    for name in want:
        torch.testing.assert_close(got[name], want[name], atol=1e-5, rtol=1e-5, msg=name)


Factors = dict[str, tuple[Tensor, Tensor]]


def spelled(
    name: Callable[[str], str], down: str = "lora_down.weight", up: str = "lora_up.weight", alpha: bool = True
) -> Callable[[Factors], dict[str, Tensor]]:
    """The LoRA as a file's tensors; where the dialect knows no alpha, the scale is part of `up`."""

    def write(factors: Factors) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {}
        for layer, (a, b) in factors.items():
            state[f"{name(layer)}.{down}"] = a.clone()
            state[f"{name(layer)}.{up}"] = b.clone() if alpha else b * (ALPHA / RANK)
            if alpha:
                state[f"{name(layer)}.alpha"] = torch.tensor(ALPHA)
        return state

    return write


def flat(layer: str) -> str:
    return layer.replace(".", "_")


AB = ("lora_A.weight", "lora_B.weight")
DEFAULT = ("lora_A.default.weight", "lora_B.default.weight")
DIALECTS = {
    "comfyui": spelled(lambda layer: f"diffusion_model.{layer}"),
    "comfyui-ab": spelled(lambda layer: f"diffusion_model.{layer}", *AB, alpha=False),
    "comfyui-ab-alpha": spelled(lambda layer: f"diffusion_model.{layer}", *AB),
    "kohya": spelled(lambda layer: f"lora_unet_{flat(layer)}"),
    "fun": spelled(lambda layer: f"lora_unet__{flat(layer)}"),
    "lycoris": spelled(lambda layer: f"lycoris_{flat(layer)}"),
    "kohya-diffusers-names": spelled(lambda layer: f"lora_unet_{flat(LAYERS[layer])}"),
    "diffusers": spelled(lambda layer: f"transformer.{LAYERS[layer]}", *AB, alpha=False),
    "diffusers-down-up": spelled(lambda layer: f"transformer.{LAYERS[layer]}"),
    "diffusers-old": spelled(lambda layer: LAYERS[layer], "lora.down.weight", "lora.up.weight"),
    "diffsynth": spelled(lambda layer: f"pipe.dit.{layer}", *DEFAULT, alpha=False),
    "peft": spelled(lambda layer: f"base_model.model.{layer}", *AB, alpha=False),
    "peft-wrapped": spelled(lambda layer: f"base_model.model.diffusion_model.{layer}", *DEFAULT, alpha=False),
    "no-prefix": spelled(lambda layer: layer, *DEFAULT, alpha=False),
    "no-prefix-down-up": spelled(lambda layer: layer),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_every_dialect_gives_the_same_weights(dialect, suffix, weights, factors, tmp_path):
    path = tmp_path / f"lora{suffix}"
    state = DIALECTS[dialect](factors)
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    got = merged(weights, [Lora(str(path), 0.7)])
    assert_same(got, by_hand(weights, factors, 0.7 * ALPHA / RANK))


def saved(state: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> str:
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path, metadata)
    return str(path)


@pytest.fixture
def plain(factors, tmp_path) -> str:
    """The LoRA with its alpha, in ComfyUI's names."""
    return saved(DIALECTS["comfyui"](factors), tmp_path / "plain.safetensors")


def test_every_layer_of_diffusers_is_found(weights):
    """All linear and convolution layers of the library's own model, one to one with ours."""
    diffusers = pytest.importorskip("diffusers")
    with torch.device("meta"):
        theirs = diffusers.WanTransformer3DModel(
            num_attention_heads=2, attention_head_dim=12, in_channels=8, out_channels=4, text_dim=12, freq_dim=16,
            ffn_dim=40, num_layers=2, image_dim=10, added_kv_proj_dim=24,
        )  # fmt: skip
    index = LayerIndex(weights)
    kinds = (nn.Linear, nn.Conv3d)
    names = [name for name, layer in theirs.named_modules() if isinstance(layer, kinds)]
    found = [index.find(f"transformer.{name}") for name in names]
    assert found == [index.find(f"lora_unet_{flat(name)}") for name in names]
    ours = {name.removesuffix(".weight") for name in weights if name.endswith(".weight")}
    linear = {name for name in ours if weights[f"{name}.weight"].ndim > 1}
    assert sorted(map(str, found)) == sorted(linear)
    assert index.find("transformer.blocks.1.norm2") == index.find("blocks.1.norm3") == "blocks.1.norm3"


def test_every_layer_of_diffusers_vace_model_is_found():
    """Of its control branch, too, with dots and with underscores."""
    diffusers = pytest.importorskip("diffusers")
    with torch.device("meta"):
        theirs = diffusers.WanVACETransformer3DModel(
            num_attention_heads=2, attention_head_dim=12, in_channels=16, out_channels=16, text_dim=12, freq_dim=16,
            ffn_dim=40, num_layers=2, vace_layers=[0, 1], vace_in_channels=96,
        )  # fmt: skip
    ours = {name: recipe.shape for name, recipe in published(shapes_of(theirs.state_dict()), "transformer").items()}
    index = LayerIndex(ours)
    names = [name for name, layer in theirs.named_modules() if isinstance(layer, nn.Linear | nn.Conv3d)]
    found = [index.find(f"transformer.{name}") for name in names]
    assert found == [index.find(f"lora_unet_{flat(name)}") for name in names]
    linear = {name.removesuffix(".weight") for name in ours if name.endswith(".weight") and len(ours[name]) > 1}
    assert sorted(map(str, found)) == sorted(linear)
    assert "vace_blocks.0.before_proj" in found and "vace_blocks.1.self_attn.q" in found


def test_strengths_add_up(weights, factors, plain, tmp_path):
    other = saved({"blocks.0.ffn.0.diff": torch.ones(40, 24)}, tmp_path / "other.safetensors")
    want = by_hand(weights, factors, (0.5 - 2.0) * ALPHA / RANK)
    want["blocks.0.ffn.0.weight"] = want["blocks.0.ffn.0.weight"] - 0.25
    assert_same(merged(weights, [Lora(plain, 0.5), Lora(other, -0.25), Lora(plain, -2.0)]), want)


def test_experts_have_strengths_of_their_own(weights, factors, plain):
    loras = [Lora(plain, 0.5, "high"), Lora(plain, 2.0, "low"), Lora(plain, 1.0)]
    assert_same(merged(weights, loras, "high"), by_hand(weights, factors, 1.5 * ALPHA / RANK))
    assert_same(merged(weights, loras, "low"), by_hand(weights, factors, 3.0 * ALPHA / RANK))
    assert lora_patch([Lora(plain, 1.0, "high")], "low", shapes_of(weights)) is None
    with pytest.raises(UsageError, match="single expert"):
        lora_patch([Lora(plain, 1.0, "high")], "dense", shapes_of(weights))


def test_nothing_to_do_is_told_and_changes_nothing(weights, plain):
    assert lora_patch([], "high", shapes_of(weights)) is None
    assert lora_patch([Lora(plain, 0.0)], "high", shapes_of(weights)) is None
    patch = lora_patch([Lora(plain)], "high", shapes_of(weights))
    untouched = weights["blocks.0.self_attn.k.weight"]
    assert patch("blocks.0.self_attn.k.weight", untouched) is untouched


def test_sum_is_made_in_float32_and_the_source_kept(weights, factors, plain):
    half = {name: tensor.bfloat16() for name, tensor in weights.items()}
    before = {name: tensor.clone() for name, tensor in half.items()}
    got = merged(half, [Lora(plain)])
    want = by_hand({name: tensor.float() for name, tensor in half.items()}, factors, ALPHA / RANK)
    assert got["head.head.weight"].dtype == torch.float32
    assert_same({name: tensor.float() for name, tensor in got.items()}, want)
    assert all(torch.equal(half[name], before[name]) for name in half)
    assert all(torch.equal(weights[name], tensor) for name, tensor in merged(weights, [Lora(plain, 1e-30)]).items())


def test_whole_differences(weights, tmp_path):
    torch.manual_seed(6)
    named = {
        "diffusion_model.blocks.0.self_attn.norm_q.diff": "blocks.0.self_attn.norm_q.weight",
        "diffusion_model.blocks.1.norm3.diff": "blocks.1.norm3.weight",
        "diffusion_model.blocks.1.norm3.diff_b": "blocks.1.norm3.bias",
        "diffusion_model.blocks.0.ffn.0.diff_b": "blocks.0.ffn.0.bias",
        "diffusion_model.blocks.1.diff_m": "blocks.1.modulation",
        "diffusion_model.head.diff_m": "head.modulation",
        "diffusion_model.head.head.diff": "head.head.weight",
        "diffusion_model.patch_embedding.diff": "patch_embedding.weight",
    }
    state = {name: torch.randn(weights[target].shape) for name, target in named.items()}
    want = dict(weights)
    for name, target in named.items():
        want[target] = weights[target] + 0.5 * state[name]
    assert_same(merged(weights, [Lora(saved(state, tmp_path / "diff.safetensors"), 0.5)]), want)


def test_bias_of_the_second_factor_is_scaled_like_it(weights, factors, tmp_path):
    layer = "blocks.0.self_attn.q"
    state = DIALECTS["comfyui-ab-alpha"]({layer: factors[layer]})
    state[f"diffusion_model.{layer}.lora_B.bias"] = torch.ones(24)
    want = by_hand(weights, {layer: factors[layer]}, ALPHA / RANK)
    want[f"{layer}.bias"] = weights[f"{layer}.bias"] + ALPHA / RANK
    assert_same(merged(weights, [Lora(saved(state, tmp_path / "bias.safetensors"))]), want)


def test_alpha_in_the_settings_of_the_trainer(weights, factors, tmp_path):
    """Diffusers keeps it in the file's header, PEFT in a file beside it; a layer's own number goes first."""
    state = spelled(lambda layer: layer, *AB, alpha=False)(factors)
    want = by_hand(weights, factors, ALPHA / RANK * 10 / RANK)
    settings = {"transformer.r": RANK, "transformer.lora_alpha": 10}
    header = saved(state, tmp_path / "header.safetensors", {"lora_adapter_metadata": json.dumps(settings)})
    assert_same(merged(weights, [Lora(header)]), want)
    beside = saved(state, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": 10, "r": RANK}))
    assert_same(merged(weights, [Lora(beside)]), want)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": 10, "use_rslora": True}))
    assert_same(merged(weights, [Lora(beside)]), by_hand(weights, factors, ALPHA / RANK * 10 / math.sqrt(RANK)))
    (tmp_path / "adapter_config.json").write_text(json.dumps({"use_dora": True}))
    with pytest.raises(CheckpointError, match="is a DoRA"):
        merged(weights, [Lora(beside)])
    own = saved(DIALECTS["comfyui"](factors), tmp_path / "own.safetensors", {"lora_adapter_metadata": '{"r": 1}'})
    assert_same(merged(weights, [Lora(own)]), by_hand(weights, factors, ALPHA / RANK))


@pytest.mark.parametrize("alpha", ["NaN", "1e999", "-1e999", "1e300", "9" * 400, "true", '"x"', "[1]"])
def test_an_alpha_that_is_none_is_told_before_the_work(alpha, weights, factors, tmp_path):
    state = spelled(lambda layer: layer, *AB, alpha=False)(factors)
    for settings in (f'{{"lora_alpha": {alpha}}}', f'{{"alpha_pattern": {{"self_attn.q": {alpha}}}}}'):
        path = saved(state, tmp_path / "header.safetensors", {"lora_adapter_metadata": settings})
        with pytest.raises(CheckpointError, match="damaged"):
            merged(weights, [Lora(path)])


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), 1e30, 1e300])
def test_an_alpha_of_a_layer_that_is_none_is_told(alpha, weights, factors, tmp_path):
    state = spelled(lambda layer: layer, *AB, alpha=False)(factors)
    state["blocks.0.self_attn.q.alpha"] = torch.tensor(alpha, dtype=torch.float64)
    with pytest.raises(CheckpointError, match="no alpha"):
        merged(weights, [Lora(saved(state, tmp_path / "alpha.safetensors"))])


def test_factors_of_rank_zero_do_not_pass_for_a_change(weights, tmp_path):
    empty = {
        "blocks.0.self_attn.q.lora_A.weight": torch.zeros(0, 24),
        "blocks.0.self_attn.q.lora_B.weight": torch.zeros(24, 0),
    }
    with pytest.raises(CheckpointError, match="does not fit"):
        merged(weights, [Lora(saved(empty, tmp_path / "empty.safetensors"))])


def test_alpha_of_single_layers_in_the_settings(weights, factors, tmp_path):
    settings = {"peft_type": "LORA", "lora_alpha": 8, "alpha_pattern": {"blocks.1.ffn.2": 3, "self_attn.q": 5.0}}
    path = saved(DIALECTS["peft"](factors), tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    want = by_hand(weights, factors, ALPHA / RANK * 8 / RANK)
    for layer, alpha in (("blocks.1.ffn.2", 3), ("blocks.0.self_attn.q", 5)):
        down, up = factors[layer]
        want[f"{layer}.weight"] = weights[f"{layer}.weight"] + ALPHA / RANK * alpha / RANK * up @ down
    assert_same(merged(weights, [Lora(path)]), want)
    (tmp_path / "adapter_config.json").write_text(json.dumps({**settings, "alpha_pattern": {r"blocks\.[01]\..*q": 5}}))
    with pytest.raises(CheckpointError, match="by a pattern"):
        merged(weights, [Lora(path)])


def test_linear_factors_saved_as_convolutions_of_size_one(weights, factors, tmp_path):
    layer = "blocks.0.ffn.0"
    down, up = factors[layer]
    state = DIALECTS["kohya"]({layer: (down[..., None, None], up[..., None, None])})
    want = by_hand(weights, {layer: (down, up)}, ALPHA / RANK)
    assert_same(merged(weights, [Lora(saved(state, tmp_path / "conv.safetensors"))]), want)


@torch.inference_mode()
def test_effect_on_the_transformer(network, weights, factors, plain):
    torch.manual_seed(9)
    x, t = torch.randn(1, 8, 2, 4, 6), torch.tensor([500.0])
    states, clip = [torch.randn(5, 12)], torch.randn(1, 7, 10)

    def velocity(state: dict[str, Tensor]) -> Tensor:
        other = WanTransformer(CONFIG).eval()
        other.load_state_dict(state)
        return other(x, t, other.embed_text(states, clip))

    before, got = velocity(weights), velocity(merged(weights, [Lora(plain, 0.1)]))
    want = velocity(by_hand(weights, factors, 0.1 * ALPHA / RANK))
    torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)
    assert (got - before).abs().max() > 0.1


@torch.inference_mode()
def test_merged_while_a_checkpoint_is_read(tmp_path):
    """Into one expert of a whole small checkpoint: summed in float32, then cast to the dtype of the run."""
    checkpoint = open_checkpoint(golden.path("fullstack/Wan2.2-T2V-A14B/checkpoint"))
    file, name = checkpoint.experts["high"], "blocks.0.ffn.2.weight"
    out, rest = file.shapes[name]
    torch.manual_seed(2)
    down, up = torch.randn(2, rest), torch.randn(out, 2)
    state = {"transformer.blocks.0.ffn.net.2.lora_A.weight": down, "transformer.blocks.0.ffn.net.2.lora_B.weight": up}
    lora = Lora(saved(state, tmp_path / "one.safetensors"), 0.3, "high")
    patch = lora_patch([lora], "high", file.shapes)
    plain = checkpoint.load_transformer("high", torch.float32, "cpu").state_dict()
    got = checkpoint.load_transformer("high", torch.bfloat16, "cpu", patch).state_dict()
    changed = {key for key in plain if not torch.equal(got[key], plain[key].bfloat16())}
    assert changed == {name}
    want = torch.addmm(plain[name], up, down, alpha=0.3).bfloat16()
    assert torch.equal(got[name], want)


def test_factors_are_read_when_their_weight_comes_by(weights, plain):
    patch = lora_patch([Lora(plain)], "dense", shapes_of(weights))
    Path(plain).write_bytes(Path(plain).read_bytes()[:3000])
    assert patch("blocks.0.norm3.weight", weights["blocks.0.norm3.weight"]) is weights["blocks.0.norm3.weight"]
    with pytest.raises(CheckpointError, match="truncated"):
        for name, tensor in weights.items():
            patch(name, tensor)


def refused(weights: dict[str, Tensor], state: dict[str, Tensor], path: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        merged(weights, [Lora(saved(state, path))])
    assert str(path) in str(error.value)
    return str(error.value)


def test_names_that_fit_nothing_are_told(weights, factors, tmp_path):
    path = tmp_path / "x.safetensors"
    strange = {f"double_blocks.{n}.img_attn.qkv.lora_A.weight": torch.ones(4, 8) for n in range(6)}
    told = refused(weights, strange, path)
    assert "would do nothing" in told and "double_blocks.0.img_attn.qkv.lora_A.weight" in told
    blocks = {name.replace("blocks.", "vace_blocks."): data for name, data in DIALECTS["comfyui"](factors).items()}
    assert "would do nothing" in refused(weights, {n: d for n, d in blocks.items() if "vace" in n}, path)
    text = {"lora_te_text_model_encoder.lora_down.weight": torch.ones(4, 8)}
    assert "would do nothing" in refused(weights, text, path)
    images = {name: data for name, data in DIALECTS["comfyui"](factors).items() if "img" in name}
    without_clip = {name: tensor for name, tensor in weights.items() if "img" not in name}
    assert "through CLIP" in refused(without_clip, images, path)


WITHOUT_PLACE = {
    "of a text encoder": {"lora_te_text_model_encoder_layers_0.lora_down.weight": torch.ones(4, 8)},
    "of VACE": {"diffusion_model.vace_blocks.0.ffn.0.lora_down.weight": torch.ones(4, 24)},
    "of a longer model": {"diffusion_model.blocks.9.ffn.0.diff": torch.ones(40, 24)},
    "of a wider picture": {
        "diffusion_model.patch_embedding.lora_down.weight": torch.ones(4, 9, 1, 2, 2),
        "diffusion_model.patch_embedding.lora_up.weight": torch.ones(24, 4, 1, 1, 1),
    },
    "of a wider picture, whole": {"diffusion_model.patch_embedding.diff": torch.ones(24, 9, 1, 2, 2)},
    "of an unknown kind": {"diffusion_model.rope.freqs": torch.ones(3)},
}


@pytest.mark.parametrize("what", WITHOUT_PLACE)
def test_what_fits_is_used_and_the_rest_counted(what, weights, factors, tmp_path):
    fitting = {layer: pair for layer, pair in factors.items() if layer != "patch_embedding"}
    state = {**DIALECTS["comfyui"](fitting), **WITHOUT_PLACE[what]}
    lora = Lora(saved(state, tmp_path / "x.safetensors"))
    assert_same(merged(weights, [lora]), by_hand(weights, fitting, ALPHA / RANK))
    (note,) = lora_notes([lora], {"high": shapes_of(weights), "low": shapes_of(weights)})
    assert f"{len(WITHOUT_PLACE[what])} of {len(state)} tensors" in note and next(iter(WITHOUT_PLACE[what])) in note
    assert (
        lora_notes(
            [Lora(saved(DIALECTS["comfyui"](factors), tmp_path / "y.safetensors"))], {"high": shapes_of(weights)}
        )
        == []
    )


def test_a_layer_is_changed_whole_or_not_at_all(weights, factors, tmp_path):
    state = DIALECTS["comfyui"](factors) | {"diffusion_model.blocks.0.ffn.0.set_weight": torch.ones(1)}
    lora = Lora(saved(state, tmp_path / "x.safetensors"))
    rest = {layer: pair for layer, pair in factors.items() if layer != "blocks.0.ffn.0"}
    assert_same(merged(weights, [lora]), by_hand(weights, rest, ALPHA / RANK))
    assert "4 of 52 tensors" in lora_notes([lora], {"dense": shapes_of(weights)})[0]


def test_a_lora_for_2_1_pictures_on_a_model_without_clip(weights, factors, tmp_path):
    without_clip = {name: tensor for name, tensor in weights.items() if "img" not in name}
    lora = Lora(saved(DIALECTS["diffusers"](factors), tmp_path / "x.safetensors"))
    rest = {layer: pair for layer, pair in factors.items() if "img" not in layer}
    assert_same(merged(without_clip, [lora]), by_hand(without_clip, rest, ALPHA / RANK))
    (note,) = lora_notes([lora], {"dense": shapes_of(without_clip)})
    assert "8 of 34 tensors" in note and "through CLIP" in note


@pytest.mark.parametrize(
    ("first", "second"),
    [("transformer.", "transformer_2."), ("pipe.dit.", "pipe.dit2."), ("high_noise_model.", "low_noise_model.")],
)
def test_one_file_for_both_experts(first, second, weights, factors, tmp_path):
    halves = list(factors.items())
    high, low = dict(halves[::2]), dict(halves[1::2])
    state = spelled(lambda layer: first + layer)(high) | spelled(lambda layer: second + layer)(low)
    path = saved(state, tmp_path / "x.safetensors")
    for expert, own in (("high", high), ("low", low)):
        assert_same(merged(weights, [Lora(path)], expert), by_hand(weights, own, ALPHA / RANK))
        assert_same(merged(weights, [Lora(path, 1.0, expert)], expert), by_hand(weights, own, ALPHA / RANK))
    assert lora_notes([Lora(path)], {"high": shapes_of(weights), "low": shapes_of(weights)}) == []
    only = saved(spelled(lambda layer: second + layer)(low), tmp_path / "second.safetensors")
    assert lora_patch([Lora(only)], "high", shapes_of(weights)) is None
    assert_same(merged(weights, [Lora(only)], "low"), by_hand(weights, low, ALPHA / RANK))
    assert_same(merged(weights, [Lora(path)], "dense"), by_hand(weights, high, ALPHA / RANK))
    assert f"{3 * len(low)} of {len(state)}" in lora_notes([Lora(path)], {"dense": shapes_of(weights)})[0]


def test_one_file_for_both_experts_with_settings_of_their_own(weights, factors, tmp_path):
    parts = {"transformer": ("high", 8), "transformer_2": ("low", 2)}
    state, settings = {}, {}
    for part, (_, alpha) in parts.items():
        state |= spelled(lambda layer, part=part: f"{part}.{LAYERS[layer]}", *AB, alpha=False)(factors)
        settings |= {f"{part}.r": RANK, f"{part}.lora_alpha": alpha}
    for order in (settings, dict(reversed(settings.items()))):
        path = saved(state, tmp_path / "x.safetensors", {"lora_adapter_metadata": json.dumps(order)})
        for expert, alpha in (*parts.values(), ("dense", 8)):
            want = by_hand(weights, factors, ALPHA / RANK * alpha / RANK)
            assert_same(merged(weights, [Lora(path)], expert), want)


def test_a_folder_as_peft_or_diffusers_saves_it(weights, factors, tmp_path):
    folder = tmp_path / "style_high_noise"
    folder.mkdir()
    with pytest.raises(CheckpointError, match="adapter_model"):
        merged(weights, [Lora(str(folder))], "high")
    state = spelled(lambda layer: f"base_model.model.{layer}", *AB, alpha=False)(factors)
    for name in ("pytorch_lora_weights.safetensors", "adapter_model.safetensors"):
        saved(state, folder / name)
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "r": RANK, "lora_alpha": 10, "alpha_pattern": {}, "use_dora": False})
    )
    want = by_hand(weights, factors, ALPHA / RANK * 10 / RANK)
    for path in (folder, folder / "adapter_model.safetensors"):
        lora = Lora(str(path))
        assert lora.expert == "high"
        assert_same(merged(weights, [lora], "high"), want)
        assert lora_patch([lora], "low", shapes_of(weights)) is None
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LOHA"}))
    with pytest.raises(CheckpointError, match="is a LOHA"):
        merged(weights, [Lora(str(folder))], "high")


@pytest.mark.parametrize(
    ("name", "expert"),
    [
        ("wan2.2_t2v_lightx2v_4steps_lora_v1.1_high_noise", "high"),
        ("wan2.2_t2v_lightx2v_4steps_lora_v1.1_low_noise", "low"),
        ("Wan22-I2V-HIGH-style", "high"),
        ("styleT2VLow_v2", "low"),
        ("style_HN", "high"),
        ("style", "both"),
        ("highres_fix", "both"),
        ("low-poly", "both"),
        ("slow_flow_glow", "both"),
        ("high_heels", "both"),
        ("style_high_and_low", "both"),
        ("style_L", "both"),
    ],
)
def test_the_name_chooses_the_expert_unless_one_is_stated(name, expert, weights, plain, tmp_path):
    path = shutil.copy(plain, tmp_path / f"{name}.safetensors")
    assert Lora(str(path)).expert == Lora.parse(f"{path}:0.5").expert == expert
    for one in ("high", "low"):
        used = lora_patch([Lora(str(path))], one, shapes_of(weights)) is not None
        assert used == (expert in ("both", one))
        for stated in ("both", "high", "low"):
            assert Lora(str(path), 1.0, stated).expert == Lora.parse(f"{path}:{stated}").expert == stated


def test_shapes_that_do_not_fit_are_told(weights, factors, tmp_path):
    path, layer = tmp_path / "x.safetensors", "blocks.0.self_attn.q"
    down, up = factors[layer]
    wrong = [
        (down[:, :20], up),
        (down, up[:20]),
        (down[:3], up),
        (down.T, up.T),
        (down[:, :, None].repeat(1, 1, 2), up),
    ]
    for pair in wrong:
        told = refused(weights, DIALECTS["comfyui"]({layer: pair}), path)
        assert f"{layer}.weight of shape [24, 24]" in told and f"{layer}.lora_up.weight" in told
    assert "does not fit" in refused(weights, {"blocks.0.norm3.diff": torch.ones(25)}, path)
    assert "does not fit" in refused(weights, DIALECTS["comfyui"]({"patch_embedding": (down, up)}), path)
    norm = {"blocks.0.norm3.lora_A.weight": torch.ones(4, 1), "blocks.0.norm3.lora_B.weight": torch.ones(24, 4)}
    assert "does not fit" in refused(weights, norm, path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dora_scale", "a DoRA"),
        ("lora_magnitude_vector", "a DoRA"),
        ("hada_w1_a", "a LoHa"),
        ("lokr_w1", "a LoKr"),
        ("lora_magnitude_vector.default.weight", "a DoRA"),
        ("lora_mid.weight", "three factors"),
        ("hada_w2_b", "a LoHa"),
        ("lokr_w2_a", "a LoKr"),
        ("oft_blocks", "an OFT"),
        ("a1.weight", "a GLoRA"),
    ],
)
def test_other_kinds_are_refused_by_name(name, kind, weights, factors, tmp_path):
    state = {**DIALECTS["kohya"](factors), f"lora_unet_blocks_0_ffn_0.{name}": torch.ones(4, 4)}
    assert kind in refused(weights, state, tmp_path / "x.safetensors")


def test_damaged_files_are_told(weights, factors, plain, tmp_path):
    layer = "blocks.0.ffn.0"
    one = DIALECTS["comfyui"]({layer: factors[layer]})
    path = tmp_path / "x.safetensors"
    half = {name: tensor for name, tensor in one.items() if "lora_down" not in name}
    assert "not the factors" in refused(weights, half, path)
    numb = {**one, f"diffusion_model.{layer}.lora_up.weight": torch.full((40, RANK), math.nan)}
    assert "NaN" in refused(weights, numb, path)
    assert "no alpha" in refused(weights, {**one, f"diffusion_model.{layer}.alpha": torch.tensor(math.inf)}, path)
    assert "single number" in refused(weights, {**one, f"diffusion_model.{layer}.alpha": torch.ones(2)}, path)
    twice = {**one, **DIALECTS["kohya"]({layer: factors[layer]})}
    assert "twice" in refused(weights, twice, path)
    assert "is empty" in refused(weights, {}, path)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(Path(plain).read_bytes()[:-10])
    for damaged in (cut, tmp_path / "missing.safetensors", tmp_path):
        with pytest.raises(CheckpointError, match=r"truncated|does not exist"):
            merged(weights, [Lora(str(damaged))])
