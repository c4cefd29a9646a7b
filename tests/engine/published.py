# SPDX-License-Identifier: GPL-3.0-or-later
"""Every published model as files of full size that are all holes behind their headers."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import golden
import pytest

from wan_engine.checkpoint import models
from wan_engine.checkpoint.model import Model

MANIFESTS = golden.REPOSITORY.parent / "shared" / "facts" / "manifests"
PAIR = ("high", "low")
# Manifest, the model it must be told for, and what its folder and, of ComfyUI, its files are called.
PUBLISHED = [
    ("official_t2v_A14B", models.T2V_A14B, "wan2.2_t2v_{}_noise_14B_bf16"),
    ("official_i2v_A14B", models.I2V_A14B, "wan2.2_i2v_{}_noise_14B_bf16"),
    ("official_i2v_A14B", models.FUN_A14B_INP, "wan2.2_fun_inpaint_{}_noise_14B_bf16"),
    ("official_ti2v_5B", models.TI2V_5B, "wan2.2_ti2v_5B_bf16"),
    ("wan21_t2v_1.3B", models.T2V_1_3B_V21, "wan2.1_t2v_1.3B_bf16"),
    ("wan21_t2v_14B", models.T2V_14B_V21, "wan2.1_t2v_14B_bf16"),
    ("wan21_i2v_14B", models.I2V_14B_V21, "wan2.1_i2v_720p_14B_bf16"),
    ("wan21_flf2v_14B", models.FLF2V_14B_V21, "wan2.1_flf2v_720p_14B_bf16"),
    ("wan21_vace_1.3B", models.VACE_1_3B_V21, "wan2.1_vace_1.3B_fp16"),
    ("wan21_vace_14B", models.VACE_14B_V21, "wan2.1_vace_14B_fp16"),
    ("wan21_vace_14B", models.VACE_FUN_A14B, "wan2.2_fun_vace_{}_noise_14B_bf16"),
    ("fun22_control_A14B", models.FUN_A14B_CONTROL, "Wan2_2-Fun-Control-A14B-{}_fp8_e4m3fn_scaled_KJ_fixed"),
    ("fun22_camera_A14B", models.FUN_A14B_CAMERA, "Wan2_2-Fun-Control-Camera-A14B-{}_fp8_e4m3fn_scaled_KJ"),
    ("fun22_control_5B", models.FUN_5B_CONTROL, "wan2.2_fun_control_5B_bf16"),
    ("fun22_camera_5B", models.FUN_5B_CAMERA, "wan2.2_fun_camera_5B_bf16"),
    ("fun22_inp_5B", models.FUN_5B_INP, "wan2.2_fun_inpaint_5B_bf16"),
    ("fun21_control_14B", models.FUN_14B_CONTROL_V21, "Wan2_1-Fun-V1_1-14B-Control_fp8_e4m3fn"),
    ("fun21_camera_14B", models.FUN_14B_CAMERA_V21, "wan2.1_fun_camera_v1.1_14B_bf16"),
    ("fun21_inp_14B", models.FUN_14B_INP_V21, "Wan2_1-Fun-V1_1-14B-InP_fp8_e4m3fn"),
    ("fun21_control_14B - ref_conv", models.FUN_14B_CONTROL_V10, "Wan2_1-Fun-14B-Control_fp8_e4m3fn"),
    ("fun21_control_1.3B - ref_conv", models.small_of(models.FUN_14B_CONTROL_V10), "wan2.1_fun_control_1.3B_bf16"),
    ("fun21_control_1.3B", models.small_of(models.FUN_14B_CONTROL_V21), "Wan2_1-Fun-V1_1-1_3B-Control"),
    ("fun21_camera_1.3B", models.small_of(models.FUN_14B_CAMERA_V21), "wan2.1_fun_camera_v1.1_1.3B_bf16"),
    ("fun21_inp_1.3B", models.small_of(models.FUN_14B_INP_V21), "wan2.1_fun_inp_1.3B_bf16"),
]


def in_words(value: object) -> str | None:
    return value.title if isinstance(value, Model) else None


def shapes(name: str) -> dict[str, list[int]]:
    """With ` - MODULE` behind the name without that module's tensors."""
    name, _, module = name.partition(" - ")
    path = MANIFESTS / f"{name}.json"
    if not path.exists():
        pytest.skip("the manifests are not beside the checkout")
    keys = json.loads(path.read_text(encoding="utf-8"))["keys"]
    return {key: shape for key, shape in keys.items() if not module or not key.startswith(module)}


def settings(path: Path, heads: str, row: Model) -> None:
    told: dict[str, object] = {heads: row.dim // 128}
    if "vace" in row.modules:
        told["vace_layers"] = list(range(0, 30, 2)) if row.dim == 1536 else list(range(0, 40, 5))
    path.write_text(json.dumps(told), encoding="utf-8")


def hole(path: Path, keys: dict[str, list[int]]) -> Path:
    """A safetensors file in 16 bit of which only the header takes room on the disk."""
    header, end = {}, 0
    for name, shape in keys.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    data = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(data)) + data)
        file.truncate(8 + len(data) + end)
    return path


def tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").symlink_to(golden.path("tokenizer/tokenizer.json"))


def vae_of(row: Model) -> str:
    return "22" if row.latent_channels == 48 else "21"


def published_folder(place: Path, manifest: str, row: Model) -> Path:
    """The model's folder below `place`, as its makers publish it."""
    folder = place / row.name
    for root in ("high_noise_model", "low_noise_model") if row.experts == 2 else ("",):
        hole(folder / root / "diffusion_pytorch_model.safetensors", shapes(manifest))
        settings(folder / root / "config.json", "num_heads", row)
    hole(folder / f"Wan2.{vae_of(row)[1]}_VAE.safetensors", shapes(f"official_vae{vae_of(row)}"))
    hole(folder / "models_t5_umt5-xxl-enc-bf16.safetensors", shapes("official_umt5_xxl_encoder"))
    if row.clip_pictures:
        name = "models_clip_open-clip-xlm-roberta-large-vit-huge-14.safetensors"
        hole(folder / name, shapes("wan21_clip"))
    tokenizer(folder / "google/umt5-xxl")
    return folder
