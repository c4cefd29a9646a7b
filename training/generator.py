# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the scene of a plan in Blender and renders it: the only file of `training/` that needs bpy.

    python -m training.generator render OUT --first 0 --count 1000
    python -m training.generator prompts OUT --first 0 --count 1000
    python -m training.generator light OUT --first 0 --count 1000

`render` leaves OUT/clips/SEED/0001.png ...; `prompts` reads the very same scenes through the extension's own scene
reader and prompt writer, for each of the four variants (mirrored, reversed), and leaves OUT/prompts/SEED.json; `light`
leaves the light that the extension expects of the clips that are there, in OUT/light/SEED.json: one curve for each
way to start a clip, for the pictures that are rendered tell of the light as well. All skip what is there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
from pathlib import Path

import bpy
from mathutils import Vector

from wan_engine.color_temperature import blackbody_rgb

from .plans import FRAMES, GROUNDS, SIZE, Plan, Thing, draw_plan, sky_color, sun_kelvin, sun_strength

SAMPLES = 3


def lamp_color(kelvin: float) -> tuple[float, float, float]:
    """Linear RGB of a black body, brightest channel 1 (a lamp wants a colour, not a temperature)."""
    r, g, b = (float(channel) for channel in blackbody_rgb(kelvin))
    top = max(r, g, b)
    return r / top, g / top, b / top


def _sky_light() -> bpy.types.NodeTree:
    """A node group that stands in for light from the sky: emission by how far a surface faces up, without noise.

    Sampling the world costs many samples a pixel; this costs none. Its `Sky` colour is keyed per frame in one place.
    """
    group = bpy.data.node_groups.new("sky light", "ShaderNodeTree")
    group.interface.new_socket("Color", in_out="INPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    make, link = group.nodes.new, group.links.new
    inputs, outputs = make("NodeGroupInput"), make("NodeGroupOutput")
    sky, geometry, separate = make("ShaderNodeRGB"), make("ShaderNodeNewGeometry"), make("ShaderNodeSeparateXYZ")
    sky.name = "Sky"
    facing, tint, emission = make("ShaderNodeMapRange"), make("ShaderNodeMix"), make("ShaderNodeEmission")
    for name, value in (("From Min", -1), ("From Max", 1), ("To Min", 0.35), ("To Max", 1.0)):
        facing.inputs[name].default_value = value
    tint.data_type, tint.blend_type = "RGBA", "MULTIPLY"
    tint.inputs["Factor"].default_value = 1.0
    link(geometry.outputs["Normal"], separate.inputs[0])
    link(separate.outputs["Z"], facing.inputs["Value"])
    link(inputs.outputs["Color"], tint.inputs[6])
    link(sky.outputs[0], tint.inputs[7])
    link(tint.outputs[2], emission.inputs["Color"])
    link(facing.outputs["Result"], emission.inputs["Strength"])
    link(emission.outputs[0], outputs.inputs["Shader"])
    return group


def _material(
    name: str, color: tuple[float, float, float], sky: bpy.types.NodeTree | None, tiles: bool
) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    make, link = tree.nodes.new, tree.links.new
    rgb, diffuse, output = make("ShaderNodeRGB"), make("ShaderNodeBsdfDiffuse"), make("ShaderNodeOutputMaterial")
    rgb.outputs[0].default_value = (*color, 1)
    source, surface = rgb.outputs[0], diffuse.outputs[0]
    if tiles:
        checker, coordinates = make("ShaderNodeTexChecker"), make("ShaderNodeTexCoord")
        checker.inputs["Color1"].default_value = (*color, 1)
        checker.inputs["Color2"].default_value = (*(c * 0.6 for c in color), 1)
        checker.inputs["Scale"].default_value = 400
        link(coordinates.outputs["Object"], checker.inputs["Vector"])
        source = checker.outputs["Color"]
    link(source, diffuse.inputs["Color"])
    if sky is not None:
        group, add = make("ShaderNodeGroup"), make("ShaderNodeAddShader")
        group.node_tree = sky
        link(source, group.inputs["Color"])
        link(surface, add.inputs[0])
        link(group.outputs[0], add.inputs[1])
        surface = add.outputs[0]
    link(surface, output.inputs["Surface"])
    return material


def _primitives() -> dict[str, bpy.types.Mesh]:
    """Unit primitives that stand on z = 0 and are 1 wide, 1 deep, 1 high; made once and shared."""
    add = bpy.ops.mesh
    makers = {
        "cube": lambda: add.primitive_cube_add(size=1),
        "sphere": lambda: add.primitive_uv_sphere_add(segments=24, ring_count=14, radius=0.5),
        "cylinder": lambda: add.primitive_cylinder_add(vertices=32, radius=0.5, depth=1),
        "cone": lambda: add.primitive_cone_add(vertices=32, radius1=0.5, depth=1),
        "torus": lambda: add.primitive_torus_add(major_radius=0.36, minor_radius=0.14),
        "pyramid": lambda: add.primitive_cone_add(vertices=4, radius1=0.6, depth=1),
    }
    meshes = {}
    for shape, make in makers.items():
        make()
        ob = bpy.context.object
        mesh = ob.data
        height = max(v.co.z for v in mesh.vertices) - min(v.co.z for v in mesh.vertices)
        for v in mesh.vertices:
            v.co.z = v.co.z / height + 0.5
        if shape in ("sphere", "torus"):
            mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
        mesh.materials.append(None)
        mesh.name, mesh.use_fake_user = f"unit {shape}", True
        meshes[shape] = mesh
        bpy.data.objects.remove(ob)
    return meshes


class Stage:
    """A Blender session that shows one plan at a time."""

    def __init__(self, sky_light: bool = True) -> None:
        """`sky_light` False leaves materials plain, as the scene reader should see them."""
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.sky = _sky_light() if sky_light else None
        self.scene = bpy.context.scene
        self.meshes = _primitives()
        render = self.scene.render
        render.engine = "CYCLES"
        render.resolution_x, render.resolution_y, render.resolution_percentage = *SIZE, 100
        render.use_persistent_data = True
        render.fps = 8
        render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGB"
        self.scene.frame_start, self.scene.frame_end = 1, FRAMES
        render.image_settings.compression = 0
        cycles = self.scene.cycles
        cycles.device, cycles.samples, cycles.use_denoising = "CPU", SAMPLES, False
        cycles.use_adaptive_sampling, cycles.max_bounces, cycles.use_auto_tile = False, 0, False

    def show(self, plan: Plan) -> None:
        """Replaces what the scene holds by the plan."""
        for ob in list(self.scene.objects):
            bpy.data.objects.remove(ob)
        for blocks in (bpy.data.materials, bpy.data.lights, bpy.data.cameras, bpy.data.worlds, bpy.data.actions):
            for block in list(blocks):
                blocks.remove(block)
        self.scene.view_settings.view_transform = plan.view_transform
        ground = Thing("ground", "cube", GROUNDS[plan.ground], (600, 600, 0.2), ((0, 0, -0.2),))
        self._place(ground, plan.tiles)
        for thing in plan.things:
            self._place(thing)
        self._light(plan)
        self._camera(plan)

    def _place(self, thing: Thing, tiles: bool = False) -> None:
        ob = bpy.data.objects.new(thing.name, self.meshes[thing.shape])
        self.scene.collection.objects.link(ob)
        ob.scale, ob.rotation_euler.z = thing.size, thing.turn
        ob.material_slots[0].link = "OBJECT"  # the mesh is shared by all things of that shape
        ob.material_slots[0].material = _material(thing.name, thing.color, self.sky, tiles)
        for i, base in enumerate(thing.bases):
            ob.location = base
            if len(thing.bases) > 1:
                ob.keyframe_insert("location", frame=i + 1)

    def _light(self, plan: Plan) -> None:
        lamp = bpy.data.lights.new("Sun", "SUN")
        lamp.angle = math.radians(0.5)
        ob = bpy.data.objects.new("Sun", lamp)
        self.scene.collection.objects.link(ob)
        ob.rotation_mode = "QUATERNION"
        world = bpy.data.worlds.new("World")
        self.scene.world = world
        world.use_nodes = True
        world.cycles_visibility.diffuse = self.sky is None
        background = world.node_tree.nodes["Background"].inputs["Color"]
        for i, (az, el) in enumerate(zip(plan.azimuth, plan.elevation, strict=True)):
            a, e = math.radians(az), math.radians(el)
            toward = Vector((math.sin(a) * math.cos(e), math.cos(a) * math.cos(e), math.sin(e)))
            ob.rotation_quaternion = toward.to_track_quat("Z", "Y")
            lamp.energy, lamp.color = sun_strength(el), lamp_color(sun_kelvin(el))
            background.default_value = (*sky_color(el), 1)
            ob.keyframe_insert("rotation_quaternion", frame=i + 1)
            lamp.keyframe_insert("energy", frame=i + 1)
            lamp.keyframe_insert("color", frame=i + 1)
            background.keyframe_insert("default_value", frame=i + 1)
            if self.sky is not None:
                sky = self.sky.nodes["Sky"].outputs[0]
                sky.default_value = (*sky_color(el), 1)
                sky.keyframe_insert("default_value", frame=i + 1)

    def _camera(self, plan: Plan) -> None:
        data = bpy.data.cameras.new("Camera")
        ob = bpy.data.objects.new("Camera", data)
        self.scene.collection.objects.link(ob)
        self.scene.camera = ob
        ob.rotation_mode = "QUATERNION"
        for i, (eye, target, lens) in enumerate(zip(plan.eyes, plan.targets, plan.lenses, strict=True)):
            ob.location, data.lens = eye, lens
            ob.rotation_quaternion = (Vector(target) - Vector(eye)).to_track_quat("-Z", "Y")
            ob.keyframe_insert("location", frame=i + 1)
            ob.keyframe_insert("rotation_quaternion", frame=i + 1)
            data.keyframe_insert("lens", frame=i + 1)


@contextlib.contextmanager
def _quiet():
    """Sends Blender's own lines on file descriptor 1 to nowhere."""
    sys.stdout.flush()
    keep, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(keep, 1)
        os.close(keep)
        os.close(null)


def render(stage: Stage, seed: int, out: Path) -> None:
    folder = out / "clips" / f"{seed:06d}"
    if (folder / f"{FRAMES:04d}.png").exists():
        return
    stage.show(draw_plan(seed))
    stage.scene.cycles.seed = seed
    stage.scene.render.filepath = str(folder / "####.png")
    with _quiet():
        bpy.ops.render.render(animation=True)


def write_prompts(stage: Stage, seed: int, out: Path) -> None:
    from wan_previs.prompting import build_prompt, prompt_text
    from wan_previs.scene.reader import read_brief

    path = out / "prompts" / f"{seed:06d}.json"
    if path.exists():
        return
    plan, variants = draw_plan(seed), {}
    for mirror in (False, True):
        for reverse in (False, True):
            stage.show(plan.variant(mirror, reverse))
            brief, _warnings = read_brief(stage.scene)
            shot = brief.shots[0]
            variants[f"mirror={int(mirror)} reverse={int(reverse)}"] = prompt_text(build_prompt(brief, shot))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(variants, indent=1), encoding="utf-8")


def write_light(stage: Stage, seed: int, out: Path) -> None:
    from wan_previs.conditioning.light_curve import predict_light
    from wan_previs.scene.reader import read_brief

    path, clip = out / "light" / f"{seed:06d}.json", out / "clips" / f"{seed:06d}"
    if path.exists():
        return
    stage.show(draw_plan(seed))
    brief, _warnings = read_brief(stage.scene)
    first, last = (clip / f"{frame:04d}.png" for frame in (1, FRAMES))
    pictures = {"first+last": (first, last), "first": (first, None), "text": (None, None)}
    curves = {mode: predict_light(stage.scene, brief.shots[0], *known).to_json() for mode, known in pictures.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(curves, indent=1), encoding="utf-8")


WORK = {"render": render, "prompts": write_prompts, "light": write_light}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=tuple(WORK))
    parser.add_argument("out", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    args = parser.parse_args()
    stage = Stage(sky_light=args.what == "render")
    work = WORK[args.what]
    for seed in range(args.first, args.first + args.count):
        work(stage, seed, args.out)
        print(f"{args.what} {seed + 1 - args.first}/{args.count}", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
