# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a clip follows its scene: what is seen to move, against the scene's own tracks and outlines."""
