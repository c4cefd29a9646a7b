# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels draw, without a window."""

from types import SimpleNamespace

import bpy
from wan_previs import preferences
from wan_previs.panels import CLASSES


class Layout:
    """A layout that is drawn nowhere. It asks each button's poll, as Blender does."""

    def __init__(self, drawn):
        self.drawn = drawn

    def __getattr__(self, name):
        def draw(*arguments, **options):
            self.drawn.append((name, options.get("text", arguments[0] if arguments else "")))
            if name == "operator":
                room, operator = arguments[0].split(".")
                getattr(getattr(bpy.ops, room), operator).poll()
                return SimpleNamespace()
            return Layout(self.drawn)

        return draw


def draw_all(context):
    """What all panels, their lists and the preferences draw, as (kind, words)."""
    drawn = []
    for cls in (*CLASSES, preferences.WanPrevisPreferences):
        face = SimpleNamespace(layout=Layout(drawn), thing=getattr(cls, "thing", ""), wheels_folder="")
        if hasattr(cls, "draw_item"):
            for item in context.scene.wan_previs.shots:
                cls.draw_item(face, context, Layout(drawn), None, item, 0, None, "", 0)
        elif not hasattr(cls, "poll") or cls.poll(context):
            cls.draw(face, context)
    return drawn
