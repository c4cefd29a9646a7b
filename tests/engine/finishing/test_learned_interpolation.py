# SPDX-License-Identifier: GPL-3.0-or-later
"""Learned frames between: real ONNX files, small ones, run by onnxruntime; what cannot be used is told in words."""

import sys

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import FREE, fade, stacked

from wan_engine.errors import CheckpointError, UsageError
from wan_engine.finishing import learned_interpolation
from wan_engine.finishing.interpolation import retimed
from wan_engine.finishing.learned_interpolation import InterpolationModel


def apart(path, time=(1, 1, 1, 1), order=("first", "time", "second")):
    shapes = {"first": FREE, "second": FREE, "time": time}
    return fade(path, {name: shapes[name] for name in order}, [])


MODELS = {
    "seven channels": stacked,
    "eight channels": lambda path: stacked(path, 8),
    "half precision": lambda path: stacked(path, kind=TensorProto.FLOAT16),
    "fixed size": lambda path: stacked(path, sides=(160, 256)),
    "three inputs": apart,
    "time as a number": lambda path: apart(path, ()),
    "time as a plane": lambda path: apart(path, ("b", 1, "h", "w"), ("first", "second", "time")),
}


@pytest.mark.parametrize("made", MODELS.values(), ids=MODELS.keys())
def test_every_form_gets_both_frames_and_the_time(tmp_path, made):
    model = InterpolationModel(made(tmp_path / "fade.onnx"))
    frames = np.random.default_rng(0).integers(0, 256, (3, 97, 161, 3), np.uint8)
    result = np.stack(list(retimed(iter(frames), 3, 9, model)))
    assert np.array_equal(result[::4], frames)  # the model's own frames stay
    for number in (1, 2, 3, 5, 6, 7):
        pair, time = frames[number // 4 : number // 4 + 2].astype(float), number % 4 / 4
        assert np.abs(result[number] - ((1 - time) * pair[0] + time * pair[1])).max() <= 1


@pytest.mark.parametrize(
    ("inputs", "out", "told"),
    [
        ({"input": (1, 6, "h", "w")}, FREE, "no interpolation model of a known form"),
        ({"first": FREE, "second": FREE}, FREE, "no interpolation model of a known form"),
        ({"first": FREE, "second": FREE, "other": FREE}, FREE, "It has: first"),
    ],
)  # fmt: skip
def test_other_models_are_refused_with_what_they_have(tmp_path, inputs, out, told):
    nodes = [
        helper.make_node("Identity", [next(iter(inputs))], [name]) for name in ("first", "second") if name not in inputs
    ]
    nodes += [helper.make_node("Identity", [next(iter(inputs))], ["time"])]
    with pytest.raises(CheckpointError, match=told):
        InterpolationModel(fade(tmp_path / "other.onnx", inputs, nodes, out))


def test_what_gives_no_frame_is_noticed_before_the_work(tmp_path):
    nodes = [helper.make_node("ReduceMean", ["picture"], ["first"], axes=[2], keepdims=1)]
    shapes = {"picture": FREE, "second": ("b", 3, 1, "w"), "time": (1, 1, 1, 1)}
    path = fade(tmp_path / "flat.onnx", shapes, nodes, ("b", 3, 1, "w"))
    with pytest.raises(CheckpointError, match=r"could not be run|is no frame"):
        InterpolationModel(path)


def test_pictures_larger_than_the_file_was_made_for(tmp_path):
    model = InterpolationModel(stacked(tmp_path / "small.onnx", sides=(64, 64)))
    frames = np.zeros((2, 96, 160, 3), np.uint8)
    with pytest.raises(CheckpointError, match=r"at most 64x64; these have 160x96"):
        list(retimed(iter(frames), 2, 3, model))


def test_no_file_no_model_no_runtime(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="is not there"):
        InterpolationModel(tmp_path / "no.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(CheckpointError, match="no ONNX model"):
        InterpolationModel(tmp_path / "text.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match="needs the Python package onnxruntime"):
        InterpolationModel(tmp_path / "text.onnx")


@pytest.mark.parametrize("until", ["counted", "a condition"])
def test_a_loop_without_end_is_stopped(tmp_path, monkeypatch, until):
    monkeypatch.setattr(learned_interpolation, "MOST_SECONDS", 0.2)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["kept"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, ()),
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("kept", TensorProto.FLOAT, FREE),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, FREE),
        ],
    )
    count = helper.make_tensor("count", TensorProto.INT64, [], [2**62])
    nodes = [
        helper.make_node("Constant", [], ["count"], value=count),
        helper.make_node("Constant", [], ["go"], value=helper.make_tensor("yes", TensorProto.BOOL, [], [True])),
        helper.make_node("Loop", ["count" if until == "counted" else "", "go", "begin"], ["first"], body=body),
    ]
    path = fade(tmp_path / "loop.onnx", {"begin": FREE, "second": FREE, "time": (1, 1, 1, 1)}, nodes)
    with pytest.raises(CheckpointError, match=r"more than 0\.2 seconds for a frame"):
        InterpolationModel(path)
