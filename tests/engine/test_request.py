# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests: JSON round trip, and a refusal in words for every value that cannot work."""

import subprocess
import sys

import golden
import pytest

from wan_engine.request import (
    Cancelled,
    CheckpointError,
    GenerationError,
    GenerationRequest,
    UsageError,
    check_frames,
)


def test_json_round_trip():
    request = GenerationRequest("nano", "a cube", size=(192, 128), guide=(3.0, 4.0), clip_frames=48, clip_fps=23.976)
    data = request.to_json()
    assert data["schema"] == "wan_previs.request/1"
    assert data["size"] == [192, 128]
    assert GenerationRequest.from_json(data) == request


def test_exit_statuses():
    assert [error.exit_status for error in (UsageError, CheckpointError, GenerationError, Cancelled)] == [2, 4, 5, 130]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"nonsense": 1}, "nonsense"),
        ({"seed": 1.5}, "seed"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
        ({"size": [64]}, "size"),
        ({"size": [64, 0]}, "size"),
        ({"size": "64x64"}, "size"),
        ({"frames": 0}, "frames"),
        ({"frames": 80}, "77 and 81"),
        ({"frames": 2}, "1 and 5"),
        ({"steps": 0}, "steps"),
        ({"shift": 0}, "shift"),
        ({"shift": float("nan")}, "shift"),
        ({"guide": [1.0, float("inf")]}, "guide"),
        ({"boundary": 900}, "boundary"),
        ({"solver": "magic"}, "unipc, dpm\\+\\+, euler"),
        ({"dtype": "int8"}, "bfloat16"),
        ({"offload": "disk"}, "offload"),
        ({"prompt": None}, "prompt"),
        ({"image": ""}, "image"),
        ({"last_image": "b.png"}, "first picture"),
        ({"clip_frames": 24}, "clip_fps"),
        ({"out": None}, "out"),
        ({"schema": "other/1"}, "schema"),
    ],
)
def test_bad_values_are_named(change, word):
    data = {**GenerationRequest("nano", "a cube").to_json(), **change}
    with pytest.raises(UsageError, match=word):
        GenerationRequest.from_json(data)


def test_missing_key_is_named():
    with pytest.raises(UsageError, match="prompt"):
        GenerationRequest.from_json({"schema": "wan_previs.request/1", "checkpoint": "nano"})


def test_frame_counts():
    for frames in (None, 1, 5, 81, 121):
        check_frames(frames)
    with pytest.raises(UsageError, match="5 and 9"):
        check_frames(8)


def test_imports_without_torch():
    code = "import sys, wan_engine.request; print([m for m in ('torch', 'numpy', 'av') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=golden.REPOSITORY, capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
