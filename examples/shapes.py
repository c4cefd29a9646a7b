# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects out of primitives for the example scenes: one mesh object per thing, several coloured parts in each."""

from __future__ import annotations

import math

import bmesh
import bpy
from mathutils import Matrix, Vector

Color = tuple[float, float, float]
Point = tuple[float, float, float]


class Model:
    """Collects primitives, then becomes one object. Lengths in metres, `at` is a part's centre."""

    def __init__(self) -> None:
        self._mesh = bmesh.new()
        self._materials: list[bpy.types.Material] = []

    def box(self, at: Point, size: Point, material: bpy.types.Material) -> Model:
        matrix = Matrix.Translation(at) @ Matrix.Diagonal((*size, 1.0))
        made = bmesh.ops.create_cube(self._mesh, size=1.0, matrix=matrix)
        return self._paint(made["verts"], material, smooth=False)

    def cone(
        self, at: Point, radius: float, height: float, material: bpy.types.Material, top: float = 0.0, axis: str = "Z"
    ) -> Model:
        """A cone, a frustum (`top` is the upper radius) or a cylinder (`top` equals `radius`), along an axis."""
        lay = {"X": Matrix.Rotation(math.pi / 2, 4, "Y"), "Y": Matrix.Rotation(math.pi / 2, 4, "X"), "Z": Matrix()}
        made = bmesh.ops.create_cone(
            self._mesh,
            cap_ends=True,
            segments=32,
            radius1=radius,
            radius2=top,
            depth=height,
            matrix=Matrix.Translation(at) @ lay[axis],
        )
        return self._paint(made["verts"], material, smooth=True)

    def cylinder(self, at: Point, radius: float, height: float, material: bpy.types.Material, axis: str = "Z") -> Model:
        return self.cone(at, radius, height, material, top=radius, axis=axis)

    def sphere(self, at: Point, radius: float, material: bpy.types.Material) -> Model:
        made = bmesh.ops.create_uvsphere(
            self._mesh, u_segments=32, v_segments=16, radius=radius, matrix=Matrix.Translation(at)
        )
        return self._paint(made["verts"], material, smooth=True)

    def ring(self, at: Point, radius: float, thickness: float, material: bpy.types.Material) -> Model:
        """A torus that lies flat; `radius` to the middle of the tube."""
        around, across = 40, 12
        verts = []
        for i in range(around):
            u = math.tau * i / around
            for j in range(across):
                v = math.tau * j / across
                out = radius + thickness * math.cos(v)
                spot = Vector(at) + Vector((out * math.cos(u), out * math.sin(u), thickness * math.sin(v)))
                verts.append(self._mesh.verts.new(spot))
        for i in range(around):
            for j in range(across):
                corners = ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1))
                self._mesh.faces.new([verts[(a % around) * across + b % across] for a, b in corners])
        return self._paint(verts, material, smooth=True)

    def place(
        self, scene: bpy.types.Scene, name: str, at: Point = (0.0, 0.0, 0.0), turn: float = 0.0
    ) -> bpy.types.Object:
        """The finished object in the scene."""
        mesh = bpy.data.meshes.new(name)
        self._mesh.to_mesh(mesh)
        self._mesh.free()
        for material in self._materials:
            mesh.materials.append(material)
        thing = bpy.data.objects.new(name, mesh)
        thing.location = at
        thing.rotation_euler = (0.0, 0.0, math.radians(turn))
        scene.collection.objects.link(thing)
        return thing

    def _paint(self, verts: list[bmesh.types.BMVert], material: bpy.types.Material, smooth: bool) -> Model:
        if material not in self._materials:
            self._materials.append(material)
        for face in {face for vert in verts for face in vert.link_faces}:
            face.material_index = self._materials.index(material)
            # Caps of cones have many corners and stay flat.
            face.smooth = smooth and len(face.verts) <= 4
        return self


def paint(name: str, color: Color) -> bpy.types.Material:
    """A matt material of one colour (linear RGB)."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):  # later versions always use nodes and warn here
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    shader.inputs["Base Color"].default_value = (*color, 1.0)
    shader.inputs["Roughness"].default_value = 0.9
    material.diffuse_color = (*color, 1.0)
    return material
