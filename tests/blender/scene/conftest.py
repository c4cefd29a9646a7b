# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene that most readers are tried on."""

import pytest
from scene_makers import add_camera


@pytest.fixture
def scene(blank_scene):
    """A level camera, 25 frames and nothing else."""
    add_camera(blank_scene)
    blank_scene.frame_end = 25
    return blank_scene
