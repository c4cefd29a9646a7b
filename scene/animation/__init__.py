# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes over a shot: F-curves, drivers and the frames that have to be sampled."""
