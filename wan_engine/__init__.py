# SPDX-License-Identifier: GPL-3.0-or-later
"""The Wan video model as a library and a command line; knows nothing of Blender.

Importing this package (and `wan_engine.request`) needs nothing but the standard library.
"""
