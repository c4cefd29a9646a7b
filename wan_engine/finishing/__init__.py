# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to decoded frames: light repair, upscaling, interpolation, delivery."""
