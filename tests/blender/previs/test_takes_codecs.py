# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine writes, as Blender opens it: every codec with its length and rate, and the pictures' true values."""

import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
ENGINE = ROOT / ".venv-engine" / "bin" / "python"
FRAMES, SIZE = 30, (66, 48)
WRITE = """
import sys
from pathlib import Path
import numpy as np
from wan_engine.media.video_writer import place, write_clip
folder, frames = Path(sys.argv[1]), np.load(sys.argv[1] + "/frames.npy")
for codec in ("h264", "prores", "ffv1"):
    for fps in (23.976, 24, 25, 29.97, 30, 59.94):
        write_clip(frames, fps, place(folder / f"{codec}-{round(fps * 1000)}", codec), codec)
for codec in ("png", "exr"):
    write_clip(frames, 24, folder / codec, codec)
"""
pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    np.save(folder / "frames.npy", pictures())
    subprocess.run([ENGINE, "-c", WRITE, folder], cwd=ROOT, check=True)
    return folder


def pictures():
    """Every frame its own gray, over it all 256 values in red."""
    frames = np.zeros((FRAMES, SIZE[1], SIZE[0], 3), np.uint8)
    frames[:] = (8 * np.arange(FRAMES, dtype=np.uint8))[:, None, None, None]
    frames[:, :4, :64, 0] = np.arange(256).reshape(4, 64)
    return frames


def strips(scene):
    scene.sequence_editor_clear()
    editor = scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


@pytest.mark.parametrize("codec", ["h264.mp4", "prores.mov", "ffv1.mkv"])
@pytest.mark.parametrize("fps", [23.976, 24, 25, 29.97, 30, 59.94])
def test_movies_have_their_length_and_rate(blank_scene, folder, codec, fps):
    name, ending = codec.split(".")
    path = folder / f"{name}-{round(fps * 1000)}.{ending}"
    strip = strips(blank_scene).new_movie(name="clip", filepath=str(path), channel=1, frame_start=1)
    length = strip.content_duration if hasattr(strip, "content_duration") else strip.frame_duration
    assert length == FRAMES
    assert strip.fps == pytest.approx(fps, abs=0.001)
    assert (strip.elements[0].orig_width, strip.elements[0].orig_height) == SIZE


@pytest.mark.parametrize("kind", ["png", "exr"])
def test_pictures_hold_the_true_values(blank_scene, folder, kind):
    """PNG as sRGB, EXR as linear Rec.709, without being told."""
    image = bpy.data.images.load(str(folder / kind / f"frame_0011.{kind}"))
    assert tuple(image.size) == SIZE
    assert image.colorspace_settings.name == {"png": "sRGB", "exr": "Linear Rec.709"}[kind]
    got = np.array(image.pixels[:]).reshape(SIZE[1], SIZE[0], -1)[::-1, :, :3]
    want = pictures()[10] / 255
    if kind == "exr":
        want = np.where(want <= 0.04045, want / 12.92, ((want + 0.055) / 1.055) ** 2.4)
    assert np.allclose(got, want, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["png", "exr"])
def test_sequences_have_their_length(blank_scene, folder, kind):
    files = sorted(path.name for path in (folder / kind).iterdir())
    strip = strips(blank_scene).new_image(name="clip", filepath=str(folder / kind / files[0]), channel=1, frame_start=1)
    for name in files[1:]:
        strip.elements.append(name)
    assert len(strip.elements) == FRAMES
    assert strip.elements[0].orig_width == SIZE[0]


@pytest.mark.parametrize(("name", "off"), [("h264-24000.mp4", 3), ("prores-24000.mov", 3), ("ffv1-24000.mkv", 1)])
def test_movies_show_the_right_frame_in_its_colours(blank_scene, folder, name, off):
    for frame in (1, 26, 13, 30):
        got = shown(blank_scene, folder / name, frame, folder / "shown.png")
        assert np.abs(got[30, 20] - 8 * (frame - 1)).max() <= off


def shown(scene, path, frame, picture):
    """The sequencer's render of `frame` of the movie, uint8-valued [H, W, 3]."""
    strip = strips(scene).new_movie(name="clip", filepath=str(path), channel=1, frame_start=1)
    strip.colorspace_settings.name = "sRGB"
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = *SIZE, 100
    scene.view_settings.view_transform = "Standard"
    render.image_settings.file_format, render.filepath = "PNG", str(picture)
    scene.frame_set(frame)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(picture))
    pixels = np.array(image.pixels[:]).reshape(SIZE[1], SIZE[0], -1)[::-1, :, :3] * 255
    bpy.data.images.remove(image)
    return pixels
