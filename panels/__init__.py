# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sees: the Previs tab in the sidebars of the 3D View and of the Sequencer."""

from .sidebar import CLASSES

__all__ = ["CLASSES"]
