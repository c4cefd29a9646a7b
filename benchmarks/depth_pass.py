# SPDX-License-Identifier: GPL-3.0-or-later
"""What the depth of a clip takes beside Blender's own render of it: `.venv/bin/python benchmarks/depth_pass.py
[FRAMES [FACES]]`.

A shot of 81 frames of a scene of 300,000 faces at 832x480 unless said otherwise. Blender's own: an animation rendered
by Cycles with one sample, its depth written as OpenEXR. Both by turns, the least of each in processor time (all cores
together, which other programs on the machine hardly change) and on the clock; less than Blender's is below 1.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bpy
from wan_previs import compat
from wan_previs.conditioning import passes
from wan_previs.scene.brief import CameraPath, Shot

ROUNDS = 2
SIZE = (832, 480)


def build(frames: int, faces: int) -> bpy.types.Scene:
    """Hills under a camera that flies over them."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, side = bpy.context.scene, math.isqrt(faces)
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=side, y_subdivisions=side, size=40)
    for vertex in bpy.context.object.data.vertices:
        vertex.co.z = math.sin(vertex.co.x) * math.cos(vertex.co.y)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    camera.location, camera.rotation_euler = (0, -22, 6), (1.2, 0, 0)
    camera.keyframe_insert("location", frame=1)
    camera.location.y = -12
    camera.keyframe_insert("location", frame=frames)
    scene.camera, scene.frame_start, scene.frame_end = camera, 1, frames
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    return scene


def ours(scene: bpy.types.Scene, folder: Path) -> None:
    shot = Shot("Shot", scene.frame_start, scene.frame_end, "Camera", None, CameraPath(samples=()))

    def wanted(scratch: Path) -> list[passes.Pass]:
        return [passes.DepthPass(shot, folder, scratch, "depth", "linear", "clip")]

    for _ in passes.write_passes(scene, shot, SIZE, folder, shot.frame_count, wanted):
        pass


def blenders(scene: bpy.types.Scene, folder: Path) -> None:
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = 1, False, False
    scene.view_layers[0].use_pass_z = True
    compat.set_layered_file(scene.render.image_settings)
    scene.render.filepath = str(folder / "own")
    bpy.ops.render.render(animation=True)


def seconds(scene: bpy.types.Scene, work: Callable[[bpy.types.Scene, Path], None]) -> tuple[float, float]:
    """Processor time and time on the clock."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time(), time.perf_counter()
        work(scene, Path(folder))
        return time.process_time() - start[0], time.perf_counter() - start[1]


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    frames, faces = [*given, *(81, 300_000)[len(given) :]]
    stdout = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Blender prints lines for every frame
    taken: dict[str, list[tuple[float, float]]] = {"ours": [], "Blender's": []}
    for _ in range(ROUNDS):
        for name, work in (("ours", ours), ("Blender's", blenders)):
            taken[name].append(seconds(build(frames, faces), work))
    lines = [f"Blender {bpy.app.version_string}, {frames} frames, {faces} faces"]
    for kind, what in enumerate(("of the processor", "on the clock")):
        own, other = (min(times[kind] for times in taken[name]) for name in ("ours", "Blender's"))
        lines.append(f"{what}: ours {own:.1f} s, Blender's {other:.1f} s, ratio {own / other:.2f}")
    os.write(stdout, ("\n".join(lines) + "\n").encode())
    os._exit(0)  # Blender's own exit can hang in module mode


if __name__ == "__main__":
    main()
