# SPDX-License-Identifier: GPL-3.0-or-later
"""What lines of sight meet in a scene that stands at a frame, as a render shows it; without a render."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...scene.camera.camera import CameraState
from ...scene.reader import metres_per_unit
from ..staging import view_layer

Hit = tuple[Vector, int, bpy.types.Object, Matrix]  # place, face, object, its matrix
_PASSED = 16  # things that no render shows, which a ray passes
_NEAR = 1e-3  # of the distance, within which what a ray meets is the point itself


class Look:
    """A scene at a frame, seen by a camera; meshes are read once. Places of the picture are 0..1, y up; places of the
    scene are in Blender units."""

    def __init__(self, scene: bpy.types.Scene, camera: CameraState) -> None:
        self.scene, self.camera = scene, camera
        self.depsgraph = view_layer(scene).depsgraph
        self.unit = metres_per_unit(scene)
        self._items: dict[str, bpy.types.Object | None] = {}
        # A line of sight is linear in the place of the picture: where it begins, and where it leads.
        corner, right, up = self._line(0, 0), self._line(1, 0), self._line(0, 1)
        self._corner = corner
        self._right, self._up = ((one[0] - corner[0], one[1] - corner[1]) for one in (right, up))

    def _line(self, x: float, y: float) -> tuple[Vector, Vector]:
        camera, pose = self.camera, self.camera.pose
        across = (x - 0.5 + camera.offset[0]) * camera.width * pose.right
        up = (y - 0.5 + camera.offset[1]) * camera.height * pose.up
        if camera.kind == "ORTHO":
            return Vector((pose.position + across + up) / self.unit), Vector(pose.forward)
        return Vector(pose.position / self.unit), Vector(pose.forward + across + up)

    def item(self, name: str) -> bpy.types.Object | None:
        """The evaluated object of that full name; None where it is gone or no mesh."""
        if name not in self._items:
            found = next((item for item in self.scene.objects if item.name_full == name), None)
            evaluated = found.evaluated_get(self.depsgraph) if found is not None and found.type == "MESH" else None
            self._items[name] = evaluated
        return self._items[name]

    def is_own(self, item: bpy.types.Object, matrix: Matrix) -> bool:
        """Whether what a ray met is a mesh of the scene itself, and no instance of it."""
        own = self.item(item.name_full)
        return own is not None and bool(np.allclose(np.array(matrix), np.array(own.matrix_world), atol=1e-5))

    def hit(self, x: float, y: float) -> Hit | None:
        """What is seen at a place of the picture; None where nothing is."""
        start = self._corner[0] + self._right[0] * x + self._up[0] * y
        way = (self._corner[1] + self._right[1] * x + self._up[1] * y).normalized()
        for _ in range(_PASSED):
            found, place, _, face, item, matrix = self.scene.ray_cast(self.depsgraph, start, way)
            if not found:
                return None
            if not item.hide_render and item.visible_camera:
                return place, face, item, matrix
            start = place + way * 1e-4
        return None

    def depth(self, place: Vector) -> float:
        """Blender units along the view axis."""
        pose = self.camera.pose
        return float((np.array(place) - pose.position / self.unit) @ pose.forward)

    def is_free(self, world: Vector, x: float, y: float) -> bool:
        """Whether what is seen at a place of the picture, where a point of the scene lands, is that point."""
        hit = self.hit(x, y)
        return hit is None or self.depth(hit[0]) >= self.depth(world) * (1 - _NEAR)
