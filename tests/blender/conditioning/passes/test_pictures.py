# SPDX-License-Identifier: GPL-3.0-or-later
"""The blockout shows viewport colours without light; what is free is not in it; nothing stays behind."""

import bpy
import numpy as np
import pytest
from passes_scene import SIZE, inside, make_scene, met, read_png, shot_of, traces
from scene_makers import add_lamp
from test_frames import everything
from wan_previs import properties
from wan_previs.conditioning import passes

COLORS = {"Ground": (0.05, 0.3, 0.1), "Still": (0.8, 0.1, 0.1), "Moving": (0.2, 0.2, 0.9)}


@pytest.fixture
def stage(blank_scene):
    with properties.available():
        make_scene(blank_scene)
        for name, color in COLORS.items():
            material = bpy.data.materials.new(name)
            material.diffuse_color = (*color, 1.0)
            blank_scene.objects[name].data.materials.append(material)
        add_lamp(blank_scene, energy=9.0)
        blank_scene.view_settings.exposure = 3.0
        yield blank_scene


def written(scene, folder, count=2, layer="blockout"):
    shot = shot_of(scene)
    list(
        passes.write_passes(scene, shot, SIZE, folder, count, lambda scratch: [passes.ClipPass(folder / layer, layer)])
    )
    return [read_png(path) for path in sorted((folder / layer).iterdir())]


def srgb(color):
    """Display values 0..255 of a linear colour."""
    values = np.array(color)
    return 255 * np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


def test_it_has_the_viewports_colours_whatever_light_and_exposure(stage, tmp_path):
    for frame, picture in zip((1.0, 8.0), written(stage, tmp_path), strict=True):
        _, names = met(stage, frame)
        for name, color in COLORS.items():
            pixels = picture[inside(names, name)]
            assert len(pixels) > 5 and np.abs(pixels - srgb(color)).max() <= 2


def test_under_the_studios_light_forms_show(stage, tmp_path):
    (picture, _) = written(stage, tmp_path, layer="blockout_studio")
    _, names = met(stage, 1.0)
    flat, _ = written(stage, tmp_path, layer="blockout")
    up, aside = (inside(names, name) for name in ("Ground", "Moving"))
    assert len(np.unique(flat[up], axis=0)) == len(np.unique(flat[aside], axis=0)) == 1
    shares = [picture[where].sum() / flat[where].sum() for where in (up, aside)]
    assert abs(shares[0] / shares[1] - 1) > 0.05


def test_what_is_free_is_not_in_it(stage, tmp_path):
    stage.objects["Moving"].wan_previs.mark = "free"
    picture, _ = written(stage, tmp_path)
    assert not (np.abs(picture - srgb(COLORS["Moving"])).max(-1) <= 2).any()


def test_it_leaves_no_trace(stage, tmp_path):
    stage.objects["Moving"].wan_previs.mark = "free"
    stage.display.shading.light = "MATCAP"
    stage.view_settings.use_curve_mapping = True
    before = everything(stage)
    written(stage, tmp_path)
    assert traces(before, everything(stage)) == {}
    assert not stage.objects["Moving"].hide_render
