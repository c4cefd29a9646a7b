# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all tests: none depends on how busy the machine is, and a run repeats itself.

Hypothesis draws the same examples in each run; `--hypothesis-profile search` draws new ones, to look for more.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("repeatable")
