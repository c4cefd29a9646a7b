# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies are drawn as control models read them, their joints where Blender sees the bones begin."""

import math

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from passes_scene import read_png, set_between, shot_of, traces
from scene_makers import add_box, add_camera
from test_frames import everything
from wan_previs.conditioning import passes
from wan_previs.conditioning.passes.bones import JOINTS, joints_of
from wan_previs.conditioning.passes.pose import POINTS
from wan_previs.scene.brief import SceneError

SIZE = (256, 256)
# OpenPose's colours, by its documentation.
COLORS = [
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255),
    (255, 0, 255), (255, 0, 170), (255, 0, 85),
]  # fmt: skip
NAMES = {
    "plain": "upper_arm.{s} forearm.{s} hand.{s} thigh.{s} shin.{s} foot.{s}",
    "Rigify": "DEF-upper_arm.{s} DEF-forearm.{s} DEF-hand.{s} DEF-thigh.{s} DEF-shin.{s} DEF-foot.{s}",
    "Mixamo": "mixamorig:{side}Arm mixamorig:{side}ForeArm mixamorig:{side}Hand mixamorig:{side}UpLeg "
    "mixamorig:{side}Leg mixamorig:{side}Foot",
    "MPFB": "upperarm01.{s} lowerarm01.{s} wrist.{s} upperleg01.{s} lowerleg01.{s} foot.{s}",
    "Unreal": "upperarm_{low} lowerarm_{low} hand_{low} thigh_{low} calf_{low} foot_{low}",
}
# Heads of those bones for the left side, a body that faces -Y; and their ends.
PLACES = [(0.2, 0, 1.5), (0.5, 0, 1.4), (0.75, -0.1, 1.4), (0.1, 0, 1.0), (0.12, 0, 0.5), (0.12, 0, 0.1)]
ORDER = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def names_of(kind):
    return {
        f"{side} {joint}": name
        for side in ("left", "right")
        for joint, name in zip(
            ORDER, NAMES[kind].format(s=side[0].upper(), low=side[0], side=side.capitalize()).split(), strict=True
        )
    }


def add_body(scene, names, name="Rig", head="head"):
    data = bpy.data.armatures.new(name)
    item = bpy.data.objects.new(name, data)
    scene.collection.objects.link(item)
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    for joint, bone_name in names.items():
        side, part = joint.split(" ")
        x, y, z = PLACES[ORDER.index(part)]
        bone = data.edit_bones.new(bone_name)
        bone.head = (x if side == "left" else -x, y, z)
        bone.tail = (bone.head.x, bone.head.y - 0.05, bone.head.z - 0.15)
    if head:
        bone = data.edit_bones.new(head)
        bone.head, bone.tail = (0, 0, 1.6), (0, 0, 1.85)
    bpy.ops.object.mode_set(mode="OBJECT")
    return item


@pytest.fixture
def stage(blank_scene):
    """A body that turns and waves before a camera."""
    add_camera(blank_scene, (0.3, -4.0, 1.2))
    blank_scene.frame_start, blank_scene.frame_end = 1, 9
    blank_scene.render.resolution_x = blank_scene.render.resolution_y = 512
    add_box(blank_scene, "Floor", (0.0, 0.0, -0.1), (9.0, 9.0, 0.1))
    return blank_scene


def animate(item):
    item.keyframe_insert("rotation_euler", frame=1)
    item.rotation_euler.z = math.radians(35)
    item.keyframe_insert("rotation_euler", frame=9)
    bone = item.pose.bones[0]
    bone.rotation_mode = "XYZ"
    bone.keyframe_insert("rotation_euler", frame=1)
    bone.rotation_euler.x = 0.8
    bone.keyframe_insert("rotation_euler", frame=9)


def written(scene, folder, count=3):
    list(passes.write_passes(scene, shot_of(scene), SIZE, folder, count, lambda _: [passes.PosePass(folder, SIZE)]))
    return [read_png(path) for path in sorted(folder.glob("*.png"))]


def middle_of(picture, color):
    """The middle of the disc of a joint's full colour, in pixels; None where there is none."""
    rows, columns = np.nonzero((picture == color).all(-1))
    return None if not len(rows) else (columns.mean() + 0.5, rows.mean() + 0.5)


@pytest.mark.parametrize("kind", NAMES)
def test_joints_are_where_the_bones_begin(stage, tmp_path, kind):
    names = names_of(kind)
    item = add_body(stage, names)
    animate(item)
    stage.frame_set(1)
    before = everything(stage)
    pictures = written(stage, tmp_path)
    assert traces(before, everything(stage)) == {}
    for frame, picture in zip((1.0, 5.0, 9.0), pictures, strict=True):
        evaluated = item.evaluated_get(set_between(stage, frame))
        for joint, name in names.items():
            world = evaluated.matrix_world @ evaluated.pose.bones[name].head
            x, y, _ = world_to_camera_view(stage, stage.camera, world)
            found = middle_of(picture, COLORS[POINTS.index(joint)])
            assert found is not None and found == pytest.approx((x * SIZE[0], (1 - y) * SIZE[1]), abs=1.0)
        left, right = (
            evaluated.matrix_world @ evaluated.pose.bones[names[f"{side} shoulder"]].head for side in ("left", "right")
        )
        x, y, _ = world_to_camera_view(stage, stage.camera, (left + right) / 2)
        assert middle_of(picture, COLORS[1]) == pytest.approx((x * SIZE[0], (1 - y) * SIZE[1]), abs=1.0)


def test_limbs_run_between_joints_in_their_darker_colours(stage, tmp_path):
    add_body(stage, names_of("plain"))
    picture = written(stage, tmp_path)[0]
    for number, (one, other) in enumerate([(1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7)]):
        a, b = (np.array(middle_of(picture, COLORS[point])) for point in (one, other))
        x, y = ((a + b) / 2).astype(int)
        assert np.abs(picture[y, x] - 0.6 * np.array(COLORS[number])).max() <= 1
    face = [middle_of(picture, COLORS[POINTS.index(part)]) for part in ("right eye", "nose", "left eye")]
    assert face[0][0] < face[1][0] < face[2][0] and face[1][1] > face[0][1]  # seen from the front


def test_what_stands_before_the_body_hides_its_joints_and_its_own_mesh_does_not(stage, tmp_path):
    names = names_of("plain")
    item = add_body(stage, names)
    skin = add_box(stage, "Skin", (0.0, 0.0, 1.0), (2.0, 0.6, 2.4))
    skin.modifiers.new("Armature", "ARMATURE").object = item
    assert middle_of(written(stage, tmp_path)[0], COLORS[POINTS.index("left knee")]) is not None
    add_box(stage, "Table", (0.15, -1.0, 0.5), (0.4, 0.1, 0.6))
    picture = written(stage, tmp_path)[0]
    assert middle_of(picture, COLORS[POINTS.index("left knee")]) is None
    assert middle_of(picture, COLORS[POINTS.index("left shoulder")]) is not None


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_each_rig_are_known_among_its_helpers(kind):
    names = names_of(kind)
    helpers = [
        "root", "spine", "spine.001", "MCH-hand.L", "upper_arm_fk.L", "hand_ik.R", "ORG-foot.L", "DEF-thigh.L.001",
        "shoulder.L", "clavicle_l", "mixamorig:Spine", "mixamorig:LeftShoulder", "mixamorig:LeftHandThumb1",
        "thumb.01.L", "toe.L", "heel.02.R", "neck01",
    ]  # fmt: skip
    own = {"DEF-thigh.L.001": "Rigify", "ORG-foot.L": "Rigify", "upperarm02.L": "MPFB"}
    others = [name for name in [*helpers, "upperarm02.L"] if own.get(name, kind) == kind]
    found = joints_of([*others, *names.values(), "head"])
    assert {joint: found[joint] for joint in JOINTS} == names and found["head"] == "head"


def test_the_users_own_mapping_counts(stage, tmp_path):
    names = {joint: f"bone {number}" for number, joint in enumerate(names_of("plain"))}
    item = add_body(stage, names, head="")
    with pytest.raises(SceneError, match="previs_joint"):
        passes.check_bodies(stage)
    for joint, name in names.items():
        item.data.bones[name]["previs_joint"] = joint
    passes.check_bodies(stage)
    assert middle_of(written(stage, tmp_path)[0], COLORS[POINTS.index("left wrist")]) is not None
    item.hide_render = True
    with pytest.raises(SceneError, match="No armature"):
        passes.check_bodies(stage)
