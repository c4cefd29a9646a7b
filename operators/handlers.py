# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is loaded ends all work on the file before it."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from .. import previs
from .common import look_for_unfinished, settings_of


@persistent
def _before_load(*_: object) -> None:
    """Blender drops running operators while it loads a file; the engine is not its to end."""
    previs.close_engine()


@persistent
def _after_load(*_: object) -> None:
    """A file saved while work was running holds the session of that moment. What was cut short then can go on now."""
    for manager in bpy.data.window_managers:
        manager.wan_previs.end([])
    look_for_unfinished(bpy.context.scene, settings_of(bpy.context))


def add_handlers() -> None:
    """Start listening to file loads."""
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.load_post.append(_after_load)


def remove_handlers() -> None:
    """Stop listening, and end the engine."""
    bpy.app.handlers.load_pre.remove(_before_load)
    bpy.app.handlers.load_post.remove(_after_load)
    previs.close_engine()
