# SPDX-License-Identifier: GPL-3.0-or-later
"""Transformers with reference tokens and camera rays, against the original in float32."""

import pytest
import torch
from golden import assert_close, facts, tensors

from wan_engine.networks.camera_adapter import CameraAdapter
from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig

CASES = (
    "dit_fun22_control",
    "dit_fun22_camera",
    "dit_fun22_inp",
    "dit_fun5b_control",
    "dit_fun5b_camera",
    "dit_fun21_control",
    "dit_fun21_camera",
)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(params=CASES)
def opened(request):
    case, fact = tensors(f"control/{request.param}"), facts(f"control/{request.param}")
    state = {name[2:]: tensor for name, tensor in case.items() if name.startswith("w.")}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    model = WanTransformer(TransformerConfig.from_state(shapes, fact["config"]))
    model.load_state_dict(state)
    return model, case, fact


def velocity(model, case, when, item, **changed):
    """What the network makes of a case with some of its inputs changed; None leaves one out."""
    given = {name: case.get(f"in.{name}{item}") for name in ("full_ref", "y_camera", "clip_fea")} | changed
    reference, rays, clip = (None if tensor is None else tensor[None] for tensor in given.values())
    control = model.embed_control(reference, None if rays is None else rays.unbind(2))
    context = model.embed_text([case[f"in.context{item}"]], clip, control)
    x = torch.cat([case[f"in.x{item}"], case[f"in.y{item}"]])[None]
    return model(x, case[f"in.{when}.x{item}"], context)[0]


def test_it_predicts_what_the_original_does(opened):
    model, case, fact = opened
    within = fact["suggested_atol"], fact["suggested_rtol"]
    for key in (key for key in case if key.startswith("out.t")):
        _, when, item = key.split(".")
        assert_close(velocity(model, case, when, int(item[1:])), case[key], *within, key)
    without = {"zero_ref": ("full_ref", 0), "no_ref": ("full_ref", None), "no_camera": ("y_camera", None)}
    for word, (name, value) in (without | {"zero_clip": ("clip_fea", 0)}).items():
        if f"out.{word}" in case:
            changed = {name: None if value is None else torch.zeros_like(case[f"in.{name}0"])}
            assert_close(velocity(model, case, "t0", 0, **changed), case[f"out.{word}"], *within, word)


def test_what_the_modules_make(opened):
    model, case, fact = opened
    within = fact["suggested_atol"], fact["suggested_rtol"]
    if model.config.reference is not None:
        made = model.embed_control(case["in.full_ref0"][None]).reference
        assert_close(made, case["dbg.ref_conv"].flatten(2).transpose(1, 2), *within)
    if model.config.camera is not None:
        made = model.embed_control(rays=case["in.y_camera0"][None].unbind(2)).camera
        assert_close(made, case["dbg.control_adapter"].flatten(2).transpose(1, 2), *within)


def test_a_camera_adapter_of_no_factor_is_told():
    assert CameraAdapter.factor_of(24 * 16**2) == 16
    with pytest.raises(ValueError, match="1000 channels"):
        CameraAdapter.factor_of(1000)
