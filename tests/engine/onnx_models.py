# SPDX-License-Identifier: GPL-3.0-or-later
"""Small ONNX files that fade between two pictures, in the forms of interpolation models."""

import onnx
from onnx import TensorProto, helper

FREE = ("b", 3, "h", "w")


def fade(path, inputs, nodes, out=FREE, kind=TensorProto.FLOAT):
    """A model of these inputs {name: shape} whose nodes give "first", "second" and "time": it fades between them."""
    nodes = [
        *nodes,
        helper.make_node("Sub", ["second", "first"], ["change"]),
        helper.make_node("Mul", ["time", "change"], ["part"]),
        helper.make_node("Add", ["first", "part"], ["frame"]),
    ]
    values = [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()]
    result = [helper.make_tensor_value_info("frame", kind, out)]
    graph = helper.make_graph(nodes, "fade", values, result)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def stacked(path, channels=7, sides=("h", "w"), kind=TensorProto.FLOAT):
    """One input: its channels are split."""
    sizes = [3, 3, 1, *([1] if channels == 8 else [])]
    names = ["first", "second", "time", "scale"][: len(sizes)]
    split = helper.make_tensor("sizes", TensorProto.INT64, [len(sizes)], sizes)
    nodes = [
        helper.make_node("Constant", [], ["sizes"], value=split),
        helper.make_node("Split", ["input", "sizes"], names, axis=1),
    ]
    return fade(path, {"input": (1, channels, *sides)}, nodes, (1, 3, *sides), kind)
