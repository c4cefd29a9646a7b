# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the three example scenes with Blender's Python module: `python examples/build.py [OUT_DIR]`.

The same script gives the same scenes on every Blender from 4.2 on. Azimuths are degrees clockwise from north (+Y),
elevations degrees above the horizon.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import bpy
from mathutils import Vector

if __package__:
    from .shapes import Color, Model, Point, paint
else:
    sys.path.insert(0, str(Path(__file__).parent))
    from shapes import Color, Model, Point, paint

FOLDER = Path(__file__).resolve().parent
SUN_COLORS: tuple[tuple[float, Color, float], ...] = (
    # elevation, linear colour, strength: red near the horizon, white when high. The strengths keep
    # the pictures well exposed: a low sun grazes the ground, so it needs more of it; at the horizon it fades
    (-2.0, (1.0, 0.30, 0.10), 1.0),
    (2.0, (1.0, 0.38, 0.13), 6.0),
    (8.0, (1.0, 0.54, 0.26), 7.5),
    (20.0, (1.0, 0.74, 0.50), 5.2),
    (40.0, (1.0, 0.91, 0.80), 4.0),
    (65.0, (1.0, 0.97, 0.93), 3.6),
)


# -- scene, sun and camera -------------------------------------------------------------------------------------------


def new_scene(name: str, last_frame: int) -> bpy.types.Scene:
    """An empty file with one scene set up for a quick Cycles render."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.name = name
    scene.frame_start, scene.frame_end = 1, last_frame
    scene.render.fps, scene.render.fps_base = 24, 1.0
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 1280, 720, 100
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 16
    scene.cycles.use_denoising = False  # some builds of Blender have no denoiser
    scene.view_settings.view_transform = "Standard"
    return scene


def new_world(scene: bpy.types.Scene, name: str) -> bpy.types.Node:
    """A world with nodes for the scene; returns its Background node."""
    world = bpy.data.worlds.new(name)
    if bpy.app.version < (5, 0, 0):  # later versions always use nodes and warn here
        world.use_nodes = True
    scene.world = world
    return next(node for node in world.node_tree.nodes if node.bl_idname == "ShaderNodeBackground")


def key_world(background: bpy.types.Node, keys: Sequence[tuple[int, Color, float]]) -> None:
    """Keys a plain world: (frame, linear colour, strength)."""
    color, strength = background.inputs["Color"], background.inputs["Strength"]
    for frame, rgb, value in keys:
        color.default_value, strength.default_value = (*rgb, 1.0), value
        color.keyframe_insert("default_value", frame=frame)
        strength.keyframe_insert("default_value", frame=frame)
    make_linear(background.id_data)


def add_sun(scene: bpy.types.Scene, name: str, keys: Sequence[tuple[int, float, float]]) -> bpy.types.Object:
    """A Sun light keyed by (frame, azimuth, elevation); colour and strength follow the elevation."""
    light = bpy.data.lights.new(name, "SUN")
    light.angle = math.radians(1.0)
    sun = bpy.data.objects.new(name, light)
    sun.location = (0.0, 0.0, 12.0)
    scene.collection.objects.link(sun)
    # An action each: from 4.4 on the keys would share one, of whose slots older versions read the first.
    for owner, title in ((sun, name), (light, f"{name} Light")):
        owner.animation_data_create().action = bpy.data.actions.new(title)
    for frame, azimuth, elevation in keys:
        # Local +Z points to the sun: tilt it down from the zenith, then turn it from south to the azimuth.
        sun.rotation_euler = (math.radians(90.0 - elevation), 0.0, math.radians(180.0 - azimuth))
        light.color, light.energy = sun_look(elevation)
        sun.keyframe_insert("rotation_euler", frame=frame)
        light.keyframe_insert("color", frame=frame)
        light.keyframe_insert("energy", frame=frame)
    make_linear(sun)
    make_linear(light)
    return sun


def sun_look(elevation: float) -> tuple[Color, float]:
    """Colour and strength of sunlight at an elevation, linear between the rows of the table."""
    rows = SUN_COLORS
    elevation = min(max(elevation, rows[0][0]), rows[-1][0])
    low, high = next((a, b) for a, b in pairwise(rows) if elevation <= b[0])
    t = (elevation - low[0]) / (high[0] - low[0])
    red, green, blue = (a + (b - a) * t for a, b in zip(low[1], high[1], strict=True))
    return (red, green, blue), low[2] + (high[2] - low[2]) * t


def between(
    first: tuple[int, float, float], last: tuple[int, float, float], count: int
) -> list[tuple[int, float, float]]:
    """`count` sun keys evenly from the first to the last."""
    steps = [i / (count - 1) for i in range(count)]
    return [
        (
            round(first[0] + (last[0] - first[0]) * t),
            first[1] + (last[1] - first[1]) * t,
            first[2] + (last[2] - first[2]) * t,
        )
        for t in steps
    ]


def add_camera(scene: bpy.types.Scene, name: str, at: Point, look_at: Point, lens: float) -> bpy.types.Object:
    """A camera at a place that looks at a point, upright."""
    data = bpy.data.cameras.new(name)
    data.lens = lens
    camera = bpy.data.objects.new(name, data)
    camera.location = at
    camera.rotation_euler = (Vector(look_at) - Vector(at)).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(camera)
    scene.camera = scene.camera or camera
    return camera


def key_location(thing: bpy.types.Object, keys: Sequence[tuple[int, Point]]) -> None:
    """Keys a straight way at even speed."""
    for frame, at in keys:
        thing.location = at
        thing.keyframe_insert("location", frame=frame)
    make_linear(thing)


def make_linear(owner: bpy.types.ID) -> None:
    """Makes all keys of a data-block linear, so that it moves evenly."""
    for curve in curves(owner):
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def curves(owner: bpy.types.ID) -> Iterator[bpy.types.FCurve]:
    """The animation curves of a data-block; from Blender 4.4 on they live in channel bags."""
    action = owner.animation_data.action
    if not hasattr(action, "layers"):
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                yield from bag.fcurves


def add_ground(scene: bpy.types.Scene, name: str, color: Color) -> None:
    Model().box((0, 0, -0.05), (240.0, 240.0, 0.1), paint(name, color)).place(scene, name)


def add_tree(scene: bpy.types.Scene, name: str, at: Point, height: float) -> None:
    bark, leaves = paint("Bark", (0.16, 0.08, 0.04)), paint("Leaves", (0.07, 0.26, 0.06))
    tree = Model().cylinder((0, 0, height * 0.25), height * 0.05, height * 0.5, bark)
    tree.sphere((0, 0, height * 0.68), height * 0.28, leaves).sphere((0, 0, height * 0.92), height * 0.2, leaves)
    tree.place(scene, name, at)


# -- the three scenes ------------------------------------------------------------------------------------------------


def courtyard_sunrise() -> None:
    """A fountain in a courtyard; the sun rises behind it while the camera arcs to the left."""
    scene = new_scene("Courtyard", 72)
    key_world(new_world(scene, "Morning Sky"), [(1, (0.80, 0.51, 0.40), 0.35), (72, (0.36, 0.55, 0.86), 0.6)])
    add_sun(scene, "Sun", between((1, 70.0, 7.0), (72, 100.0, 34.0), 7))
    add_ground(scene, "Ground", (0.52, 0.42, 0.30))
    stone, pale = paint("Stone", (0.55, 0.50, 0.46)), paint("Pale Stone", (0.70, 0.66, 0.60))
    brick, water, wood = (
        paint("Brick", (0.50, 0.14, 0.08)),
        paint("Water", (0.05, 0.25, 0.45)),
        paint("Wood", (0.30, 0.14, 0.05)),
    )
    fountain = Model().cylinder((0, 0, 0.35), 2.0, 0.7, stone).ring((0, 0, 0.7), 2.0, 0.16, pale)
    fountain.cylinder((0, 0, 0.72), 1.85, 0.02, water).cylinder((0, 0, 1.4), 0.28, 2.0, pale)
    fountain.cone((0, 0, 2.5), 0.3, 0.5, stone, top=1.0).sphere((0, 0, 3.0), 0.45, pale)
    fountain.place(scene, "Fountain")
    for name, at, size in (
        ("Wall", (0, 9, 0.5), (18, 0.5, 1.0)),
        ("Wall.001", (0, -9, 0.5), (18, 0.5, 1.0)),
        ("Wall.002", (9, 0, 0.4), (0.5, 18, 0.8)),
    ):
        Model().box((0, 0, 0), size, brick).place(scene, name, at)
    add_tree(scene, "Tree", (4.5, -3.5, 0), 4.2)
    for name, at, turn in (("Bench", (-3.6, -4.4, 0), 205.0), ("Bench.001", (4.6, 1.6, 0), 90.0)):
        bench = Model().box((0, 0, 0.5), (2.2, 0.6, 0.14), wood).box((0, 0.28, 0.85), (2.2, 0.1, 0.5), wood)
        bench.box((-0.8, 0, 0.22), (0.2, 0.5, 0.44), stone).box((0.8, 0, 0.22), (0.2, 0.5, 0.44), stone)
        bench.place(scene, name, at, -turn)
    # The camera hangs on a pivot in the fountain: turning the pivot makes the arc.
    pivot = bpy.data.objects.new("Camera Pivot", None)
    scene.collection.objects.link(pivot)
    camera = add_camera(scene, "Arc Camera", (0.0, -11.5, 3.6), (0.0, 0.0, 1.3), 35.0)
    camera.parent = pivot
    for frame, heading in ((1, 122.0), (72, 172.0)):
        pivot.rotation_euler = (0.0, 0.0, -math.radians(heading))
        pivot.keyframe_insert("rotation_euler", frame=frame)
    make_linear(pivot)


def street_golden_hour() -> None:
    """A street toward the evening sun; the camera pushes in. The sun is the Sky Texture's, there is no lamp."""
    scene = new_scene("Street", 72)
    background = new_world(scene, "Evening Sky")
    background.inputs["Strength"].default_value = 0.08
    tree = background.id_data
    sky = tree.nodes.new("ShaderNodeTexSky")
    sky.sky_type = "NISHITA" if bpy.app.version < (5, 0, 0) else "MULTIPLE_SCATTERING"
    tree.links.new(sky.outputs["Color"], background.inputs["Color"])
    for frame, azimuth, elevation in between((1, 278.0, 14.0), (72, 286.0, 6.0), 5):
        sky.sun_rotation, sky.sun_elevation = math.radians(azimuth), math.radians(elevation)
        sky.keyframe_insert("sun_rotation", frame=frame)
        sky.keyframe_insert("sun_elevation", frame=frame)
    make_linear(tree)
    add_ground(scene, "Ground", (0.42, 0.38, 0.34))
    road = paint("Asphalt", (0.16, 0.16, 0.18))
    Model().box((0, 0, 0.0), (160, 7.0, 0.04), road).place(scene, "Road")
    glass, metal = paint("Glass", (0.06, 0.10, 0.16)), paint("Metal", (0.10, 0.10, 0.11))
    houses = (
        ("Red House", (2.0, 9.5), 5.5, (0.50, 0.12, 0.07)),
        ("Yellow House", (-9.0, 9.5), 7.5, (0.65, 0.44, 0.10)),
        ("Blue House", (2.0, -9.5), 6.5, (0.12, 0.22, 0.46)),
        ("White House", (-9.0, -9.5), 5.0, (0.70, 0.66, 0.60)),
        ("Green House", (-20.0, -9.5), 7.0, (0.14, 0.34, 0.16)),
    )
    for name, (x, y), height, color in houses:
        wall = paint(name, color)
        front = -3.52 if y > 0 else 3.52
        house = Model().box((0, 0, height / 2), (8.0, 7.0, height), wall)
        house.box((0, 0, height + 0.2), (8.6, 7.6, 0.4), metal)
        for left in (-2.4, 0.0, 2.4):
            for up in range(1, int(height // 2)):
                house.box((left, front, 0.8 + up * 1.9), (1.1, 0.1, 1.1), glass)
        house.place(scene, name, (x, y, 0))
    for index, (x, y) in enumerate(((5.0, 4.3), (-7.0, 4.3), (-1.0, -4.3), (-13.0, -4.3))):
        post = (
            Model()
            .cylinder((0, 0, 2.2), 0.09, 4.4, metal)
            .sphere((0, 0, 4.6), 0.28, paint("Lamp Glass", (0.8, 0.75, 0.6)))
        )
        post.place(scene, f"Lamp Post.{index:03d}" if index else "Lamp Post", (x, y, 0))
    red, tyre = paint("Car Paint", (0.62, 0.05, 0.04)), paint("Tyre", (0.03, 0.03, 0.03))
    car = Model().box((0, 0, 0.65), (4.0, 1.8, 0.7), red).box((-0.2, 0, 1.25), (2.1, 1.6, 0.6), glass)
    for x in (-1.3, 1.3):
        for y in (-0.85, 0.85):
            car.cylinder((x, y, 0.36), 0.36, 0.24, tyre, axis="Y")
    car.place(scene, "Parked Car", (1.0, -2.3, 0))
    camera = add_camera(scene, "Push Camera", (17.0, 0.4, 2.0), (-8.0, 0.4, 1.9), 32.0)
    key_location(camera, [(1, (17.0, 0.4, 2.0)), (72, (11.5, 0.4, 2.0))])


def square_noon_to_dusk() -> None:
    """A monument on a square from noon to dusk; two shots cut by markers, and a cart that crosses."""
    scene = new_scene("Square", 96)
    key_world(
        new_world(scene, "Afternoon Sky"),
        [
            (1, (0.30, 0.52, 0.90), 0.5),
            (60, (0.40, 0.48, 0.70), 0.4),
            (84, (0.60, 0.38, 0.36), 0.35),
            (96, (0.34, 0.30, 0.52), 0.5),
        ],
    )
    add_sun(
        scene, "Sun", between((1, 180.0, 60.0), (48, 225.0, 32.0), 5) + between((49, 226.0, 31.5), (96, 268.0, -1.0), 9)
    )
    add_ground(scene, "Square", (0.40, 0.35, 0.29))
    stone, marble = paint("Stone", (0.42, 0.40, 0.38)), paint("Marble", (0.74, 0.70, 0.64))
    gold, teal = paint("Gold", (0.75, 0.46, 0.08)), paint("Teal", (0.05, 0.34, 0.34))
    monument = Model().box((0, 0, 0.25), (4.0, 4.0, 0.5), stone).box((0, 0, 1.1), (2.2, 2.2, 1.2), marble)
    monument.cone((0, 0, 3.4), 0.7, 3.4, marble, top=0.4).sphere((0, 0, 5.5), 0.65, gold)
    monument.place(scene, "Monument")
    kiosk = Model().cylinder((0, 0, 1.2), 1.3, 2.4, teal).cone((0, 0, 3.0), 1.9, 1.2, paint("Roof", (0.58, 0.12, 0.06)))
    kiosk.place(scene, "Kiosk", (-3.5, 6.5, 0))
    wood, tyre = paint("Wood", (0.42, 0.20, 0.06)), paint("Wheel", (0.06, 0.04, 0.03))
    cart = (
        Model()
        .box((0, 0, 0.8), (1.9, 1.1, 0.5), wood)
        .sphere((-0.4, 0, 1.2), 0.38, gold)
        .sphere((0.4, 0, 1.15), 0.32, teal)
    )
    for y in (-0.65, 0.65):
        cart.cylinder((0, y, 0.5), 0.5, 0.12, tyre, axis="Y")
    cart = cart.place(scene, "Cart", (6.2, -3.4, 0))
    key_location(cart, [(1, (6.2, -3.4, 0.0)), (96, (0.0, -3.4, 0.0))])
    wide = add_camera(scene, "Wide Camera", (11.5, -9.5, 2.6), (-0.5, 0.8, 1.9), 32.0)
    close = add_camera(scene, "Close Camera", (7.2, -13.0, 1.7), (0.6, 0.0, 2.65), 40.0)
    key_location(close, [(49, (7.2, -13.0, 1.7)), (96, (5.9, -10.44, 1.87))])
    for name, frame, camera in (("Wide", 1, wide), ("Close", 49, close)):
        scene.timeline_markers.new(name, frame=frame).camera = camera


SCENES: dict[str, Callable[[], None]] = {
    "courtyard_sunrise": courtyard_sunrise,
    "street_golden_hour": street_golden_hour,
    "square_noon_to_dusk": square_noon_to_dusk,
}


def main(folder: Path) -> list[Path]:
    """Builds all scenes into the folder and returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, make in SCENES.items():
        make()
        bpy.context.scene.frame_set(1)
        path = folder.resolve() / f"{name}.blend"
        bpy.context.preferences.filepaths.save_version = 0
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)
        files.append(path)
    return files


if __name__ == "__main__":
    for made in main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(f"{made} ({made.stat().st_size // 1024} KB)")
