# SPDX-License-Identifier: GPL-3.0-or-later
"""Real files that others made go through, when the folder with them stands beside the checkout."""

import json
from pathlib import Path

import bpy
import pytest
from wan_previs.scene.brief import Brief
from wan_previs.scene.reader import read_brief

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "scenes"


def read(name):
    path = FOLDER / f"{name}.blend"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    bpy.ops.wm.open_mainfile(filepath=str(path))
    brief, _ = read_brief(bpy.context.scene)
    assert Brief.from_json(json.loads(json.dumps(brief.to_json(), allow_nan=False))) == brief
    return brief


def test_starfish():
    brief = read("starfish_example")
    (shot,) = brief.shots
    assert (shot.frame_start, shot.frame_end, brief.fps) == (1, 100, 24.0)
    assert shot.sun.source == "sun_light" and shot.sun.relative_to_camera.start == "top"
    assert shot.camera_path.angle == "overhead"
    assert [subject.noun for subject in shot.subjects] == ["suzanne"]


def test_clevr():
    brief = read("clevr_base_scene")
    (shot,) = brief.shots
    assert brief.resolution == (160, 120)
    assert shot.sun.samples[0].azimuth_deg == pytest.approx(115.1475, abs=0.01)
    assert sorted(light.name for light in shot.lights) == ["Lamp_Back", "Lamp_Fill", "Lamp_Key"]
    assert [move.kind for move in shot.camera_path.moves] == ["static"]


def test_race_track():
    (shot,) = read("arm_race_track").shots
    assert shot.sun.source == "sun_light"
    assert shot.sun.samples[0].elevation_deg == pytest.approx(19.92, abs=0.01)
    assert shot.sun.relative_to_camera.start == "right"
    assert (shot.camera_path.angle, shot.camera_path.shot_size) == ("overhead", "extreme_wide")
