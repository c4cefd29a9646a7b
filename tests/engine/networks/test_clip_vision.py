# SPDX-License-Identifier: GPL-3.0-or-later
"""The CLIP image encoder against the original and against transformers."""

from __future__ import annotations

import golden
import pytest
import torch
from torch import Tensor

from wan_engine.networks.clip_vision import ClipConfig, ClipVision


def _encoder() -> tuple[ClipVision, dict[str, Tensor], dict]:
    case, facts = golden.tensors("clip_visual"), golden.facts("clip_visual")
    state = {name.removeprefix("w.visual."): data for name, data in case.items() if name.startswith("w.visual.")}
    config = ClipConfig.from_state({k: tuple(v.shape) for k, v in state.items()}, facts["config"]["vision_heads"])
    encoder = ClipVision(config).eval()
    encoder.load_state_dict(state)
    return encoder, case, facts


@torch.inference_mode()
def test_original_features_and_preparation():
    encoder, case, facts = _encoder()
    assert encoder.config.image_size == facts["config"]["image_size"]
    pictures = [case[f"in.image{i}_hwc_u8"].permute(2, 0, 1).float() / 255 / 0.5 - 1 for i in range(2)]
    prepared = torch.stack([encoder.prepare(picture) for picture in pictures])
    golden.assert_close(prepared, case["out.preprocessed"], 2e-6, 0, "preprocessed")
    golden.assert_close(encoder(prepared), case["out.features"], 1e-5, 1e-5, "features")
    golden.assert_close(encoder(prepared[:1]), case["out.features_image0_alone"], 1e-5, 1e-5, "alone")


@torch.inference_mode()
def test_last_block_norm_and_head_have_no_effect():
    encoder, case, _ = _encoder()
    before = encoder(case["out.preprocessed"])
    for part in (encoder.transformer[-1], encoder.post_norm):
        for parameter in part.parameters():
            parameter.fill_(7.0)
    encoder.head.fill_(7.0)
    assert torch.equal(encoder(case["out.preprocessed"]), before)
    encoder.transformer[-2].mlp[2].bias.add_(1.0)
    assert not torch.equal(encoder(case["out.preprocessed"]), before)


_TRANSFORMERS = {
    "attn.proj": "self_attn.out_proj",
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "mlp.0": "mlp.fc1",
    "mlp.2": "mlp.fc2",
}


def _published_names(theirs: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The state of a transformers CLIPVisionModel under the published names; it has no projection."""
    theirs = {name.removeprefix("vision_model."): data for name, data in theirs.items()}
    ours = {
        "cls_embedding": theirs["embeddings.class_embedding"][None, None],
        "pos_embedding": theirs["embeddings.position_embedding.weight"][None],
        "patch_embedding.weight": theirs["embeddings.patch_embedding.weight"],
    }
    for kind in ("weight", "bias"):
        ours[f"pre_norm.{kind}"] = theirs[f"pre_layrnorm.{kind}"]
        ours[f"post_norm.{kind}"] = theirs[f"post_layernorm.{kind}"]
        for n in range(layers):
            layer = f"encoder.layers.{n}"
            qkv = [theirs[f"{layer}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            ours[f"transformer.{n}.attn.to_qkv.{kind}"] = torch.cat(qkv)
            for mine, name in _TRANSFORMERS.items():
                ours[f"transformer.{n}.{mine}.{kind}"] = theirs[f"{layer}.{name}.{kind}"]
    return ours


@torch.inference_mode()
def test_parity_with_transformers():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(5)
    settings = transformers.CLIPVisionConfig(
        hidden_size=40,
        intermediate_size=56,
        num_hidden_layers=4,
        num_attention_heads=5,
        image_size=42,
        patch_size=14,
        hidden_act="gelu",
        attn_implementation="eager",
    )
    theirs = transformers.CLIPVisionModel(settings).eval()
    for parameter in theirs.parameters():
        parameter.normal_(std=0.3)
    state = _published_names(theirs.state_dict(), 4)
    encoder = ClipVision(ClipConfig.from_state({k: tuple(v.shape) for k, v in state.items()}, 5)).eval()
    encoder.load_state_dict(state)
    pixels = torch.randn(2, 3, 42, 42)
    want = theirs(pixels, output_hidden_states=True).hidden_states[-2]
    golden.assert_close(encoder(pixels), want, 1e-5, 1e-5)


def test_published_dimensions_need_no_settings():
    shapes = {
        "patch_embedding.weight": (1280, 3, 14, 14),
        "pos_embedding": (1, 257, 1280),
        "transformer.0.mlp.0.weight": (5120, 1280),
        "transformer.31.norm1.weight": (1280,),
        "head": (1280, 1024),
    }
    config = ClipConfig.from_state(shapes)
    assert config == ClipConfig(1280, 5120, 16, 32, 14, 224, 1024)
    assert ClipConfig.from_state({k: v for k, v in shapes.items() if k != "head"}).projection is None
    with torch.device("meta"):
        found = {name: tuple(tensor.shape) for name, tensor in ClipVision(config).state_dict().items()}
    assert shapes.items() <= found.items()
    assert sum(torch.Size(shape).numel() for shape in found.values()) == 632_076_800


def test_what_does_not_fit_is_told():
    encoder, _, _ = _encoder()
    shapes = {name: tuple(tensor.shape) for name, tensor in encoder.state_dict().items()}
    with pytest.raises(ValueError, match=r"num_heads.*wan_previs\.json"):
        ClipConfig.from_state(shapes)
    with pytest.raises(ValueError, match="5 heads do not divide"):
        ClipConfig.from_state(shapes, 5)
    with pytest.raises(ValueError, match="pos_embedding"):
        ClipConfig.from_state({k: v for k, v in shapes.items() if k != "pos_embedding"}, 3)
    with pytest.raises(ValueError, match="no square"):
        ClipConfig.from_state({**shapes, "pos_embedding": (1, 18, 36)}, 3)
