# SPDX-License-Identifier: GPL-3.0-or-later
"""Learned frames between: real ONNX files, small ones, run by onnxruntime; what cannot be used is told in words."""

import sys

import numpy as np
import onnx
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
    with pytest.raises(CheckpointError, match="no ONNX model") as told:
        InterpolationModel(tmp_path / "text.onnx")
    assert "ONNXRuntimeError" not in str(told.value)
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


def test_functions_that_call_each_other_without_end_are_given_up(tmp_path, monkeypatch):
    """Eight functions, each of which calls the next eight times: 16 million nodes out of two kilobytes."""
    monkeypatch.setattr(learned_interpolation, "OPENING_SECONDS", 2.0)
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = []
    for level in range(8):
        calls = [helper.make_node(f"F{level + 1}", [f"x{k}"], [f"x{k + 1}"], domain="own") for k in range(8)]
        calls = calls if level < 7 else [helper.make_node("Relu", ["x0"], ["x8"])]
        functions.append(helper.make_function("own", f"F{level}", ["x0"], ["x8"], calls, sets))
    path = fade(
        tmp_path / "calls.onnx",
        {"begin": FREE, "second": FREE, "time": (1, 1, 1, 1)},
        [helper.make_node("F0", ["begin"], ["first"], domain="own")],
    )
    model = onnx.load(path)
    model.functions.extend(functions)
    model.opset_import.append(sets[1])
    onnx.save(model, path)
    with pytest.raises(CheckpointError, match="was not open after 2 seconds"):
        InterpolationModel(path)


@pytest.mark.parametrize("side", [2**40, 200_000])
def test_sides_beyond_any_picture_are_told(tmp_path, side):
    with pytest.raises(CheckpointError, match="more than 8192 pixels a side"):
        InterpolationModel(stacked(tmp_path / "vast.onnx", sides=(64, side)))


def test_names_that_are_no_text_are_told(tmp_path, capfd):
    path = stacked(tmp_path / "fade.onnx")
    path.write_bytes(path.read_bytes().replace(b"input", b"inp\xffx"))
    with pytest.raises(CheckpointError, match=r"no UTF-8|no ONNX model"):
        InterpolationModel(path)
    assert "EP Error" not in capfd.readouterr().out


def test_an_error_as_long_as_its_file_is_cut(tmp_path):
    nodes = [helper.make_node("N" * 100_000, ["begin"], ["first"], domain="q" * 50_000)]
    path = fade(tmp_path / "long.onnx", {"begin": FREE, "second": FREE, "time": (1, 1, 1, 1)}, nodes)
    with pytest.raises(CheckpointError, match="no ONNX model") as told:
        InterpolationModel(path)
    assert len(str(told.value)) < len(str(path)) + 300


@pytest.mark.parametrize("shape", [[7, -1], [2**20] * 4])
def test_what_onnxruntime_says_comes_without_places_in_its_code(tmp_path, shape):
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [len(shape)], shape)
    nodes = [
        helper.make_node("Constant", [], ["sizes"], value=sizes),
        helper.make_node("Reshape", ["begin", "sizes"], ["first"]),
    ]
    path = fade(tmp_path / "bad.onnx", {"begin": FREE, "second": FREE, "time": (1, 1, 1, 1)}, nodes)
    with pytest.raises(CheckpointError, match="leave it out") as told:
        InterpolationModel(path)
    assert "onnxruntime_src" not in str(told.value)
    assert len(str(told.value)) < len(str(path)) + 300
