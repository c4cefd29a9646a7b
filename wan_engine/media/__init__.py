# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and video on disk: readers, writers, colour encoding, atomic files."""
