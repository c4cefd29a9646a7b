# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a scene back exactly as it was after rendering from it, whatever happened in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import bpy

# Setting one of these changes which values others may have, or the values themselves, so they go back first.
_LEADING = ("media_type", "file_format", "color_mode", "color_depth")


@contextmanager
def preserved(scene: bpy.types.Scene) -> Iterator[None]:
    """Restore `scene` on leaving the block, also after an error or a Ctrl-C.

    Comes back: every setting of `scene.render` and its image settings, of Cycles and EEVEE, the view layers that
    render; the cameras bound to markers, the active camera and the world; frame and subframe; selection and active
    object of each view layer (a change of frame deselects objects that are hidden on it). A Render Result image that
    was not there before is removed.

    Does not come back: values of animated properties that were changed but not keyed (any change of frame drops them),
    the picture in a Render Result that was there, the file's "unsaved changes" mark, and an output colour space that
    was never chosen (it becomes the default of the file format, which is what it meant).
    """
    layers = [(layer, layer.objects.active, set(layer.objects.selected)) for layer in scene.view_layers]
    with ExitStack() as undo:  # takes every step, even when one of them fails
        if render_result() is None:
            undo.callback(_remove_render_result)
        for layer, active, selected in layers:
            undo.callback(_restore_selection, layer, active, selected)
        for name in ("camera", "world"):
            undo.callback(_point, scene, name, getattr(scene, name))
        for marker in scene.timeline_markers:
            undo.callback(setattr, marker, "camera", marker.camera)
        for owner in _owners(scene):
            undo.callback(_Settings(owner).restore)
        # Last in, first out: evaluating the frame moves animated settings, the selection and, by markers, the camera.
        undo.callback(scene.frame_set, scene.frame_current, subframe=scene.frame_subframe)
        yield


def _owners(scene: bpy.types.Scene) -> list[bpy.types.bpy_struct]:
    """The structs whose settings a render from this room may change."""
    image = scene.render.image_settings
    engines = [getattr(scene, name) for name in ("cycles", "eevee") if hasattr(scene, name)]
    # Changing the file format resets its colour space, which goes back after the format. A PNG keeps its format here,
    # and reading its colour space, mostly unset, would print a warning.
    space = [] if image.file_format == "PNG" else [image.linear_colorspace_settings]
    return [*space, scene.render, image, *engines, *scene.view_layers]


class _Settings:
    """The plain writable properties of one RNA struct, as they are now."""

    def __init__(self, owner: bpy.types.bpy_struct) -> None:
        self.owner = owner
        values = {name: _value(owner, name) for name in _plain_properties(owner)}
        # An enum without a value (an output colour space that was never chosen) cannot be set, nor needs to be.
        self.values = {name: value for name, value in values.items() if value != "" or not _is_enum(owner, name)}

    def restore(self) -> None:
        """Set back what differs. Setting one may disturb another, so a second pass looks again."""
        for _ in range(2):
            for name, value in self.values.items():
                if _value(self.owner, name) != value:
                    setattr(self.owner, name, value)


def _plain_properties(owner: bpy.types.bpy_struct) -> list[str]:
    names = [
        prop.identifier
        for prop in owner.bl_rna.properties
        if not prop.is_readonly and prop.type in {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"}
    ]
    return sorted(names, key=lambda name: _LEADING.index(name) if name in _LEADING else len(_LEADING))


def _value(owner: bpy.types.bpy_struct, name: str) -> Any:
    value = getattr(owner, name)
    return tuple(value) if getattr(owner.bl_rna.properties[name], "is_array", False) else value


def _is_enum(owner: bpy.types.bpy_struct, name: str) -> bool:
    return owner.bl_rna.properties[name].type == "ENUM"


def _point(owner: bpy.types.bpy_struct, name: str, value: bpy.types.ID | None) -> None:
    if getattr(owner, name) != value:
        setattr(owner, name, value)


def _restore_selection(
    layer: bpy.types.ViewLayer, active: bpy.types.Object | None, selected: set[bpy.types.Object]
) -> None:
    for item in set(layer.objects.selected) ^ selected:
        item.select_set(item in selected, view_layer=layer)
    if layer.objects.active != active:
        layer.objects.active = active


def render_result() -> bpy.types.Image | None:
    """Blender's image of the last render, whatever it and others are called."""
    return next((image for image in bpy.data.images if image.type == "RENDER_RESULT"), None)


def _remove_render_result() -> None:
    if (image := render_result()) is not None:
        bpy.data.images.remove(image)
