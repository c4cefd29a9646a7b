# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes with known truth, for the tests of the scene reader."""

import math

import bpy
from mathutils import Euler, Matrix, Vector
from wan_previs import compat

PHYSICAL_SKY = "NISHITA" if bpy.app.version < (5, 0, 0) else "SINGLE_SCATTERING"


def link(scene, name, data=None, location=(0.0, 0.0, 0.0)):
    item = bpy.data.objects.new(name, data)
    item.location = location
    scene.collection.objects.link(item)
    return item


def add_camera(scene, location=(0.0, -10.0, 1.0), name="Camera", active=True):
    """A level camera that looks north."""
    camera = link(scene, name, bpy.data.cameras.new(name), location)
    camera.rotation_euler = (math.radians(90.0), 0.0, 0.0)
    if active:
        scene.camera = camera
    return camera


def add_lamp(scene, kind="SUN", name="Sun", energy=3.0, location=(0.0, 0.0, 0.0)):
    data = bpy.data.lights.new(name, kind)
    data.energy = energy
    return link(scene, name, data, location)


def sun_euler(azimuth, elevation):
    """Rotation of a Sun light that stands at a world azimuth and an elevation, degrees."""
    return Euler((math.radians(90.0 - elevation), 0.0, math.radians(180.0 - azimuth)))


def aim_sun(lamp, azimuth, elevation, frame=None):
    lamp.rotation_euler = sun_euler(azimuth, elevation)
    if frame is not None:
        lamp.keyframe_insert("rotation_euler", frame=frame)


def add_box(scene, name="Crate", location=(0.0, 0.0, 1.0), size=(1.0, 1.0, 2.0)):
    mesh = bpy.data.meshes.new(name)
    x, y, z = (side / 2.0 for side in size)
    corners = [(i * x, j * y, k * z) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh.from_pydata(corners, [], faces)
    return link(scene, name, mesh, location)


def look_at(camera, target, roll_deg=0.0):
    """Aims by rotation; roll clockwise seen from behind."""
    way = Vector(target) - camera.location
    aim = way.to_track_quat("-Z", "Y").to_matrix().to_4x4()
    camera.rotation_euler = (aim @ Matrix.Rotation(math.radians(-roll_deg), 4, "Z")).to_euler()


def key(item, path, values, interpolation="LINEAR"):
    """Keyframes {frame: value} on a property."""
    for frame, value in values.items():
        setattr(item, path, value)
        item.keyframe_insert(path, frame=frame)
    for curve in compat.fcurves(item):
        if curve.data_path == path:
            for point in curve.keyframe_points:
                point.interpolation = interpolation


def use_nodes(owner):
    """Turns an ID's nodes on; from 5.0 on (lights: 5.1) they always are."""
    if bpy.app.version < ((5, 1, 0) if isinstance(owner, bpy.types.Light) else (5, 0, 0)):
        owner.use_nodes = True
    return owner.node_tree


def sky_models():
    """The models of this version's Sky Texture."""
    newer = ("SINGLE_SCATTERING", "MULTIPLE_SCATTERING") if bpy.app.version >= (5, 0, 0) else ("NISHITA",)
    return (*newer, "PREETHAM", "HOSEK_WILKIE")


def add_sky(scene, kind=PHYSICAL_SKY):
    """A world lit by a Sky Texture; returns its node."""
    world = bpy.data.worlds.new("World")
    scene.world = world
    tree = use_nodes(world)
    sky = tree.nodes.new("ShaderNodeTexSky")
    sky.sky_type = kind
    tree.links.new(sky.outputs["Color"], tree.nodes["Background"].inputs["Color"])
    return sky
