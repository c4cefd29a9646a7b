# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated clips as takes in the Video Sequencer; the only room that knows its API in each Blender version."""

from .takes import SequencerError, add_take, show, takes

__all__ = ["SequencerError", "add_take", "show", "takes"]
