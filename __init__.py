# SPDX-License-Identifier: GPL-3.0-or-later
"""Wan Previs: turns a blocked-out scene into previs clips in the Sequencer.

Importing this package does nothing and needs no Blender: the engine and the tests import its bpy-free rooms. All that
touches Blender happens in `register`.
"""


def _classes() -> tuple[type, ...]:
    from . import operators, panels, preferences, properties

    return (*properties.CLASSES, *preferences.CLASSES, *operators.CLASSES, *panels.CLASSES)


def register() -> None:
    """Called by Blender when the extension is switched on."""
    import bpy

    from . import cli, operators, properties

    for cls in _classes():
        bpy.utils.register_class(cls)
    properties.attach()
    operators.add_handlers()
    cli.register()


def unregister() -> None:
    """Called by Blender when the extension is switched off; leaves nothing behind."""
    import bpy

    from . import cli, operators, properties

    cli.unregister()
    operators.remove_handlers()
    for cls in reversed(_classes()):
        bpy.utils.unregister_class(cls)
    properties.detach()
