# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera files as rays, against the original's, and what is said of files that are no camera."""

from __future__ import annotations

import json
import os

import pytest
import torch
from golden import assert_close, facts, tensors
from hypothesis import given
from hypothesis import strategies as st

from wan_engine.errors import UsageError
from wan_engine.inputs.camera_rays import CameraPath, read_camera

FRAME = {"matrix_world": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], "lens_mm": 35, "sensor_mm": [36, 24]}


def camera(folder, data) -> CameraPath:
    path = folder / "camera.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return read_camera(path)


def rays_of(path: CameraPath, size) -> torch.Tensor:
    return torch.stack([path.rays(frame, size) for frame in range(len(path))])


@pytest.mark.parametrize("name", ["move", "zoom_shift", "scaled_object"])
def test_cameras_of_blender_make_the_original_rays(name, tmp_path):
    case, fact = tensors("control/pluecker"), facts("control/pluecker")
    path, size = camera(tmp_path, fact["camera_json"][name]), tuple(fact["size"])
    within = fact["suggested_atol"], fact["suggested_rtol"]
    assert_close(rays_of(path, size), case[f"out.{name}.rays"], *within, name)
    if f"out.{name}.packed" in case:
        packed = torch.stack(list(path.packed(len(path), size)), 1)
        assert_close(packed, case[f"out.{name}.packed"], *within, name)


@pytest.mark.parametrize("size", [(48, 24), (24, 32), (32, 18)])
def test_pose_files_make_the_original_rays_at_any_shape(size, tmp_path):
    """Their lenses are those of a 16:9 picture, which the clip crops."""
    case, fact = tensors("control/pluecker"), facts("control/pluecker")
    (tmp_path / "poses.txt").write_text(fact["pose_text"], encoding="utf-8")
    got = rays_of(read_camera(tmp_path / "poses.txt"), size)
    want = case[f"out.text_{size[0]}x{size[1]}.rays"]
    assert_close(got, want, fact["suggested_atol"], fact["suggested_rtol"])


def test_a_long_clip_takes_one_latent_frame_at_a_time(tmp_path):
    path = camera(tmp_path, {"frames": [FRAME] * 9})
    assert [tuple(rays.shape) for rays in path.packed(9, (16, 8))] == [(24, 8, 16)] * 3


def test_a_scaled_way_scales_where_rays_pass_and_not_where_they_go(tmp_path):
    data = facts("control/pluecker")["camera_json"]["move"]
    path, size = camera(tmp_path, data), (16, 8)
    plain, half = rays_of(path, size), rays_of(path.scaled(0.5), size)
    assert_close(half[:, :3], plain[:, :3] * 0.5, 1e-6, 1e-6)
    assert torch.equal(half[:, 3:], plain[:, 3:]) and half[:, :3].abs().max() > 0.01
    assert str(path.scaled(0.5)) != str(path) and torch.equal(rays_of(path.scaled(1.0), size), plain)
    for frame in data["frames"]:  # the same as a scene of half the size
        frame["matrix_world"][3::4] = [*(value * 0.5 for value in frame["matrix_world"][3:12:4]), 1.0]
    assert_close(rays_of(camera(tmp_path, data), size), half, 1e-5, 1e-5)


def test_the_least_change_of_a_long_path_makes_another_one(tmp_path):
    """Its words stand for it where a resumed run is compared with the one before."""
    frames = [dict(FRAME) for _ in range(121)]
    before = camera(tmp_path, {"frames": frames})
    frames[60]["lens_mm"] = 35.00001
    after = camera(tmp_path, {"frames": frames})
    assert str(after) != str(before) and str(before) == str(camera(tmp_path, {"frames": [FRAME] * 121}))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("no json", "cannot be used"),
        ("[" * 100_000, "cannot be used"),
        ([], "lists no frames"),
        ({"frames": []}, "lists no frames"),
        ({"frames": [3]}, "lens_mm of frame 0"),
        ({"frames": [FRAME, {**FRAME, "lens_mm": float("nan")}]}, "lens_mm of frame 1"),
        ({"frames": [{**FRAME, "matrix_world": [float("nan")] * 16}]}, "matrix_world of frame 0"),
        ({"frames": [{**FRAME, "matrix_world": [0] * 16}]}, "axis of no length"),
        ({"frames": [{**FRAME, "matrix_world": [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]}]}, "flat"),
        ({"frames": [{**FRAME, "lens_mm": 0}]}, "above 0"),
        ({"frames": [{**FRAME, "sensor_mm": [36]}]}, "sensor_mm of frame 0"),
        ({"frames": [{**FRAME, "shift": [1e400, 0]}]}, "shift of frame 0"),
    ],
)
def test_what_is_no_camera_is_told(data, told, tmp_path):
    with pytest.raises(UsageError, match=told) as refused:
        camera(tmp_path, data)
    assert "matrix_world" in str(refused.value)


def test_a_camera_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        read_camera(tmp_path / "camera.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_camera_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "camera.json")
    with pytest.raises(UsageError, match="it is no file"):
        read_camera(tmp_path / "camera.json")


@pytest.mark.parametrize(
    "line", ["1 2 3", "0 " + "nan " * 18, "0 0.5 0.9 0.5 0.5 0 0" + " 0" * 12, "0 0 0" + " 1" * 16]
)
def test_poses_that_are_none(line, tmp_path):
    (tmp_path / "poses.txt").write_text(f"title\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"poses\.txt cannot be used"):
        read_camera(tmp_path / "poses.txt")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FRAME, "frames"]), inner, max_size=3),
)


@given(st.dictionaries(st.just("frames"), st.lists(st.fixed_dictionaries(dict.fromkeys(FRAME, JSON)) | JSON)) | JSON)
def test_any_json_is_a_camera_or_told(tmp_path_factory, data):
    try:
        path = camera(tmp_path_factory.mktemp("camera"), data)
    except UsageError:
        return
    assert torch.isfinite(path.rays(0, (4, 4))).all()
