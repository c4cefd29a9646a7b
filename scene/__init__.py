# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a Blender scene as plain data. `brief` imports without bpy; `reader` needs it."""
