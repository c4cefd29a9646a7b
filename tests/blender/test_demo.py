# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo, as `make demo` runs it, with the shipped checkpoint."""

import os
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from wan_previs.sequencer.takes import all_strips, end_frame, first_frame

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.engine
def test_the_demo_leaves_scene_clip_and_contact_sheet(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=1800, env={**os.environ, "OMP_NUM_THREADS": "2"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (sheet,) = tmp_path.glob("*.png")
    (clip,) = tmp_path.glob("jobs/*/clip.mp4")
    assert sheet.stat().st_size > 50_000 and clip.stat().st_size > 1000
    (scene,) = tmp_path.glob("*.blend")
    bpy.ops.wm.open_mainfile(filepath=str(scene))
    (strip,) = all_strips(bpy.context.scene)
    assert end_frame(strip) - first_frame(strip) == bpy.context.scene.frame_end - bpy.context.scene.frame_start + 1
    assert "1%" not in done.stdout and "100%" in done.stderr  # progress goes to stderr
