# SPDX-License-Identifier: GPL-3.0-or-later
"""Shots that the real engine makes in a moment: tiny checkpoints, and scenes of a cube that Cycles renders fast."""

import time
from pathlib import Path

from scene_makers import add_box, add_camera

FULLSTACK = Path(__file__).resolve().parents[1] / "golden" / "fullstack"
TINY = FULLSTACK / "Wan2.2-I2V-A14B" / "checkpoint"
TEXT_ONLY = FULLSTACK / "Wan2.2-T2V-A14B" / "checkpoint"
PATIENCE = 1200  # seconds; a loaded machine takes long to import torch


def one_shot(scene, name="Wide", first=1, last=10):
    """The scene with one shot of a cube, 64 x 48."""
    add_box(scene, "Cube", (0, 0, 0), (2, 2, 2))
    add_camera(scene, (0, -8, 1), name)
    scene.frame_start, scene.frame_end = first, last
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    return scene


def step_until(work, there):
    """Step until that is so, or all is over."""
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end, work.status
        if work.step():
            return
        time.sleep(0.02)
