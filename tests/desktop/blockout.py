# SPDX-License-Identifier: GPL-3.0-or-later
"""The blockout of two scenes beside a playblast of them. In a window (`in_window`) playblasts are made, and the
blockout as it is rendered there; `blender -b -P blockout.py -- CHECKOUT FOLDER` renders it in the background, compares
all three and adds what it saw to FOLDER/result.json."""

import importlib
import json
import sys
from pathlib import Path

import bpy
import numpy as np

MODULE = "bl_ext.user_default.wan_previs"
SCENES = ("courtyard_sunrise", "street_golden_hour")
SIZE = (320, 180)
# Levels of 255 by which a picture may be off: all its pixels on average (a playblast is dithered), and all but so small
# a share of them, which lie on edges, where anti-aliasing decides.
MEAN, EACH, EDGES = 1.0, 4, 0.01


def open_scene(checkout, name):
    """The scene at the size of the pictures, its colours as they are set."""
    bpy.ops.wm.open_mainfile(filepath=str(checkout / "examples" / f"{name}.blend"), load_ui=False)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = *SIZE, 100
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    scene.view_settings.exposure, scene.view_settings.gamma = 0.0, 1.0
    scene.render.image_settings.file_format = "PNG"
    return scene


def write_pass(scene, folder):
    """Our own blockout of the first shot's first and last frame; gives the shot."""
    previs, passes = (importlib.import_module(f"{MODULE}.{name}") for name in ("previs", "conditioning.passes"))
    shot = previs.read_shots(scene)[0].shots[0]
    for _ in passes.write_passes(scene, shot, SIZE, folder, 2, lambda _: [passes.ClipPass(folder, "blockout")]):
        pass
    return shot


def in_window(checkout, folder, area):
    """What a window shows of the scenes, from a generator of pauses."""
    for name in SCENES:
        scene = open_scene(checkout, name)
        yield 1.0
        shot = write_pass(scene, folder / f"{name}_window")
        view = area("VIEW_3D")
        view.spaces.active.region_3d.view_perspective = "CAMERA"
        view.spaces.active.overlay.show_overlays = False
        shading = view.spaces.active.shading
        shading.type, shading.light, shading.color_type = "SOLID", "FLAT", "MATERIAL"
        for option in ("show_cavity", "show_shadows", "show_xray", "show_object_outline", "use_dof"):
            setattr(shading, option, False)
        for number, frame in enumerate((shot.frame_start, shot.frame_end), 1):
            scene.frame_set(frame)
            yield 0.5
            region = next(region for region in view.regions if region.type == "WINDOW")
            with bpy.context.temp_override(area=view, region=region):
                bpy.ops.render.opengl(view_context=True)
            path = folder / f"{name}_playblast" / f"{number:05}.png"
            path.parent.mkdir(exist_ok=True)
            bpy.data.images["Render Result"].save_render(str(path))


def pixels(path):
    """[H, W, 3], 0..255."""
    image = bpy.data.images.load(str(path))
    values = np.array(image.pixels[:], np.float32).reshape(*image.size[::-1], image.channels)
    return 255 * values[..., :3]


def compare(folder):
    """(what was seen, what was not as it should be) of each pair of pictures."""
    seen, wrong = [], []
    for name in SCENES:
        for other in ("playblast", "window"):
            for number in (1, 2):
                one, two = (pixels(folder / f"{name}_{kind}" / f"{number:05}.png") for kind in (other, "background"))
                off = np.abs(one - two)
                edges = float((off.max(-1) > EACH).mean())
                words = f"{name} {number}: {other} and background are {off.mean():.2f} of 255 apart"
                words += f", {edges:.1%} of the pixels by more than {EACH}"
                flat = float(two.std()) < 5
                (wrong if flat or off.mean() > MEAN or edges > EDGES else seen).append(words)
    return seen, wrong


def main():
    checkout, folder = map(Path, sys.argv[sys.argv.index("--") + 1 :])
    path = folder / "result.json"
    result = json.loads(path.read_text())
    if result["failed"]:  # the window did not come to its end
        return
    bpy.ops.preferences.addon_enable(module=MODULE)
    for name in SCENES:
        write_pass(open_scene(checkout, name), folder / f"{name}_background")
    seen, wrong = compare(folder)
    result["passed"] += seen
    result["failed"] = "; ".join(wrong)
    path.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
