# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory plan of a generation: what will be needed, before anything is loaded."""

from __future__ import annotations

from .machine import available_memory

__all__ = ["available_memory"]
