# SPDX-License-Identifier: GPL-3.0-or-later
"""The brief survives JSON, and JSON that is no brief is refused in words."""

import copy
import dataclasses
import json
import types
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wan_previs.scene import brief as b


def of(hint):
    """Strategy for values of a type hint."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(st.none() if a is type(None) else of(a) for a in arguments))
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(of(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(of, arguments))
    if dataclasses.is_dataclass(hint):
        return st.builds(hint, **{name: of(kind) for name, kind in typing.get_type_hints(hint).items()})
    return {float: st.floats(allow_nan=False, allow_infinity=False), int: st.integers(), str: st.text()}[hint]


@settings(max_examples=40, deadline=None)
@given(of(b.Brief))
def test_json_round_trip(brief):
    data = json.loads(json.dumps(brief.to_json()))
    assert data["schema"] == "wan_previs.brief/1"
    assert b.Brief.from_json(data) == brief


def small():
    sample = b.CameraSample(1, tuple(float(i) for i in range(16)), 50.0, (36.0, 24.0))
    shot = b.Shot("A", 1, 24, "Camera", None, b.CameraPath((sample,)))
    return b.Brief("", "Scene", 24.0, (640, 360), 0.0, (shot,))


def test_frame_count_and_lookup():
    brief = small()
    assert brief.shot("A").frame_count == 24
    with pytest.raises(b.SceneError, match=r"no shot named 'B'.*'A'"):
        brief.shot("B")


@pytest.mark.parametrize(
    "path,value,words",
    [
        (("schema",), "other/1", "schema"),
        (("fps",), "24", "brief.fps"),
        (("fps",), True, "brief.fps"),
        (("fps",), float("nan"), "brief.fps"),
        (("resolution",), [640], "brief.resolution has 1 items"),
        (("extra",), 1, "unknown key 'extra'"),
        (("shots", 0, "frame_start"), 1.5, r"shots\[0\].frame_start"),
        (("shots", 0, "camera_path", "angle"), "sideways", "angle is 'sideways'"),
        (("shots", 0, "camera_path", "samples", 0, "matrix_world"), [1.0], "expected 16"),
    ],
)
def test_what_is_wrong_is_named(path, value, words):
    data = copy.deepcopy(small().to_json())
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(b.SceneError, match=words):
        b.Brief.from_json(data)


def test_missing_and_absent_keys():
    data = small().to_json()
    del data["shots"][0]["environment"], data["shots"][0]["sun"]
    assert b.Brief.from_json(data) == small()
    del data["shots"][0]["camera"]
    with pytest.raises(b.SceneError, match="lacks the key 'camera'"):
        b.Brief.from_json(data)


def test_exit_status():
    assert b.SceneError.exit_status == 3
