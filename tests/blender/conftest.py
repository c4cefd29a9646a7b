# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender-side tests: bpy at factory settings, one fresh scene per test, a clean exit."""

import os
import sys
from pathlib import Path

import bpy  # before any test module: it brings mathutils
import pytest
from wan_previs.bridge.environment import venv_python

ENGINE = venv_python(Path(__file__).resolve().parents[2] / ".venv-engine")
_status = 0


def pytest_configure(config):
    config.addinivalue_line("markers", "engine: runs the engine's own process, in .venv-engine")


def pytest_collection_modifyitems(items):
    missing = pytest.mark.skip(reason=f"there is no engine's environment at {ENGINE}: make one with `make setup`")
    for item in items:
        if item.get_closest_marker("engine") and not ENGINE.is_file():
            item.add_marker(missing)


@pytest.fixture
def blank_scene():
    """An empty scene of a freshly reset Blender session."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    # bpy 4.2 crashes and 4.5 hangs at interpreter exit when a class or handler is still registered.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)
