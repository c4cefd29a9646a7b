# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all tests: none depends on how busy the machine is."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")
