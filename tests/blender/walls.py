# SPDX-License-Identifier: GPL-3.0-or-later
"""Glowing walls of one colour, and which of them a picture shows."""

from __future__ import annotations

import bpy
import pytest
from scene_makers import use_nodes

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def add_object(scene, name, data, location):
    item = bpy.data.objects.new(name, data)
    item.location = location
    scene.collection.objects.link(item)
    return item


def add_wall(scene, name, color, x):
    """A glowing 8 x 8 m square on the ground at `x`."""
    material = bpy.data.materials.new(name)
    tree = use_nodes(material)
    nodes = tree.nodes
    nodes.clear()
    emission, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    emission.inputs["Color"].default_value = [channel / 255 for channel in color] + [1]
    tree.links.new(emission.outputs[0], output.inputs["Surface"])
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(-4, -4, 0), (4, -4, 0), (4, 4, 0), (-4, 4, 0)], [], [(0, 1, 2, 3)])
    mesh.materials.append(material)
    return add_object(scene, name, mesh, (x, 0, 0))


def picture(path):
    """((width, height), {(x, y) from the lower left: RGB}) of an image file."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    values = [round(value * 255) for value in image.pixels[:]]
    bpy.data.images.remove(image)
    return (width, height), {(i % width, i // width): tuple(values[4 * i : 4 * i + 3]) for i in range(width * height)}


def middle(path):
    (width, height), pixels = picture(path)
    return pixels[width // 2, height // 2]


def shows(path, color):
    """Whether the middle of the picture has this colour; the denoiser is off by a step now and then."""
    return middle(path) == pytest.approx(color, abs=3)
