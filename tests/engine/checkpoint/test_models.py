# SPDX-License-Identifier: GPL-3.0-or-later
"""Which row of the model table tensors and names stand for."""

from __future__ import annotations

import json

import golden
import pytest

from wan_engine.checkpoint import distilled, models
from wan_engine.checkpoint.download import MODELS
from wan_engine.checkpoint.identification import Evidence, identify, lacking_tensor, modules_of, unknown_tensor

MANIFESTS = golden.REPOSITORY.parent / "shared" / "facts" / "manifests"


def published(name):
    """Published tensor names to shapes, of a model at its full size."""
    path = MANIFESTS / f"{name}.json"
    if not path.exists():
        pytest.skip("the manifests are not beside the checkout")
    return json.loads(path.read_text(encoding="utf-8"))["keys"]


def evidence(shapes, experts=1, names=""):
    dim, channels = shapes["patch_embedding.weight"][:2]
    return Evidence(channels, shapes["head.head.weight"][0] // 4, dim, experts, modules_of(shapes), names)


@pytest.mark.parametrize(
    ("manifest", "experts", "names", "row"),
    [
        ("official_t2v_A14B", 2, "", models.T2V_A14B),
        ("official_i2v_A14B", 2, "", models.I2V_A14B),
        ("official_i2v_A14B", 1, "merged", models.I2V_A14B),
        ("official_ti2v_5B", 1, "", models.TI2V_5B),
        ("wan21_t2v_1.3B", 1, "", models.T2V_1_3B_V21),
        ("wan21_t2v_14B", 1, "", models.T2V_14B_V21),
        ("wan21_i2v_14B", 1, "", models.I2V_14B_V21),
        ("wan21_i2v_14B", 1, "wan2.1_i2v_480p_14B_fp16", models.I2V_14B_480P_V21),
        ("wan21_i2v_14B", 1, "Wan2.1-I2V-14B-480P", models.I2V_14B_480P_V21),
        ("wan21_flf2v_14B", 1, "480p", models.FLF2V_14B_V21),
        ("fun22_control_A14B", 2, "", models.FUN_A14B_CONTROL),
        ("fun22_camera_A14B", 2, "", models.FUN_A14B_CAMERA),
        ("official_i2v_A14B", 2, "Wan2.2-Fun-A14B-InP", models.FUN_A14B_INP),
        ("official_i2v_A14B", 2, "wan2.2_fun_inpaint_high_noise_14B_fp8_scaled", models.FUN_A14B_INP),
        ("fun22_control_5B", 1, "", models.FUN_5B_CONTROL),
        ("fun22_camera_5B", 1, "", models.FUN_5B_CAMERA),
        ("fun22_inp_5B", 1, "", models.FUN_5B_INP),
        ("fun21_control_14B", 1, "", models.FUN_14B_CONTROL_V21),
        ("fun21_camera_14B", 1, "", models.FUN_14B_CAMERA_V21),
        ("fun21_inp_14B", 1, "Wan2.1-Fun-V1.1-14B-InP", models.FUN_14B_INP_V21),
    ],
)
def test_published_tensors_are_told(manifest, experts, names, row):
    shapes = published(manifest)
    assert unknown_tensor(shapes) is None
    assert identify(evidence(shapes, experts, names)) is row


@pytest.mark.parametrize(
    ("manifest", "names", "title"),
    [
        ("fun21_control_1.3B", "", "Wan2.1 Fun-V1.1-1.3B-Control"),
        ("fun21_camera_1.3B", "", "Wan2.1 Fun-V1.1-1.3B-Control-Camera"),
        ("fun21_inp_1.3B", "wan2.1_fun_inp_1.3B_bf16", "Wan2.1 Fun-V1.1-1.3B-InP"),
    ],
)
def test_small_fun_models_are_told_by_their_width(manifest, names, title):
    shapes = published(manifest)
    assert unknown_tensor(shapes) is None
    row = identify(evidence(shapes, 1, names))
    assert row is not None and (row.title, row.dim) == (title, 1536)


def test_the_first_fun_control_models_have_no_reference():
    for size, title in (("1.3B", "Wan2.1 Fun-1.3B-Control"), ("14B", "Wan2.1 Fun-14B-Control")):
        shapes = {name: shape for name, shape in published(f"fun21_control_{size}").items() if "ref_conv" not in name}
        row = identify(evidence(shapes))
        assert row is not None and row.title == title


@pytest.mark.parametrize(
    ("manifest", "experts", "row"),
    [
        ("wan21_vace_1.3B", 1, models.VACE_1_3B_V21),
        ("wan21_vace_14B", 1, models.VACE_14B_V21),
        ("wan21_vace_14B", 2, models.VACE_FUN_A14B),
    ],
)
def test_models_with_a_vace_branch_are_told(manifest, experts, row):
    shapes = published(manifest)
    assert unknown_tensor(shapes) is None and lacking_tensor(shapes) is None
    assert identify(evidence(shapes, experts)) is row
    for part in ("vace_patch_embedding.weight", "vace_blocks.0.before_proj.weight"):
        assert lacking_tensor({name: shape for name, shape in shapes.items() if name != part}) == part


def test_a_dense_picture_model_over_the_wide_autoencoder_is_not_nano():
    """It holds its first frame and tells it a time of its own, which nano, of two experts, does not."""
    assert identify(Evidence(100, 48, 3072, 2, frozenset())) is models.NANO and not models.NANO.held
    assert identify(Evidence(100, 48, 3072, 1, frozenset())) is models.FUN_5B_INP and models.FUN_5B_INP.held


@pytest.mark.parametrize(("dim", "row"), [(48, "1.3B"), (1536, "1.3B"), (4096, "1.3B"), (5120, "14B"), (6144, "14B")])
def test_width_tells_rows_apart_that_differ_in_nothing_else(dim, row):
    found = identify(Evidence(16, 16, dim, 1, frozenset()))
    assert found is not None and found.title == f"Wan2.1 T2V-{row}"


@pytest.mark.parametrize("row", models.ROWS, ids=lambda row: row.title)
def test_every_row_is_found_by_what_it_states(row):
    found = Evidence(row.in_channels, row.latent_channels, row.dim, row.experts, row.modules, row.named)
    assert identify(found) is row
    for other in (
        Evidence(row.in_channels + 1, row.latent_channels, row.dim, row.experts, row.modules, row.named),
        Evidence(row.in_channels, row.latent_channels, row.dim, row.experts, row.modules | {"other"}, row.named),
        Evidence(row.in_channels, row.latent_channels, row.dim, 3, row.modules, row.named),
    ):
        assert identify(other) is None


def test_what_is_offered_for_download_is_a_row():
    assert list(MODELS) == [row.name for row in models.ROWS if row.name] + [lora.name for lora in distilled.ROWS]
    for row in models.ROWS:
        if row.name:
            files = MODELS[row.name].files
            assert any(file.startswith("high_noise_model/") for file in files) == (row.experts == 2)
            assert any(file.startswith("models_clip") for file in files) == (row.clip_pictures > 0)
            assert ("Wan2.2_VAE.pth" in files) == (row.stride == (4, 16, 16))
