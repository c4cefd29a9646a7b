# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers of these tests run tiny networks: threads that wait for each other only slow them on a busy machine."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
