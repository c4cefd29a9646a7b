# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated clips as takes in the Video Sequencer; the only room that knows its API in each Blender version."""

from .handling import Take, find_take, others_use, read_take, remove_take, show_take, star_take
from .stills import save_still
from .takes import SequencerError, add_take, all_strips, check_scene, is_take, next_take, show, stored_path, takes

__all__ = [
    "SequencerError",
    "Take",
    "add_take",
    "all_strips",
    "check_scene",
    "find_take",
    "is_take",
    "next_take",
    "others_use",
    "read_take",
    "remove_take",
    "save_still",
    "show",
    "show_take",
    "star_take",
    "stored_path",
    "takes",
]
