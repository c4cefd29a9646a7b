# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from Blender to the engine: job folders, the worker process, and the client that watches it."""
