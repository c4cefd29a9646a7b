# SPDX-License-Identifier: GPL-3.0-or-later
"""The neural networks, one file each, with what they are computed with."""
