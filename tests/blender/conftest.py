# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender-side tests: bpy at factory settings, one fresh scene per test, a clean exit."""

import os
import sys

import pytest

_status = 0


@pytest.fixture
def blank_scene():
    """An empty scene of a freshly reset Blender session."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    # bpy 4.2 crashes and 4.5 hangs at interpreter exit when a class or handler is still registered.
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status)
