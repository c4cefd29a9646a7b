# SPDX-License-Identifier: GPL-3.0-or-later
"""Multilayer OpenEXR files as Blender writes them, whole and damaged."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from passes_scene import read_png
from wan_previs.conditioning.passes.exr import read_exr
from wan_previs.conditioning.passes.png import write_png


def attribute(name, kind, value):
    return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value


def exr(channels, lines=None, compression=0, flags=2):
    """A file of these channels [H, W], float32, its lines in any order: written by the book."""
    height, width = next(iter(channels.values())).shape
    names = sorted(channels)
    listed = b"".join(name.encode() + b"\0" + struct.pack("<iB3x2i", 2, 0, 1, 1) for name in names) + b"\0"
    head = b"v/1\x01" + struct.pack("<I", flags)
    head += attribute("channels", "chlist", listed) + attribute("compression", "compression", bytes([compression]))
    head += attribute("dataWindow", "box2i", struct.pack("<4i", 0, 0, width - 1, height - 1)) + b"\0"
    size = 4 * width * len(names)
    order = list(range(height)) if lines is None else lines
    first = len(head) + 8 * height
    starts = {line: first + (8 + size) * place for place, line in enumerate(order)}
    body = b"".join(
        struct.pack("<2i", line, size) + b"".join(channels[name][line].astype("<f4").tobytes() for name in names)
        for line in order
    )
    return head + struct.pack(f"<{height}Q", *(starts[line] for line in range(height))) + body


PICTURE = {"Layer.Depth.Z": np.arange(12.0).reshape(3, 4), "Layer.Combined.A": np.full((3, 4), 0.5)}


@pytest.mark.parametrize("lines", [None, [2, 0, 1]])
def test_channels_come_by_their_names(tmp_path, lines):
    path = tmp_path / "a.exr"
    path.write_bytes(exr(PICTURE, lines))
    found = read_exr(path)
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in PICTURE.items()
    }


@pytest.mark.parametrize("damage", [{"compression": 3}, {"flags": 2 | 0x1000}, {"flags": 2 | 0x200}], ids=str)
def test_files_of_another_kind_are_refused(tmp_path, damage):
    path = tmp_path / "a.exr"
    path.write_bytes(exr(PICTURE, **damage))
    with pytest.raises(ValueError):
        read_exr(path)


@given(st.data())
def test_a_file_that_is_cut_off_or_changed_is_refused_or_read(tmp_path_factory, data):
    whole = exr(PICTURE)
    kept = data.draw(st.integers(0, len(whole) - 1))
    path = tmp_path_factory.mktemp("exr") / "a.exr"
    path.write_bytes(whole[:kept])
    with pytest.raises(ValueError):
        read_exr(path)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_a_png_holds_the_numbers(tmp_path, kind, shape):
    import bpy

    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, endpoint=True).astype(kind)
    path = tmp_path / "deep" / "a.png"
    write_png(path, pixels)
    assert np.array_equal(read_png(path), pixels)
    image = bpy.data.images.load(str(path))  # Blender reads it too
    assert tuple(image.size) == (7, 5)
    bpy.data.images.remove(image)
