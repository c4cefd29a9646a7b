# SPDX-License-Identifier: GPL-3.0-or-later
"""A large scene of many shots with known moves, for measuring how fast scenes are read."""

import math
import random

import bpy
from scene_makers import add_box, add_camera, add_lamp, aim_sun, key, link
from wan_previs import compat

KINDS = ("static", "push_in", "pan_left", "handheld", "follow")


def build(scene, objects=2000, shots=10, frames=2400, moving=100):
    """Trees on a ground, some of them carried off slowly, a sun that sinks, and one camera per shot: still, pushing,
    panning, shaken by noise, or held on a moving thing by a constraint."""
    scene.frame_start, scene.frame_end = 1, frames
    chance = random.Random(1)
    add_box(scene, "Ground", (0, 0, -0.1), (400, 400, 0.2))
    meshes = [_ball(rings) for rings in (8, 16, 24, 32)]
    for index in range(objects):
        tree = link(scene, f"Tree.{index:04d}", meshes[index % 4])
        tree.location = (chance.uniform(-90, 90), chance.uniform(-90, 90), 0.6)
        if index < moving:
            key(tree, "location", {1: tree.location.copy(), frames: tree.location + tree.location.normalized() * 20.0})
    sun = add_lamp(scene)
    for frame, height in ((1, 60.0), (frames, 5.0)):
        aim_sun(sun, 120.0 + height, height, frame=frame)
    length = frames // shots
    for shot in range(shots):
        first = 1 + shot * length
        camera = _camera(scene, KINDS[shot % len(KINDS)], 2.0 * math.pi * shot / shots, first, first + length - 1)
        scene.timeline_markers.new(camera.name, frame=first).camera = camera


def _ball(rings):
    mesh = bpy.data.meshes.new(f"Ball {rings}")
    around = [
        (0.6 * math.sin(a) * math.cos(b), 0.6 * math.sin(a) * math.sin(b), 0.6 * math.cos(a))
        for a in (math.pi * i / rings for i in range(rings + 1))
        for b in (2.0 * math.pi * j / rings for j in range(rings))
    ]
    faces = [
        (i * rings + j, i * rings + (j + 1) % rings, (i + 1) * rings + (j + 1) % rings, (i + 1) * rings + j)
        for i in range(rings)
        for j in range(rings)
    ]
    mesh.from_pydata(around, [], faces)
    return mesh


def _camera(scene, kind, angle, first, last):
    camera = add_camera(scene, (40.0 * math.cos(angle), 40.0 * math.sin(angle), 2.0), f"{kind} {first}")
    level = (math.radians(90.0), 0.0, angle + math.radians(90.0))
    camera.rotation_euler = level
    if kind == "push_in":
        key(camera, "location", {first: camera.location.copy(), last: camera.location.copy() * 0.8}, "BEZIER")
    elif kind == "pan_left":
        key(camera, "rotation_euler", {first: level, last: (*level[:2], level[2] + 1.0)}, "BEZIER")
    elif kind == "handheld":
        key(camera, "rotation_euler", {first: level})
        for index, curve in enumerate(compat.fcurves(camera)):
            noise = curve.modifiers.new("NOISE")
            noise.strength, noise.scale, noise.phase = 0.02, 10.0, 7.0 * index
    elif kind == "follow":
        track = camera.constraints.new("TRACK_TO")
        track.target, track.track_axis, track.up_axis = scene.objects["Tree.0000"], "TRACK_NEGATIVE_Z", "UP_Y"
        key(
            camera,
            "location",
            {first: camera.location.copy(), last: camera.location + camera.location.orthogonal() / 5},
        )
    return camera
