# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels of the tab Previs share."""

from __future__ import annotations

import bpy


class SidebarPanel:
    """A panel of the tab; `sidebar.py` makes one of it for each editor."""

    layout: bpy.types.UILayout
    bl_region_type = "UI"
    bl_category = "Previs"
