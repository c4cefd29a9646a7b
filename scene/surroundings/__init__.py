# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the shot takes place: interior or exterior, world, materials."""
