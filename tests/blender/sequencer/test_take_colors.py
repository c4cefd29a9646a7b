# SPDX-License-Identifier: GPL-3.0-or-later
"""A take, seen through the real sequencer, has the clip's own colours under whatever colour management."""

import bpy
import numpy as np
import pytest
from wan_previs.sequencer import add_take, read_take, show_take
from wan_previs.sequencer.colors import OFF

W, H = 64, 36
FACTS = {"prompt": "", "job_folder": ""}
V5 = bpy.app.version >= (5, 0, 0)
SETTINGS = {
    "standard": {},
    "exposure": {"exposure": -4.0},
    "exposure and gamma": {"exposure": 2.0, "gamma": 0.7},
    "contrast look": {"look": "High Contrast"},
    "curves": {"use_curve_mapping": True},
    "agx": {"view_transform": "AgX"},
    "agx dark": {"view_transform": "AgX", "exposure": -4.0},
    "agx bright": {"view_transform": "AgX", "exposure": 6.0},
    "agx gamma": {"view_transform": "AgX", "gamma": 1.3},
    "agx punchy": {"view_transform": "AgX", "look": "AgX - Punchy"},
    "agx greyscale": {"view_transform": "AgX", "look": "AgX - Greyscale"},
    "agx contrast": {"view_transform": "AgX", "look": "AgX - High Contrast", "exposure": 1.0},
    "agx curves": {"view_transform": "AgX", "use_curve_mapping": True},
    "filmic": {"view_transform": "Filmic"},
    "filmic look": {"view_transform": "Filmic", "look": "Medium High Contrast", "exposure": -2.0},
    "filmic log": {"view_transform": "Filmic Log"},
    "raw": {"view_transform": "Raw"},
    "rec.1886": {"display": "Rec.1886", "view_transform": "AgX"},
    "p3": {"display": "Display P3", "exposure": 1.0},
    "p3 agx": {"display": "Display P3", "view_transform": "AgX"},
    "rec.2020": {"display": "Rec.2020", "exposure": -1.0},
    "aces": {"view_transform": "ACES 2.0", "exposure": -1.0},
}
# What no curve and no colour space takes back; the bound is what is expected and told.
TOLD = {
    "khronos": {"view_transform": "Khronos PBR Neutral", "exposure": -2.0},
    "false color": {"view_transform": "False Color"},
    "white balance": {"view_transform": "AgX", "use_white_balance": True, "white_balance_temperature": 4000.0},
}


def set_view(scene, display="sRGB", view_transform="Standard", look="None", **rest):
    scene.display_settings.display_device = display
    view = scene.view_settings
    if (view_transform.startswith("ACES") and not V5) or any(not hasattr(view, name) for name in rest):
        pytest.skip("this Blender has no such setting")
    view.view_transform, view.look = view_transform, look
    for name, value in {"exposure": 0.0, "gamma": 1.0, **rest}.items():
        setattr(view, name, value)
    if rest.get("use_curve_mapping"):
        view.curve_mapping.curves[3].points.new(0.3, 0.5)
        view.curve_mapping.curves[0].points.new(0.5, 0.4)
        view.curve_mapping.update()


def png(scene):
    image = scene.render.image_settings
    if V5:
        image.media_type = "IMAGE"
    image.file_format, image.color_mode, image.color_depth = "PNG", "RGB", "8"


def as_rendered(scene, path, saturation=0.9):
    """A picture of all kinds of colours, from the dark to the bright, as the scene saves its renders."""
    random = np.random.default_rng(1)
    light = 2.0 ** (random.uniform(-9, 1.5, (W * H, 1)) - scene.view_settings.exposure)
    colors = light * random.uniform(1 - saturation, 1.0, (W * H, 3))
    image = bpy.data.images.new("light", W, H, float_buffer=True)
    image.pixels.foreach_set(np.column_stack([colors, np.ones(W * H)]).astype(np.float32).ravel())
    path.parent.mkdir(exist_ok=True)
    png(scene)
    image.save_render(str(path), scene=scene)
    bpy.data.images.remove(image)
    return path.parent


def values(path):
    """uint8-valued [N, 3]."""
    image = bpy.data.images.load(str(path))
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return np.round(pixels.reshape(-1, 4)[:, :3] * 255)


def rendered(scene, path):
    """What the sequencer makes of the scene's first frame."""
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = W, H, 100
    render.dither_intensity, render.filepath = 0.0, str(path)
    png(scene)
    with bpy.context.temp_override(scene=scene):
        scene.frame_set(1)
        bpy.ops.render.render(write_still=True)
    return values(path)


def off(scene, folder, tmp_path):
    return np.abs(rendered(scene, tmp_path / "seen.png") - values(folder / "frame_0001.png")).mean()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_take_has_the_clips_own_colors(blank_scene, tmp_path, name):
    set_view(blank_scene, **SETTINGS[name])
    blank_scene.render.resolution_x, blank_scene.render.resolution_y = W, H
    clip = as_rendered(blank_scene, tmp_path / "clip" / "frame_0001.png")
    before = [scene.name for scene in bpy.data.scenes]
    strip = add_take(blank_scene, "Shot", 1, 1, clip, FACTS)
    assert off(blank_scene, clip, tmp_path) < OFF
    assert read_take(strip).note == ""
    assert [scene.name for scene in bpy.data.scenes] == before and len(bpy.data.images) <= 1


def test_a_sequencer_in_linear_light(blank_scene, tmp_path):
    """A curve's table is too coarse there for the dark of some colour spaces."""
    set_view(blank_scene, "Rec.2020", "AgX", "AgX - Very Low Contrast", exposure=2.4, gamma=1.24)
    blank_scene.sequencer_colorspace_settings.name = "Linear Rec.709"
    blank_scene.render.resolution_x, blank_scene.render.resolution_y = W, H
    clip = as_rendered(blank_scene, tmp_path / "clip" / "frame_0001.png")
    assert read_take(add_take(blank_scene, "Shot", 1, 1, clip, FACTS)).note == ""
    assert off(blank_scene, clip, tmp_path) < OFF


@pytest.mark.parametrize("name", TOLD)
def test_colors_that_cannot_be_kept_are_told(blank_scene, tmp_path, name):
    set_view(blank_scene, **TOLD[name])
    clip = as_rendered(blank_scene, tmp_path / "clip" / "frame_0001.png")
    strip = add_take(blank_scene, "Shot", 1, 1, clip, FACTS)
    assert "cannot be undone exactly" in read_take(strip).note


def test_a_take_is_right_again_when_it_is_shown_after_a_change(blank_scene, tmp_path):
    set_view(blank_scene, view_transform="AgX", exposure=-4.0)
    blank_scene.render.resolution_x, blank_scene.render.resolution_y = W, H
    clip = as_rendered(blank_scene, tmp_path / "clip" / "frame_0001.png")
    strip = add_take(blank_scene, "Shot", 1, 1, clip, FACTS)
    own = strip.modifiers.new(name="mine", type="BRIGHT_CONTRAST").name
    for view in ({"view_transform": "AgX", "exposure": 3.0}, {"view_transform": "Filmic", "exposure": 1.0}, {}):
        set_view(blank_scene, **view)
        show_take(blank_scene, strip.name)
        assert off(blank_scene, clip, tmp_path) < OFF
        assert strip.modifiers[0].name == own and len(strip.modifiers) <= 2
    assert len(strip.modifiers) == 1 and strip.colorspace_settings.name == "sRGB"


def test_a_take_in_a_scene_for_the_edit(blank_scene, tmp_path):
    """What counts is the scene that the strip lies in, not the one that was rendered."""
    set_view(blank_scene, view_transform="AgX", exposure=-4.0)
    clip = as_rendered(blank_scene, tmp_path / "clip" / "frame_0001.png")
    edit = bpy.data.scenes.new("Edit")
    set_view(edit, view_transform="Filmic", exposure=1.0)
    edit.render.resolution_x, edit.render.resolution_y = W, H
    add_take(edit, "Shot", 1, 1, clip, FACTS)
    assert off(edit, clip, tmp_path) < OFF


def test_colors_that_a_scene_for_the_edit_cannot_show_are_told(blank_scene, tmp_path):
    """Its own pictures are grey, so of them nothing would be lost."""
    clip = as_rendered(blank_scene, tmp_path / "clip" / "frame_0001.png")
    edit = bpy.data.scenes.new("Edit")
    set_view(edit, view_transform="AgX", look="AgX - Greyscale")
    assert "cannot be undone exactly" in read_take(add_take(edit, "Shot", 1, 1, clip, FACTS)).note


def test_a_scene_strip_through_other_settings_is_told(blank_scene, tmp_path):
    set_view(blank_scene, view_transform="AgX")
    clip = as_rendered(blank_scene, tmp_path / "clip" / "frame_0001.png")
    strip = add_take(blank_scene, "Shot", 1, 1, clip, FACTS)
    edit = bpy.data.scenes.new("Edit")
    set_view(edit, view_transform="AgX")
    editor = edit.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_scene(name="cut", scene=blank_scene, channel=1, frame_start=1).scene_input = "SEQUENCER"
    edit.render.resolution_x, edit.render.resolution_y = W, H
    show_take(blank_scene, strip.name)
    assert read_take(strip).note == ""
    set_view(edit)
    show_take(blank_scene, strip.name)
    assert "'Edit'" in read_take(strip).note


def test_animated_color_management_is_told(blank_scene, tmp_path):
    set_view(blank_scene, exposure=1.0)
    clip = as_rendered(blank_scene, tmp_path / "clip" / "frame_0001.png")
    blank_scene.view_settings.keyframe_insert("exposure", frame=1)
    assert "is animated" in read_take(add_take(blank_scene, "Shot", 1, 1, clip, FACTS)).note


def test_pictures_in_linear_light(blank_scene, tmp_path):
    set_view(blank_scene, view_transform="AgX", exposure=-2.0)
    blank_scene.render.resolution_x, blank_scene.render.resolution_y = W, H
    folder = as_rendered(blank_scene, tmp_path / "clip" / "frame_0001.png", saturation=0.6)
    shown = values(folder / "frame_0001.png") / 255
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    image = bpy.data.images.new("light", W, H, float_buffer=True)
    image.pixels.foreach_set(np.column_stack([light, np.ones(W * H)]).astype(np.float32).ravel())
    (tmp_path / "exr").mkdir()
    blank_scene.render.image_settings.file_format = "OPEN_EXR"
    image.save_render(str(tmp_path / "exr" / "frame_0001.exr"), scene=blank_scene)
    bpy.data.images.remove(image)
    add_take(blank_scene, "Shot", 1, 1, tmp_path / "exr", FACTS)
    assert off(blank_scene, folder, tmp_path) < OFF
