# SPDX-License-Identifier: GPL-3.0-or-later
"""The rough animation that a clip follows: true where its mask is white, and filled elsewhere."""

import numpy as np
import pytest
from passes_scene import SIZE, inside, make_scene, met, read_png, shot_of, traces
from scene_makers import add_box
from test_frames import everything
from walls import BLUE, GREEN, RED, add_wall
from wan_previs import properties
from wan_previs.conditioning import passes, render_first_last
from wan_previs.conditioning.passes.motion import filled


@pytest.fixture
def stage(blank_scene):
    """Glowing boxes, so that a place has one colour from wherever it is seen; the camera passes by."""
    with properties.available():
        make_scene(blank_scene)
        for name, color in (("Ground", GREEN), ("Still", RED), ("Moving", BLUE)):
            wall = add_wall(blank_scene, f"paint {name}", color, 900)
            blank_scene.objects[name].data.materials.append(wall.data.materials[0])
        blank_scene.objects["Moving"].animation_data_clear()
        blank_scene.camera.data.dof.use_dof = False
        blank_scene.render.use_motion_blur = False
        blank_scene.view_settings.view_transform = "Standard"
        blank_scene.cycles.samples, blank_scene.cycles.pixel_filter_type = 4, "GAUSSIAN"
        blank_scene.cycles.filter_width = 0.01  # no pixel mixes colours
        yield blank_scene


def write(scene, folder, make, count=3):
    list(passes.write_passes(scene, shot_of(scene), SIZE, folder, count, lambda scratch: [make]))
    return [
        [read_png(path) for path in sorted((folder / name).iterdir())] for name in ("motion", "motion_mask")
    ]  # fmt: skip


def colors_of(names):
    return np.array([[{"Ground": GREEN, "Still": RED, "Moving": BLUE}.get(n, (0, 0, 0)) for n in row] for row in names])


def test_a_cameras_move_is_the_first_frame_seen_from_there(stage, tmp_path):
    first = render_first_last(stage, shot_of(stage), SIZE, tmp_path / "frames", last=False)["first"]
    before = everything(stage)
    made = passes.CameraMotionPass(tmp_path / "motion", tmp_path / "motion_mask", first)
    clip, masks = write(stage, tmp_path, made)
    assert traces(before, everything(stage)) == {}
    assert masks[0].min() == 255 and [mask.mean() for mask in masks] == sorted([m.mean() for m in masks], reverse=True)
    assert 0.3 < (masks[2] == 255).mean() < 0.98
    for number, frame in enumerate((1.0, 4.5, 8.0)):
        _, names = met(stage, frame)
        known = (masks[number] == 255) & np.logical_or.reduce([inside(names, name) for name in np.unique(names)])
        off = np.abs(clip[number] - colors_of(names)).max(-1)
        assert (off[known] < 40).mean() > 0.98
    # What came into view takes the colours around it.
    surfaces = (met(stage, 8.0)[1] != "") & (masks[2] == 0)
    assert surfaces.any() and (clip[2][surfaces].sum(-1) > 60).mean() > 0.8


def test_marked_objects_move_as_rendered_inside_their_mask(stage, tmp_path):
    stage.objects["Moving"].wan_previs.mark = "follow"
    stage.objects["Moving"].keyframe_insert("location", frame=1)
    stage.objects["Moving"].location = (-1.0, -2.0, 1.3)
    stage.objects["Moving"].keyframe_insert("location", frame=8)
    made = passes.ObjectMotionPass(tmp_path / "motion", tmp_path / "motion_mask")
    clip, masks = write(stage, tmp_path, made)
    for number, frame in enumerate((1.0, 4.5, 8.0)):
        _, names = met(stage, frame)
        assert ((masks[number] == 255) == (names == "Moving")).mean() > 0.998
        off = np.abs(clip[number] - colors_of(names)).max(-1)
        assert (off < 60).mean() > 0.85


def test_holes_are_filled_from_around_them():
    picture = np.zeros((9, 14, 3), np.float32)
    picture[:, :7], picture[:, 7:] = (200, 0, 0), (0, 0, 100)
    known = np.ones((9, 14), bool)
    known[2:6, 1:4] = False
    found = filled(np.where(known[..., None], picture, 255.0), known)
    assert np.allclose(found[2:6, 1:4], (200, 0, 0), atol=1)
    assert np.array_equal(found[known], picture[known])
    nothing = np.zeros((9, 14), bool)
    assert np.array_equal(filled(picture, nothing), picture)


def test_a_thing_in_the_way_hides_what_is_behind_it_from_the_first_frame(stage, tmp_path):
    add_box(stage, "Pillar", (1.0, -5.0, 1.5), (0.5, 0.5, 3.0))
    first = render_first_last(stage, shot_of(stage), SIZE, tmp_path / "frames", last=False)["first"]
    made = passes.CameraMotionPass(tmp_path / "motion", tmp_path / "motion_mask", first)
    _, masks = write(stage, tmp_path, made, count=2)
    _, names = met(stage, 8.0)
    hidden = (masks[1] == 0) & (names == "Ground")
    assert hidden.sum() > 5
