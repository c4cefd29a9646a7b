# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines lie on the edges that a camera sees of a box, and nowhere else."""

import itertools

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from passes_scene import make_scene, read_png, set_between, shot_of, traces
from scene_makers import add_box, add_camera, link, look_at
from test_frames import everything
from wan_previs import properties
from wan_previs.conditioning import passes
from wan_previs.conditioning.passes.sweep import look

SIZE = (96, 64)


@pytest.fixture
def stage(blank_scene):
    with properties.available():
        camera = add_camera(blank_scene, (4.0, -7.0, 4.0))
        look_at(camera, (0.0, 0.0, 0.0))
        blank_scene.frame_start, blank_scene.frame_end = 1, 8
        blank_scene.render.resolution_x, blank_scene.render.resolution_y = 960, 640
        yield blank_scene


def lines(scene, frames=(1.0,)):
    return [seen.layers["lines"] for seen in look(scene, shot_of(scene), SIZE, frames, ["lines"])]


def on_picture(scene, points):
    set_between(scene, 1.0)
    found = [world_to_camera_view(scene, scene.camera, Vector(point)) for point in points]
    return np.array([(p.x * SIZE[0], (1 - p.y) * SIZE[1]) for p in found])


def visible_edges(scene, half=1.0):
    """Points along the edges of a box around the origin that have a face turned to the camera."""
    eye, points = scene.camera.matrix_world.translation, []
    for axis in range(3):
        others = [i for i in range(3) if i != axis]
        for signs in itertools.product((-half, half), repeat=2):
            faces = [(other, sign) for other, sign in zip(others, signs, strict=True)]
            if any(eye[other] * np.sign(sign) > half for other, sign in faces):
                for t in np.linspace(-half, half, 40):
                    point = [0.0, 0.0, 0.0]
                    point[axis] = t
                    for other, sign in faces:
                        point[other] = sign
                    points.append(point)
    return on_picture(scene, points)


def far_from(points, picture):
    """Distance in pixels of the middle of each pixel from the nearest of the points."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
    return np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1]).min(-1)


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_they_lie_on_the_edges_of_a_box_and_nowhere_else(stage, kind):
    add_box(stage, "Box", (0.0, 0.0, 0.0), (2.0, 2.0, 2.0))
    stage.camera.data.type, stage.camera.data.ortho_scale = kind, 6.0
    if kind == "ORTHO":
        stage.camera.location = stage.camera.location * 1.5
    (picture,) = lines(stage)
    edges = visible_edges(stage)
    distance = far_from(edges, picture)
    assert picture[distance > 1.5].max() == 0
    columns, rows = np.floor(edges).astype(int).T
    near = [picture[max(0, r - 1) : r + 2, max(0, c - 1) : c + 2].max() for r, c in zip(rows, columns, strict=True)]
    assert min(near) >= 127


def test_a_plane_seen_at_a_shallow_angle_has_only_its_border(stage):
    mesh = bpy.data.meshes.new("Ground")
    mesh.from_pydata([(-500, -500, 0), (500, -500, 0), (500, 500, 0), (-500, 500, 0)], [], [(0, 1, 2, 3)])
    link(stage, "Ground", mesh)
    stage.camera.location.z = 0.2
    look_at(stage.camera, (0.0, 3.0, 0.0))
    (picture,) = lines(stage)
    assert (picture > 0).any(1).sum() <= 3 and picture[-20:].max() == 0


def test_smooth_forms_have_an_outline_alone(stage):
    bpy.ops.mesh.primitive_uv_sphere_add(segments=96, ring_count=48, radius=1.5)
    bpy.ops.object.shade_smooth()
    (picture,) = lines(stage)
    (middle,) = on_picture(stage, [(0.0, 0.0, 0.0)])
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    radius = np.hypot(x - middle[0], y - middle[1])
    assert picture[radius < 10].max() == 0 and picture.max() == 255


def test_borders_of_materials_on_a_flat_face_are_lines(stage):
    mesh = bpy.data.meshes.new("Two")
    corners = [(x, 0, z) for x in (-2, 0, 2) for z in (-1, 1)]
    mesh.from_pydata(corners, [], [(0, 2, 3, 1), (2, 4, 5, 3)])
    item = link(stage, "Two", mesh)
    look_at(stage.camera, (0.0, 0.0, 0.0))
    for name in ("One", "Other"):
        mesh.materials.append(bpy.data.materials.new(name))
    (plain,) = lines(stage)
    mesh.polygons[1].material_index = 1
    (parted,) = lines(stage)
    border = far_from(on_picture(stage, [(0.0, 0.0, z) for z in np.linspace(-0.8, 0.8, 30)]), parted)
    assert plain[border < 1].max() == 0 and parted[border < 0.6].min() > 0
    whole = far_from(on_picture(stage, [(0.0, 0.0, z) for z in np.linspace(-1.0, 1.0, 30)]), parted)
    assert np.array_equal(plain[whole > 2], parted[whole > 2]) and item.pass_index == 0


def test_a_still_scene_has_the_same_lines_in_every_frame_and_stays_as_it_was(stage):
    add_box(stage, "Box", (0.0, 0.0, 0.0), (2.0, 2.0, 2.0))
    before = everything(stage)
    first, second = lines(stage, (1.0, 5.5))
    assert np.array_equal(first, second)
    assert traces(before, everything(stage)) == {}


def test_lines_are_drawn_over_depth(blank_scene, tmp_path):
    make_scene(blank_scene)
    shot, clips = shot_of(blank_scene), {}
    for name in ("depth", "mixed", "lines"):
        folder = tmp_path / name

        def wanted(scratch, name=name, folder=folder):
            if name == "lines":
                return [passes.ClipPass(folder / name, "lines")]
            depth = passes.DepthPass(shot, folder, scratch, name, "linear", "clip")
            return [depth] if name == "depth" else [depth, passes.LinesOverPass(folder / name, scratch)]

        list(passes.write_passes(blank_scene, shot, SIZE, folder, 2, wanted))
        clips[name] = read_png(folder / name / "00002.png")
    assert np.array_equal(clips["mixed"], np.maximum(np.rint(0.6 * clips["depth"]), clips["lines"]))
    assert clips["lines"].max() == 255
