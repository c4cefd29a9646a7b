# SPDX-License-Identifier: GPL-3.0-or-later
"""What lights the scene: sun, sky, lamps, their colour and their shadows."""
