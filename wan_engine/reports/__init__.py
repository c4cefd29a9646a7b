# SPDX-License-Identifier: GPL-3.0-or-later
"""What a generation tells afterwards: report data and the page about the light."""
