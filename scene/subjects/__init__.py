# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shot shows: visible objects, groups, occlusion, framing and motion."""
