# SPDX-License-Identifier: GPL-3.0-or-later
"""The headless commands, run as a user runs them: a process of their own on a file on disk."""

import os
import subprocess
import sys
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parents[2]

EXAMPLE = ROOT / "examples" / "square_noon_to_dusk.blend"


def run(*words, env=None, timeout=1200):
    command = [sys.executable, "-m", "wan_previs", *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, cwd=ROOT, env={**os.environ, **(env or {})}
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def words_of(done):
    """What the command said, without Blender's own lines."""
    return [line for line in done.stderr.splitlines() if line.startswith("wan_previs: ")]


def save(path, make):
    """A .blend with a cube-less scene that `make` has filled."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    make(bpy.context.scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def add_camera(scene):
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location = (0, -8, 1)
    camera.rotation_euler = (1.5708, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = 96, 54
    scene.frame_end = 10
    return camera
