# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth is what a ray through the middle of each pixel meets, in every frame of the clip, and leaves no trace."""

import json
from dataclasses import replace

import bpy
import numpy as np
import pytest
from passes_scene import FRAMES, SIZE, make_scene, met, read_png, shot_of, traces
from scene_makers import add_box, use_nodes
from test_frames import disturb, everything
from wan_previs.conditioning import passes
from wan_previs.conditioning.passes.depth import Scale
from wan_previs.conditioning.passes.sweep import look
from wan_previs.scene.brief import SceneError


@pytest.fixture
def stage(blank_scene):
    make_scene(blank_scene)
    return blank_scene


def depths(scene, frames=FRAMES, size=SIZE):
    return [seen.depth for seen in look(scene, shot_of(scene), size, frames, ["depth"])]


def write(scene, folder, count=3, curve="linear", of="clip", size=SIZE):
    shot = shot_of(scene)

    def wanted(scratch):
        return [passes.DepthPass(shot, folder, scratch, "depth", curve, of)]

    return list(passes.write_passes(scene, shot, size, folder, count, wanted))


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_it_is_the_distance_along_the_view_axis_in_metres(stage, kind):
    stage.camera.data.type, stage.camera.data.ortho_scale = kind, 9.0
    for frame, depth in zip(FRAMES, depths(stage), strict=True):
        true, _ = met(stage, frame)
        assert 0.2 < np.isfinite(true).mean() < 1.0
        # A ray along an edge of two faces may take either; nothing else may differ.
        assert (np.isfinite(depth) == np.isfinite(true)).mean() > 0.998
        both = np.isfinite(depth) & np.isfinite(true)
        assert np.quantile(np.abs(depth[both] - true[both]), 0.998) < 1e-4


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("shape", [(480, 320, 1.0), (200, 500, 1.0), (480, 320, 2.0)], ids=str)
def test_another_shape_is_squeezed_as_the_frames_are(stage, fit, shape):
    render = stage.render
    render.resolution_x, render.resolution_y, render.pixel_aspect_x = shape
    stage.camera.data.sensor_fit = fit
    (depth,) = depths(stage, [2.5])
    true, _ = met(stage, 2.5)
    both = np.isfinite(depth) & np.isfinite(true)
    assert (np.isfinite(depth) == np.isfinite(true)).mean() > 0.998
    assert np.quantile(np.abs(depth[both] - true[both]), 0.998) < 1e-4


def test_a_still_scene_has_the_same_depth_to_the_last_bit_in_every_frame(stage):
    for item in stage.objects:
        item.animation_data_clear()
    first, *others = depths(stage)
    assert all(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize(("alpha", "seen"), [(0.2, "through"), (0.8, "itself")])
def test_what_is_mostly_transparent_is_seen_through(stage, alpha, seen):
    material = bpy.data.materials.new("Leaf")
    principled = use_nodes(material).nodes["Principled BSDF"]
    principled.inputs["Alpha"].default_value = alpha
    pane = add_box(stage, "Pane", (0.0, -4.0, 2.0), (9.0, 0.1, 9.0))
    pane.data.materials.append(material)
    with_pane, _ = met(stage, 1.0)
    stage.collection.objects.unlink(pane)
    without, _ = met(stage, 1.0)
    stage.collection.objects.link(pane)
    (depth,) = depths(stage, [1.0])
    true = without if seen == "through" else with_pane
    assert np.allclose(depth, true, atol=1e-3) and not np.allclose(with_pane, without)


def test_fog_does_not_hide_what_is_in_it(stage):
    clear = depths(stage, [1.0])[0]
    fog = bpy.data.materials.new("Fog")
    tree = use_nodes(fog)
    tree.nodes.clear()
    scatter, output = tree.nodes.new("ShaderNodeVolumeScatter"), tree.nodes.new("ShaderNodeOutputMaterial")
    scatter.inputs["Density"].default_value = 2.0
    tree.links.new(scatter.outputs[0], output.inputs["Volume"])
    add_box(stage, "Fog", (0.0, 0.0, 2.0), (20.0, 30.0, 20.0)).data.materials.append(fog)
    air = bpy.data.worlds.new("Air")
    tree = use_nodes(air)
    scatter = tree.nodes.new("ShaderNodeVolumeScatter")
    scatter.inputs["Density"].default_value = 2.0
    output = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputWorld")
    tree.links.new(scatter.outputs[0], output.inputs["Volume"])
    stage.world = air
    assert np.array_equal(depths(stage, [1.0])[0], clear)


def test_the_scene_stays_as_it_was(stage, tmp_path):
    add_box(stage, "green")
    for name in ("A", "B"):
        camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
        stage.collection.objects.link(camera)
    stage.render.engine = "CYCLES"
    disturb(stage)
    stage.camera = stage.objects["Camera"]
    stage.view_layers[0].use_pass_cryptomatte_object = True
    before = everything(stage)
    write(stage, tmp_path)
    assert traces(before, everything(stage)) == {}


def test_stopping_half_way_leaves_the_scene_as_it_was(stage, tmp_path):
    before, shot = everything(stage), shot_of(stage)

    def wanted(scratch):
        return [passes.DepthPass(shot, tmp_path, scratch, "depth", "linear", "clip")]

    steps = passes.write_passes(stage, shot, SIZE, tmp_path, 5, wanted)
    assert [next(steps), next(steps)] == [0.2, 0.4]
    steps.close()
    assert traces(before, everything(stage)) == {}
    assert not (tmp_path / "depth").exists()


def test_the_scene_is_let_go_of_between_frames_in_a_window(stage, tmp_path, monkeypatch):
    """As in a window, where whoever works on must find the scene as it is."""
    monkeypatch.setattr("wan_previs.conditioning.passes.sweep.in_background", lambda: False)
    before, shot = everything(stage), shot_of(stage)
    steps = look(stage, shot, SIZE, [1.0, 2.0, 3.0], ["depth"])
    for _ in steps:
        assert traces(before, everything(stage)) == {}
        stage["touched"] = True
    assert stage["touched"]


def test_the_files_hold_metres_and_the_picture_for_the_model(stage, tmp_path):
    assert write(stage, tmp_path, count=5) == [0.2, 0.4, 0.6, 0.8, 1.0]
    told = json.loads((tmp_path / "metric_depth.json").read_text())
    frames = [item["frame"] for item in told["frames"]]
    assert frames == pytest.approx([1.0, 2.75, 4.5, 6.25, 8.0])
    exact = depths(stage, frames)
    shown = np.concatenate([depth[np.isfinite(depth)] for depth in exact])
    assert (told["near_m"], told["far_m"]) == pytest.approx((shown.min(), shown.max()))
    white, black = np.percentile(shown, (2, 85))
    for number, depth in enumerate(exact, 1):
        assert told["frames"][number - 1]["white_m"] == pytest.approx(white)
        metric = read_png(tmp_path / "metric_depth" / f"{number:05}.png")
        seen = np.isfinite(depth)
        assert np.array_equal(metric > 0, seen)
        metres = told["near_m"] + (metric - 1) * told["metres_per_step"]
        assert np.abs(metres - depth)[seen].max() <= told["metres_per_step"]
        picture = read_png(tmp_path / "depth" / f"{number:05}.png")
        grey = 255 * np.clip(1 - (depth - white) / (black - white), 0, 1)
        assert picture.shape == (*depth.shape, 3) and np.abs(picture - grey[:, :, None]).max() <= 0.51
    assert (np.concatenate([read_png(path).ravel() for path in (tmp_path / "depth").iterdir()]) == 255).any()


def test_inverse_depth_and_a_scale_for_each_frame(stage, tmp_path):
    write(stage, tmp_path, count=2, curve="inverse", of="frame")
    for number, depth in enumerate(depths(stage, [1.0, 8.0]), 1):
        white, black = np.percentile(depth[np.isfinite(depth)], (2, 85))
        grey = 255 * np.clip((1 / depth - 1 / black) / (1 / white - 1 / black), 0, 1)
        picture = read_png(tmp_path / "depth" / f"{number:05}.png")
        assert np.abs(picture - grey[:, :, None]).max() <= 0.51


def test_a_wall_at_one_distance_is_white_and_the_sky_black():
    depth = np.array([[3.0, 3.0], [np.inf, 3.0]])
    assert Scale.of(depth, "linear").picture(depth).tolist() == [[255, 255], [0, 255]]
    assert Scale.of(depth, "inverse").picture(depth).tolist() == [[255, 255], [0, 255]]


def test_a_camera_that_sees_nothing_is_told(stage, tmp_path):
    stage.camera.animation_data_clear()
    stage.camera.rotation_euler = (3.1, 0.0, 0.0)
    with pytest.raises(SceneError, match="sees no surface"):
        write(stage, tmp_path)


def test_what_gives_nothing_to_follow_is_told_before_anything_is_rendered(stage, tmp_path):
    shot = shot_of(stage)
    with pytest.raises(SceneError, match="one frame long"):
        passes.check_shot(stage, replace(shot, frame_end=shot.frame_start), passes.KINDS)
    with pytest.raises(SceneError, match="no camera"):
        passes.check_shot(stage, replace(shot, camera="Gone"), passes.KINDS)
    stage.camera.data.type = "PANO"
    with pytest.raises(SceneError, match="panoramic"):
        passes.check_shot(stage, shot, passes.KINDS)
    stage.camera.data.type = "ORTHO"
    passes.check_shot(stage, shot, passes.KINDS)
    with pytest.raises(SceneError, match="orthographic"):
        passes.check_shot(stage, shot, ("PERSP",))
    for item in list(stage.objects):
        if item.type == "MESH":
            bpy.data.objects.remove(item)
    with pytest.raises(SceneError, match="surface"):
        passes.check_shot(stage, shot, passes.KINDS)
