# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sets and sees: `scene.wan_previs` (saved with the file) and `window_manager.wan_previs` (this session).

The second mirrors the running generation for the panels; it is emptied whenever a file is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
from bpy.props import (
    PointerProperty,
)

from .old_files import bring_up_to_date
from .rows import WanPrevisFound, WanPrevisLine, WanPrevisReference, WanPrevisShot
from .session import WanPrevisSession
from .settings import WanPrevisLora, WanPrevisScene, WanPrevisThing, WanPrevisWords

CLASSES = (
    WanPrevisLine,
    WanPrevisFound,
    WanPrevisReference,
    WanPrevisShot,
    WanPrevisWords,
    WanPrevisThing,
    WanPrevisLora,
    WanPrevisScene,
    WanPrevisSession,
)


def attach() -> None:
    """Hang the properties on scenes, objects, collections and the window manager; their classes are registered."""
    bpy.types.Scene.wan_previs = PointerProperty(type=WanPrevisScene)
    bpy.types.Object.wan_previs = PointerProperty(type=WanPrevisThing)
    bpy.types.Collection.wan_previs = PointerProperty(type=WanPrevisThing)
    bpy.types.WindowManager.wan_previs = PointerProperty(type=WanPrevisSession)


def detach() -> None:
    """Take them off again."""
    del bpy.types.WindowManager.wan_previs
    del bpy.types.Collection.wan_previs
    del bpy.types.Object.wan_previs
    del bpy.types.Scene.wan_previs


@contextmanager
def available() -> Iterator[None]:
    """The properties are there, also where the package runs without being switched on as an extension; then they are
    taken off again at the end. What a file holds of them shows as soon as they are there."""
    if hasattr(bpy.types.Scene, "wan_previs"):
        yield
        return
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    attach()
    bring_up_to_date()
    try:
        yield
    finally:
        detach()
        for cls in reversed(CLASSES):
            bpy.utils.unregister_class(cls)
