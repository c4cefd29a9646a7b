# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands beside `generate`, and the small programs that Blender starts."""
