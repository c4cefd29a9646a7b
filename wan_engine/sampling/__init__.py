# SPDX-License-Identifier: GPL-3.0-or-later
"""The denoise loop: solvers, schedule, light guide, step cache, resume, preview."""
