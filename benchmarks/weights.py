# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights that both sides read: random ones, written by Diffusers and transformers in their own layout."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

DIM, LAYERS, HEADS, FFN, TEXT_DIM, TEXT = 512, 8, 8, 2048, 64, 512
LARGE_DIM, LARGE_LAYERS, LARGE_FFN = 1024, 12, 4096
VAE_DIM = 32
VOCABULARY, TEXT_WIDTH = 32768, 512  # of the text encoder


def transformer(dim: int, layers: int, ffn: int, channels: tuple[int, int] = (16, 16)) -> WanTransformer3DModel:
    return WanTransformer3DModel(
        num_attention_heads=HEADS,
        attention_head_dim=dim // HEADS,
        in_channels=channels[0],
        out_channels=channels[1],
        text_dim=TEXT_DIM,
        freq_dim=256,
        ffn_dim=ffn,
        num_layers=layers,
    )


def text_encoder(words: int) -> UMT5EncoderModel:
    shape = dict(d_model=TEXT_WIDTH, d_kv=64, d_ff=1024, num_layers=8, num_heads=8, feed_forward_proj="gated-gelu")
    return UMT5EncoderModel(UMT5Config(vocab_size=words, **shape))


def write(folder: Path) -> None:
    """Two experts (`high`, `low`), a larger transformer in float32 shards, both autoencoders and a text encoder."""
    torch.manual_seed(0)
    for name in ("high", "low"):
        transformer(DIM, LAYERS, FFN).save_pretrained(folder / name)
    transformer(LARGE_DIM, LARGE_LAYERS, LARGE_FFN).save_pretrained(folder / "large", max_shard_size="200MB")
    AutoencoderKLWan(base_dim=VAE_DIM, z_dim=16).save_pretrained(folder / "vae21")
    wide = dict(z_dim=48, in_channels=12, out_channels=12, patch_size=2, is_residual=True, scale_factor_spatial=16)
    AutoencoderKLWan(base_dim=VAE_DIM, decoder_base_dim=VAE_DIM, **wide).save_pretrained(folder / "vae22")
    text_encoder(VOCABULARY).save_pretrained(folder / "text")
