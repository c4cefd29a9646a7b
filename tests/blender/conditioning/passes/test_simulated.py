# SPDX-License-Identifier: GPL-3.0-or-later
"""Passes show simulations that are not baked as playing the scene does, with marks and masks too."""

import numpy as np
import pytest
from passes_scene import shot_of
from scene_makers import add_box, add_camera
from test_simulations import KINDS, height, play
from wan_previs import properties
from wan_previs.conditioning.passes.sweep import look
from wan_previs.scene.animation import simulations

SIZE = (40, 40)
LAST = 20


@pytest.fixture
def scene(blank_scene):
    with properties.available():
        blank_scene.frame_end = LAST
        blank_scene.render.resolution_x = blank_scene.render.resolution_y = 400
        add_camera(blank_scene, (0.0, -14.0, 2.0))
        blank_scene.camera.data.type, blank_scene.camera.data.ortho_scale = "ORTHO", 10.0
        yield blank_scene


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("marked", [False, True])
def test_what_is_simulated_is_where_playing_puts_it(scene, name, marked):
    item = KINDS[name](scene)
    add_box(scene, "Free", (3.0, 0.0, 2.0)).wan_previs.mark = "free" if marked else "none"
    item.wan_previs.mark = "follow" if marked else "none"
    scene.frame_set(1)
    layers = ["depth", "objects"] if marked else ["depth"]
    found = [seen.layers for seen in look(scene, shot_of(scene), SIZE, [1.0, 8.0, 14.0, float(LAST)], layers)]
    kept = [item.cache for item in simulations.unbaked(scene) if item.cache is not None]
    assert all(int((cache.info or "0").split()[0]) <= simulations.FEW_FRAMES for cache in kept)
    middles = []
    for shown in found:
        mask = shown["objects"] == 1 if marked else np.isfinite(shown["depth"]) & (np.arange(SIZE[0]) < 26)
        rows = np.flatnonzero(mask.any(1))
        middles.append(2.0 + 5.0 - 10.0 * (rows.min() + rows.max() + 1) / 2 / SIZE[1])
    true = []
    for frame in (1, 8, 14, LAST):
        play(scene, frame)
        true.append(height(scene, item))
    assert middles == pytest.approx(true, abs=0.5) and np.ptp(true) > 0.9
