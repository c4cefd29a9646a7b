# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera: its optics, its path and the moves that the path is made of."""
