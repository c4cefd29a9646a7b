# SPDX-License-Identifier: GPL-3.0-or-later
"""Worlds rendered all around, and where the brightest spot stands in them."""

import math

import bpy
import numpy as np


def panorama(scene, folder, width=120):
    """Luminance [width / 2, width] of the world in all directions, row 0 straight down, north in the middle."""
    camera = bpy.data.objects.new("Panorama", bpy.data.cameras.new("Panorama"))
    scene.collection.objects.link(camera)
    camera.rotation_euler = (math.pi / 2.0, 0.0, 0.0)
    camera.data.type, camera.data.panorama_type = "PANO", "EQUIRECTANGULAR"
    before = scene.camera
    scene.camera = camera
    render, image = scene.render, scene.render.image_settings
    render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.cycles.pixel_filter_type = "BOX"
    scene.world.cycles.sampling_method = "NONE"  # no map of the sky is built first
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, width // 2, 100
    if hasattr(image, "media_type"):
        image.media_type = "IMAGE"
    image.file_format, image.color_depth, image.color_mode = "OPEN_EXR", "32", "RGB"
    render.filepath = str(folder / "panorama.exr")
    bpy.ops.render.render(write_still=True)
    picture = bpy.data.images.load(render.filepath)
    pixels = np.empty(len(picture.pixels), np.float32)
    picture.pixels.foreach_get(pixels)
    bpy.data.images.remove(picture)
    bpy.data.objects.remove(camera)
    scene.camera = before
    return pixels.reshape(width // 2, width, -1)[:, :, :3].mean(axis=2)


def directions(height, width):
    """World direction of every pixel of such a panorama."""
    latitude = ((np.arange(height) + 0.5) / height - 0.5)[:, None] * np.pi
    longitude = ((np.arange(width) + 0.5) / width - 0.5)[None] * 2.0 * np.pi
    flat = np.cos(latitude)
    parts = (np.sin(longitude) * flat, np.cos(longitude) * flat, np.sin(latitude) * np.ones_like(longitude))
    return np.stack(parts, axis=-1)


def brightest(picture, share=0.5):
    """Unit direction of the middle of what is at least `share` as bright as the brightest pixel."""
    ways = directions(*picture.shape)
    weight = np.where(picture >= picture.max() * share, picture, 0.0) * np.hypot(ways[..., 0], ways[..., 1])
    middle = (ways * weight[..., None]).sum(axis=(0, 1))
    return middle / np.linalg.norm(middle)


def glow(picture):
    """Unit direction around which a sky without a disc shines: brighter than the rest of the sky at the same height."""
    height = len(picture)
    sky = picture[height // 2 + height // 18 :]  # 10 degrees and more above the horizon
    level = np.zeros_like(picture)
    level[height // 2 + height // 18 :] = sky / np.median(sky, axis=1, keepdims=True)
    return brightest(level, 0.95)
