# SPDX-License-Identifier: GPL-3.0-or-later
"""Every published model told by names and shapes alone: files of full size that are all holes behind their headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from published import MANIFESTS, PAIR, PUBLISHED, hole, in_words, published_folder, settings, shapes, tokenizer, vae_of

from wan_engine.checkpoint import models
from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.checkpoint.model import Model
from wan_engine.commands.inspect import describe

DIFFUSERS = [
    ("diffusers_t2v_A14B", models.T2V_A14B),
    ("diffusers_i2v_A14B", models.I2V_A14B),
    ("diffusers_ti2v_5B", models.TI2V_5B),
    ("diffusers_vace_1.3B", models.VACE_1_3B_V21),
    ("diffusers_vace_14B", models.VACE_14B_V21),
    ("diffusers_vace_14B", models.VACE_FUN_A14B),
]


def assert_told(folder: Path, row: Model) -> None:
    opened = open_checkpoint(folder)
    opened.verify()
    assert (opened.model.title, opened.config.dim) == (row.title, row.dim)


@pytest.mark.parametrize(("manifest", "row", "_"), PUBLISHED, ids=in_words)
def test_a_published_folder_is_told_by_its_headers(manifest, row, _, tmp_path):
    folder = published_folder(tmp_path, manifest, row)
    assert_told(folder, row)
    told = describe(folder)
    assert f"model:       {row.title}\n" in told and "GiB" in told
    assert all(f"--{name.replace('_', '-')}" in told for name in row.controls)


@pytest.mark.parametrize(("manifest", "row", "name"), PUBLISHED, ids=in_words)
def test_single_files_are_told_by_their_headers(manifest, row, name, tmp_path):
    for expert in PAIR if row.experts == 2 else ("",):
        hole(tmp_path / "diffusion_models" / f"{name.format(expert)}.safetensors", shapes(manifest))
    hole(tmp_path / "vae" / "vae.safetensors", shapes(f"official_vae{vae_of(row)}"))
    hole(tmp_path / "text_encoders" / "umt5_xxl.safetensors", shapes("official_umt5_xxl_encoder"))
    hole(tmp_path / "clip_vision" / "clip_vision_h.safetensors", shapes("wan21_clip"))
    tokenizer(tmp_path / "text_encoders")
    assert_told(tmp_path, row)


@pytest.mark.parametrize(("manifest", "row"), DIFFUSERS, ids=in_words)
def test_a_diffusers_folder_is_told_by_its_headers(manifest, row, tmp_path):
    keys = shapes(manifest)
    for part in ("transformer", "transformer_2")[: row.experts]:
        hole(tmp_path / part / "diffusion_pytorch_model.safetensors", keys)
        settings(tmp_path / part / "config.json", "num_attention_heads", row)
    hole(tmp_path / "vae/diffusion_pytorch_model.safetensors", shapes(f"diffusers_vae{vae_of(row)}"))
    hole(tmp_path / "text_encoder/model.safetensors", shapes("transformers_umt5_xxl_encoder"))
    tokenizer(tmp_path / "tokenizer")
    assert_told(tmp_path, row)


def test_every_manifest_of_a_transformer_is_told():
    if not MANIFESTS.is_dir():
        pytest.skip("the manifests are not beside the checkout")
    patch = "patch_embedding."
    named = {path.stem for path in MANIFESTS.glob("*.json") if f'"{patch}weight"' in path.read_text(encoding="utf-8")}
    named -= {name for name in named if name.startswith("mapping")}
    assert named == {name.partition(" - ")[0] for name, *_ in [*PUBLISHED, *DIFFUSERS]}
    assert {row.title for _, row, *_ in PUBLISHED} == {row.title for row in models.ROWS if row.repo} - {
        models.I2V_14B_480P_V21.title
    }
