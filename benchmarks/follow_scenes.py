# SPDX-License-Identifier: GPL-3.0-or-later
"""Small scenes that the word "follows" is held against: `.venv/bin/python benchmarks/follow_scenes.py OUT WHAT ...`.

WHAT is the number of a scene that is drawn by it (different camera moves, subjects, paints, light), or a .blend file.
Each leaves a folder in OUT with the tracks as a job has them and pictures by Cycles, 25 frames each: `true` (with half
steps, for a clip of half the speed), `missing` (without the subject) and `doubled` (with a second one beside it).
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
from pathlib import Path

import bpy
from mathutils import Vector
from wan_previs.conditioning import passes
from wan_previs.scene.brief import CameraPath, Shot

FRAMES = 25
SIZES = (160, 96), (176, 104), (192, 112), (144, 144), (160, 88)
CAMERA_MOVES = "truck", "pan", "dolly", "orbit", "crane", "static", "handheld", "zoom", "follow", "arc_tilt"
SUBJECT_MOVES = "still", "cross", "toward", "turn", "hop", "still"
SIDE = 160  # pixels, the longer side of a picture of a .blend file
SUBJECT_AREA = 0.01, 0.3  # share of the picture that the subject of a .blend file takes in mid-shot

Color = tuple[float, float, float]


def paint(name: str, kind: str, color: Color, other: Color | None = None, scale: float = 4.0, rough: float = 0.7):
    """A material: "plain", or with a pattern of two colours."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = rough
    shader.inputs["Base Color"].default_value = (*color, 1)
    if kind == "plain":
        return material
    both = (*color, 1), (*(other or [value * 0.45 for value in color]), 1)
    pattern = tree.nodes.new(f"ShaderNodeTex{kind.capitalize()}")
    pattern.inputs["Scale"].default_value = scale
    tree.links.new(tree.nodes.new("ShaderNodeTexCoord").outputs["Object"], pattern.inputs["Vector"])
    if kind in ("checker", "brick"):
        pattern.inputs["Color1"].default_value, pattern.inputs["Color2"].default_value = both
        tree.links.new(pattern.outputs["Color"], shader.inputs["Base Color"])
        return material
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    mix.inputs[6].default_value, mix.inputs[7].default_value = both
    share = pattern.outputs["Distance" if kind == "voronoi" else "Fac"]
    if kind == "noise":
        ramp = tree.nodes.new("ShaderNodeValToRGB")
        ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.4, 0.6
        tree.links.new(share, ramp.inputs[0])
        share = ramp.outputs[0]
    tree.links.new(share, mix.inputs[0])
    tree.links.new(mix.outputs[2], shader.inputs["Base Color"])
    return material


SHAPES = {
    "box": lambda: bpy.ops.mesh.primitive_cube_add(size=1),
    "ball": lambda: bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, segments=24, ring_count=12),
    "cone": lambda: bpy.ops.mesh.primitive_cone_add(radius1=0.5, depth=1, vertices=24),
    "pillar": lambda: bpy.ops.mesh.primitive_cylinder_add(radius=0.5, depth=1, vertices=24),
    "ring": lambda: bpy.ops.mesh.primitive_torus_add(major_radius=0.38, minor_radius=0.14),
    "ape": lambda: bpy.ops.mesh.primitive_monkey_add(size=0.6),
    "ico": lambda: bpy.ops.mesh.primitive_ico_sphere_add(radius=0.5, subdivisions=2),
}
SMOOTH = "ball", "ape", "cone", "pillar", "ring"


def put(name: str, shape: str, place, size, material, turn: float = 0.0) -> bpy.types.Object:
    """A new thing of one shape."""
    SHAPES[shape]()
    item = bpy.context.object
    item.name, item.location, item.scale, item.rotation_euler.z = name, place, size, turn
    if shape in SMOOTH:
        bpy.ops.object.shade_smooth()
    item.data.materials.append(material)
    return item


def key(item, path: str, values: dict, interpolation: str) -> None:
    """Keyframes of one property."""
    for frame, value in values.items():
        setattr(item, path, value)
        item.keyframe_insert(path, frame=frame)
    for curve in item.animation_data.action.fcurves:
        for point in curve.keyframe_points:
            point.interpolation = interpolation


def aim(camera: bpy.types.Object, height: float) -> None:
    """Turn the camera to a place above the origin."""
    camera.rotation_euler = (Vector((0, 0, height)) - camera.location).to_track_quat("-Z", "Y").to_euler()


def color_of(draw: random.Random, low: float = 0.12, high: float = 0.8) -> Color:
    """A colour."""
    return draw.uniform(low, high), draw.uniform(low, high), draw.uniform(low, high)


def build(number: int) -> tuple[bpy.types.Scene, bpy.types.Object]:
    """The scene of that number, and its subject."""
    draw = random.Random(1000 + number)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    move = CAMERA_MOVES[number % len(CAMERA_MOVES)]
    way = SUBJECT_MOVES[(number * 5 + number // 10) % len(SUBJECT_MOVES)]
    if move in ("static", "follow") and way == "still":
        way = "cross"
    if move == "static" and way == "turn":
        way = "hop"
    _surroundings(scene, draw, indoors=number % 4 == 3)
    subject, height = _subject(draw)
    _others(draw, subject, posts=number % 5 == 2)
    _sun(scene, draw, moves=number % 6 == 4)
    interpolation = draw.choice(["LINEAR", "LINEAR", "BEZIER"])
    amount = _move_subject(draw, subject, way, interpolation)
    camera = _camera(scene, draw, height, move, interpolation, amount)
    if number % 7 == 5:
        camera.data.dof.use_dof, camera.data.dof.focus_object = True, subject
        camera.data.dof.aperture_fstop = 0.8
    scene.frame_start, scene.frame_end, scene.render.fps = 1, FRAMES, 24
    scene.render.resolution_x, scene.render.resolution_y = SIZES[number % len(SIZES)]
    set_render(scene, draw.choice([4, 6]))
    scene.render.use_motion_blur = number % 8 == 6
    scene.view_settings.view_transform = draw.choice(["AgX", "Standard"])
    return scene, subject


def _surroundings(scene: bpy.types.Scene, draw: random.Random, indoors: bool) -> None:
    kind, color = draw.choice(["noise", "checker", "voronoi", "brick", "noise"]), color_of(draw)
    bpy.ops.mesh.primitive_plane_add(size=80)
    ground = bpy.context.object
    ground.name = "Ground"
    scale = {"noise": 1.2, "checker": 0.8, "voronoi": 0.9, "brick": 0.5}[kind]
    darker = tuple(value * draw.uniform(0.4, 0.8) for value in color)
    ground.data.materials.append(paint("ground", kind, color, darker, scale))
    if indoors:
        back = paint("wall", draw.choice(["noise", "brick", "plain"]), color_of(draw, 0.3, 0.8), None, 1.0)
        put("Back wall", "box", (0, 7, 2.5), (16, 0.2, 5), back)
        put("Side wall", "box", (-6, 0, 2.5), (0.2, 16, 5), paint("wall2", "noise", color_of(draw, 0.3), None, 0.8))
    world = scene.world = bpy.data.worlds.new("World")
    world.use_nodes = True
    sky = world.node_tree.nodes["Background"]
    sky.inputs[1].default_value = draw.uniform(0.4, 0.9)
    sky.inputs[0].default_value = (*color_of(draw, 0.3, 0.9), 1)


def _subject(draw: random.Random) -> tuple[bpy.types.Object, float]:
    shape = draw.choice(["box", "ball", "cone", "ring", "ape", "ico", "pillar", "box"])
    size = draw.uniform(1.2, 2.0)
    height = size * (draw.uniform(0.9, 1.8) if shape in ("box", "cone", "pillar") else 1)
    kind = draw.choice(["plain", "noise", "checker", "voronoi", "plain"])
    material = paint("subject", kind, color_of(draw, 0.05, 0.9), None, draw.uniform(2, 5), draw.uniform(0.3, 0.9))
    place, turn = (draw.uniform(-0.6, 0.6), 0, height / 2), draw.uniform(0, 1.5)
    subject = put("Subject", shape, place, (size, size, height), material, turn)
    if shape == "ape":
        subject.rotation_euler = (0, 0, draw.uniform(-0.6, 0.6))
    return subject, height


def _others(draw: random.Random, subject: bpy.types.Object, posts: bool) -> None:
    kinds = ["noise", "checker", "voronoi", "brick", "noise", "plain"]
    for k in range(draw.randint(2, 6)):
        shape, height = draw.choice(["box", "ball", "cone", "pillar", "ico"]), draw.uniform(0.6, 2.6)
        x, y = draw.uniform(-6, 6), draw.uniform(-1, 6)
        while math.hypot(x - subject.location.x, y) <= 2.6:
            x, y = draw.uniform(-6, 6), draw.uniform(-1, 6)
        size = draw.uniform(0.6, 1.4), draw.uniform(0.6, 1.4), height
        material = paint(f"m{k}", draw.choice(kinds), color_of(draw), None, draw.uniform(1.5, 5))
        put(f"Thing {k}", shape, (x, y, height / 2), size, material, draw.uniform(0, 3))
    if posts:
        material = paint("posts", "plain", color_of(draw))
        for k in range(7):
            put(f"Post {k}", "pillar", (-7 + 2.3 * k, 4.5, 0.9), (0.3, 0.3, 1.8), material)


def _sun(scene: bpy.types.Scene, draw: random.Random, moves: bool) -> None:
    light = bpy.data.lights.new("Sun", "SUN")
    light.energy, light.angle = draw.uniform(2, 4), 0.03
    sun = bpy.data.objects.new("Sun", light)
    scene.collection.objects.link(sun)
    sun.rotation_euler = (draw.uniform(0.4, 1.1), 0, draw.uniform(-1.5, 1.5))
    if moves:
        key(sun, "rotation_euler", {1: (0.5, 0, -0.8), FRAMES: (1.1, 0, 0.4)}, "LINEAR")


def _move_subject(draw: random.Random, subject: bpy.types.Object, way: str, interpolation: str) -> float:
    x, y, z = subject.location
    amount, turn = draw.uniform(0.7, 1.5), subject.rotation_euler.z
    if way == "cross":
        key(subject, "location", {1: (x - 1.6 * amount, y, z), FRAMES: (x + 1.6 * amount, y, z)}, interpolation)
    elif way == "toward":
        key(subject, "location", {1: (x, y + 1.5, z), FRAMES: (x + 0.8, y - 2.2 * amount, z)}, interpolation)
    elif way == "turn":
        ends = {1: tuple(subject.rotation_euler), FRAMES: (0, 0, turn + 1.2 * amount)}
        key(subject, "rotation_euler", ends, interpolation)
    elif way == "hop":
        places = {1: (x - 1.2, y, z), 13: (x, y, z + 1.4 * amount), FRAMES: (x + 1.4, y, z)}
        key(subject, "location", places, "BEZIER")
    return amount


def _camera(scene, draw: random.Random, height: float, move: str, interpolation: str, amount: float):
    data = bpy.data.cameras.new("Camera")
    camera = scene.camera = bpy.data.objects.new("Camera", data)
    scene.collection.objects.link(camera)
    data.lens = draw.choice([28, 35, 40, 50])
    away, up = draw.uniform(6, 8) * data.lens / 35, draw.uniform(1.2, 3.2)
    sign = draw.choice([-1, 1])
    camera.location = (draw.uniform(-1, 1), -away, up)
    aim(camera, height / 2)
    x, y, z = camera.location
    tilt, roll, heading = camera.rotation_euler
    ends = {
        "truck": ("location", (x - sign * 0.9 * amount, y, z), (x + sign * 0.9 * amount, y, z)),
        "pan": (
            "rotation_euler",
            (tilt, roll, heading - sign * 0.12 * amount),
            (tilt, roll, heading + sign * 0.12 * amount),
        ),
        "dolly": ("location", (x, y, z), (x, y + sign * 2.0 * amount, z)),
        "crane": ("location", (x, y, z), (x, y, z + 1.2 * amount)),
        "follow": ("location", (x - 1.5 * amount, y, z), (x + 1.5 * amount, y, z)),
    }
    if move in ends:
        path, start, end = ends[move]
        key(camera, path, {1: start, FRAMES: end}, interpolation)
    elif move == "zoom":
        key(data, "lens", {1: data.lens, FRAMES: data.lens * 1.35}, interpolation)
    elif move in ("orbit", "arc_tilt"):
        for frame in range(1, FRAMES + 1):
            angle = sign * (frame - 1) / (FRAMES - 1) * 0.5 * amount
            rise = frame / FRAMES if move == "arc_tilt" else 0
            camera.location = (away * math.sin(angle), -away * math.cos(angle), up + rise)
            aim(camera, height / 2)
            camera.keyframe_insert("location", frame=frame)
            camera.keyframe_insert("rotation_euler", frame=frame)
    elif move == "handheld":
        for frame in range(1, FRAMES + 1, 3):
            camera.rotation_euler = [value + draw.gauss(0, 0.02) for value in (tilt, roll, heading)]
            camera.location = [value + draw.gauss(0, 0.08) for value in (x, y, z)]
            camera.keyframe_insert("location", frame=frame)
            camera.keyframe_insert("rotation_euler", frame=frame)
    return camera


def set_render(scene: bpy.types.Scene, samples: int) -> None:
    """Small pictures by Cycles, quick and with some grain."""
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.max_bounces, scene.cycles.use_denoising = samples, 1, False
    scene.cycles.use_adaptive_sampling = False
    scene.render.use_persistent_data, scene.render.resolution_percentage = True, 100
    scene.render.image_settings.file_format = "PNG"


def write_tracks(scene: bpy.types.Scene, folder: Path) -> dict:
    """The tracks of the scene's frames, by the pass that a job has them of; returns them."""
    size = scene.render.resolution_x, scene.render.resolution_y
    shot = Shot("Shot", scene.frame_start, scene.frame_end, scene.camera.name, None, CameraPath(samples=()))
    path = folder / "tracks.json"
    made = passes.write_passes(
        scene, shot, size, folder / "scratch", FRAMES, lambda _: [passes.TracksPass(path, size, FRAMES)]
    )
    list(made)
    return json.loads(path.read_text())


def open_file(path: Path) -> bpy.types.Scene:
    """A .blend file's scene, with small pictures."""
    bpy.ops.wm.open_mainfile(filepath=str(path))
    scene = bpy.context.scene
    width, height = scene.render.resolution_x, scene.render.resolution_y
    scale = SIDE / max(width, height)
    scene.render.resolution_x, scene.render.resolution_y = (round(side * scale / 8) * 8 for side in (width, height))
    set_render(scene, 6)
    return scene


def subject_of(scene: bpy.types.Scene, tracks: dict) -> bpy.types.Object | None:
    """The largest thing that is wholly seen in mid-shot, and takes neither too little nor too much of the picture."""
    outline = tracks["outlines"][len(tracks["outlines"]) // 2]
    rows = outline["map"]
    cells = [cell for row in rows for cell in row]
    rim = {*rows[0], *rows[-1], *(row[0] for row in rows), *(row[-1] for row in rows)}
    least, most = SUBJECT_AREA
    found = [
        (cells.count(number), thing["object"])
        for number, thing in enumerate(outline["things"])
        if not thing["instance"] and number not in rim and least <= cells.count(number) / len(cells) <= most
    ]
    return scene.objects.get(max(found)[1]) if found else None


def shoot(scene: bpy.types.Scene, folder: Path, steps: list[float]) -> None:
    """The frames at so many steps from the first, each a tenth part of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for step in steps:
        time = scene.frame_start + step * (scene.frame_end - scene.frame_start) / (FRAMES - 1)
        scene.frame_set(math.floor(time), subframe=time - math.floor(time))
        scene.cycles.seed = round(10 * step)  # else its grain stands still in the picture while the scene moves
        scene.render.filepath = str(folder / f"{round(10 * step):04d}.png")
        bpy.ops.render.render(write_still=True)


def second(scene: bpy.types.Scene, subject: bpy.types.Object, away: Vector) -> bpy.types.Object:
    """A copy of the subject that goes as it does, beside it."""
    other = subject.copy()
    scene.collection.objects.link(other)
    if other.animation_data and other.animation_data.action:
        other.animation_data.action = other.animation_data.action.copy()
        for curve in other.animation_data.action.fcurves:
            for point in curve.keyframe_points if curve.data_path == "location" else ():
                for place in (point.co, point.handle_left, point.handle_right):
                    place[1] += away[curve.array_index]
    other.location += away
    return other


def write_scene(out: Path, what: str) -> None:
    """All of one scene."""
    folder = out / (f"s{int(what):02d}" if what.isdigit() else Path(what).stem)
    if (folder / "facts.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if what.isdigit():
        scene, subject = build(int(what))
        tracks, draw = write_tracks(scene, folder), random.Random(int(what))
        side = draw.choice([-1, 1])
        away = Vector((side * draw.uniform(2.2, 2.8), draw.uniform(-0.3, 1.0), 0))
    else:
        scene = open_file(Path(what))
        tracks = write_tracks(scene, folder)
        subject = subject_of(scene, tracks)
        away = (
            scene.camera.matrix_world.to_3x3() @ Vector((1, 0, 0)) * max(subject.dimensions if subject else (0,)) * 1.4
        )
    steps = [float(k) for k in range(FRAMES)]
    shoot(scene, folder / "true", sorted([*steps, *(k + 0.5 for k in range(FRAMES // 2))]))
    if subject is not None:
        subject.hide_render = True
        shoot(scene, folder / "missing", steps)
        subject.hide_render = False
        second(scene, subject, away)
        shoot(scene, folder / "doubled", steps)
    facts = {"subject": subject.name_full if subject else None}
    (folder / "facts.json").write_text(json.dumps(facts))
    print(f"{folder.name}: {facts['subject']}", flush=True)


if __name__ == "__main__":
    for scene_name in sys.argv[2:]:
        write_scene(Path(sys.argv[1]), scene_name)
    sys.stdout.flush()
    os._exit(0)  # Blender's own exit can hang in module mode
