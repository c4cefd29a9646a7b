# SPDX-License-Identifier: GPL-3.0-or-later
"""Names under which earlier versions stored options in .blend files, and their values brought over."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from .. import previs
from .choices import property_of

_RENAMED = {"precision": "dtype", "light_truth": "expected_light"}
_REPAIRS = {"deflicker": "deflicker", "match_color": "color"}


class OldOptions:
    """The properties that files of earlier versions hold; no face shows them."""

    __annotations__ = {
        **{old: property_of(previs.OPTIONS[new]) for old, new in _RENAMED.items()},
        **{old: BoolProperty() for old in _REPAIRS},
    }


def bring_up_to_date() -> None:
    """Give the options of all scenes what the file holds of them under old names."""
    for scene in bpy.data.scenes:
        group = scene.wan_previs
        for old, new in _RENAMED.items():
            if group.is_property_set(old) and not group.is_property_set(new):
                setattr(group, new, getattr(group, old))
        if not group.is_property_set("repair") and any(getattr(group, old) for old in _REPAIRS):
            group.repair = {new for old, new in _REPAIRS.items() if getattr(group, old)}
        for old in (*_RENAMED, *_REPAIRS):
            group.property_unset(old)
