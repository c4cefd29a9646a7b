# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that the camera does not see for as long as the passes are rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import bpy

from ... import compat


@contextmanager
def unseen(items: Iterable[bpy.types.Object]) -> Iterator[None]:
    """Inside the block camera rays pass these objects; what they shade and light stays."""
    hidden = [item for item in items if item.visible_camera]
    try:
        for item in hidden:
            item.visible_camera = False
        yield
    finally:
        for item in hidden:
            item.visible_camera = True


def volumes() -> list[bpy.types.Object]:
    """All objects without a surface but with an inside: smoke, fog, clouds."""
    return [item for item in bpy.data.objects if item.type == "VOLUME" or _is_inside_only(item)]


def _is_inside_only(item: bpy.types.Object) -> bool:
    materials = [slot.material for slot in item.material_slots]
    return bool(materials) and all(material is not None and _has_no_surface(material) for material in materials)


def _has_no_surface(material: bpy.types.Material) -> bool:
    tree = compat.material_tree(material)
    output = tree.get_output_node("CYCLES") if tree is not None else None
    return output is not None and output.inputs["Volume"].is_linked and not output.inputs["Surface"].is_linked
