# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when Blender loads or saves a file: a load ends all work on the file before it."""

from __future__ import annotations

import sys

import bpy
from bpy.app.handlers import persistent

from .. import previs, properties
from .common import look_at_disk, look_for_jobs, settings_of


@persistent
def _before_load(*_: object) -> None:
    """Blender drops running operators while it loads a file; the engine is not its to end."""
    previs.close_engine()


@persistent
def _after_load(*_: object) -> None:
    """A file saved while work was running holds the session of that moment. What was cut short then can go on now."""
    properties.bring_up_to_date()
    for manager in bpy.data.window_managers:
        manager.wan_previs.end([])
    look_for_jobs(bpy.context.scene, settings_of(bpy.context))
    look_at_disk(bpy.context)


@persistent
def _before_save(*_: object) -> None:
    previs.before_saving()


@persistent
def _after_save(*_: object) -> None:
    """The first save tells whose the clips are that were made before it."""
    try:
        previs.after_saving()
    except previs.OurError as error:
        print(f"wan_previs: {error}", file=sys.stderr)


@persistent
def _after_undo(*_: object) -> None:
    """A take that was deleted may have its strip back, though its clip is in the trash folder."""
    look_at_disk(bpy.context)


_HANDLERS = {
    "load_pre": _before_load, "load_post": _after_load, "save_pre": _before_save, "save_post": _after_save,
    "undo_post": _after_undo, "redo_post": _after_undo,
}  # fmt: skip


def _look_at_first() -> None:
    look_at_disk(bpy.context)


def add_handlers() -> None:
    """Start listening to files being loaded and saved. The file that is open may be of an earlier version; it cannot be
    changed while Blender switches an extension on."""
    bpy.app.timers.register(properties.bring_up_to_date)
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)
    bpy.app.timers.register(_look_at_first, first_interval=0.0)  # while Blender switches us on it shows us no scene


def remove_handlers() -> None:
    """Stop listening, and end the engine."""
    if bpy.app.timers.is_registered(properties.bring_up_to_date):
        bpy.app.timers.unregister(properties.bring_up_to_date)
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(_look_at_first):
        bpy.app.timers.unregister(_look_at_first)
    previs.close_engine()
