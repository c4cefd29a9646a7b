# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the brief of a large scene takes: `.venv/bin/python benchmarks/scene_reading.py [OBJECTS [FRAMES [SHOTS]]]`.

The scene (2,000 objects, 2,400 frames and 10 shots unless said otherwise) is the one of `tests/blender/busy_scene.py`.
Prints a table: the whole, the frames that were evaluated and the time that Blender took for them.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "blender"))

import busy_scene
from wan_previs.scene.animation import frame_sampling
from wan_previs.scene.reader import read_brief

ROUNDS = 3


def measure(objects: int, frames: int, shots: int) -> tuple[float, int, float]:
    """(seconds, evaluated frames, seconds in them) of the quickest of a few readings."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    busy_scene.build(scene, objects, shots, frames, moving=objects // 20)
    spent: list[float] = []
    plain = frame_sampling.set_frame

    def timed(scene: bpy.types.Scene, frame: int) -> None:
        start = time.perf_counter()
        plain(scene, frame)
        spent.append(time.perf_counter() - start)

    frame_sampling.set_frame = timed
    rounds = []
    for _ in range(ROUNDS):
        spent.clear()
        start = time.perf_counter()
        read_brief(scene)
        rounds.append((time.perf_counter() - start, len(spent), sum(spent)))
    frame_sampling.set_frame = plain
    return min(rounds)


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    objects, frames, shots = [*given, *(2000, 2400, 10)[len(given) :]]
    print(f"Blender {bpy.app.version_string}, {shots} shots, quickest of {ROUNDS}")
    print(f"{'objects':>8} {'frames':>8} {'seconds':>8} {'evaluated':>10} {'in Blender':>11}")
    for some, many in ((objects // 10, frames), (objects, frames // 10), (objects, frames)):
        seconds, evaluated, blender = measure(some, many, shots)
        print(f"{some:8d} {many:8d} {seconds:8.2f} {evaluated:10d} {blender:11.2f}")
    sys.stdout.flush()
    os._exit(0)  # Blender's own exit can hang in module mode


if __name__ == "__main__":
    main()
