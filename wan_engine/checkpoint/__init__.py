# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoint folders: which model one holds, in which layout, and what its files are."""
